"""Branches: create, find, reset, delete, and the passwords of their SQL users."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain import branches as rules
from tidegate.domain.branches import BranchState, decide_branch_state
from tidegate.domain.clusters import (
    Cluster,
    ClusterState,
    decide_cluster_state,
    native_password_hash,
    require_not_deleting,
    require_password,
)
from tidegate.domain.names import make_branch_id, make_prefix, require_cluster_name
from tidegate.domain.public_endpoints import ALLOW_ALL
from tidegate.domain.refusals import Busy, NotFound
from tidegate.domain.usage import decide_restricted
from tidegate.operations.clusters import (
    ClusterView,
    cluster_address,
    decide_password_hash,
    load_usages,
    require_cluster,
    require_room,
    save_root_password,
    view_cluster,
)
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class BranchView:
    """``cluster_view.cluster`` is the branch itself."""

    cluster_view: ClusterView
    parent_name: str

    @property
    def branch(self) -> Cluster:
        return self.cluster_view.cluster

    @property
    def state(self) -> BranchState:
        return decide_branch_state(self.branch)


@dataclass(frozen=True, slots=True)
class NewBranch:
    """What a create asks for, unchecked.  ``parent_id`` empty: the cluster itself."""

    display_name: str
    parent_id: str = ""
    root_password: str | None = None
    public_open: bool = False


def list_branches(context: Context, caller: Caller, cluster_id: str) -> list[BranchView]:
    """In the order of creation."""
    with context.store.read() as tx:
        require_cluster(tx, caller, cluster_id)
        found = sorted(tx.clusters.find(branch_of=cluster_id), key=lambda branch: branch.created_at)
        return [_view(context, tx, branch) for branch in found]


def get_branch(context: Context, caller: Caller, cluster_id: str, branch_id: str) -> BranchView:
    with context.store.read() as tx:
        return _view(context, tx, require_branch(tx, caller, cluster_id, branch_id))


def create_branch(context: Context, caller: Caller, cluster_id: str, new: NewBranch) -> BranchView:
    """Answers at once; it is CREATING until its copy is there.  Raises Malformed, NotFound, Busy, QuotaReached."""
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        _require_offered(context, work, cluster)
        parent = _require_parent(work.tx, caller, cluster, new.parent_id)
        branch = _build(context, work, caller, parent, new)
        work.tx.clusters.add(branch)
        mine = work.tx.clusters.find(account_id=caller.account_id)
        rules.require_branch_room(sum(bool(c.branch_of) and not c.deleting for c in mine))
        require_room(work.tx, caller)
        work.wake("cluster", branch.cluster_id)
        return _view(context, work.tx, branch)


def reset_branch(context: Context, caller: Caller, cluster_id: str, branch_id: str) -> BranchView:
    """Its data becomes its parent's of now; its own is lost.  Its sessions are cut."""
    with change(context, caller) as work:
        branch = require_branch(work.tx, caller, cluster_id, branch_id)
        rules.require_active_branch(branch)
        parent = work.tx.clusters.get(branch.parent_id)
        if parent is None or parent.deleting:
            raise NotFound("parent", branch.parent_id)
        return _save(
            context,
            work,
            replace(branch, copy_seq=branch.copy_seq + 1, awake=True, start_seq=branch.start_seq + 1),
        )


def set_root_password(context: Context, caller: Caller, cluster_id: str, branch_id: str, password: str) -> None:
    """As of a cluster: the branch is woken, because only a running server can take the change in."""
    hashed = native_password_hash(require_password(password))
    save_root_password(context, caller, lambda tx: require_branch(tx, caller, cluster_id, branch_id), hashed)


def delete_branch(context: Context, caller: Caller, cluster_id: str, branch_id: str) -> BranchView:
    """Branches of it stay: their data is their own.  Raises Busy while one still waits for it, or it would for ever."""
    with change(context, caller) as work:
        branch = require_branch(work.tx, caller, cluster_id, branch_id)
        if branch.deleting:
            return _view(context, work.tx, branch)
        for child in work.tx.clusters.find(branch_of=cluster_id, parent_id=branch_id, deleting=False):
            rules.require_active_branch(child)
        return _save(context, work, replace(branch, deleting=True, awake=False))


def require_branch(tx: Transaction, caller: Caller, cluster_id: str, branch_id: str) -> Cluster:
    require_cluster(tx, caller, cluster_id)
    branch = tx.clusters.get(branch_id)
    if branch is None or branch.branch_of != cluster_id:
        raise NotFound("branch", branch_id)
    return branch


def _require_offered(context: Context, work: Work, cluster: Cluster) -> None:
    require_not_deleting(cluster)
    usage = load_usages(work.tx, [cluster.cluster_id], work.now).get(cluster.cluster_id)
    rules.require_branches_offered(cluster, usage, restricted=decide_restricted(cluster, usage, context.free))


def _require_parent(tx: Transaction, caller: Caller, cluster: Cluster, parent_id: str) -> Cluster:
    """The cluster, or one of its branches; with data that can be copied."""
    if parent_id in ("", cluster.cluster_id):
        if decide_cluster_state(cluster) is not ClusterState.ACTIVE:
            raise Busy("cluster", cluster.cluster_id)
        return cluster
    parent = require_branch(tx, caller, cluster.cluster_id, parent_id)
    rules.require_active_branch(parent)
    return parent


def _build(context: Context, work: Work, caller: Caller, parent: Cluster, new: NewBranch) -> Cluster:
    return Cluster(
        cluster_id=make_branch_id(context.draw),
        account_id=parent.account_id,
        project_id=parent.project_id,
        region_id=parent.region_id,
        display_name=require_cluster_name(new.display_name),
        prefix=make_prefix(context.draw),
        plan=parent.plan,
        address=cluster_address(work.tx, parent.region_id),
        created_by=caller.user_name or f"apikey-{caller.key_id}",
        created_at=work.now,
        updated_at=work.now,
        root_password_hash=decide_password_hash(new.root_password),
        encrypted=parent.encrypted,
        version=parent.version,
        public_open=new.public_open,
        public_networks=(ALLOW_ALL,),
        branch_of=parent.branch_of or parent.cluster_id,
        parent_id=parent.cluster_id,
        copy_seq=1,
    )


def _save(context: Context, work: Work, branch: Cluster) -> BranchView:
    branch = replace(branch, updated_at=work.now, generation=branch.generation + 1)
    work.tx.clusters.put(branch)
    work.wake("cluster", branch.cluster_id)
    return _view(context, work.tx, branch)


def _view(context: Context, tx: Transaction, branch: Cluster) -> BranchView:
    parent = tx.clusters.get(branch.parent_id)
    return BranchView(view_cluster(tx, branch, context.now()), parent.display_name if parent else "")
