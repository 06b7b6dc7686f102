"""Usage: what the host's counters say, added to the month's rows."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.domain.clusters import Cluster
from tidegate.domain.usage import Consumption, Usage, count_usage, usage_in
from tidegate.store.store import Transaction


def record_usages(tx: Transaction, month: str, seen: Mapping[str, Consumption]) -> list[tuple[Cluster, Usage]]:
    """Count what each of these clusters has used; returns how they stand.  Those that are gone are passed over."""
    found = []
    for cluster in tx.clusters.find_in("cluster_id", seen):
        last = tx.last_usage(cluster.cluster_id)
        usage = count_usage(last, cluster.cluster_id, month, seen[cluster.cluster_id])
        if usage != last:
            tx.usages.put(usage)
        found.append((cluster, usage))
    return found


def load_usage(tx: Transaction, cluster_id: str, month: str) -> Usage | None:
    """How it stands in ``month``; None: it never used anything."""
    last = tx.last_usage(cluster_id)
    return usage_in(month, last) if last else None


def forget_usages(tx: Transaction, cluster_id: str) -> None:
    for usage in tx.usages.find(cluster_id=cluster_id):
        tx.usages.remove(cluster_id, usage.month)
