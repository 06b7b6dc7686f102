"""Clusters: create, find, rename, set the root password, wake, let sleep, delete."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain import clusters as rules
from tidegate.domain import fabric
from tidegate.domain.catalogue import require_region
from tidegate.domain.clusters import Cluster, ClusterState, decide_cluster_state
from tidegate.domain.names import make_cluster_id, make_prefix, require_cluster_name
from tidegate.domain.refusals import NotFound, QuotaReached
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.store.store import Transaction

CLUSTERS_PER_ORGANIZATION = 100
_NOBODY = Caller("")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """``service`` is what private endpoints of this cluster connect to; None where its cloud has none."""

    cluster: Cluster
    status: Status | None
    service: EndpointService | None

    @property
    def state(self) -> ClusterState:
        return decide_cluster_state(self.cluster)


def create_cluster(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    display_name: str,
    root_password: str | None = None,
    spending_limit_cents: int | None = None,
    rcu: tuple[int, int] | None = None,
    encrypted: bool = False,
    labels: tuple[tuple[str, str], ...] = (),
    version: str = "",
) -> ClusterView:
    """Raises Malformed, RegionUnknown, PlanConflict, QuotaReached."""
    require_cluster_name(display_name)
    region = require_region(region_id)
    plan = rules.decide_plan(spending_limit_cents, rcu)
    rules.require_plan_offered(plan, region)
    password_hash = rules.native_password_hash(rules.require_password(root_password)) if root_password else None
    with change(context, caller) as work:
        if work.tx.clusters.count(account_id=caller.account_id) >= CLUSTERS_PER_ORGANIZATION:
            raise QuotaReached("clusters per organization", CLUSTERS_PER_ORGANIZATION)
        account = work.tx.accounts.get(caller.account_id)
        cluster = Cluster(
            cluster_id=make_cluster_id(context.draw),
            account_id=caller.account_id,
            project_id=account.project_id if account else "",
            region_id=region_id,
            display_name=display_name,
            prefix=make_prefix(context.draw),
            plan=plan,
            address=_cluster_address(work.tx, region_id),
            created_by=f"apikey-{caller.key_id}",
            created_at=work.now,
            updated_at=work.now,
            root_password_hash=password_hash,
            spending_limit_cents=spending_limit_cents or 0,
            min_rcu=rcu[0] if rcu else 0,
            max_rcu=rcu[1] if rcu else 0,
            encrypted=encrypted,
            labels=labels,
            version=version,
        )
        work.tx.clusters.add(cluster)
        work.wake("cluster", cluster.cluster_id)
        return ClusterView(cluster, None, _service(work.tx, cluster))


def get_cluster(context: Context, caller: Caller, cluster_id: str) -> ClusterView:
    with context.store.read() as tx:
        cluster = require_cluster(tx, caller, cluster_id)
        return ClusterView(cluster, tx.status("cluster", cluster_id), _service(tx, cluster))


def list_clusters(context: Context, caller: Caller) -> list[ClusterView]:
    """All of an organization's, in the order of creation (at most CLUSTERS_PER_ORGANIZATION)."""
    with context.store.read() as tx:
        found = sorted(tx.clusters.find(account_id=caller.account_id), key=lambda c: c.created_at)
        statuses = {s.resource_id: s for s in tx.statuses.find(kind="cluster")}
        return [ClusterView(c, statuses.get(c.cluster_id), _service(tx, c)) for c in found]


def rename_cluster(context: Context, caller: Caller, cluster_id: str, display_name: str) -> ClusterView:
    require_cluster_name(display_name)
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        rules.require_not_deleting(cluster)
        cluster = work.tx.clusters.put(replace(cluster, display_name=display_name, updated_at=work.now))
        return ClusterView(cluster, work.tx.status("cluster", cluster_id), _service(work.tx, cluster))


def set_root_password(context: Context, caller: Caller, cluster_id: str, password: str) -> None:
    """The cluster is woken, because only a running server can take the change in."""
    password_hash = rules.native_password_hash(rules.require_password(password))
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        rules.require_not_deleting(cluster)
        cluster = replace(cluster, root_password_hash=password_hash, updated_at=work.now)
        _save(work, rules.wake(cluster) if not cluster.awake else _raised(cluster))


def delete_cluster(context: Context, caller: Caller, cluster_id: str) -> ClusterView:
    """Its sessions are cut and its data is gone."""
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        if not cluster.deleting:
            cluster = _save(work, _raised(replace(cluster, deleting=True, awake=False, updated_at=work.now)))
        return ClusterView(cluster, work.tx.status("cluster", cluster_id), _service(work.tx, cluster))


def wake_cluster(context: Context, cluster_id: str) -> None:
    """A login waits at the gateway: wish the server to run.  Carried out by ``controller/clusters.py``.

    Idempotent: a cluster that is wished awake and has not failed is left as it is, so a thousand logins are one wake.
    """
    with change(context, _NOBODY) as work:
        cluster = work.tx.clusters.get(cluster_id)
        if cluster is None or cluster.deleting:
            return
        status = work.tx.status("cluster", cluster_id)
        failed = status is not None and status.phase == "failed" and status.observed_generation >= cluster.generation
        if not cluster.awake or failed:
            _save(work, rules.wake(cluster))


def sleep_cluster(context: Context, cluster_id: str) -> None:
    """Nobody has been connected for long: wish the server to stop; its data stays."""
    with change(context, _NOBODY) as work:
        cluster = work.tx.clusters.get(cluster_id)
        if cluster is not None and cluster.awake and not cluster.deleting:
            _save(work, rules.sleep(cluster))


def require_cluster(tx: Transaction, caller: Caller, cluster_id: str) -> Cluster:
    cluster = tx.clusters.get(cluster_id)
    if cluster is None or cluster.account_id != caller.account_id:
        raise NotFound("cluster", cluster_id)
    return cluster


def _raised(cluster: Cluster) -> Cluster:
    return replace(cluster, generation=cluster.generation + 1)


def _save(work: Work, cluster: Cluster) -> Cluster:
    work.tx.clusters.put(cluster)
    work.wake("cluster", cluster.cluster_id)
    return cluster


def _service(tx: Transaction, cluster: Cluster) -> EndpointService | None:
    found = tx.services.find(region_id=cluster.region_id)
    return found[0] if found else None


def _cluster_address(tx: Transaction, region_id: str) -> str:
    while True:
        address = fabric.nth_address(fabric.CLUSTER_CIDR, tx.next_number(f"cluster/{region_id}"))
        if not tx.clusters.count(region_id=region_id, address=address):
            return address
