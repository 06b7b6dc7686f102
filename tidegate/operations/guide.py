"""The how-to's three steps, and how far this user is: each item is true or not, by what is really there.

Nothing is remembered: whoever deletes the endpoint has not made one.  What the system cannot know (that somebody copied
the service's name) is no item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from tidegate.domain.catalogue import Region
from tidegate.domain.clusters import DEFAULT_PORT, ClusterState
from tidegate.domain.endpoints import ConnectionState, EndpointState
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.security_groups import Packet, SecurityGroup, SecurityGroupRule, decide_verdict
from tidegate.domain.subnets import Subnet
from tidegate.operations.context import Caller, Context
from tidegate.operations.topology import (
    ClusterNode,
    EndpointNode,
    NetworkView,
    RegionTopology,
    ServiceNode,
    get_topology,
)

Item = Literal[
    "cluster", "password",
    "vpc", "subnet", "group", "endpoint", "active", "connected",
    "program", "used",
]  # fmt: skip
STEPS: tuple[tuple[Item, ...], ...] = (
    ("cluster", "password"),
    ("vpc", "subnet", "group", "endpoint", "active", "connected"),
    ("program", "used"),
)


@dataclass(frozen=True, slots=True)
class Guide:
    """``done``: the items that are true now.  ``cluster`` None: there is none that a private endpoint can lead to.

    ``network``, ``door``: the VPC and the endpoint that are furthest; ``group_id``: what lets the connection in, or
    the group that does not.
    """

    clusters: tuple[ClusterNode, ...]
    cluster: ClusterNode | None = None
    region: Region | None = None
    service: ServiceNode | None = None
    network: NetworkView | None = None
    door: EndpointNode | None = None
    group_id: str = ""
    done: frozenset[Item] = frozenset()

    @property
    def next(self) -> Item | None:
        """The first item that is still to do."""
        return next((item for step in STEPS for item in step if item not in self.done), None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the items are decided from: one region as it is."""

    cluster: ClusterNode
    service: ServiceNode | None
    network: NetworkView | None
    door: EndpointNode | None
    subnets: Sequence[Subnet] = ()
    groups: Sequence[SecurityGroup] = ()
    rules: Sequence[SecurityGroupRule] = ()


def get_guide(context: Context, networks: Caller, clusters: Caller, cluster_id: str = "") -> Guide:
    """``cluster_id``: whose way is told; unknown or empty: the first on Alibaba Cloud, where the how-to is at home."""
    topology = get_topology(context, networks, clusters)
    known = {node.cluster.cluster_id: region for region in topology.regions for node in region.clusters}
    choices = tuple(node for region in topology.regions for node in region.clusters if _is_served(region.region))
    cluster = next((n for n in choices if n.cluster.cluster_id == cluster_id), choices[0] if choices else None)
    if cluster is None:
        return Guide(choices)
    region = known[cluster.cluster.cluster_id]
    service = next((node for node in region.services if node.shared), None)
    network, door = decide_furthest(region, service.service_id if service else "")
    facts = _load(context, Facts(cluster, service, network, door))
    done, group_id = decide_done(facts)
    return Guide(choices, cluster, region.region, service, network, door, group_id, done)


def _is_served(region: Region) -> bool:
    return region.cloud == "alicloud"


def decide_furthest(region: RegionTopology, service_id: str) -> tuple[NetworkView | None, EndpointNode | None]:
    """The endpoint of this service that is furthest, with its VPC; without one, the newest VPC."""
    ways = [(n, door) for n in region.networks for door in n.doors if door.endpoint.service_id == service_id]
    if ways:
        return max(ways, key=lambda way: (_connections(way[1]), way[1].open, way[1].endpoint.created_at))
    newest = max(region.networks, key=lambda n: n.vpc.created_at, default=None)
    return newest, None


def _connections(door: EndpointNode) -> int:
    return door.passed.connections if door.passed else 0


def _load(context: Context, facts: Facts) -> Facts:
    if facts.network is None:
        return facts
    vpc_id = facts.network.vpc.vpc_id
    with context.store.read() as tx:
        groups = tx.security_groups.find(vpc_id=vpc_id, deleting=False)
        return Facts(
            facts.cluster,
            facts.service,
            facts.network,
            facts.door,
            tx.subnets.find(vpc_id=vpc_id, deleting=False),
            groups,
            tx.security_group_rules.find_in("group_id", [group.group_id for group in groups]),
        )


def decide_done(facts: Facts) -> tuple[frozenset[Item], str]:
    """The items that are true, and the group that lets the connection in (or, of an endpoint, the one that should)."""
    cluster, network, door = facts.cluster, facts.network, facts.door
    allowing = decide_allowing_group(facts)
    zones = facts.service.service.zone_ids if facts.service and facts.service.service else ()
    truths: Mapping[Item, bool] = {
        "cluster": cluster.state is ClusterState.ACTIVE,
        "password": cluster.cluster.root_password_hash is not None,
        "vpc": network is not None and network.available,
        "subnet": any(subnet.zone_id in zones for subnet in facts.subnets),
        "group": bool(allowing),
        "endpoint": door is not None,
        "active": door is not None and door.view.state is EndpointState.ACTIVE,
        "connected": door is not None and door.view.connection is ConnectionState.CONNECTED and bool(door.addresses),
        "program": network is not None and bool(network.programs),
        "used": door is not None and _connections(door) > 0,
    }
    shown = allowing or (door.endpoint.group_ids[0] if door else "")
    return frozenset(item for item, true in truths.items() if true), shown


def decide_allowing_group(facts: Facts) -> str:
    """Of an endpoint: its groups together must let the connection in.  Before there is one: any group that would."""
    if facts.network is None:
        return ""
    sets = [facts.door.endpoint.group_ids] if facts.door else [(group.group_id,) for group in facts.groups]
    for group_ids in sets:
        groups = [group for group in facts.groups if group.group_id in group_ids]
        rules = [rule for rule in facts.rules if rule.group_id in group_ids]
        if groups and any(decide_verdict(groups, rules, packet) == "accept" for packet in _packets(facts.network)):
            return groups[0].group_id
    return ""


def _packets(network: NetworkView) -> Iterable[Packet]:
    """What the programs would send; without any, what one at the beginning of the VPC's range would."""
    for program in network.programs or (None,):
        yield _packet(program, str(IPv4Network(network.vpc.cidr)[1]))


def _packet(program: NetworkInterface | None, otherwise: str) -> Packet:
    if program is None:
        return Packet("ingress", "tcp", DEFAULT_PORT, otherwise)
    return Packet("ingress", "tcp", DEFAULT_PORT, program.address, frozenset(program.group_ids))
