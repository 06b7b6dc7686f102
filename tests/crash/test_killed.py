"""kill -9 at any moment, then a new start: the same world, nothing left over, and sessions that need not die do not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tidegate.cli.clients import CliError
from tidegate.testing import Client, Cluster, Endpoint, World, wait_until
from tidegate.testing.clients import SessionError

# pytest's importlib mode leaves a test's folder off the path.
sys.path.insert(0, str(Path(__file__).parent))
from crash_watch import beating, converged, count_processes, require_undisturbed

GATEWAY = "gateway-alicloud-ap-southeast-1"
SEED = int(os.environ.get("TIDEGATE_CRASH_SEED", "20261123"))
"""Set it to try other moments; a failure names its moment."""
LATEST_S, LIKELIEST_S = 1.2, 0.08
"""Between a wish and the kill: an endpoint takes 0.03 s, a VPC 0.1 s, a cluster 1.5 s."""


# -- at rest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["serve", "agent"])
def test_a_session_outlives(world: World, client: Client, orders: Cluster, victim: str) -> None:
    """Nothing of an established session passes through `serve` or the agent, and a new one adopts what runs."""
    session = client.session()
    before, state = world.witness.processes(), converged(world)
    with beating(session) as beats:
        (killed,) = world.kill(victim)
        wait_until(lambda: killed not in world.witness.processes().get(victim, []), "its end", 5)
        assert client.query("SELECT 1") == [[1]], "a new login works without it"
        world.start()
        world.settle()
    assert beats.failed == []
    after = world.witness.processes()
    assert after.pop(victim) != before.pop(victim)
    assert after == before, "the same gateway, resolvers and tidb-server"
    assert converged(world) == state
    session.close()


def test_a_session_outlives_both(world: World, client: Client) -> None:
    """As when the machine is short of memory and the kernel takes Python first."""
    session = client.session()
    state, before = converged(world), world.witness.processes()
    with beating(session) as beats:
        world.kill("serve")
        world.kill("agent")
        world.start()
        world.settle()
    assert beats.failed == []
    after = world.witness.processes()
    assert {k: v for k, v in after.items() if k not in ("serve", "agent")} == {
        k: v for k, v in before.items() if k not in ("serve", "agent")
    }
    assert converged(world) == state
    session.close()


def test_a_gateways_death_ends_its_own_sessions_only(world: World, client: Client) -> None:
    """Another region's goes on; a new gateway serves within seconds and by itself."""
    far = world.vpc("far", "10.1.0.0/16", "ap-northeast-1")
    far_cluster = world.cluster("faraway", "alicloud-ap-northeast-1", rcu=(2000, 4000))
    far.endpoint(far_cluster)
    theirs, ours = far.client().session(), client.session(timeout_s=5)
    state = converged(world)
    with beating(theirs) as beats:
        killed = world.kill(GATEWAY)
        started = time.monotonic()
        with pytest.raises(SessionError):
            ours.query("SELECT 1")
        wait_until(lambda: bool(client.login(client.vpc.only_endpoint(), timeout_s=2)), "a new gateway", 10)
        assert time.monotonic() - started < 5
    assert beats.failed == []
    assert world.witness.processes()[GATEWAY] != killed
    assert client.query("SELECT 1") == [[1]]
    assert converged(world) == state
    theirs.close()
    far.delete()
    far_cluster.delete()


def test_the_resolvers_come_back(world: World, client: Client, endpoint: Endpoint) -> None:
    """A session needs no resolver; a new login does, and a new resolver serves every VPC."""
    session = client.session()
    state = converged(world)
    with beating(session) as beats:
        killed = world.kill("resolvers")
        wait_until(lambda: world.witness.processes().get("resolvers") not in (None, killed), "new resolvers", 10)
        wait_until(lambda: bool(client.dial(endpoint.domain)), "a name to resolve again", 10)
    assert beats.failed == []
    assert converged(world) == state


def test_committed_rows_outlive_the_database(world: World, client: Client, orders: Cluster) -> None:
    """kill -9 of tidb-server: what was committed is there, and it is started again by itself."""
    name = f"tidb-{orders.cluster_id}"
    client.query("CREATE TABLE IF NOT EXISTS test.kept (id INT PRIMARY KEY)")
    client.query("DELETE FROM test.kept")
    session = client.session(timeout_s=5)
    for number in range(50):
        session.query("INSERT INTO test.kept VALUES (%s)", number)
    state = converged(world)
    killed = world.kill(name)
    with pytest.raises(SessionError):
        session.query("SELECT 1")
    wait_until(lambda: bool(client.login(client.vpc.only_endpoint(), timeout_s=10)), "the database to be back", 60)
    assert client.query("SELECT COUNT(*) FROM test.kept") == [[50]]
    assert world.witness.processes()[name] != killed
    assert converged(world) == state


def test_everything_at_once(world: World, client: Client, orders: Cluster) -> None:
    """A power cut, but for the kernel: all our processes in one moment."""
    client.query("CREATE TABLE IF NOT EXISTS test.power (id INT PRIMARY KEY)")
    client.query("REPLACE INTO test.power VALUES (1)")
    state = converged(world)
    for name in world.witness.processes():
        world.kill(name)
    world.start()
    assert client.query("SELECT id FROM test.power") == [[1]]
    assert converged(world) == state
    assert set(count_processes(world).values()) == {1}


# -- in the middle -----------------------------------------------------------------------------------------------


def make_something(world: World, orders: Cluster, number: int) -> None:
    """A VPC, a program's place, an endpoint and a cluster, wished in one go."""
    vpc = world.vpc(f"made-{number}", "10.9.0.0/16")
    vpc.begin_client()
    vpc.begin_endpoint(orders)
    world.begin_cluster(f"made-{number}")


def random_moments() -> list[tuple[str, float]]:
    dice = random.Random(SEED)
    victims = ["agent", "agent", "agent", "serve", "resolvers", GATEWAY]
    return [(victim, round(dice.triangular(0, LATEST_S, LIKELIEST_S), 3)) for victim in victims]


@pytest.mark.parametrize(("victim", "after_s"), random_moments())
def test_killed_while_things_are_made(
    world: World, orders: Cluster, client: Client, victim: str, after_s: float
) -> None:
    """Half a namespace, a veth without its rules, a cluster's folder without its server: the next start ends it."""
    vpcs, clusters = world.vpc_ids(), world.cluster_ids()
    timer = threading.Timer(after_s, world.kill, [victim])
    timer.start()
    try:
        make_something(world, orders, 1)
    except (CliError, AssertionError) as error:  # the wish itself met a dead `serve`: as good a moment as any
        assert victim == "serve", error
    timer.join()
    world.start()
    require_undisturbed(world)
    assert client.query("SELECT 1") == [[1]]
    for vpc_id in world.vpc_ids() - vpcs:
        vpc = world.open_vpc(vpc_id)
        if victim != "serve":
            assert vpc.client().reaches(vpc.endpoint(orders))
        vpc.delete()
    for cluster_id in world.cluster_ids() - clusters:
        world.finish_cluster(cluster_id).delete()
    assert client.query("SELECT 1") == [[1]]
    assert set(count_processes(world).values()) == {1}


# -- the start and the stop themselves -----------------------------------------------------------------------------


START = [sys.executable, str(Path(__file__).with_name("start_one.py"))]


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.5, 0.8])
def test_killed_while_it_starts(world: World, client: Client, after_s: float) -> None:
    """`tidegate up` itself may die at any moment; the next one finds what its predecessor had begun."""
    state = converged(world)
    world.stop()
    starter = subprocess.Popen(START, env=world.environment(), start_new_session=True)
    threading.Event().wait(after_s)  # the moment under test
    starter.kill()
    starter.wait()
    world.start()
    assert converged(world) == state
    assert set(count_processes(world).values()) == {1}
    assert client.query("SELECT 1") == [[1]]


@pytest.mark.parametrize("victims", [("serve",), ("agent",), (GATEWAY, "resolvers"), ("serve", "agent", GATEWAY)])
def test_stop_after_a_death_leaves_nothing(world: World, victims: tuple[str, ...]) -> None:
    """Whoever is dead when `down` comes, it takes everything away."""
    for victim in victims:
        assert world.kill(victim)
    world.stop()
    assert world.witness.traces() == []
