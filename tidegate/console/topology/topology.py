"""The page with the picture of the path, and the same facts as tables."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from tidegate.console.topology import words
from tidegate.console.topology.grouping import Group, RegionScene, Scene, build_scene, parse_opened
from tidegate.console.topology.layout import build_picture
from tidegate.console.visit import Page, Visit
from tidegate.operations.topology import EndpointNode, NetworkView, get_topology
from tidegate.store.changes import Change

_WATCHED_EXACTLY = 45
"""the rest, and what is new, is seen at the next look at traffic"""
ROWS_SHOWN = 200


def show_topology(visit: Visit) -> Response:
    opened = parse_opened(visit.query.getlist("open"))
    topology = get_topology(visit.context, visit.alicloud, visit.tidbcloud, first=list(opened))
    scene = build_scene(topology, opened)
    clusters = [node.cluster.cluster_id for region in topology.regions for node in region.clusters]
    return visit.render(
        "topology/topology.html",
        picture=build_picture(scene),
        topology=topology,
        rows=list_rows(scene),
        refusals=topology.refusals[:ROWS_SHOWN],
        problems=sorted({n.problem for region in topology.regions for n in region.networks if n.problem}),
        opened=opened,
        sessions={cluster_id: visit.parts.sessions_of(cluster_id) for cluster_id in clusters},
        open_url=lambda group: _open_url(opened, group),
        words=words,
        watch=[("traffic", ""), *_watched(scene)],
    )


def list_rows(scene: Scene) -> list[tuple[RegionScene, NetworkView | None, EndpointNode | None, Group[Any] | None]]:
    """The doors that the picture shows, and its groups, in the picture's order."""
    rows: list[tuple[RegionScene, NetworkView | None, EndpointNode | None, Group[Any] | None]] = []
    for region in scene.regions:
        for network in region.networks.shown:
            rows += [(region, network.view, door, None) for door in network.doors.shown]
            rows += [(region, network.view, None, group) for group in network.doors.groups]
        rows += [(region, None, None, group) for group in region.networks.groups]
    return rows


def _watched(scene: Scene) -> list[Change]:
    """Only what is this reader's and is shown: others' changes are none of this page's business."""
    found: list[Change] = []
    for region in scene.regions:
        found += [("cluster", node.cluster.cluster_id) for node in region.clusters.shown]
        for network in region.networks.shown:
            found += [("endpoint", door.endpoint.endpoint_id) for door in network.doors.shown]
            found.append(("vpc", network.view.vpc.vpc_id))
    return found[:_WATCHED_EXACTLY]


def _open_url(opened: dict[str, int], group: Group[Any]) -> str:
    wanted = {**opened, group.key: group.offset}
    return "/console/topology?" + "&".join(f"open={quote(key)}@{offset}" for key, offset in wanted.items())


PAGES = (Page("/topology", get=show_topology),)
