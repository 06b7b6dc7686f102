"""Clusters: the list, one's overview, create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.forms import Form
from tidegate.console.paging import take_slice
from tidegate.console.tidbcloud.regions import PROVIDERS, list_regions, provider_name, region_name
from tidegate.console.tidbcloud.states import show_cluster_state, show_connection, show_version
from tidegate.console.visit import Page, Visit
from tidegate.console.words import _
from tidegate.domain.clusters import ClusterChange
from tidegate.domain.refusals import Missing, Refusal
from tidegate.operations import clusters, endpoints
from tidegate.operations.clusters import ClusterView
from tidegate.operations.endpoints import EndpointView

ENDPOINTS_SHOWN = 20
_FIELDS = {
    "displayName": "name",
    "region.name": "region",
    "autoScaling": "min_rcu",
    "spendingLimit": "limit",
}
_PAGE: Mapping[str, Any] = {
    "state_of": show_cluster_state,
    "connection_of": show_connection,
    "version_of": show_version,
    "region_name": region_name,
    "provider_name": provider_name,
}


def list_clusters(visit: Visit) -> Response:
    found = take_slice(clusters.list_clusters(visit.context, visit.tidbcloud), visit.query.get("page", ""))
    return visit.render("tidbcloud/clusters.html", found=found, watch=[("cluster", "")], **_PAGE)


def render_cluster(visit: Visit, template: str, view: ClusterView, *, status: int = 200, **values: Any) -> Response:
    """A page of one cluster: what all of them show, and the way between them."""
    cluster = view.cluster
    watch = [("cluster", cluster.cluster_id), ("public_listener", cluster.region_id), *values.pop("watch", ())]
    return visit.render(template, status=status, view=view, cluster=cluster, watch=watch, **_PAGE, **values)


def show_cluster(visit: Visit) -> Response:
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    return render_cluster(
        visit,
        "tidbcloud/cluster.html",
        view,
        watch=[("endpoint", "")] if view.service else [],
        sessions=visit.parts.sessions_of(view.cluster.cluster_id),
        doors=list_doors(visit, view),
    )


def list_doors(visit: Visit, view: ClusterView) -> list[EndpointView]:
    """The user's own endpoints that lead to this cluster's service."""
    if view.service is None:
        return []
    found, _total = endpoints.list_endpoints(
        visit.context,
        visit.alicloud,
        region_id=view.cluster.region_id,
        service_id=view.service.service_id,
        limit=ENDPOINTS_SHOWN,
    )
    return found


# -- create ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as it was filled in so far."""

    name: str = ""
    plan: str = "STARTER"
    cloud: str = "alicloud"
    region: str = ""
    limit: str = "0"
    min_rcu: str = "2000"
    max_rcu: str = "4000"
    public: bool = False


def show_new(visit: Visit) -> Response:
    query = visit.query
    return _render_new(visit, _draft(Form(list(query.multi_items())) if query else Form([])))


def create_cluster(visit: Visit) -> Response:
    draft = _draft(visit.form)
    try:
        made = clusters.create_cluster(
            visit.context,
            visit.tidbcloud,
            region_id=draft.region,
            display_name=draft.name,
            public_open=draft.public,
            version=visit.parts.tidb_version,
            **_capacity(visit.form, draft.plan),
        )
    except Refusal as refusal:
        return _render_new(visit, draft, describe_refusal(refusal, _FIELDS))
    return visit.redirect(f"/clusters/{made.cluster.cluster_id}", _("The cluster is being created."))


def _render_new(visit: Visit, draft: Draft, problem: Problem | None = None) -> Response:
    regions = [(region.region_id, region_name(region)) for region in list_regions(draft.cloud, draft.plan)]
    providers = [
        (
            cloud,
            _(name),
            "" if list_regions(cloud, draft.plan) else _("Not with this plan"),
            not list_regions(cloud, draft.plan),
        )
        for cloud, name in PROVIDERS.items()
    ]
    status = 422 if problem else 200
    return visit.render(
        "tidbcloud/new.html", status=status, draft=draft, regions=regions, providers=providers, problem=problem
    )


def _draft(form: Form) -> Draft:
    """What was sent over what a new form has; a region that the plan or the provider has not is forgotten."""
    fresh = Draft()
    plan = "ESSENTIAL" if form.get("plan") == "ESSENTIAL" else "STARTER"
    cloud = form.get("cloud", fresh.cloud)
    cloud = cloud if list_regions(cloud, plan) else fresh.cloud
    known = [region.region_id for region in list_regions(cloud, plan)]
    region = form.get("region")
    return Draft(
        name=form.get("name"),
        plan=plan,
        cloud=cloud,
        region=region if region in known else known[0],
        limit=form.get("limit", fresh.limit),
        min_rcu=form.get("min_rcu", fresh.min_rcu),
        max_rcu=form.get("max_rcu", fresh.max_rcu),
        public=form.get("public") == "yes",
    )


def _capacity(form: Form, plan: str) -> Mapping[str, Any]:
    """The one that belongs to the plan.  Raises Missing for what is no number; ranges are the domain's."""
    if plan == "ESSENTIAL":
        low, high = form.number("min_rcu"), form.number("max_rcu")
        if low is None or high is None:
            raise Missing("autoScaling")
        return {"rcu": (low, high)}
    dollars = form.number("limit")
    if dollars is None:
        raise Missing("spendingLimit")
    return {"spending_limit_cents": dollars * 100}


# -- change ------------------------------------------------------------------------------------------------------------


def change_cluster(visit: Visit) -> Response:
    """Name and capacity; the plan stays."""
    cluster_id = visit.params["cluster_id"]
    view = clusters.get_cluster(visit.context, visit.tidbcloud, cluster_id)
    try:
        asked = ClusterChange(display_name=visit.form.get("name"), **_capacity(visit.form, view.cluster.plan))
        clusters.update_cluster(visit.context, visit.tidbcloud, cluster_id, asked)
    except Refusal as refusal:
        return visit.redirect(f"/clusters/{cluster_id}", describe_refusal(refusal).text, level="error")
    return visit.redirect(f"/clusters/{cluster_id}", _("The settings are saved."))


def delete_cluster(visit: Visit) -> Response:
    """Only when its name was typed: its data cannot be had back."""
    cluster_id = visit.params["cluster_id"]
    view = clusters.get_cluster(visit.context, visit.tidbcloud, cluster_id)
    if visit.form.get("word") != view.cluster.display_name:
        return visit.redirect(
            f"/clusters/{cluster_id}", _("The name was not typed as it is: nothing was deleted."), level="error"
        )
    clusters.delete_cluster(visit.context, visit.tidbcloud, cluster_id)
    return visit.redirect("/clusters", _("{name} is being deleted.").format(name=view.cluster.display_name))


PAGES = (
    Page("/clusters", get=list_clusters),
    Page("/clusters/new", get=show_new, post=create_cluster),
    Page("/clusters/{cluster_id}", get=show_cluster),
    Page("/clusters/{cluster_id}/settings", post=change_cluster),
    Page("/clusters/{cluster_id}/delete", post=delete_cluster),
)
