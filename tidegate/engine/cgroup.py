"""CPU groups of the kernel: where one may be made here, and what is written into it.

A place is tried, not guessed: which groups may be written depends on root, on delegation and on containers, and the
kernel's own answer is the only one that counts.  Both versions are known: 2 (``cpu.max``) on today's systems, 1
(``cpu.cfs_quota_us``) where the CPU controller is still mounted alone.

::

    <mount>/tidegate-<id>/<cluster>          with root: beside systemd's slices
    <our own group>/tidegate-<id>/<cluster>  where that group was delegated (systemd-run --user -p Delegate=yes ...)
    <our own group>/tidegate-rest            v2 only: a group with members may not pass controllers on to its children,
                                             so whoever was in it, we too, moves into this leaf
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PERIOD_US = 100_000
"""the kernel's default; a quota is so many microseconds of CPU in each period"""
LEAST_QUOTA_US = 1_000
"""the kernel refuses less (Documentation/scheduler/sched-bwc.rst, seen 2026-11)"""
WEIGHT = 100
"""of whoever has no other; version 1 counts in 1024ths"""
REST = "tidegate-rest"
REMOVE_LIMIT_S, REMOVE_POLL_S = 1.0, 0.01


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted hierarchy of groups that has the CPU controller, and where in it this process is."""

    version: Literal[1, 2]
    mount: Path
    own: Path


@dataclass(frozen=True, slots=True)
class CpuShare:
    """What one server may use: ``most`` CPUs (0: no limit), and its ``weight`` while CPUs are short."""

    most: float = 0.0
    weight: int = WEIGHT


def find_hierarchies(mountinfo: str, membership: str) -> list[Hierarchy]:
    """From the texts of ``/proc/self/mountinfo`` and ``/proc/self/cgroup`` (proc(5), cgroups(7)); version 2 first."""
    found = [h for line in mountinfo.splitlines() if (h := _parse_mount(line, membership)) is not None]
    return sorted(found, key=lambda h: -h.version)


def _parse_mount(line: str, membership: str) -> Hierarchy | None:
    before, _, after = line.partition(" - ")
    place, kind = before.split(), after.split()
    if len(place) < 5 or len(kind) < 3:
        return None
    version: Literal[1, 2]
    if kind[0] == "cgroup2":
        version, own = 2, _own_path(membership, "")
    elif kind[0] == "cgroup" and "cpu" in kind[2].split(","):
        version, own = 1, _own_path(membership, "cpu")
    else:
        return None
    mount = Path(place[4].replace("\\040", " "))
    # What is mounted may be a part of the hierarchy only, as in a container: paths are told from its real root.
    below = own.removeprefix(place[3].rstrip("/")).lstrip("/")
    return Hierarchy(version, mount, mount / below)


def _own_path(membership: str, controller: str) -> str:
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


class CpuGroups:
    """The groups of one installation, below one folder that is named ``name``.  Raises nothing but OSError."""

    def __init__(self, hierarchy: Hierarchy, folder: Path) -> None:
        self._version, self._folder = hierarchy.version, folder

    def apply(self, key: str, pid: int, share: CpuShare) -> None:
        """Make the group what ``share`` says, and put the process with all its threads into it."""
        group = self._folder / key
        group.mkdir(exist_ok=True)
        for name, text in plan_group(self._version, share):
            (group / name).write_text(text)
        if str(pid) not in (group / "cgroup.procs").read_text().split():
            (group / "cgroup.procs").write_text(str(pid))

    def has(self, key: str) -> bool:
        return (self._folder / key).is_dir()

    def keys(self) -> list[str]:
        with contextlib.suppress(OSError):
            return [entry.name for entry in self._folder.iterdir() if entry.is_dir()]
        return []

    def remove(self, key: str) -> None:
        """The group goes, unless somebody is in it: the last threads of a process outlive its leader by a moment."""
        deadline_s = time.monotonic() + REMOVE_LIMIT_S
        while True:
            try:
                (self._folder / key).rmdir()
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline_s:
                    return
            time.sleep(REMOVE_POLL_S)

    def close(self) -> None:
        """The installation's folder goes too, once it is empty."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def plan_group(version: int, share: CpuShare) -> Iterator[tuple[str, str]]:
    """Which files of a group get which text (cgroup-v2.rst "CPU Interface Files"; sched-bwc.rst for version 1)."""
    quota_us = max(LEAST_QUOTA_US, round(share.most * PERIOD_US)) if share.most else 0
    if version == 2:
        yield "cpu.max", f"{quota_us or 'max'} {PERIOD_US}"
        yield "cpu.weight", str(min(10_000, max(1, share.weight)))
    else:
        yield "cpu.cfs_period_us", str(PERIOD_US)
        yield "cpu.cfs_quota_us", str(quota_us or -1)
        yield "cpu.shares", str(max(2, share.weight * 1024 // WEIGHT))


def find_groups(name: str, hierarchies: Iterable[Hierarchy]) -> CpuGroups | None:
    """The folder of groups that was made before, by whomever; nothing is made."""
    for hierarchy, place in _places(hierarchies):
        if (place / name).is_dir():
            return CpuGroups(hierarchy, place / name)
    return None


def make_groups(name: str, hierarchies: Iterable[Hierarchy]) -> CpuGroups | None:
    """A folder of groups in the first place that the kernel grants; None where there is none."""
    for hierarchy, place in _places(hierarchies):
        with contextlib.suppress(OSError):
            return CpuGroups(hierarchy, _make_folder(hierarchy, place, name))
    return None


def _places(hierarchies: Iterable[Hierarchy]) -> Iterator[tuple[Hierarchy, Path]]:
    for hierarchy in hierarchies:
        for place in dict.fromkeys((hierarchy.mount, _without_rest(hierarchy.own))):
            yield hierarchy, place


def _make_folder(hierarchy: Hierarchy, place: Path, name: str) -> Path:
    folder = place / name
    if hierarchy.version == 1:
        # A hierarchy without the file has no controller of that kind to offer.
        (place / "cpu.shares").stat()
        folder.mkdir(exist_ok=True)
        return folder
    if "cpu" not in (place / "cgroup.controllers").read_text().split():
        raise OSError(errno.ENOTSUP, "the group is not given the CPU controller", str(place))
    _pass_on(place, ours=place == _without_rest(hierarchy.own))
    folder.mkdir(exist_ok=True)
    try:
        _pass_on(folder, ours=False)
    except OSError:
        folder.rmdir()
        raise
    return folder


def _pass_on(group: Path, *, ours: bool) -> None:
    """Let the group's children have the CPU controller.

    Of our own group the members leave first.  The kernel would pass the controller on all the same, because CPU is one
    that threads can be told apart by, but then children could take no whole process (EOPNOTSUPP, seen with 6.1).  The
    hierarchy's real root, which has no ``cgroup.type``, may keep its members.
    """
    if ours and (group / "cgroup.type").exists():
        _move_members(group)
    control = group / "cgroup.subtree_control"
    if "cpu" not in control.read_text().split():
        control.write_text("+cpu")


def _move_members(group: Path) -> None:
    rest = group / REST
    rest.mkdir(exist_ok=True)
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (rest / "cgroup.procs").write_text(pid)


def _without_rest(own: Path) -> Path:
    return own.parent if own.name == REST else own


def read_hierarchies() -> list[Hierarchy]:
    """Those of this process, from the kernel."""
    try:
        return find_hierarchies(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    except OSError:
        return []
