"""Rows of rule and order: the priorities are Alibaba's, and a wrong order lets packets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.refusals import (
    GroupKindsMixed,
    GroupOfOtherVpc,
    GroupPeerNotAllowed,
    Malformed,
    PeerMissing,
    PortsDoNotFit,
)
from tidegate.domain.security_groups import (
    SecurityGroup,
    SecurityGroupRule,
    ordered,
    require_groups_fit,
    require_peer,
    require_ports,
    require_priority,
    require_protocol,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GROUP = SecurityGroup("sg-1", "a", "alicloud-x", "vpc-1", "g", "", "basic", "accept", NOW)


def rule(priority: int, verdict: str, rule_id: str = "sgr-1") -> SecurityGroupRule:
    return SecurityGroupRule(
        rule_id,
        "sg-1",
        "ingress",
        "tcp",
        (4000, 4000),
        verdict,
        priority,
        "0.0.0.0/0",
        None,
        "",
        NOW,  # type: ignore[arg-type]
    )


@given(st.lists(st.tuples(st.integers(1, 100), st.sampled_from(["accept", "drop"])), max_size=12))
def test_smaller_priority_first_and_drop_before_accept(rows: list[tuple[int, str]]) -> None:
    """ECS: the smaller number wins, at a tie drop wins, whatever the order in which rules were made."""
    rules = [rule(priority, verdict, f"sgr-{n}") for n, (priority, verdict) in enumerate(rows)]
    got = [(r.priority, r.verdict) for r in ordered(rules)]
    assert got == sorted(got, key=lambda row: (row[0], row[1] == "accept"))
    assert ordered(reversed(rules)) == ordered(rules)


@pytest.mark.parametrize(
    ("protocol", "text", "ports"),
    [
        ("tcp", "4000/4000", (4000, 4000)),
        ("udp", "1/65535", (1, 65535)),
        ("icmp", "-1/-1", None),
        ("all", "-1/-1", None),
    ],
)
def test_ports_that_fit(protocol: str, text: str, ports: tuple[int, int] | None) -> None:
    assert require_ports(require_protocol(protocol.upper()), text) == ports


@pytest.mark.parametrize(
    ("protocol", "text"), [("tcp", "-1/-1"), ("tcp", "0/1"), ("tcp", "9/8"), ("tcp", "1/65536"), ("all", "1/2")]
)
def test_ports_that_do_not_fit_their_protocol(protocol: str, text: str) -> None:
    with pytest.raises(PortsDoNotFit):
        require_ports(require_protocol(protocol), text)


@pytest.mark.parametrize("text", ["", "4000", "a/b", "1/2/3", "1 / 2", "1/2\n"])
def test_ports_that_are_none(text: str) -> None:
    with pytest.raises(Malformed):
        require_ports("tcp", text)


@pytest.mark.parametrize("text", ["0", "101", "", "-1", "1.0", "٣"])
def test_priorities_outside_1_to_100(text: str) -> None:
    with pytest.raises(Malformed):
        require_priority(text)


def test_a_cidr_wins_over_a_group() -> None:
    assert require_peer(GROUP, "ingress", "10.0.0.1", "sg-2") == ("10.0.0.1/32", None)


def test_a_rule_needs_a_peer_and_advanced_groups_none_that_is_a_group() -> None:
    with pytest.raises(PeerMissing):
        require_peer(GROUP, "ingress", None, None)
    with pytest.raises(GroupPeerNotAllowed):
        require_peer(replace(GROUP, kind="advanced"), "ingress", None, "sg-2")


def test_groups_of_one_interface_are_of_one_vpc_and_one_kind() -> None:
    with pytest.raises(GroupOfOtherVpc):
        require_groups_fit([GROUP], "vpc-2")
    with pytest.raises(GroupKindsMixed):
        require_groups_fit([GROUP, replace(GROUP, group_id="sg-2", kind="advanced")], "vpc-1")
