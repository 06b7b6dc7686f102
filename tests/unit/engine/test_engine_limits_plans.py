"""Where CPU groups may be made, what is written into them, and how counters of mortal processes become a total."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.engine import quota
from tidegate.engine.cgroup import CpuShare, Hierarchy, find_hierarchies, make_groups, plan_group
from tidegate.engine.folder import cluster_folder, make_folder
from tidegate.engine.meter import Counters, Meter, Record, advance, load_record, measure_data, save_record
from tidegate.engine.process import Server
from tidegate.engine.quota import CpuQuota, choose_cpus

DEBIAN_12 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot"
APART = """44 25 0:30 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct
45 25 0:31 / /sys/fs/cgroup/cpuset rw shared:10 - cgroup cgroup rw,cpuset
46 25 0:32 / /sys/fs/cgroup/unified rw shared:11 - cgroup2 cgroup2 rw"""
CONTAINER = "90 80 0:30 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"


def test_a_hierarchy_and_our_place_in_it_are_found() -> None:
    """Debian 12 as an ordinary user's session, a system with the CPU controller apart, and a container's view."""
    session = "0::/user.slice/user-1000.slice/session-4.scope\n"
    cgroup = Path("/sys/fs/cgroup")
    assert find_hierarchies(DEBIAN_12, session) == [
        Hierarchy(2, cgroup, cgroup / "user.slice/user-1000.slice/session-4.scope")
    ]
    assert find_hierarchies(APART, "4:cpuset:/x\n3:cpu,cpuacct:/a\n0::/b\n") == [
        Hierarchy(2, cgroup / "unified", cgroup / "unified/b"),
        Hierarchy(1, cgroup / "cpu", cgroup / "cpu/a"),
    ]
    assert find_hierarchies(CONTAINER, "3:cpu:/docker/abc/d\n")[0].own == cgroup / "cpu/d"
    assert find_hierarchies("36 35 98:0 / /home rw - ext4 /dev/sda1 rw", "0::/\n") == []


def test_what_a_group_is_told() -> None:
    assert dict(plan_group(2, CpuShare(1.5, 200))) == {"cpu.max": "150000 100000", "cpu.weight": "200"}
    assert dict(plan_group(2, CpuShare())) == {"cpu.max": "max 100000", "cpu.weight": "100"}
    assert dict(plan_group(1, CpuShare())) == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "-1",
        "cpu.shares": "1024",
    }
    assert dict(plan_group(1, CpuShare(0.001)))["cpu.cfs_quota_us"] == "1000"


def test_no_place_is_no_group(tmp_path: Path) -> None:
    """An ordinary user's session: the controller is there, and may not be passed on; a folder alone limits nobody."""
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    assert make_groups("tidegate-x", [Hierarchy(2, tmp_path, tmp_path), Hierarchy(1, tmp_path, tmp_path)]) is None
    assert not (tmp_path / "tidegate-x").exists()


@pytest.mark.parametrize("root", [False, True])
def test_members_of_our_own_group_leave_it_first(tmp_path: Path, root: bool) -> None:
    """With members inside, children could take no whole process (EOPNOTSUPP); the real root may keep its own."""
    for folder in (tmp_path, tmp_path / "tidegate-x", tmp_path / "tidegate-rest"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.subtree_control").write_text("")
        (folder / "cgroup.procs").write_text("")
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.procs").write_text("4711\n")
    if not root:
        (tmp_path / "cgroup.type").write_text("domain\n")
    assert make_groups("tidegate-x", [Hierarchy(2, tmp_path, tmp_path / "tidegate-rest")]) is not None
    assert (tmp_path / "tidegate-rest" / "cgroup.procs").read_text() == ("" if root else "4711")
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
    assert (tmp_path / "tidegate-x" / "cgroup.subtree_control").read_text() == "+cpu"


@given(st.text(min_size=1), st.floats(0, 40), st.sets(st.integers(0, 63), min_size=1))
def test_whole_cpus_are_never_fewer_than_asked_for(cluster_id: str, most: float, there: set[int]) -> None:
    chosen = choose_cpus(cluster_id, most, there)
    assert chosen and chosen <= there
    assert min(most, len(there)) <= len(chosen) <= (math.ceil(most) or len(there))


SERVER = Server(10, 1000)


def test_a_process_counts_from_where_it_was_last_seen_and_another_from_its_start() -> None:
    """An agent that starts anew goes on; a server that starts anew begins at zero."""
    first = advance(Record(), SERVER, Counters(2.0, 10, 20, 30))
    again = advance(first, SERVER, Counters(3.0, 10, 25, 40))
    assert again.total == Counters(3.0, 10, 25, 40)
    other = advance(again, Server(10, 2000), Counters(0.5, 1, 1, 1))
    assert other.total == Counters(3.5, 11, 26, 41)
    assert advance(other, Server(10, 2000), Counters(0.5, 1, 1, 1)) == other


def test_the_record_survives_and_a_broken_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    record = advance(Record(), SERVER, Counters(2.5, 10, 20, 30))
    save_record(path, record)
    assert load_record(path) == record
    for broken in ("", "{}", "[1]", '{"pid": 1, "started": 1, "counters": {"x": 1}, "total": {}}'):
        path.write_text(broken)
        assert load_record(path) == Record()


def test_a_meter_reads_the_kernel_and_goes_on_after_its_end(tmp_path: Path) -> None:
    """With this very process in the place of a server."""
    folder = cluster_folder(tmp_path, "a")
    make_folder(folder)
    started = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
    meter = Meter()
    meter.measure("a", folder, Server(os.getpid(), started))
    seen = meter.consumptions()["a"]
    assert seen.cpu_s > 0
    later = Meter()
    later.measure("a", folder, None)
    assert later.consumptions() == {"a": seen}
    later.forget("a")
    assert later.consumptions() == {}


@pytest.mark.skipif(os.cpu_count() == 1, reason="whoever has one CPU cannot be bound to fewer")
def test_the_next_agent_unbinds_what_this_one_has_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quota was raised after the agent's restart, and the server stayed on its one CPU until it slept."""
    monkeypatch.setattr(quota, "find_groups", lambda name, hierarchies: None)
    monkeypatch.setattr(quota, "make_groups", lambda name, hierarchies: None)
    server = subprocess.Popen(["sleep", "60"])
    try:
        assert CpuQuota(tmp_path).apply("a", server.pid, CpuShare(0.1)) == "affinity"
        assert len(os.sched_getaffinity(server.pid)) == 1
        assert CpuQuota(tmp_path).apply("a", server.pid, CpuShare()) == ""
        assert os.sched_getaffinity(server.pid) == os.sched_getaffinity(0)
    finally:
        server.kill()
        server.wait()


def test_a_folder_that_goes_while_it_is_measured_is_no_fault(tmp_path: Path) -> None:
    """A cluster was deleted while its data was looked at, and at that look no other cluster was measured any more."""
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        for number in range(60):
            (folder / str(number)).mkdir(parents=True)
        deleting = threading.Thread(target=shutil.rmtree, args=(folder,))
        deleting.start()
        while deleting.is_alive():
            assert measure_data(folder) == 0
        deleting.join()


def test_what_is_reserved_is_not_what_is_stored(tmp_path: Path) -> None:
    """The store's log takes 256 MB at its start; a tenant has not used them."""
    with (tmp_path / "000000.vlog").open("wb") as log:
        os.posix_fallocate(log.fileno(), 0, 8 << 20)
        log.write(b"x" * 8192)
        log.flush()
        os.fsync(log.fileno())
    if os.lseek(os.open(tmp_path / "000000.vlog", os.O_RDONLY), 4 << 20, os.SEEK_HOLE) != 4 << 20:
        pytest.skip("this file system does not tell reserved blocks from written ones")
    assert 8192 <= measure_data(tmp_path) <= 65536
