"""How much CPU each server may use, changed while it runs.

Where the kernel lets us make CPU groups, a server's group has the exact quota.  Elsewhere (rootless without delegation)
its threads are bound to as many whole CPUs as the quota needs: coarser, but a limit that the kernel keeps too.  What
was done is told, never assumed: ``""`` no limit was asked for, ``cgroup``, ``affinity``, or ``none``.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from tidegate.engine.cgroup import CpuGroups, CpuShare, find_groups, make_groups, read_hierarchies
from tidegate.engine.config import LimitedBy

_ROUNDS = 20
"""of binding threads: while they are bound, unbound ones may start others"""
_log = logging.getLogger(__name__)


class CpuQuota:
    """The limits of the servers below one ``root``.  Any thread may call; one cluster is one thread's at a time."""

    def __init__(self, root: Path) -> None:
        self._name = group_name(root)
        self._lock = threading.Lock()
        self._groups: CpuGroups | None = None
        self._refused = False

    def apply(self, cluster_id: str, pid: int, share: CpuShare) -> LimitedBy:
        """Make the server's limit what ``share`` says; twice is as once."""
        groups = self._open(make=share.most > 0)
        if not share.most and not (groups and groups.has(cluster_id)) and not _is_bound(pid):
            return ""
        if groups is not None:
            try:
                groups.apply(cluster_id, pid, share)
                return "cgroup" if share.most else ""
            except OSError as error:
                _log.warning("engine: the CPU group of %s cannot be set: %s", cluster_id, error)
        return self._bind(cluster_id, pid, share)

    def forget(self, cluster_id: str) -> None:
        """Its server has ended."""
        if (groups := self._open()) is not None:
            groups.remove(cluster_id)

    def sweep(self, keep: Iterable[str] = ()) -> None:
        """Remove the empty groups of clusters that are not in ``keep``, and the folder itself when none is left."""
        if (groups := self._open()) is None:
            return
        kept = frozenset(keep)
        for key in groups.keys():  # noqa: SIM118 - a list of names, no mapping
            if key not in kept:
                groups.remove(key)
        if not kept:
            groups.close()
            self._groups = None

    def _open(self, *, make: bool = False) -> CpuGroups | None:
        """Made with the first limit, not before: most hosts need none.  A kernel that refused is not asked again."""
        with self._lock:
            if self._groups is None:
                self._groups = find_groups(self._name, read_hierarchies())
            if self._groups is None and make and not self._refused:
                self._groups = make_groups(self._name, read_hierarchies())
                self._refused = self._groups is None
            return self._groups

    def _bind(self, cluster_id: str, pid: int, share: CpuShare) -> LimitedBy:
        cpus = choose_cpus(cluster_id, share.most, os.sched_getaffinity(0))
        if not _bind_threads(pid, cpus):
            return "none" if share.most else ""
        return "affinity" if share.most else ""


def group_name(root: Path) -> str:
    """Of the folder that has the groups of the servers below ``root``."""
    return f"tidegate-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"


def choose_cpus(cluster_id: str, most: float, there: set[int]) -> set[int]:
    """As many whole CPUs as ``most`` needs (0: all), begun at a place that differs from cluster to cluster."""
    count = math.ceil(most) or len(there)
    if count >= len(there):
        return set(there)
    begin = int(hashlib.sha256(cluster_id.encode()).hexdigest(), 16) % len(there)
    in_order = sorted(there)
    return {in_order[(begin + i) % len(in_order)] for i in range(count)}


def _is_bound(pid: int) -> bool:
    """By whomever: asked of the kernel, for an agent that was killed remembers nothing."""
    try:
        return os.sched_getaffinity(pid) != os.sched_getaffinity(0)
    except ProcessLookupError:
        return False


def _bind_threads(pid: int, cpus: set[int]) -> bool:
    """Every thread; those to come inherit it.  False when the kernel refuses."""
    done: set[str] = set()
    try:
        for _ in range(_ROUNDS):
            new = {entry.name for entry in Path(f"/proc/{pid}/task").iterdir()} - done
            if not new:
                return True
            for thread in new:
                _bind_thread(int(thread), cpus)
            done |= new
    except OSError:
        return False
    return False


def _bind_thread(thread: int, cpus: set[int]) -> None:
    try:
        os.sched_setaffinity(thread, cpus)
    except ProcessLookupError:
        return
