"""Clusters: create, find, change, set the root password, wake, let sleep, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidegate.domain import clusters as rules
from tidegate.domain import fabric
from tidegate.domain.accounts import PROVIDER_ACCOUNT_ID
from tidegate.domain.catalogue import require_region
from tidegate.domain.clusters import Cluster, ClusterChange, ClusterState, decide_cluster_state
from tidegate.domain.names import make_cluster_id, make_prefix, require_cluster_name
from tidegate.domain.public_endpoints import ALLOW_ALL, Network, PublicListener, require_networks
from tidegate.domain.refusals import NotFound, QuotaReached
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status
from tidegate.domain.usage import Usage, month_of, require_limit_above_spent, usage_in
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.store.store import Transaction

CLUSTERS_PER_ORGANIZATION = 100
_NOBODY = Caller("")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """``service`` is what private endpoints of this cluster connect to; None where its cloud has none.

    ``listener``: where its region's public endpoints listen; None until one was opened.
    """

    cluster: Cluster
    status: Status | None
    service: EndpointService | None
    listener: PublicListener | None = None
    usage: Usage | None = None
    """this month's; None: it never used anything"""

    @property
    def state(self) -> ClusterState:
        return decide_cluster_state(self.cluster)

    @property
    def public_address(self) -> tuple[str, int]:
        """Host and port are this installation's own, once it listens for the region; before that, the cloud's names."""
        if self.listener is not None:
            return self.listener.host, self.listener.port
        return rules.public_host(self.cluster.region), rules.DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class NewCluster:
    """What a create asks for, unchecked."""

    region_id: str
    display_name: str
    root_password: str | None = None
    spending_limit_cents: int | None = None
    rcu: tuple[int, int] | None = None
    encrypted: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    version: str = ""
    public_open: bool = False
    public_networks: tuple[Network, ...] = (ALLOW_ALL,)


def create_cluster(context: Context, caller: Caller, **asked: Any) -> ClusterView:
    """``asked``: the fields of :class:`NewCluster`.  Raises Malformed, RegionUnknown, PlanConflict, QuotaReached."""
    return create_clusters(context, caller, [NewCluster(**asked)])[0]


def create_clusters(context: Context, caller: Caller, asked: Sequence[NewCluster]) -> list[ClusterView]:
    """All of them or none.  Raises as ``create_cluster``, for the first that cannot be made."""
    with change(context, caller) as work:
        made = [_create(context, work, caller, new) for new in asked]
        require_room(work.tx, caller)
        return [view_cluster(work.tx, cluster, work.now) for cluster in made]


def _create(context: Context, work: Work, caller: Caller, new: NewCluster) -> Cluster:
    require_cluster_name(new.display_name)
    region = require_region(new.region_id)
    plan = rules.decide_plan(new.spending_limit_cents, new.rcu)
    rules.require_plan_offered(plan, region)
    account = work.tx.accounts.get(caller.account_id)
    low, high = new.rcu or (0, 0)
    cluster = Cluster(
        cluster_id=make_cluster_id(context.draw),
        account_id=caller.account_id,
        project_id=account.project_id if account else "",
        region_id=new.region_id,
        display_name=new.display_name,
        prefix=make_prefix(context.draw),
        plan=plan,
        address=cluster_address(work.tx, new.region_id),
        created_by=caller.user_name or f"apikey-{caller.key_id}",
        created_at=work.now,
        updated_at=work.now,
        root_password_hash=decide_password_hash(new.root_password),
        spending_limit_cents=new.spending_limit_cents or 0,
        min_rcu=low,
        max_rcu=high,
        encrypted=new.encrypted,
        labels=rules.require_labels(new.labels),
        version=new.version,
        public_open=new.public_open,
        public_networks=require_networks(new.public_networks),
    )
    work.tx.clusters.add(cluster)
    work.wake("cluster", cluster.cluster_id)
    return cluster


def decide_password_hash(password: str | None) -> str | None:
    """None for no password: then nobody can log in.  Raises Malformed."""
    return rules.native_password_hash(rules.require_password(password)) if password else None


def require_room(tx: Transaction, caller: Caller) -> None:
    """Clusters and branches count together (``reference/tidbcloud.md`` 4.1).  After the insert: all of them fit."""
    if tx.clusters.count(account_id=caller.account_id) > CLUSTERS_PER_ORGANIZATION:
        raise QuotaReached("clusters and branches per organization", CLUSTERS_PER_ORGANIZATION)


def get_cluster(context: Context, caller: Caller, cluster_id: str) -> ClusterView:
    with context.store.read() as tx:
        return view_cluster(tx, require_cluster(tx, caller, cluster_id), context.now())


def list_clusters(context: Context, caller: Caller) -> list[ClusterView]:
    """All of an organization's, in the order of creation (at most CLUSTERS_PER_ORGANIZATION)."""
    with context.store.read() as tx:
        found = sorted(tx.clusters.find(account_id=caller.account_id, branch_of=""), key=lambda c: c.created_at)
        statuses = {s.resource_id: s for s in tx.statuses.find(kind="cluster")}
        services = {s.region_id: s for s in tx.services.find(account_id=PROVIDER_ACCOUNT_ID)}
        listeners = {listener.region_id: listener for listener in tx.public_listeners.find()}
        usages = load_usages(tx, [c.cluster_id for c in found], context.now())
        return [
            ClusterView(
                c,
                statuses.get(c.cluster_id),
                services.get(c.region_id),
                listeners.get(c.region_id),
                usages.get(c.cluster_id),
            )
            for c in found
        ]


def load_usages(tx: Transaction, cluster_ids: Iterable[str], now: datetime) -> dict[str, Usage]:
    """How these clusters stand this month; rows come in the order of months, so the last one stays."""
    return {u.cluster_id: usage_in(month_of(now), u) for u in tx.usages.find_in("cluster_id", cluster_ids)}


def update_cluster(context: Context, caller: Caller, cluster_id: str, asked: ClusterChange) -> ClusterView:
    """Exactly what ``asked`` names, all of it or nothing."""
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        rules.require_not_deleting(cluster)
        changed = replace(rules.change_cluster(cluster, asked), updated_at=work.now)
        if asked.spending_limit_cents is not None:
            used = load_usages(work.tx, [cluster_id], work.now).get(cluster_id)
            require_limit_above_spent(asked.spending_limit_cents, used, context.free)
        cluster = _save(work, _raised(changed))
        return view_cluster(work.tx, cluster, work.now)


def set_root_password(context: Context, caller: Caller, cluster_id: str, password: str) -> None:
    """The cluster is woken, because only a running server can take the change in."""
    hashed = rules.native_password_hash(rules.require_password(password))
    save_root_password(context, caller, lambda tx: require_cluster(tx, caller, cluster_id), hashed)


def save_root_password(
    context: Context, caller: Caller, find: Callable[[Transaction], Cluster], password_hash: str
) -> None:
    """Of the cluster or branch that ``find`` gives, which may raise."""
    with change(context, caller) as work:
        cluster = find(work.tx)
        rules.require_not_deleting(cluster)
        cluster = replace(cluster, root_password_hash=password_hash, updated_at=work.now)
        _save(work, rules.wake(cluster) if not cluster.awake else _raised(cluster))


def delete_cluster(context: Context, caller: Caller, cluster_id: str) -> ClusterView:
    """Its sessions are cut and its data is gone."""
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        if not cluster.deleting:
            # Its branches go with it, as in the cloud: their paths begin with its id.
            for doomed in (*work.tx.clusters.find(branch_of=cluster_id, deleting=False), cluster):
                cluster = _save(work, _raised(replace(doomed, deleting=True, awake=False, updated_at=work.now)))
        return view_cluster(work.tx, cluster, work.now)


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
    if cluster is None or cluster.account_id != caller.account_id or cluster.branch_of:
        raise NotFound("cluster", cluster_id)
    return cluster


def _raised(cluster: Cluster) -> Cluster:
    return replace(cluster, generation=cluster.generation + 1)


def _save(work: Work, cluster: Cluster) -> Cluster:
    work.tx.clusters.put(cluster)
    work.wake("cluster", cluster.cluster_id)
    return cluster


def view_cluster(tx: Transaction, cluster: Cluster, now: datetime) -> ClusterView:
    cluster_id = cluster.cluster_id
    return ClusterView(
        cluster,
        tx.status("cluster", cluster_id),
        _service(tx, cluster),
        tx.public_listeners.get(cluster.region_id),
        load_usages(tx, [cluster_id], now).get(cluster_id),
    )


def _service(tx: Transaction, cluster: Cluster) -> EndpointService | None:
    found = tx.services.find(region_id=cluster.region_id, account_id=PROVIDER_ACCOUNT_ID)
    return found[0] if found else None


def cluster_address(tx: Transaction, region_id: str) -> str:
    while True:
        address = fabric.nth_address(fabric.CLUSTER_CIDR, tx.next_number(f"cluster/{region_id}"))
        if not tx.clusters.count(region_id=region_id, address=address):
            return address
