"""A cluster's and an endpoint's states as a word and a tone of ``ui.badge``."""

from __future__ import annotations

from tidegate.console.words import N_, _
from tidegate.domain.clusters import ClusterState
from tidegate.domain.endpoints import ConnectionState
from tidegate.domain.status import decide_failed
from tidegate.operations.clusters import ClusterView

Shown = tuple[str, str]
"""(word in the reader's language, tone)"""

_CLUSTER = {
    ClusterState.CREATING: (N_("Creating"), "busy"),
    ClusterState.ACTIVE: (N_("Active"), "good"),
    ClusterState.DELETING: (N_("Deleting"), "busy"),
}
_CONNECTION = {
    ConnectionState.CONNECTED: (N_("Connected"), "good"),
    ConnectionState.CONNECTING: (N_("Connecting"), "busy"),
    ConnectionState.DISCONNECTED: (N_("Disconnected"), "bad"),
    ConnectionState.DISCONNECTING: (N_("Disconnecting"), "busy"),
    ConnectionState.DELETING: (N_("Deleting"), "busy"),
    ConnectionState.SERVICE_DELETED: (N_("Service deleted"), "bad"),
}


def show_cluster_state(view: ClusterView) -> Shown:
    """What failed says so, whatever the cloud's word for its state; a sleeping cluster is active, and tells it."""
    if decide_failed(view.status, view.cluster.generation):
        return _("Failed"), "bad"
    if view.state is ClusterState.ACTIVE and not view.cluster.awake:
        return _("Active (asleep)"), "quiet"
    word, tone = _CLUSTER[view.state]
    return _(word), tone


def show_version(view: ClusterView) -> str:
    """As the cloud writes it; the server tells its own with MySQL's version before it."""
    return view.cluster.version.rpartition("TiDB-")[2] or "–"


def show_connection(state: ConnectionState) -> Shown:
    word, tone = _CONNECTION[state]
    return _(word), tone
