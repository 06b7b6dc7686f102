"""What a set of groups does with a packet, in Python as the kernel does it (``netns/test_security_groups.py``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate.domain.security_groups import Packet, SecurityGroup, SecurityGroupRule, decide_verdict

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def group(group_id: str = "sg-1", kind: Any = "basic", inner: Any = "accept") -> SecurityGroup:
    return SecurityGroup(group_id, "1", "r", "vpc", "", "", kind, inner, NOW)


def rule(verdict: Any = "accept", priority: int = 1, **other: Any) -> SecurityGroupRule:
    fields: dict[str, Any] = {
        "direction": "ingress",
        "protocol": "tcp",
        "ports": (4000, 4000),
        "peer_cidr": "10.0.0.0/8",
    }
    fields |= {"peer_group": None, **other}
    return SecurityGroupRule(f"{verdict}-{priority}", "sg-1", verdict=verdict, priority=priority, description="",
                             created_at=NOW, **fields)  # fmt: skip


def packet(port: int = 4000, address: str = "10.1.2.3", direction: Any = "ingress", *groups: str) -> Packet:
    return Packet(direction, "tcp", port, address, frozenset(groups))


BY_MEMBER = packet(4000, "10.0.0.1", "ingress", "sg-1")
BY_OTHER = packet(4000, "1.1.1.1", "ingress", "sg-2")


@pytest.mark.parametrize(
    ("said", "groups", "rules", "sent", "verdict"),
    [
        ("inbound nothing is allowed by default", [group()], [], packet(), "drop"),
        ("outbound a basic group allows", [group()], [], packet(direction="egress"), "accept"),
        ("outbound an advanced group does not", [group(kind="advanced")], [], packet(direction="egress"), "drop"),
        ("the port", [group()], [rule()], packet(), "accept"),
        ("another port", [group()], [rule()], packet(4001), "drop"),
        ("another network", [group()], [rule()], packet(address="192.168.0.1"), "drop"),
        ("a smaller priority wins", [group()], [rule("drop", 2), rule("accept", 1)], packet(), "accept"),
        ("at equal priority drop wins", [group()], [rule("accept"), rule("drop")], packet(), "drop"),
        ("a rule of the other direction", [group()], [rule(direction="egress")], packet(), "drop"),
        ("all protocols", [group()], [rule(protocol="all", ports=None)], packet(9), "accept"),
        ("its own members are trusted", [group()], [rule("drop")], BY_MEMBER, "accept"),
        ("not when told not to", [group(inner="drop")], [], BY_MEMBER, "drop"),
        ("a group as peer", [group()], [rule(peer_cidr=None, peer_group="sg-2")], BY_OTHER, "accept"),
        ("another group as peer", [group()], [rule(peer_cidr=None, peer_group="sg-2")], packet(), "drop"),
    ],
)  # fmt: skip
def test_verdict(
    said: str, groups: list[SecurityGroup], rules: list[SecurityGroupRule], sent: Packet, verdict: str
) -> None:
    assert decide_verdict(groups, rules, sent) == verdict, said
