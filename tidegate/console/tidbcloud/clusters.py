"""Clusters: the list, one's overview, create, delete."""

from __future__ import annotations

from starlette.responses import Response

from tidegate.console.paging import take_slice
from tidegate.console.visit import Page, Visit
from tidegate.operations import clusters


def list_clusters(visit: Visit) -> Response:
    found = take_slice(clusters.list_clusters(visit.context, visit.tidbcloud), visit.query.get("page", ""))
    return visit.render("tidbcloud/clusters.html", found=found, watch=[("cluster", "")])


PAGES = (Page("/clusters", get=list_clusters),)
