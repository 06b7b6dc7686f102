"""SQL users: asked of the running server, so the page comes first and the list when the server has answered."""

from __future__ import annotations

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.paging import take_slice
from tidegate.console.tidbcloud.clusters import render_cluster
from tidegate.console.visit import Page, Visit
from tidegate.console.words import N_, _
from tidegate.domain.names import make_password
from tidegate.domain.refusals import Refusal
from tidegate.domain.sql_users import ADMIN, READ_ONLY, READ_WRITE
from tidegate.operations import clusters, sql_users
from tidegate.operations.sql_users import NewSqlUser, SqlUserChange

LIST = "part_users"
ROLES = {
    ADMIN: N_("Database Admin"),
    READ_WRITE: N_("Database Read-Write"),
    READ_ONLY: N_("Database Read-Only"),
}
_FIELDS = {"userName": "name", "password": "password", "builtinRole": "role"}


def show_users(visit: Visit) -> Response:
    """The page at once; the list, which may have to wake the cluster, in a request of its own (or with ``?list``)."""
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    found, problem = None, None
    if visit.request.headers.get("hx-target") == LIST or "list" in visit.query:
        try:
            users = sql_users.list_sql_users(visit.context, visit.tidbcloud, view.cluster.cluster_id)
            found = take_slice(users, visit.query.get("page", ""))
        except Refusal as refusal:
            problem = describe_refusal(refusal)
    return render_cluster(visit, "tidbcloud/sql_users.html", view, found=found, problem=problem, roles=ROLES, made=None)


def create_user(visit: Visit) -> Response:
    """With a password of one's own, or one that is made and shown once."""
    name, password = visit.form.get("name"), visit.form.get("password")
    new = NewSqlUser(
        name, password or make_password(visit.context.draw), visit.form.get("role", READ_ONLY), auto_prefix=True
    )
    try:
        user = sql_users.create_sql_user(visit.context, visit.tidbcloud, visit.params["cluster_id"], new)
    except Refusal as refusal:
        return _answer(visit, problem=describe_refusal(refusal, _FIELDS), draft=(name, new.builtin_role))
    return _answer(visit, made=(user.name, "" if password else new.password))


def reset_password(visit: Visit) -> Response:
    """A new one, made and shown once; the old one is void at once."""
    name, password = visit.form.get("name"), make_password(visit.context.draw)
    change = SqlUserChange(password=password)
    sql_users.update_sql_user(visit.context, visit.tidbcloud, visit.params["cluster_id"], name, change)
    return _answer(visit, made=(name, password))


def delete_user(visit: Visit) -> Response:
    cluster_id, name = visit.params["cluster_id"], visit.form.get("name")
    sql_users.delete_sql_user(visit.context, visit.tidbcloud, cluster_id, name)
    return visit.redirect(f"/clusters/{cluster_id}/users", _("{name} is deleted.").format(name=name))


def show_new(visit: Visit) -> Response:
    return _answer(visit)


def _answer(
    visit: Visit,
    *,
    problem: Problem | None = None,
    made: tuple[str, str] | None = None,
    draft: tuple[str, str] = ("", READ_ONLY),
) -> Response:
    """The dialog: the form, or (name, password) of what was made.  The list behind it is told to look again."""
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    status = 422 if problem else 200
    response = render_cluster(
        visit, "tidbcloud/sql_user.html", view, status=status, problem=problem, made=made, draft=draft, roles=ROLES
    )
    if made:
        response.headers["HX-Trigger"] = "users"
    return response


PAGES = (
    Page("/clusters/{cluster_id}/users", get=show_users),
    Page("/clusters/{cluster_id}/users/new", get=show_new, post=create_user),
    Page("/clusters/{cluster_id}/users/password", post=reset_password),
    Page("/clusters/{cluster_id}/users/delete", post=delete_user),
)
