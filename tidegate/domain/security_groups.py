"""Security groups: stateful packet rules, and the order in which a set of groups speaks.

Semantics (``reference/alibaba.md`` 5.2; ECS documentation of AuthorizeSecurityGroup, ModifySecurityGroupPolicy):

* priority 1 to 100, the smaller wins; at equal priority *drop* wins over *accept*;
* an interface in several groups obeys the union of their rules, in one order;
* a **basic** group trusts its own members: with InnerAccessPolicy Accept before all rules, with Drop not at all;
  inbound is refused and outbound allowed by default;
* an **advanced** (enterprise) group has no in-group trust; both directions are refused by default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from tidegate.domain.refusals import (
    GroupKindsMixed,
    GroupOfOtherVpc,
    GroupPeerNotAllowed,
    Malformed,
    PeerMissing,
    PortsDoNotFit,
)
from tidegate.domain.vpcs import require_network

GroupKind = Literal["basic", "advanced"]
Direction = Literal["ingress", "egress"]
Verdict = Literal["accept", "drop"]
Protocol = Literal["tcp", "udp", "icmp", "gre", "all"]

PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "icmp", "gre", "all")
RULES_PER_GROUP = 200
GROUPS_PER_INTERFACE = 5
GROUPS_PER_ENDPOINT = 10


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """``inner_access`` is meant for basic groups only; advanced groups have ``drop``."""

    group_id: str
    account_id: str
    region_id: str
    vpc_id: str
    name: str
    description: str
    kind: GroupKind
    inner_access: Verdict
    created_at: datetime
    resource_group_id: str = ""
    generation: int = 1
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """``ports`` None means no ports (``-1/-1``).  Exactly one peer is set."""

    rule_id: str
    group_id: str
    direction: Direction
    protocol: Protocol
    ports: tuple[int, int] | None
    verdict: Verdict
    priority: int
    peer_cidr: str | None
    peer_group: str | None
    description: str
    created_at: datetime

    def same_effect(self, other: SecurityGroupRule) -> bool:
        """An equal rule again is success without change (ECS AuthorizeSecurityGroup)."""
        return self._tuple() == other._tuple()

    def _tuple(self) -> tuple[object, ...]:
        return (
            self.group_id,
            self.direction,
            self.protocol,
            self.ports,
            self.verdict,
            self.priority,
            self.peer_cidr,
            self.peer_group,
        )


def require_protocol(text: str) -> Protocol:
    for protocol in PROTOCOLS:
        if text.lower() == protocol:
            return protocol
    raise Malformed("IpProtocol", text)


def require_ports(protocol: Protocol, text: str) -> tuple[int, int] | None:
    """``a/b`` with 1 to 65535 for tcp and udp, ``-1/-1`` for the others."""
    match = re.fullmatch(r"(-?[0-9]{1,5})/(-?[0-9]{1,5})", text)
    if match is None:
        raise Malformed("PortRange", text)
    low, high = int(match[1]), int(match[2])
    if protocol in ("tcp", "udp"):
        if (low, high) == (-1, -1) or not 1 <= low <= high <= 65535:
            raise PortsDoNotFit(protocol, text)
        return low, high
    if (low, high) != (-1, -1):
        raise PortsDoNotFit(protocol, text)
    return None


def require_priority(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise Malformed("Priority", text)
    return int(text)


def require_verdict(text: str) -> Verdict:
    if text.lower() == "accept":
        return "accept"
    if text.lower() == "drop":
        return "drop"
    raise Malformed("Policy", text)


def require_peer(
    group: SecurityGroup, direction: Direction, cidr: str | None, peer_group: str | None
) -> tuple[str | None, str | None]:
    """The one peer that counts: a CIDR wins over a group (ECS AuthorizeSecurityGroup)."""
    if cidr:
        text = cidr if "/" in cidr else f"{cidr}/32"
        return str(require_network("SourceCidrIp" if direction == "ingress" else "DestCidrIp", text)), None
    if peer_group:
        if group.kind == "advanced":
            raise GroupPeerNotAllowed(group.group_id)
        return None, peer_group
    raise PeerMissing(direction)


def require_groups_fit(groups: Iterable[SecurityGroup], vpc_id: str) -> None:
    """All groups are of this VPC and of one kind."""
    kinds: set[GroupKind] = set()
    for group in groups:
        if group.vpc_id != vpc_id:
            raise GroupOfOtherVpc(group.group_id, vpc_id)
        kinds.add(group.kind)
        if len(kinds) > 1:
            raise GroupKindsMixed(group.group_id)


def ordered(rules: Iterable[SecurityGroupRule]) -> tuple[SecurityGroupRule, ...]:
    """Rules in the order in which a packet meets them: by priority, then drop before accept."""
    return tuple(sorted(rules, key=lambda r: (r.priority, r.verdict != "drop", r.created_at, r.rule_id)))


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, as a set of groups sees it.  ``peer_groups``: the groups of the other side."""

    direction: Direction
    protocol: Protocol
    port: int
    peer_address: str
    peer_groups: frozenset[str] = frozenset()


def decide_verdict(groups: Iterable[SecurityGroup], rules: Iterable[SecurityGroupRule], packet: Packet) -> Verdict:
    """What a set of groups with these rules does with it: in-group trust, then the rules in order, then the default."""
    groups = list(groups)
    if any(g.kind == "basic" and g.inner_access == "accept" and g.group_id in packet.peer_groups for g in groups):
        return "accept"
    for rule in ordered(rules):
        if _matches(rule, packet):
            return rule.verdict
    return "drop" if packet.direction == "ingress" or any(g.kind == "advanced" for g in groups) else "accept"


def _matches(rule: SecurityGroupRule, packet: Packet) -> bool:
    if rule.direction != packet.direction or rule.protocol not in ("all", packet.protocol):
        return False
    if rule.ports is not None and not rule.ports[0] <= packet.port <= rule.ports[1]:
        return False
    if rule.peer_group is not None:
        return rule.peer_group in packet.peer_groups
    return rule.peer_cidr is None or IPv4Address(packet.peer_address) in IPv4Network(rule.peer_cidr)
