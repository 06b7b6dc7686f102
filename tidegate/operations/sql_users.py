"""SQL users of a cluster: asked of, and made in, its running server.  A sleeping cluster is woken for it."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.domain import sql_users as rules
from tidegate.domain.clusters import Cluster, native_password_hash, require_not_deleting, require_password
from tidegate.domain.refusals import ClusterUnavailable, Conflict, Malformed, NotFound, RootUserKept
from tidegate.domain.sql_users import SqlReply, SqlTask, SqlUser
from tidegate.operations.branches import require_branch
from tidegate.operations.clusters import require_cluster, save_root_password, set_root_password, wake_cluster
from tidegate.operations.context import Caller, Context


@dataclass(frozen=True, slots=True)
class NewSqlUser:
    """What a create asks for, unchecked.  Without ``auto_prefix`` name and role carry the prefix already."""

    name: str
    password: str
    builtin_role: str
    custom_roles: tuple[str, ...] = ()
    auto_prefix: bool = False


@dataclass(frozen=True, slots=True)
class SqlUserChange:
    """None leaves a part as it is; ``custom_roles`` are replaced as a whole."""

    password: str | None = None
    builtin_role: str | None = None
    custom_roles: tuple[str, ...] | None = None


def list_sql_users(context: Context, caller: Caller, cluster_id: str) -> tuple[SqlUser, ...]:
    """In the order of names.  Raises NotFound, Busy, ClusterUnavailable, as all calls here."""
    cluster = _find(context, caller, cluster_id)
    return _ask(context, cluster, SqlTask("list", cluster.prefix)).users


def get_sql_user(context: Context, caller: Caller, cluster_id: str, name: str) -> SqlUser:
    return _require_user(list_sql_users(context, caller, cluster_id), name)


def create_sql_user(context: Context, caller: Caller, cluster_id: str, new: NewSqlUser) -> SqlUser:
    """Raises Malformed, Missing, Conflict too; NotFound for a custom role that does not exist."""
    cluster = _find(context, caller, cluster_id)
    prefix = cluster.prefix
    task = SqlTask(
        "create",
        prefix,
        rules.require_user_name(prefix, new.name, auto_prefix=new.auto_prefix),
        native_password_hash(require_password(new.password)),
        rules.require_builtin_role(prefix, new.builtin_role, auto_prefix=new.auto_prefix),
        rules.require_custom_roles(prefix, new.custom_roles),
    )
    return _require_user(_ask(context, cluster, task).users, task.name)


def update_sql_user(context: Context, caller: Caller, cluster_id: str, name: str, asked: SqlUserChange) -> SqlUser:
    """Of root only the password can be changed; other roles than it has raise RootUserKept."""
    cluster = _find(context, caller, cluster_id)
    prefix = cluster.prefix
    if name == rules.root_name(prefix):
        return _update_root(context, caller, cluster, asked)
    role = asked.builtin_role
    task = SqlTask(
        "change",
        prefix,
        name,
        native_password_hash(require_password(asked.password)) if asked.password else None,
        rules.require_builtin_role(prefix, role, auto_prefix=False) if role else None,
        None if asked.custom_roles is None else rules.require_custom_roles(prefix, asked.custom_roles),
    )
    return _require_user(_ask(context, cluster, task).users, name)


def delete_sql_user(context: Context, caller: Caller, cluster_id: str, name: str) -> None:
    cluster = _find(context, caller, cluster_id)
    if name == rules.root_name(cluster.prefix):
        raise RootUserKept(name)
    _ask(context, cluster, SqlTask("drop", cluster.prefix, name))


def change_branch_password(
    context: Context, caller: Caller, cluster_id: str, branch_id: str, name: str, password: str
) -> None:
    """Of any SQL user of a branch, by its full name.  Root's is kept here too, and set again at each start."""
    hashed = native_password_hash(require_password(password))
    with context.store.read() as tx:
        branch = require_branch(tx, caller, cluster_id, branch_id)
    require_not_deleting(branch)
    if name == rules.root_name(branch.prefix):
        save_root_password(context, caller, lambda tx: require_branch(tx, caller, cluster_id, branch_id), hashed)
        return
    _ask(context, branch, SqlTask("change", branch.prefix, name, hashed))


def _update_root(context: Context, caller: Caller, cluster: Cluster, asked: SqlUserChange) -> SqlUser:
    root = rules.root_name(cluster.prefix)
    if asked.builtin_role not in (None, "", rules.ADMIN) or asked.custom_roles:
        raise RootUserKept(root)
    if asked.password:
        set_root_password(context, caller, cluster.cluster_id, asked.password)
    return SqlUser(root, rules.ADMIN)


def _find(context: Context, caller: Caller, cluster_id: str) -> Cluster:
    with context.store.read() as tx:
        cluster = require_cluster(tx, caller, cluster_id)
    require_not_deleting(cluster)
    return cluster


def _ask(context: Context, cluster: Cluster, task: SqlTask) -> SqlReply:
    """The reply of a task that was carried out; every other one is raised."""
    wake_cluster(context, cluster.cluster_id)
    reply = context.ask(cluster.cluster_id, task)
    if reply.problem == "not_found":
        raise NotFound("SQL user", task.name)
    if reply.problem == "exists":
        raise Conflict("SQL user", task.name)
    if reply.problem == "role_unknown":
        raise NotFound("role", reply.detail)
    if reply.problem == "failed":
        raise Malformed("SQL user", reply.detail)
    if reply.problem:
        raise ClusterUnavailable(cluster.cluster_id, reply.detail)
    return reply


def _require_user(users: tuple[SqlUser, ...], name: str) -> SqlUser:
    for user in users:
        if user.name == name:
            return user
    raise NotFound("SQL user", name)
