"""What of a topology is shown by itself, and what is counted in groups.  Pure.

What is in trouble comes first, so that a refused connection is never hidden in a group of quiet ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegate.domain.catalogue import Region
from tidegate.operations.topology import ClusterNode, EndpointNode, NetworkView, RegionTopology, ServiceNode, Topology

T = TypeVar("T")

FEW = 6
"""as many are shown without being asked for"""
SLICE = 40
"""as many of an opened group"""


@dataclass(frozen=True, slots=True)
class Group(Generic[T]):
    """Things that are counted instead of shown.  ``key`` and ``offset``: what opens the slice that begins with them."""

    key: str
    items: tuple[T, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    shown: tuple[T, ...]
    groups: tuple[Group[T], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkScene:
    view: NetworkView
    doors: Slice[EndpointNode]


@dataclass(frozen=True, slots=True)
class RegionScene:
    region: Region
    networks: Slice[NetworkScene]
    hidden_doors: tuple[EndpointNode, ...]
    """of the VPCs that are in a group"""
    services: Slice[ServiceNode]
    clusters: Slice[ClusterNode]


@dataclass(frozen=True, slots=True)
class Scene:
    regions: tuple[RegionScene, ...]


def parse_opened(values: Sequence[str]) -> dict[str, int]:
    """``key`` or ``key@offset`` each; what is no number counts as 0."""
    found = {}
    for value in values[:20]:
        key, _, offset = value.partition("@")
        found[key] = int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 7 else 0
    return found


def build_scene(topology: Topology, opened: Mapping[str, int]) -> Scene:
    return Scene(tuple(_build_region(region, opened) for region in topology.regions))


def _build_region(region: RegionTopology, opened: Mapping[str, int]) -> RegionScene:
    region_id = region.region.region_id
    networks = take(region.networks, f"vpcs.{region_id}", opened, _network_trouble)
    shown = tuple(NetworkScene(n, take(n.doors, n.vpc.vpc_id, opened, _door_trouble)) for n in networks.shown)
    hidden = [network for group in networks.groups for network in group.items]
    groups = tuple(
        Group(g.key, tuple(NetworkScene(n, Slice(n.doors)) for n in g.items), g.offset) for g in networks.groups
    )
    return RegionScene(
        region=region.region,
        networks=Slice(shown, groups),
        hidden_doors=tuple(door for network in hidden for door in network.doors),
        services=take(
            region.services, f"services.{region_id}", opened, lambda node: node.service is None or node.shared
        ),
        clusters=take(region.clusters, f"clusters.{region_id}", opened, lambda node: node.failed),
    )


def _door_trouble(door: EndpointNode) -> int:
    """How much somebody would want to see it: a refusal most."""
    return 3 if door.refusals else 2 if door.failed else int(door.moving)


def _network_trouble(network: NetworkView) -> int:
    return 3 if network.refusals else max(map(_door_trouble, network.doors), default=0)


def take(items: Sequence[T], key: str, opened: Mapping[str, int], trouble: Callable[[T], int]) -> Slice[T]:
    """All of them where they are few; else the first few, those in trouble before others; else the slice asked for."""
    if len(items) <= FEW + 1:  # a group of one would take the place of the one
        return Slice(tuple(items))
    if key not in opened:
        ranked = sorted(items, key=lambda item: -trouble(item))
        chosen = {id(item) for item in ranked[:FEW]}
        return Slice(
            tuple(item for item in ranked[:FEW]),
            (Group(key, tuple(item for item in items if id(item) not in chosen)),),
        )
    offset = min(opened[key], (len(items) - 1) // SLICE * SLICE)
    before, after = items[:offset], items[offset + SLICE :]
    groups = []
    if before:
        groups.append(Group(key, tuple(before), max(0, offset - SLICE)))
    if after:
        groups.append(Group(key, tuple(after), offset + SLICE))
    return Slice(tuple(items[offset : offset + SLICE]), tuple(groups))
