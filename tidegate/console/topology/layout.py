"""Where everything stands: a scene to shapes with places, in SVG's units, without a word.  Pure.

::

    x:  24       176       258     336       572    726       902      984        1216
        +-------------------------------------+                                            one band per region
        | program ---------(#)-----[ door      ]-------[ service ]--------[ cluster  ]
        |           security group |  a wire          wires
        |           [ what was refused, by whom ]
        +-------------------------------------+

A VPC's doors (its endpoints) stand in its border, because that is what they are.  Heights add up from the doors; the
services and clusters of a region are centred beside its VPCs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.console.topology.grouping import Group, NetworkScene, RegionScene, Scene, Slice
from tidegate.operations.topology import ClusterNode, EndpointNode, RefusedFlow, ServiceNode, Target

WIDTH = 1240
PAD = 24
BAND_HEAD, BAND_GAP = 46, 22
FIRST_SCREEN = 640
VPC_X, VPC_WIDTH, VPC_HEAD, VPC_GAP = PAD, 548, 46, 18
PROGRAM_X, PROGRAM_WIDTH, PROGRAM_HEIGHT = VPC_X + 16, 136, 58
GUARD_X = 258
DOOR_X, DOOR_WIDTH, DOOR_HEIGHT, DOOR_GAP = 336, 260, 62, 14
SERVICE_X, SERVICE_WIDTH, SERVICE_HEIGHT, SERVICE_GAP = 726, 176, 84, 16
CLUSTER_X, CLUSTER_WIDTH, CLUSTER_HEIGHT, CLUSTER_GAP = 984, 232, 62, 14
NOTE_X, NOTE_WIDTH, NOTE_HEIGHT, NOTES_SHOWN = 192, 364, 42, 3

Kind = Literal[
    "region", "network", "networks", "program", "door", "doors", "note", "more_notes",
    "service", "services", "cluster", "clusters", "target",
]  # fmt: skip
"""plural: a group"""

WireKind = Literal["inside", "fabric", "provider"]
Flow = Literal["idle", "slow", "busy", "fast"]
Tone = Literal["good", "moving", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Shape:
    """``item``: what it shows (by ``kind``: a view of ``operations/topology.py``, or a Group of them)."""

    kind: Kind
    x: float
    y: float
    width: float
    height: float
    item: object
    tone: Tone = "good"

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Wire:
    """A curve from left to right.  ``bytes_s`` is shown at its start when something flows.

    ``guard``: where a security group judges, on wires inside a VPC.  ``refused_x``: where it ends, if all that was
    seen of it lately was refused there.
    """

    kind: WireKind
    x1: float
    y1: float
    x2: float
    y2: float
    tone: Tone = "good"
    bytes_s: float = 0.0
    count: int = 1

    @property
    def path(self) -> str:
        bend = (self.x2 - self.x1) / 2
        return (
            f"M{self.x1:g} {self.y1:g}C{self.x1 + bend:g} {self.y1:g} "
            f"{self.x2 - bend:g} {self.y2:g} {self.x2:g} {self.y2:g}"
        )

    @property
    def flow(self) -> Flow:
        if self.bytes_s < 1:
            return "idle"
        return "slow" if self.bytes_s < 10_000 else "busy" if self.bytes_s < 1_000_000 else "fast"


@dataclass(frozen=True, slots=True)
class Mark:
    """On the way to a door: a security group that judges (``refusals`` empty), or the cross where packets ended."""

    x: float
    y: float
    refusals: tuple[RefusedFlow, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    shapes: tuple[Shape, ...] = ()
    wires: tuple[Wire, ...] = ()
    marks: tuple[Mark, ...] = ()


class _Canvas:
    """What has been placed so far."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.wires: list[Wire] = []
        self.marks: list[Mark] = []

    def add(self, *shape: object, **more: object) -> Shape:
        made = Shape(*shape, **more)  # type: ignore[arg-type]
        self.shapes.append(made)
        return made


def build_picture(scene: Scene) -> Picture:
    canvas = _Canvas()
    y = 0.0
    for region in scene.regions:
        y = _place_region(canvas, region, y) + BAND_GAP
    return Picture(WIDTH, round(max(0.0, y - BAND_GAP)), tuple(canvas.shapes), tuple(canvas.wires), tuple(canvas.marks))


def _place_region(canvas: _Canvas, region: RegionScene, top: float) -> float:
    """Returns where the band ends."""
    inner = top + BAND_HEAD
    right = [*_cluster_column(region)]
    heights = (
        _networks_height(region.networks),
        _column_height(_service_count(region), SERVICE_HEIGHT, SERVICE_GAP),
        _column_height(len(right), CLUSTER_HEIGHT, CLUSTER_GAP),
    )
    height = max(heights)
    band = canvas.add("region", 0, top, WIDTH, BAND_HEAD + height + PAD, region)
    leaving: list[tuple[float, float, tuple[EndpointNode, ...]]] = []
    _place_networks(canvas, region.networks, inner + (height - heights[0]) / 2, leaving)
    services = _place_services(canvas, region, inner + _beside(heights[1], height))
    clusters = _place_clusters(canvas, right, inner + _beside(heights[2], height))
    _wire_fabric(canvas, leaving, services)
    _wire_provider(canvas, services, clusters)
    return band.y + band.height


def _beside(column: float, height: float) -> float:
    """In the middle; but where the VPCs go on for screens, on the first one."""
    return (min(height, max(column, FIRST_SCREEN)) - column) / 2


# -- VPCs ---------------------------------------------------------------------------------------------------------


def _networks_height(networks: Slice[NetworkScene]) -> float:
    heights = [_network_height(network) for network in networks.shown]
    heights += [DOOR_HEIGHT + 20.0 for _ in networks.groups]
    return sum(heights) + VPC_GAP * max(0, len(heights) - 1)


def _notes(refusals: Sequence[RefusedFlow]) -> float:
    """The height of the lines that tell what was refused."""
    lines = min(len(refusals), NOTES_SHOWN) + (len(refusals) > NOTES_SHOWN)
    return lines * NOTE_HEIGHT + (6 if lines else 0)


def _network_height(network: NetworkScene) -> float:
    doors = sum(DOOR_HEIGHT + DOOR_GAP + _notes(door.refusals) for door in network.doors.shown)
    doors += (DOOR_HEIGHT + DOOR_GAP) * len(network.doors.groups)
    return VPC_HEAD + max(doors, PROGRAM_HEIGHT + DOOR_GAP) + _notes(network.view.refusals) + 4


def _place_networks(
    canvas: _Canvas,
    networks: Slice[NetworkScene],
    y: float,
    leaving: list[tuple[float, float, tuple[EndpointNode, ...]]],
) -> None:
    before, after = _around(networks)
    for group in before:
        y = _place_network_group(canvas, group, y, leaving)
    for network in networks.shown:
        y = _place_network(canvas, network, y, leaving) + VPC_GAP
    for group in after:
        y = _place_network_group(canvas, group, y, leaving)


def _around(networks: Slice[NetworkScene] | Slice[EndpointNode]) -> tuple[list[Group[object]], list[Group[object]]]:
    """A group of those before the slice stands before it."""
    groups: list[Group[object]] = list(networks.groups)  # type: ignore[arg-type]
    first = groups[:1] if len(groups) == 2 else []
    return first, groups[len(first) :]


def _place_network_group(
    canvas: _Canvas, group: Group[object], y: float, leaving: list[tuple[float, float, tuple[EndpointNode, ...]]]
) -> float:
    doors = tuple(door for scene in group.items if isinstance(scene, NetworkScene) for door in scene.view.doors)
    shape = canvas.add("networks", VPC_X, y, VPC_WIDTH, DOOR_HEIGHT + 12, group, tone=decide_tone(doors))
    leaving.append((shape.right, shape.middle, doors))
    return shape.y + DOOR_HEIGHT + 20 + VPC_GAP


def _place_network(
    canvas: _Canvas, network: NetworkScene, top: float, leaving: list[tuple[float, float, tuple[EndpointNode, ...]]]
) -> float:
    box = canvas.add("network", VPC_X, top, VPC_WIDTH, _network_height(network), network.view)
    y, (first, last) = top + VPC_HEAD, _door_middles(network, top + VPC_HEAD)
    program = canvas.add(
        "program", PROGRAM_X, (first + last - PROGRAM_HEIGHT) / 2, PROGRAM_WIDTH, PROGRAM_HEIGHT, network.view,
        tone="good" if network.view.programs else "quiet",
    )  # fmt: skip
    before, after = _around(network.doors)
    for group in before:
        y = _place_door_group(canvas, group, y, program, leaving)
    for door in network.doors.shown:
        y = _place_door(canvas, door, y, program, leaving)
    for group in after:
        y = _place_door_group(canvas, group, y, program, leaving)
    _place_notes(canvas, network.view.refusals, box.y + box.height - _notes(network.view.refusals))
    return box.y + box.height


def _door_middles(network: NetworkScene, y: float) -> tuple[float, float]:
    """Of the first and the last door, so that a single door's wire is straight."""
    groups, shown = len(network.doors.groups), network.doors.shown
    if not shown:
        return y + PROGRAM_HEIGHT / 2, y + PROGRAM_HEIGHT / 2
    step = DOOR_HEIGHT + DOOR_GAP
    last = y + sum(step + _notes(door.refusals) for door in shown[:-1]) + groups * step
    return y + DOOR_HEIGHT / 2, last + DOOR_HEIGHT / 2


def _place_door(
    canvas: _Canvas,
    door: EndpointNode,
    y: float,
    program: Shape,
    leaving: list[tuple[float, float, tuple[EndpointNode, ...]]],
) -> float:
    shape = canvas.add("door", DOOR_X, y, DOOR_WIDTH, DOOR_HEIGHT, door, tone=decide_tone((door,)))
    leaving.append((shape.right, shape.middle, (door,)))
    refused_only = bool(door.refusals) and not door.bytes_s
    tone: Tone = "bad" if refused_only else "good" if program.tone == "good" else "quiet"
    canvas.wires.append(Wire("inside", program.right, program.middle, DOOR_X, shape.middle, tone, door.bytes_s))
    canvas.marks.extend(_marks(door, program, shape))
    return (
        _place_notes(canvas, door.refusals, y + DOOR_HEIGHT + 4) + DOOR_GAP
        if door.refusals
        else shape.y + DOOR_HEIGHT + DOOR_GAP
    )


def _marks(door: EndpointNode, program: Shape, shape: Shape) -> list[Mark]:
    """The endpoint's guard always; a cross at each place where packets to it ended."""
    at: dict[float, list[RefusedFlow]] = {}
    for refusal in door.refusals:
        at.setdefault(_place_of(refusal), []).append(refusal)
    marks = [Mark(GUARD_X, _wire_y(GUARD_X, program, shape))] if GUARD_X not in at else []
    return marks + [Mark(x, _wire_y(x, program, shape), tuple(found)) for x, found in at.items()]


def _place_of(refusal: RefusedFlow) -> float:
    """On the way from program to door: its own groups, the endpoint's groups, the door itself."""
    if refusal.hop in ("arrive", "egress"):
        return PROGRAM_X + PROGRAM_WIDTH + 12
    if refusal.hop in ("ingress", "to_peer", "guests", ""):
        return GUARD_X
    return DOOR_X - 12


def _wire_y(x: float, program: Shape, door: Shape) -> float:
    """Where the curve of :class:`Wire` is at this x, by halving (its x grows with its parameter)."""
    low, high = 0.0, 1.0
    x1, x2, bend = program.right, door.x, (door.x - program.right) / 2
    for _ in range(30):
        t = (low + high) / 2
        here = _cubic(t, x1, x1 + bend, x2 - bend, x2)
        low, high = (t, high) if here < x else (low, t)
    return round(_cubic(low, program.middle, program.middle, door.middle, door.middle), 1)


def _cubic(t: float, a: float, b: float, c: float, d: float) -> float:
    s = 1 - t
    return s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d


def _place_notes(canvas: _Canvas, refusals: Sequence[RefusedFlow], y: float) -> float:
    for refusal in refusals[:NOTES_SHOWN]:
        canvas.add("note", NOTE_X, y, NOTE_WIDTH, NOTE_HEIGHT - 4, refusal, tone="bad")
        y += NOTE_HEIGHT
    if len(refusals) > NOTES_SHOWN:
        canvas.add("more_notes", NOTE_X, y, NOTE_WIDTH, NOTE_HEIGHT - 4, len(refusals) - NOTES_SHOWN, tone="bad")
        y += NOTE_HEIGHT
    return y


def _place_door_group(
    canvas: _Canvas,
    group: Group[object],
    y: float,
    program: Shape,
    leaving: list[tuple[float, float, tuple[EndpointNode, ...]]],
) -> float:
    doors = tuple(door for door in group.items if isinstance(door, EndpointNode))
    shape = canvas.add("doors", DOOR_X, y, DOOR_WIDTH, DOOR_HEIGHT - 6, group, tone=decide_tone(doors))
    tone: Tone = "good" if program.tone == "good" else "quiet"
    bytes_s = sum(door.bytes_s for door in doors)
    canvas.wires.append(Wire("inside", program.right, program.middle, DOOR_X, shape.middle, tone, bytes_s, len(doors)))
    leaving.append((shape.right, shape.middle, doors))
    return shape.y + DOOR_HEIGHT + DOOR_GAP


# -- services and clusters ----------------------------------------------------------------------------------------


def _column_height(count: int, height: float, gap: float) -> float:
    return count * height + max(0, count - 1) * gap


def _service_count(region: RegionScene) -> int:
    return len(region.services.shown) + len(region.services.groups)


def _place_services(canvas: _Canvas, region: RegionScene, y: float) -> dict[str, Shape]:
    """Service id -> where it stands, by itself or within a group."""
    places: dict[str, Shape] = {}
    for node in region.services.shown:
        tone: Tone = "good" if node.service is not None and not node.service.deleting else "bad"
        places[node.service_id] = canvas.add("service", SERVICE_X, y, SERVICE_WIDTH, SERVICE_HEIGHT, node, tone=tone)
        y += SERVICE_HEIGHT + SERVICE_GAP
    for group in region.services.groups:
        shape = canvas.add("services", SERVICE_X, y, SERVICE_WIDTH, SERVICE_HEIGHT - 8, group)
        places |= {node.service_id: shape for node in group.items}
        y += SERVICE_HEIGHT + SERVICE_GAP
    return places


def _cluster_column(region: RegionScene) -> list[ClusterNode | Group[ClusterNode] | tuple[ServiceNode, Target]]:
    """What stands at the end of the path: clusters, and the programs that the user's own services lead to."""
    targets = [(node, target) for node in region.services.shown for target in node.targets]
    return [*region.clusters.shown, *region.clusters.groups, *targets[:12]]


def _place_clusters(
    canvas: _Canvas, column: Sequence[ClusterNode | Group[ClusterNode] | tuple[ServiceNode, Target]], y: float
) -> list[Shape]:
    placed = []
    for item in column:
        kind: Kind = "cluster" if isinstance(item, ClusterNode) else "clusters" if isinstance(item, Group) else "target"
        placed.append(canvas.add(kind, CLUSTER_X, y, CLUSTER_WIDTH, CLUSTER_HEIGHT, item, tone=_cluster_tone(item)))
        y += CLUSTER_HEIGHT + CLUSTER_GAP
    return placed


def _cluster_tone(item: object) -> Tone:
    if not isinstance(item, ClusterNode):
        return "good"
    if item.failed:
        return "bad"
    if item.asleep:
        return "quiet"
    return "good" if item.state.value == "ACTIVE" else "moving"


def _wire_fabric(
    canvas: _Canvas, leaving: Sequence[tuple[float, float, tuple[EndpointNode, ...]]], services: dict[str, Shape]
) -> None:
    """From each door, or group of doors, to each service that it leads to; those of one service are one wire."""
    for x, y, doors in leaving:
        reached: dict[tuple[float, float], list[EndpointNode]] = {}
        for door in doors:
            shape = services.get(door.endpoint.service_id)
            if shape is not None:
                reached.setdefault((shape.x, shape.middle), []).append(door)
        for (x2, y2), same in reached.items():
            bytes_s = sum(door.bytes_s for door in same)
            canvas.wires.append(Wire("fabric", x, y, x2, y2, decide_tone(same), bytes_s, len(same)))


def _wire_provider(canvas: _Canvas, services: dict[str, Shape], ends: Sequence[Shape]) -> None:
    """The region's own service leads to its clusters, a user's own to that user's programs."""
    for shape in dict.fromkeys(services.values()):
        node = shape.item
        for end in ends:
            if not isinstance(node, ServiceNode):
                continue
            mine = isinstance(end.item, tuple) and end.item[0] is node
            if mine or (node.shared and not isinstance(end.item, tuple)):
                tone: Tone = end.tone if end.tone != "good" or not mine else "good"
                canvas.wires.append(Wire("provider", shape.right, shape.middle, end.x, end.middle, tone))


def decide_tone(doors: Sequence[EndpointNode]) -> Tone:
    """The worst of them, so that a group hides nothing; a connection that waits for consent is quiet."""
    if any(door.failed for door in doors):
        return "bad"
    if any(door.moving for door in doors):
        return "moving"
    return "good" if any(door.open for door in doors) else "quiet"
