"""Clusters: what became of them.  A wake is carried out here: the wish says *awake*, the plan says *running*."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.controller.usages import forget_usages
from tidegate.controller.vpcs import write_status
from tidegate.domain.clusters import Cluster
from tidegate.domain.status import Outcome, Status
from tidegate.engine.config import DatabaseStatus, LimitedBy
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a cluster on its host: its server, the apply's ``error``, whether its data is ``gone``; what
    limit of CPUs it was planned with, and whether its quota is used up.
    """

    database: DatabaseStatus | None = None
    error: str | None = None
    gone: bool = False
    cpu_most: float = 0.0
    restricted: bool = False


def reconcile_cluster(tx: Transaction, cluster: Cluster, seen: Seen) -> Outcome:
    """Write what is there now; a cluster wished away is removed once the host has said that its data is gone.

    That nothing is known of its server is no such word: an agent that has just started knows only those that run.
    """
    if cluster.deleting and seen.gone and not seen.error:
        tx.clusters.remove(cluster.cluster_id)
        forget_usages(tx, cluster.cluster_id)
        tx.statuses.remove("cluster", cluster.cluster_id)
        return Outcome("ready", "The cluster and its data are gone.")
    outcome, database = decide_outcome(cluster, seen), seen.database
    write_status(tx, Status("cluster", cluster.cluster_id, cluster.generation, outcome.phase, outcome.reason))
    if outcome.phase == "ready" and database and database.phase == "ready":
        _mark_ready(tx, cluster, database)
    return outcome


def decide_outcome(cluster: Cluster, seen: Seen) -> Outcome:
    """One sentence on one cluster, from its wish and its server."""
    database = seen.database
    if seen.error:
        return Outcome("failed", f"The host could not take the cluster: {seen.error}", retry_s=5.0)
    if cluster.deleting:
        return _going(database)
    if database is None:
        return Outcome("working", "Waiting for the host to start its server.")
    if database.phase == "failed":
        return Outcome("failed", database.reason)
    if not cluster.awake:
        return _asleep(database, seen.restricted)
    if database.phase != "ready" or database.start_seq < cluster.start_seq:
        return Outcome("working", database.reason or "Its server is starting.")
    if database.copy_seq < cluster.copy_seq:
        return Outcome("working", "Its data is being copied from its parent.")
    if database.root_password_hash != cluster.root_password_hash:
        return Outcome("working", "Its server is taking the new root password in.")
    return _running(cluster, database, seen)


def _running(cluster: Cluster, database: DatabaseStatus, seen: Seen) -> Outcome:
    """What its limits come to on this host; a limit that nothing keeps is not passed over in silence."""
    kept, cpus = database.cpu_limited_by, f"{seen.cpu_most:g}"
    if seen.restricted and kept == "cgroup":
        return Outcome(
            "ready",
            "Running, but its quota of this month is used up: nobody new is let in, those that are on get "
            f"{cpus} CPUs. Raise spendingLimit.monthly, or wait for the next month.",
        )
    if seen.restricted:
        return Outcome(
            "ready",
            "Running, but its quota of this month is used up: nobody new is let in, those that are on stay. "
            "Raise spendingLimit.monthly, or wait for the next month.",
        )
    if cluster.root_password_hash is None:
        return Outcome("ready", "Running; nobody can log in until a root password is set.")
    if not seen.cpu_most:
        return Outcome("ready", "Running.")
    return _running_within(cpus, cluster.max_rcu, kept)


def _running_within(cpus: str, rcu: int, kept: LimitedBy) -> Outcome:
    if kept == "cgroup":
        return Outcome("ready", f"Running on {cpus} CPUs (maxRcu {rcu}) at most.")
    if kept == "affinity":
        return Outcome(
            "ready",
            f"Running on {cpus} CPUs (maxRcu {rcu}) at most, in whole CPUs as no CPU group can be made here.",
        )
    return Outcome("ready", f"Running, its limit of {cpus} CPUs (maxRcu {rcu}) not enforced: this host grants it none.")


def _going(database: DatabaseStatus | None) -> Outcome:
    if database is not None and database.phase == "failed":
        return Outcome("failed", f"Its data could not be removed yet: {database.reason}")
    return Outcome("working", "Stopping its server and removing its data.")


def _asleep(database: DatabaseStatus, restricted: bool) -> Outcome:
    if database.phase == "stopped" and restricted:
        return Outcome(
            "ready",
            "Asleep, and its quota of this month is used up: nobody is let in. "
            "Raise spendingLimit.monthly, or wait for the next month.",
        )
    if database.phase == "stopped":
        return Outcome("ready", "Asleep: nobody was connected; the next login wakes it.")
    return Outcome("working", "Its server is stopping.")


def _mark_ready(tx: Transaction, cluster: Cluster, database: DatabaseStatus) -> None:
    """It was ready once, and this copy is there; written when it is news."""
    now = tx.clusters.get(cluster.cluster_id)
    if now is None:
        return
    known = now
    if not cluster.ready_generation:
        known = replace(known, ready_generation=cluster.generation, version=database.version or now.version)
    if now.ready_copy_seq < database.copy_seq:
        known = replace(known, ready_copy_seq=database.copy_seq)
    if known != now:
        tx.clusters.put(known)
