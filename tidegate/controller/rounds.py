"""The net below lost wakes: every VPC is looked at once per ``resync_s``, a few each second.

Looking is not a pass: it finds the names whose rows say otherwise than what was planned from them, or whose wish has
no answer yet, and those get their pass.  So a round costs the passes of others nothing, however many VPCs there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.controller.plan import NO_PARTS, NetworkParts, PlanSettings, plan_network
from tidegate.controller.world import Network, load_networks
from tidegate.domain.status import decide_settled
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to.  ``cursor`` is where the next one goes on; empty: the round is complete.

    At the end of a round ``clusters`` are all there are, and ``stray`` tells of parts planned for a VPC without a row.
    """

    cursor: str
    networks: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    stray: bool = False


def count_per_look(known: int, step_s: float, resync_s: float) -> int:
    """So many that a round over ``known`` VPCs takes ``resync_s``; one more, so that it comes to its end."""
    return math.ceil(known * step_s / resync_s) + 1


def look(tx: Transaction, after: str, limit: int, planned: Mapping[str, NetworkParts], settings: PlanSettings) -> Look:
    """The next ``limit`` VPCs in the order of their ids.  ``planned`` may be changing meanwhile."""
    vpcs = tx.vpcs.page(after, limit)
    networks = load_networks(tx, vpcs)
    answered = _load_answered(tx, networks)
    waiting = tuple(
        network.vpc.vpc_id
        for network in networks
        if _waits(network, answered) or planned.get(network.vpc.vpc_id) != plan_network(network, settings)
    )
    if len(vpcs) == limit:
        return Look(vpcs[-1].vpc_id, waiting)
    there = set(tx.vpcs.values("vpc_id"))
    stray = any(parts != NO_PARTS and vpc_id not in there for vpc_id, parts in list(planned.items()))
    return Look("", waiting, tuple(tx.clusters.values("cluster_id")), stray)


def _load_answered(tx: Transaction, networks: list[Network]) -> dict[tuple[str, str], Any]:
    ids = [key for network in networks for _, key, _ in _wishes(network)]
    return {(status.kind, status.resource_id): status for status in tx.statuses.find_in("resource_id", ids)}


def _waits(network: Network, answered: Mapping[tuple[str, str], Any]) -> bool:
    """Whether somebody still waits for an answer: a wish that was not carried out, a deletion that was not."""
    if any(zone.deleting for zone in network.zones):
        return True
    return any(
        row.deleting or not decide_settled(answered.get((kind, key)), row.generation)
        for kind, key, row in _wishes(network)
    )


def _wishes(network: Network) -> Iterator[tuple[str, str, Any]]:
    yield "vpc", network.vpc.vpc_id, network.vpc
    yield from (("subnet", subnet.subnet_id, subnet) for subnet in network.subnets)
    yield from (("security_group", group.group_id, group) for group in network.groups)
    yield from (("interface", i.interface_id, i) for i in network.interfaces if i.kind == "host")
    yield from (("endpoint", endpoint.endpoint_id, endpoint) for endpoint in network.endpoints)
