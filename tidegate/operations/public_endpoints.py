"""One rule of a cluster's public endpoint at a time, for those who do not send the whole list.

Two who change the list at once both get their way: it is read and written in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tidegate.domain.clusters import ClusterChange, change_cluster, require_not_deleting
from tidegate.domain.public_endpoints import Network
from tidegate.operations.clusters import require_cluster
from tidegate.operations.context import Caller, Context, change

Networks = tuple[Network, ...]


def add_network(context: Context, caller: Caller, cluster_id: str, network: Network) -> None:
    """Raises NotFound, Busy, and Missing or Malformed for a network that is none, or one too many."""
    _change(context, caller, cluster_id, lambda known: (*known, network))


def remove_network(context: Context, caller: Caller, cluster_id: str, network: Network) -> None:
    """All rules that equal it; none is no error: then somebody else was quicker."""
    _change(context, caller, cluster_id, lambda known: tuple(other for other in known if other != network))


def _change(context: Context, caller: Caller, cluster_id: str, alter: Callable[[Networks], Networks]) -> None:
    with change(context, caller) as work:
        cluster = require_cluster(work.tx, caller, cluster_id)
        require_not_deleting(cluster)
        changed = change_cluster(cluster, ClusterChange(public_networks=alter(cluster.public_networks)))
        work.tx.clusters.put(replace(changed, updated_at=work.now, generation=cluster.generation + 1))
        work.wake("cluster", cluster_id)
