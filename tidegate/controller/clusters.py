"""Clusters: what became of them.  A wake is carried out here: the wish says *awake*, the plan says *running*."""

from __future__ import annotations

from dataclasses import replace

from tidegate.controller.vpcs import write_status
from tidegate.domain.clusters import Cluster
from tidegate.domain.status import Outcome, Status
from tidegate.engine.config import DatabaseStatus
from tidegate.store.store import Transaction


def reconcile_cluster(
    tx: Transaction, cluster: Cluster, database: DatabaseStatus | None, error: str | None, *, gone: bool = False
) -> Outcome:
    """Write what is there now; a cluster wished away is removed once the host has said that its data is gone.

    That nothing is known of its server is no such word: an agent that has just started knows only those that run.
    """
    if cluster.deleting and gone and not error:
        tx.clusters.remove(cluster.cluster_id)
        tx.statuses.remove("cluster", cluster.cluster_id)
        return Outcome("ready", "The cluster and its data are gone.")
    outcome = decide_outcome(cluster, database, error)
    write_status(tx, Status("cluster", cluster.cluster_id, cluster.generation, outcome.phase, outcome.reason))
    if outcome.phase == "ready" and not cluster.ready_generation and database and database.phase == "ready":
        _mark_ready(tx, cluster, database)
    return outcome


def decide_outcome(cluster: Cluster, database: DatabaseStatus | None, error: str | None) -> Outcome:
    """One sentence on one cluster, from its wish and its server."""
    if error:
        return Outcome("failed", f"The host could not take the cluster: {error}", retry_s=5.0)
    if cluster.deleting:
        return _going(database)
    if database is None:
        return Outcome("working", "Waiting for the host to start its server.")
    if database.phase == "failed":
        return Outcome("failed", database.reason)
    if not cluster.awake:
        return _asleep(database)
    if database.phase != "ready" or database.start_seq < cluster.start_seq:
        return Outcome("working", database.reason or "Its server is starting.")
    if database.root_password_hash != cluster.root_password_hash:
        return Outcome("working", "Its server is taking the new root password in.")
    if cluster.root_password_hash is None:
        return Outcome("ready", "Running; nobody can log in until a root password is set.")
    return Outcome("ready", "Running.")


def _going(database: DatabaseStatus | None) -> Outcome:
    if database is not None and database.phase == "failed":
        return Outcome("failed", f"Its data could not be removed yet: {database.reason}")
    return Outcome("working", "Stopping its server and removing its data.")


def _asleep(database: DatabaseStatus) -> Outcome:
    if database.phase == "stopped":
        return Outcome("ready", "Asleep: nobody was connected; the next login wakes it.")
    return Outcome("working", "Its server is stopping.")


def _mark_ready(tx: Transaction, cluster: Cluster, database: DatabaseStatus) -> None:
    now = tx.clusters.get(cluster.cluster_id)
    if now is not None:
        tx.clusters.put(replace(now, ready_generation=cluster.generation, version=database.version or now.version))
