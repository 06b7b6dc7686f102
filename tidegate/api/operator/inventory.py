"""Everything there is, with one sentence each: what ``tidegate status`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidegate.domain.clusters import Cluster, ClusterState, decide_cluster_state
from tidegate.domain.endpoints import decide_connection_state, decide_endpoint_state
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Kind, Phase, Status, decide_settled
from tidegate.operations.context import Context
from tidegate.operations.inventory import list_everything

_PUBLISHED = "Published by its owner; its resources answer for it."
_NOT_SEEN = "The controller has not looked at it yet."


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource.  ``observed_generation`` below ``generation``: the last change is not carried out yet."""

    kind: Kind
    id: str
    name: str
    account_id: str
    region_id: str
    state: str
    generation: int
    observed_generation: int
    phase: Phase
    reason: str
    endpoints: int = 0
    """of a service: how many use it"""


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """What is known of the host's agent.  ``errors``: ``section/key`` of a part that is not well -> one sentence."""

    connected: bool
    reason: str
    errors: Mapping[str, str]


def build_inventory(context: Context) -> list[dict[str, Any]]:
    """All resources of all accounts, grouped by kind, in the order of their ids."""
    items = list_everything(context)
    uses = Counter(item.row.service_id for item in items if item.kind == "endpoint")
    return [asdict(build_entry(i.kind, i.resource_id, i.row, i.status, uses[i.resource_id])) for i in items]


def build_entry(kind: Kind, resource_id: str, row: Any, status: Status | None, endpoints: int = 0) -> Entry:
    phase, reason = decide_sentence(row, status)
    return Entry(
        kind=kind,
        id=resource_id,
        name=row.display_name if isinstance(row, Cluster) else getattr(row, "name", ""),
        account_id=row.account_id,
        region_id=row.region_id,
        state=decide_state(kind, row, status),
        generation=row.generation,
        observed_generation=status.observed_generation if status else 0,
        phase=phase,
        reason=reason,
        endpoints=endpoints,
    )


def decide_sentence(row: Any, status: Status | None) -> tuple[Phase, str]:
    """What the controller last said, unless that answers an older wish."""
    if isinstance(row, EndpointService) and status is None:
        return "ready", _PUBLISHED if row.published else "Offered; its region's gateway answers for it."
    if status is None:
        return "working", _NOT_SEEN
    if status.observed_generation < row.generation:
        return "working", f"Its last change is not carried out yet; before it: {status.reason}"
    return status.phase, status.reason


def decide_state(kind: Kind, row: Any, status: Status | None) -> str:
    """One word, ours: lower case, and a sleeping cluster is told from a running one, which no cloud shows.

    A region's own service is ``offered``, one that an account has published is ``available``.
    """
    if kind == "cluster":
        state = decide_cluster_state(row)
        return "asleep" if state is ClusterState.ACTIVE and not row.awake else state.value.lower()
    if kind == "endpoint":
        return f"{decide_endpoint_state(row, status).value}/{decide_connection_state(row, status).value}"
    if row.deleting:
        return "deleting"
    if kind == "service":
        return "available" if row.published else "offered"
    if decide_settled(status, row.generation):
        return "available"
    return "pending"


def count_phases(entries: list[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(entry["phase"] for entry in entries)
    return {phase: counts[phase] for phase in ("ready", "working", "failed")}
