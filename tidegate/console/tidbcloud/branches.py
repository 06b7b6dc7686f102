"""Branches of a Starter cluster: copies with a life of their own (``reference/tidbcloud.md`` 2.5)."""

from __future__ import annotations

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.tidbcloud.clusters import render_cluster
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.words import N_, _
from tidegate.domain.branches import BranchState
from tidegate.domain.refusals import Refusal
from tidegate.domain.status import decide_failed
from tidegate.operations import branches, clusters
from tidegate.operations.branches import BranchView, NewBranch

_STATES = {
    BranchState.CREATING: (N_("Creating"), "busy"),
    BranchState.ACTIVE: (N_("Active"), "good"),
    BranchState.RESTORING: (N_("Restoring"), "busy"),
    BranchState.DELETED: (N_("Deleting"), "busy"),
}
_FIELDS = {"displayName": "name"}


def show_branch_state(view: BranchView) -> tuple[str, str]:
    """(word, tone)."""
    if decide_failed(view.cluster_view.status, view.branch.generation):
        return _("Failed"), "bad"
    word, tone = _STATES[view.state]
    return _(word), tone


def list_branches(visit: Visit) -> Response:
    cluster_id = visit.params["cluster_id"]
    view = clusters.get_cluster(visit.context, visit.tidbcloud, cluster_id)
    found = branches.list_branches(visit.context, visit.tidbcloud, cluster_id)
    # A branch that is made here is watched only once it is listed; any cluster's change is one look.
    return render_cluster(
        visit, "tidbcloud/branches.html", view, found=found, branch_state=show_branch_state, watch=[("cluster", "")]
    )


def ask_new(visit: Visit) -> Response:
    return _form(visit)


def create_branch(visit: Visit) -> Response:
    cluster_id, name = visit.params["cluster_id"], visit.form.get("name")
    try:
        branches.create_branch(visit.context, visit.tidbcloud, cluster_id, NewBranch(name, visit.form.get("parent")))
    except Refusal as refusal:
        return _form(visit, describe_refusal(refusal, _FIELDS))
    return visit.redirect(_path(visit), _("The branch {name} is being created.").format(name=name))


def reset_branch(visit: Visit) -> Response:
    branches.reset_branch(visit.context, visit.tidbcloud, visit.params["cluster_id"], visit.form.get("branch"))
    return visit.redirect(_path(visit), _("The branch is being reset to its parent's data."))


def delete_branch(visit: Visit) -> Response:
    branches.delete_branch(visit.context, visit.tidbcloud, visit.params["cluster_id"], visit.form.get("branch"))
    return visit.redirect(_path(visit), _("The branch is being deleted."))


def _form(visit: Visit, problem: Problem | None = None) -> Response:
    cluster_id = visit.params["cluster_id"]
    view = clusters.get_cluster(visit.context, visit.tidbcloud, cluster_id)
    parents = [("", _("{name} (the cluster)").format(name=view.cluster.display_name))] + [
        (found.branch.cluster_id, found.branch.display_name)
        for found in branches.list_branches(visit.context, visit.tidbcloud, cluster_id)
        if not found.branch.deleting
    ]
    return visit.render(
        "tidbcloud/branch.html",
        status=422 if problem else 200,
        problem=problem,
        parents=parents,
        name=visit.form.get("name"),
        parent=visit.form.get("parent"),
        back=ROOT + _path(visit),
    )


def _path(visit: Visit) -> str:
    return f"/clusters/{visit.params['cluster_id']}/branches"


PAGES = (
    Page("/clusters/{cluster_id}/branches", get=list_branches),
    Page("/clusters/{cluster_id}/branches/new", get=ask_new, post=create_branch),
    Page("/clusters/{cluster_id}/branches/reset", post=reset_branch),
    Page("/clusters/{cluster_id}/branches/delete", post=delete_branch),
)
