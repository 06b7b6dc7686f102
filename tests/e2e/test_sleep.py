"""A Starter cluster that nobody uses stops, and the next login wakes it: once, however many come at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tidegate.testing import Client, Cluster, World, wait_until
from tidegate.testing.plugin import open_world

IDLE_S = 1.0


@pytest.fixture(scope="module")
def sleepy() -> Iterator[World]:
    with open_world(cluster_idle_s=IDLE_S) as world:
        yield world


@pytest.fixture(scope="module")
def cluster(sleepy: World) -> Cluster:
    return sleepy.cluster("sleepy")


@pytest.fixture(scope="module")
def client(sleepy: World, cluster: Cluster) -> Client:
    vpc = sleepy.vpc("app")
    vpc.endpoint(cluster)
    return vpc.client()


def servers(world: World, cluster: Cluster) -> list[int]:
    return world.witness.processes().get(f"tidb-{cluster.cluster_id}", [])


@contextmanager
def every_server(world: World, cluster: Cluster) -> Iterator[set[int]]:
    """Each pid that a server of this cluster has while the block runs."""
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            seen.update(servers(world, cluster))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join(5)


def wait_asleep(world: World, cluster: Cluster) -> None:
    wait_until(lambda: not servers(world, cluster), "the idle server to end", 30)
    wait_until(lambda: cluster.state() == "asleep", "asleep", 10)


def test_fifty_logins_wake_it_once(sleepy: World, cluster: Cluster, client: Client) -> None:
    """A pool that reconnects is fifty logins in the same millisecond; all are served, by one start."""
    client.query("CREATE TABLE test.kept (id INT PRIMARY KEY)")
    client.query("INSERT INTO test.kept VALUES (1), (2)")
    wait_asleep(sleepy, cluster)
    with every_server(sleepy, cluster) as seen:
        answer = client.crowd(client.vpc.only_endpoint(), 50)
    assert set(answer["outcomes"]) == {"connected"}
    assert len(seen) == 1, "one start for all of them"
    assert client.query("SELECT id FROM test.kept ORDER BY id") == [[1], [2]], "and what it knew it knows"


def test_a_quiet_session_keeps_it_awake(sleepy: World, cluster: Cluster, client: Client) -> None:
    """A pool's idle connection is a user: its server must not be taken away under it."""
    session = client.session()
    with every_server(sleepy, cluster) as seen:
        watched = threading.Event()
        watched.wait(4 * IDLE_S)  # the time under test, not a wait for something to happen
    assert len(seen) == 1
    assert session.query("SELECT 1") == [[1]]
    session.close()
    wait_asleep(sleepy, cluster)


def test_a_sleeping_cluster_sleeps_through_a_new_start(sleepy: World, cluster: Cluster, client: Client) -> None:
    """A restart of the installation is nobody's login: what sleeps goes on sleeping, and is woken as before."""
    wait_asleep(sleepy, cluster)
    sleepy.stop()
    assert sleepy.witness.traces() == []
    with every_server(sleepy, cluster) as seen:
        sleepy.start()
        sleepy.settle()
    assert seen == set()
    assert client.query("SELECT COUNT(*) FROM test.kept") == [[2]]
