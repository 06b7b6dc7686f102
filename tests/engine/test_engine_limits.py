"""The CPU limit of a running server, by the kernel's own figures."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_bench import Bench

from tidegate.engine import quota
from tidegate.engine.cgroup import find_groups, read_hierarchies

LOOK_S = 3.0
SLACK = 0.02
"""CPUs: two clock ticks of a look; the limits are small, so that a busy machine has room for them all the same"""


@contextmanager
def busy(bench: Bench, sessions: int = 2) -> Iterator[None]:
    """So many sessions that compute; in short statements, because TiDB 8.5.4 does not let BENCHMARK be killed."""
    over = threading.Event()

    def compute() -> None:
        with bench.client() as cursor:
            while not over.is_set():
                cursor.execute("SELECT BENCHMARK(20000, SHA2('tide', 512))")

    threads = [threading.Thread(target=compute) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def cpus_used(pid: int) -> float:
    """CPUs over an interval: /proc/PID/stat, fields 14 and 15 (clock ticks)."""
    before, began_s = _ticks(pid), time.monotonic()
    threading.Event().wait(LOOK_S)
    return (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began_s)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def group_of(pid: int) -> Path | None:
    """The server's CPU group as the kernel names it."""
    mounts = {hierarchy.version: hierarchy.mount for hierarchy in read_hierarchies()}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "tidegate-" in path:
            return mounts[1 if controllers else 2] / path.lstrip("/")
    return None


def wait_for_quota(group: Path, cpus: float) -> None:
    """Until the kernel has it: the status says ``cgroup`` before and after."""
    deadline_s = time.monotonic() + 10
    while True:
        if (group / "cpu.max").exists():
            quota_us, period_us = (group / "cpu.max").read_text().split()
        else:
            quota_us, period_us = ((group / f"cpu.cfs_{n}_us").read_text() for n in ("quota", "period"))
        if int(quota_us) == round(cpus * int(period_us)):
            return
        assert time.monotonic() < deadline_s, (quota_us, period_us)
        time.sleep(0.01)


@pytest.fixture
def grouped(bench: Bench) -> Bench:
    status = bench.make(cpu_most=1.0)
    if status.cpu_limited_by != "cgroup":
        pytest.skip("this machine lets nobody make CPU groups")
    return bench


def test_a_busy_server_stays_within_its_limit_which_changes_while_it_runs(grouped: Bench) -> None:
    """What maxRcu means, and a PATCH of it: no restart, no lost session."""
    pid = grouped.make(cpu_most=0.05).pid
    assert pid is not None
    group = group_of(pid)
    assert group is not None
    wait_for_quota(group, 0.05)
    with busy(grouped):
        assert cpus_used(pid) <= 0.05 * 1.15 + SLACK
        throttled = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        assert int(throttled["nr_throttled"]) > 0
        assert grouped.make(cpu_most=0.2).pid == pid
        wait_for_quota(group, 0.2)
        assert 0.05 * 1.3 < cpus_used(pid) <= 0.2 * 1.15 + SLACK
        grouped.make()
        lifted = grouped.wait(lambda status: status.cpu_limited_by == "")
        assert lifted.pid == pid


def test_the_group_goes_with_the_server(grouped: Bench) -> None:
    """An installation that was taken down leaves nothing in the kernel."""
    name = quota.group_name(grouped.root)
    assert find_groups(name, read_hierarchies()) is not None
    grouped.engine.stop_all()
    assert find_groups(name, read_hierarchies()) is None


def test_where_no_group_can_be_made_whole_cpus_are_the_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rootless: still a limit that the kernel keeps, and it says which."""
    monkeypatch.setattr(quota, "read_hierarchies", list)
    status = bench.make(cpu_most=0.5)
    assert status.cpu_limited_by == "affinity" and status.pid is not None
    with busy(bench):
        assert cpus_used(status.pid) <= 1.0 * 1.1
    bound = [len(os.sched_getaffinity(int(t.name))) for t in Path(f"/proc/{status.pid}/task").iterdir()]
    assert set(bound) == {1}
    bench.make()
    bench.wait(lambda status: status.cpu_limited_by == "")
    assert len(os.sched_getaffinity(status.pid)) == len(os.sched_getaffinity(0))
