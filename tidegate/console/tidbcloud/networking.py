"""Settings > Networking: the public endpoint's switch and its authorized networks (``reference/tidbcloud.md`` 6.4)."""

from __future__ import annotations

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.tidbcloud.clusters import list_doors, render_cluster
from tidegate.console.visit import Page, Visit
from tidegate.console.words import _
from tidegate.domain.clusters import ClusterChange
from tidegate.domain.public_endpoints import NETWORKS_AT_MOST
from tidegate.domain.refusals import Refusal
from tidegate.operations import clusters, public_endpoints

_RULE = "endpoints.public.authorizedNetworks"
_FIELDS = {
    _RULE: "end",
    f"{_RULE}.displayName": "rule",
    f"{_RULE}.startIpAddress": "start",
    f"{_RULE}.endIpAddress": "end",
}


def show_networking(visit: Visit) -> Response:
    return _render(visit)


def switch_public(visit: Visit) -> Response:
    """Sessions that are open when it is closed go on, as in the cloud."""
    wanted = visit.form.get("open") == "yes"
    change = ClusterChange(public_open=wanted)
    clusters.update_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"], change)
    message = _("The public endpoint is being enabled.") if wanted else _("The public endpoint is disabled.")
    return visit.redirect(_path(visit), message)


def add_network(visit: Visit) -> Response:
    """One address, when there is no end."""
    start, name = visit.form.get("start"), visit.form.get("rule")
    network = (start, visit.form.get("end") or start, name)
    try:
        public_endpoints.add_network(visit.context, visit.tidbcloud, visit.params["cluster_id"], network)
    except Refusal as refusal:
        return _render(visit, describe_refusal(refusal, _FIELDS), network)
    return visit.redirect(_path(visit), _("The rule {name} is added.").format(name=name))


def remove_network(visit: Visit) -> Response:
    network = (visit.form.get("start"), visit.form.get("end"), visit.form.get("rule"))
    public_endpoints.remove_network(visit.context, visit.tidbcloud, visit.params["cluster_id"], network)
    return visit.redirect(_path(visit), _("The rule {name} is deleted.").format(name=network[2]))


def _render(visit: Visit, problem: Problem | None = None, draft: tuple[str, str, str] = ("", "", "")) -> Response:
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    return render_cluster(
        visit,
        "tidbcloud/networking.html",
        view,
        status=422 if problem else 200,
        watch=[("endpoint", "")] if view.service else [],
        doors=list_doors(visit, view),
        problem=problem,
        draft=draft,
        current=visit.request.client.host if visit.request.client else "",
        most=NETWORKS_AT_MOST,
    )


def _path(visit: Visit) -> str:
    return f"/clusters/{visit.params['cluster_id']}/networking"


PAGES = (
    Page("/clusters/{cluster_id}/networking", get=show_networking),
    Page("/clusters/{cluster_id}/networking/public", post=switch_public),
    Page("/clusters/{cluster_id}/networking/add", post=add_network),
    Page("/clusters/{cluster_id}/networking/delete", post=remove_network),
)
