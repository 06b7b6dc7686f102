"""What was seen of a VPC's packets: what passed each endpoint, and what was refused, where and by which rule.

Counters count since the VPC's rules were last loaded (an agent that starts loads them anew), so a smaller number than
before means a new beginning, never a negative rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Hop = Literal["arrive", "known", "guests", "egress", "to_peer", "ingress", "local", "forward", ""]
"""a place on the path (``dataplane/hops.py``) that refuses; empty: a rule that is gone by now"""

DEFAULT_RULE = "default"
"""stands for what a set of security groups does with packets that none of its rules is about"""


@dataclass(frozen=True, slots=True)
class Passed:
    """Through one interface of an endpoint, or to one address of a published service; both directions together.

    ``connections``: how many were begun and let through.
    """

    packets: int = 0
    size_bytes: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """One flow that was dropped.  ``rule_id``: the security group rule's, DEFAULT_RULE, or the hop's own words.

    ``ago_s``: how long ago its last packet came, to about a second; one connection attempt is several packets.
    """

    hop: Hop
    rule_id: str
    protocol: str
    source: str
    destination: str
    port: int
    packets: int
    ago_s: float


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Packets that one rule of a set of groups decided about.  ``groups``: the set's name in the kernel."""

    hop: Hop
    groups: str
    rule_id: str
    accepts: bool
    packets: int


@dataclass(frozen=True, slots=True)
class NetworkTraffic:
    """One VPC.  ``passed``: by the address of an endpoint's interface, or a published service's fabric address.

    ``refused`` has the newest first and at most REFUSED_SHOWN.  ``problem``: one sentence of why nothing was read.
    """

    passed: Mapping[str, Passed] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    rules: tuple[RuleCount, ...] = ()
    problem: str = ""


REFUSED_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """The last look at a VPC: ``age_s`` old; ``bytes_s`` has each address's rate since the look before it."""

    traffic: NetworkTraffic
    age_s: float
    bytes_s: Mapping[str, float] = field(default_factory=dict)


def decide_rates(before: NetworkTraffic, after: NetworkTraffic, step_s: float) -> dict[str, float]:
    """Bytes per second of each address that both looks know; a counter that began anew counts from 0."""
    rates = {}
    for address, passed in after.passed.items():
        known = before.passed.get(address)
        if known is not None and step_s > 0:
            grown = passed.size_bytes - known.size_bytes
            rates[address] = (grown if grown >= 0 else passed.size_bytes) / step_s
    return rates
