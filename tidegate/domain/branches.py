"""Branches: clusters of their own that began with a copy of their parent's data (``reference/tidbcloud.md`` 2.5).

What may follow a state::

    CREATING ──> ACTIVE <──> RESTORING (a reset: its data is its parent's again)
                    └──────> DELETED ──> gone

A branch is kept as a :class:`~tidegate.domain.clusters.Cluster` with ``branch_of``: it sleeps, wakes and is reached as
one.  As there, no state is stored.
"""

from __future__ import annotations

from enum import StrEnum

from tidegate.domain.clusters import Cluster
from tidegate.domain.refusals import Busy, Malformed, QuotaReached
from tidegate.domain.usage import GIB, Usage

BRANCHES_PER_ORGANIZATION = 5
PARENT_BYTES_AT_MOST = 100 * GIB


class BranchState(StrEnum):
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    RESTORING = "RESTORING"
    DELETED = "DELETED"
    """the cloud's word from the moment of the call on; there is no DELETING"""


def decide_branch_state(branch: Cluster) -> BranchState:
    if branch.deleting:
        return BranchState.DELETED
    if not branch.ready_generation:
        return BranchState.CREATING
    return BranchState.ACTIVE if branch.ready_copy_seq >= branch.copy_seq else BranchState.RESTORING


def require_active_branch(branch: Cluster) -> None:
    if decide_branch_state(branch) is not BranchState.ACTIVE:
        raise Busy("branch", branch.cluster_id)


def require_branches_offered(cluster: Cluster, usage: Usage | None, *, restricted: bool) -> None:
    """Starter only: Essential clusters made since 2026-07-14 have none in the cloud, and all here are younger.

    The cloud makes none of a cluster that is throttled or larger than 100 GiB.
    """
    if cluster.plan != "STARTER":
        raise Malformed("clusterId", "an Essential cluster has no branches; since 2026-07-14 Starter ones alone do")
    if restricted:
        raise Malformed("clusterId", "its quota of this month is used up, and then it can have no new branch")
    if usage and usage.stored_bytes > PARENT_BYTES_AT_MOST:
        raise Malformed("clusterId", "it stores more than 100 GiB, and then it can have no branch")


def require_branch_room(count: int) -> None:
    """``count`` is the organization's, the new one included."""
    if count > BRANCHES_PER_ORGANIZATION:
        raise QuotaReached("branches per organization", BRANCHES_PER_ORGANIZATION)
