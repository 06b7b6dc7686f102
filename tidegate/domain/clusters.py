"""Clusters: real TiDB behind its region's endpoint service, told apart by the user-name prefix.

What may follow a state (``reference/tidbcloud.md`` 2.8)::

    CREATING ──> ACTIVE ──> DELETING ──> gone

ACTIVE covers asleep and awake: the cloud does not show the difference, ``tidegate status`` does.
No state is stored: it follows from the wish, its generation, and the status row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.names import require_cluster_name
from tidegate.domain.public_endpoints import ALLOW_ALL, Network, require_networks
from tidegate.domain.refusals import Busy, Malformed, Missing, NoPrivateEndpoint, PlanConflict

Plan = Literal["STARTER", "ESSENTIAL"]

DEFAULT_PORT = 4000


class ClusterState(StrEnum):
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    DELETING = "DELETING"


@dataclass(frozen=True, slots=True)
class Cluster:
    """``awake`` is the wish that its server runs; ``start_seq`` counts the wakes, so a failed start can be tried again.

    ``root_password_hash`` is what mysql_native_password stores, None until a password is set: then nobody can log in.
    ``ready_generation`` 0: it never was ready, so it is still CREATING.
    """

    cluster_id: str
    account_id: str
    project_id: str
    region_id: str
    display_name: str
    prefix: str
    plan: Plan
    address: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    root_password_hash: str | None = None
    spending_limit_cents: int = 0
    min_rcu: int = 0
    max_rcu: int = 0
    encrypted: bool = False
    backup_start: str = "07:00"
    backup_retention_days: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    version: str = ""
    awake: bool = True
    start_seq: int = 1
    generation: int = 1
    ready_generation: int = 0
    deleting: bool = False
    public_open: bool = False
    public_networks: tuple[Network, ...] = (ALLOW_ALL,)
    branch_of: str = ""
    """the cluster this is a branch of; empty for a cluster"""
    parent_id: str = ""
    """whose data a branch began with: a cluster or another branch"""
    copy_seq: int = 0
    """raised by each reset of a branch: its data is copied anew"""
    ready_copy_seq: int = 0
    """the copy that is there; older than ``copy_seq`` while a reset is under way"""

    @property
    def root_user(self) -> str:
        return f"{self.prefix}.root"

    @property
    def region(self) -> Region:
        return require_region(self.region_id)


def decide_cluster_state(cluster: Cluster) -> ClusterState:
    if cluster.deleting:
        return ClusterState.DELETING
    return ClusterState.ACTIVE if cluster.ready_generation else ClusterState.CREATING


def decide_plan(spending_limit_cents: int | None, rcu: tuple[int, int] | None) -> Plan:
    """autoScaling present means Essential, otherwise Starter (``reference/tidbcloud.md`` 2.2)."""
    if rcu is None:
        return "STARTER"
    if spending_limit_cents:
        raise PlanConflict()
    low, high = rcu
    if low < 2000 or high > 100_000 or low > high:
        raise Malformed("autoScaling", f"{low}-{high}")
    return "ESSENTIAL"


def require_plan_offered(plan: Plan, region: Region) -> None:
    if plan.capitalize() not in region.plans:
        raise Malformed("region.name", f"regions/{region.region_id} does not offer {plan.capitalize()}")


def require_private_endpoint(cluster: Cluster) -> Region:
    """The how-to page's first limit: only where the service is hosted on Alibaba Cloud or AWS."""
    region = cluster.region
    if not region.private_endpoints:
        raise NoPrivateEndpoint(cluster.cluster_id, region.cloud)
    return region


def require_password(text: str | None) -> str:
    """8 to 64 characters (``reference/tidbcloud.md`` 2.2)."""
    if not text:
        raise Missing("password")
    if not 8 <= len(text) <= 64:
        raise Malformed("password", "(hidden)")
    return text


def native_password_hash(password: str) -> str:
    """What MySQL stores for mysql_native_password: ``*`` + upper-case hex of SHA1(SHA1(password)).

    SHA-1 is the plug-in's own choice; the cloud's SQL users have no other authMethod (``reference/tidbcloud.md`` 2.6).
    """
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def cpu_share(cluster: Cluster, rcu_per_cpu: int) -> tuple[float, float]:
    """(least, most) CPUs of its server; (0, 0) for Starter, which has no such limits."""
    return cluster.min_rcu / rcu_per_cpu, cluster.max_rcu / rcu_per_cpu


def private_host(region: Region) -> str:
    """``reference/tidbcloud.md`` 4.4."""
    return f"gateway01-privatelink.{region.code}.prod.{region.cloud}.tidbcloud.com"


def public_host(region: Region) -> str:
    return f"gateway01.{region.code}.prod.{region.cloud}.tidbcloud.com"


def wake(cluster: Cluster) -> Cluster:
    """A login is waiting: run, and try again even if the last start failed."""
    return replace(cluster, awake=True, start_seq=cluster.start_seq + 1, generation=cluster.generation + 1)


def sleep(cluster: Cluster) -> Cluster:
    return replace(cluster, awake=False, generation=cluster.generation + 1)


def decide_may_sleep(cluster: Cluster, sessions: int | None, idle_s: float, limit_s: float) -> bool:
    """Starter clusters sleep when idle; Essential ones are paid to stay awake.  Unknown sessions count as busy."""
    return (
        cluster.plan == "STARTER" and cluster.awake and not cluster.deleting and sessions == 0 and 0 < limit_s <= idle_s
    )


@dataclass(frozen=True, slots=True)
class ClusterChange:
    """What a PATCH asks for; None leaves a part as it is.  ``labels`` are added to those there are, or updated."""

    display_name: str | None = None
    labels: tuple[tuple[str, str], ...] | None = None
    spending_limit_cents: int | None = None
    rcu: tuple[int, int] | None = None
    public_open: bool | None = None
    public_networks: tuple[Network, ...] | None = None


LABELS_AT_MOST, LABEL_LETTERS = 64, 256
"""ours: every list answer carries all labels"""


def change_cluster(cluster: Cluster, change: ClusterChange) -> Cluster:
    """The cluster as ``change`` wishes it.  Raises Malformed, Missing, PlanConflict, and then nothing is changed."""
    if change.display_name is not None:
        cluster = replace(cluster, display_name=require_cluster_name(change.display_name))
    if change.labels is not None:
        labels = dict(cluster.labels) | dict(change.labels)
        cluster = replace(cluster, labels=require_labels(tuple(sorted(labels.items()))))
    if change.spending_limit_cents is not None or change.rcu is not None:
        cluster = _change_capacity(cluster, change.spending_limit_cents, change.rcu)
    if change.public_open is not None:
        cluster = replace(cluster, public_open=change.public_open)
    if change.public_networks is not None:
        cluster = replace(cluster, public_networks=require_networks(change.public_networks))
    return cluster


def _change_capacity(cluster: Cluster, cents: int | None, rcu: tuple[int, int] | None) -> Cluster:
    """A plan is chosen at create and never changes."""
    plan = decide_plan(cents, rcu) if rcu is not None else "STARTER"
    if plan != cluster.plan or (cents is not None and rcu is not None):
        raise PlanConflict()
    if rcu is not None:
        return replace(cluster, min_rcu=rcu[0], max_rcu=rcu[1])
    return replace(cluster, spending_limit_cents=cents or 0)


def require_labels(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if len(labels) > LABELS_AT_MOST or any(len(word) > LABEL_LETTERS for pair in labels for word in pair):
        raise Malformed("labels", f"more than {LABELS_AT_MOST} labels, or one with more than {LABEL_LETTERS} letters")
    return labels


def require_not_deleting(cluster: Cluster) -> None:
    if cluster.deleting:
        raise Busy("cluster", cluster.cluster_id)
