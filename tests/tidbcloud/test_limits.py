"""What a cluster may use: request units and money of a Starter one, CPUs of an Essential one, by the kernel's figures.

The free quota is small here, by the settings that are there for such rehearsals.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tidbcloud_site import Json, Site, wait_for

from tidegate.domain.usage import CPU_S_PER_RU
from tidegate.testing import Cluster
from tidegate.testing.plugin import open_world

FREE = 3_000
SLACK = 0.02
"""CPUs: two clock ticks of a look"""
BUSY = "SELECT BENCHMARK(20000, SHA2('tide', 512))"
QUOTA_USED_UP = (
    "Due to the usage quota being exhausted, access to the cluster '{}' has been restricted. Try increasing spending "
    "limits to gain full access. For more information, see "
    "https://docs.pingcap.com/tidbcloud/serverless-limitations#usage-quota"
)


@pytest.fixture(scope="module")
def metered() -> Iterator[Site]:
    with open_world(cluster_idle_s=0.0, free_request_units=FREE, meter_s=1, rcu_per_cpu=40_000) as world:
        yield Site(world)
        if os.geteuid() == 0:
            world.stop()
            assert world.witness.traces() == []


def look(site: Site, cluster: Cluster) -> Json:
    return site.call("GET", f"/clusters/{cluster.cluster_id}")


def patch(site: Site, cluster: Cluster, mask: str, change: Json) -> Json:
    return site.patch({"clusterId": cluster.cluster_id}, mask, change)


def used(site: Site, cluster: Cluster) -> int:
    return int(look(site, cluster)["usage"]["requestUnit"])


def phase_reason(site: Site, cluster: Cluster) -> str:
    found = [r for r in site.world.status()["resources"] if r["id"] == cluster.cluster_id]
    return str(found[0]["reason"])


def test_a_quota_that_is_used_up_lets_nobody_in_until_it_is_raised(metered: Site) -> None:
    """The whole way: PyMySQL in a VPC, through the private endpoint; counted by the kernel, shut and opened live."""
    cluster = metered.world.cluster("metered")
    vpc = metered.world.vpc("metered")
    endpoint = vpc.endpoint(cluster)
    client = vpc.client()
    session = client.session(endpoint)
    session.query("CREATE TABLE test.t (v LONGTEXT)")
    session.query("INSERT INTO test.t VALUES (REPEAT('x', 4000000))")
    wait_for(lambda: look(metered, cluster)["usage"]["rowBasedStorage"] > 4_000_000)
    before = used(metered, cluster)
    began_s = cpu_s(metered, cluster)
    deadline_s = time.monotonic() + 240
    while client.login(endpoint):
        assert time.monotonic() < deadline_s, look(metered, cluster)["usage"]
        session.query(BUSY)
    attempt = client.login(endpoint)
    said = (1105, QUOTA_USED_UP.format(cluster.cluster_id))
    assert (attempt.outcome, attempt.detail) == ("mysql 1105", f"OperationalError: {said}")
    wait_for(lambda: used(metered, cluster) >= FREE)
    # What was counted is at least the CPU time that the kernel gave the server meanwhile, less one interval.
    wait_for(lambda: used(metered, cluster) - before >= (cpu_s(metered, cluster) - began_s - 2) / CPU_S_PER_RU)
    assert session.query("SELECT COUNT(*) FROM test.t") == [[1]]
    patch(metered, cluster, "spendingLimit.monthly", {"spendingLimit": {"monthly": 1}})
    wait_for(lambda: bool(client.login(endpoint)), 10)
    assert session.query("SELECT COUNT(*) FROM test.t") == [[1]]


def test_what_was_counted_survives_the_deaths_of_all_who_count(metered: Site) -> None:
    """serve, agent and the server itself are killed: the month's figure never falls, and goes on growing."""
    cluster = metered.world.cluster("counted")
    path = f"/clusters/{cluster.cluster_id}"
    wait_for(lambda: used(metered, cluster) > 0)
    for name in ("serve", "agent", f"tidb-{cluster.cluster_id}"):
        counted = used(metered, cluster)
        assert metered.world.kill(name)
        metered.world.start()
        wait_for(lambda counted=counted: int(metered.call("GET", path)["usage"]["requestUnit"]) > counted)


@pytest.mark.skipif(os.geteuid() != 0, reason="a CPU limit by the kernel's groups needs root")
def test_an_essential_cluster_stays_within_its_maxrcu_and_patch_changes_it_live(metered: Site) -> None:
    """40000 RCU are one CPU here, so 2000 are a twentieth: a busy machine has room for that all the same."""
    cluster = metered.world.cluster("essential", rcu=(2000, 2000))
    wait_for(lambda: "at most" in phase_reason(metered, cluster))
    if "whole CPUs" in phase_reason(metered, cluster):
        pytest.skip("this machine lets nobody make CPU groups")
    assert phase_reason(metered, cluster) == "Running on 0.05 CPUs (maxRcu 2000) at most."
    pids = servers(metered, cluster)
    vpc = metered.world.vpc("essential")
    endpoint = vpc.endpoint(cluster)
    session = vpc.client().session(endpoint)
    with_load(
        lambda: session.query(BUSY),
        lambda: look_at_limits(metered, cluster),
    )
    assert servers(metered, cluster) == pids
    assert session.query("SELECT 1") == [[1]]


def look_at_limits(site: Site, cluster: Cluster) -> None:
    assert cpus_over(site, cluster) <= 0.05 * 1.15 + SLACK
    patch(site, cluster, "autoScaling", {"autoScaling": {"minRcu": 2000, "maxRcu": 8000}})
    wait_for(lambda: "on 0.2 CPUs" in phase_reason(site, cluster))
    wait_for(lambda: cpus_over(site, cluster) > 0.05 * 1.25 + SLACK)
    assert cpus_over(site, cluster) <= 0.2 * 1.15 + SLACK


def with_load(load: Callable[[], object], work: Callable[[], None]) -> None:
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            load()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join(60)


def servers(site: Site, cluster: Cluster) -> list[int]:
    return site.world.witness.processes()[f"tidb-{cluster.cluster_id}"]


def cpu_s(site: Site, cluster: Cluster) -> float:
    """By /proc/PID/stat, as anybody can read it."""
    (pid,) = servers(site, cluster)
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpus_over(site: Site, cluster: Cluster, span_s: float = 3.0) -> float:
    before, began_s = cpu_s(site, cluster), time.monotonic()
    threading.Event().wait(span_s)
    return (cpu_s(site, cluster) - before) / (time.monotonic() - began_s)


def test_the_other_plans_limit_is_refused(metered: Site) -> None:
    """autoScaling is nothing that a Starter cluster has."""
    cluster = metered.world.cluster("refused")
    body = {"cluster": {"autoScaling": {"minRcu": 2000, "maxRcu": 4000}}, "updateMask": "autoScaling"}
    refused = metered.call("PATCH", f"/clusters/{cluster.cluster_id}", 400, json=body)
    assert "exclude each other" in refused["message"]
