"""Branches through the API and on the wire: their parent's rows, behind the same endpoint, by their own prefix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tidbcloud_site import PASSWORD, Json, Site, wait_for

from tidegate.testing import Client, Cluster, Endpoint
from tidegate.testing.plugin import open_world

IDLE_S = 2.0


@pytest.fixture(scope="module")
def sleepy() -> Iterator[Site]:
    with open_world(cluster_idle_s=IDLE_S) as world:
        yield Site(world)


@pytest.fixture(scope="module")
def parent(sleepy: Site) -> Cluster:
    return sleepy.world.cluster("parent")


@pytest.fixture(scope="module")
def endpoint(sleepy: Site, parent: Cluster) -> Endpoint:
    return sleepy.world.vpc("app").endpoint(parent)


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Client:
    return endpoint.vpc.client()


def branch(site: Site, parent: Cluster, name: str, **more: str) -> Json:
    path = f"/clusters/{parent.cluster_id}/branches"
    made = site.call("POST", path, json={"displayName": name, "rootPassword": PASSWORD, **more})
    assert made["state"] == "CREATING"
    return site.wait_active(f"{path}/{made['branchId']}")


def handle(parent: Cluster, made: Json) -> Cluster:
    return replace(parent, cluster_id=made["branchId"], user=f"{made['userPrefix']}.root", password=PASSWORD)


def test_a_branch_behind_the_same_endpoint(sleepy: Site, parent: Cluster, endpoint: Endpoint, client: Client) -> None:
    """Its parent's committed rows are there, while that goes on; later writes do not mix; reset, delete."""
    session = client.session(endpoint)
    session.query("CREATE TABLE test.t (a INT PRIMARY KEY)")
    session.query("INSERT INTO test.t VALUES (1), (2)")
    session.query("BEGIN")
    session.query("INSERT INTO test.t VALUES (3)")
    made = branch(sleepy, parent, "feature")
    session.query("COMMIT")
    mine = client.session(endpoint, handle(parent, made))
    assert mine.query("SELECT a FROM test.t ORDER BY a") == [[1], [2]]
    mine.query("INSERT INTO test.t VALUES (9)")
    session.query("INSERT INTO test.t VALUES (4)")
    assert session.query("SELECT a FROM test.t ORDER BY a") == [[1], [2], [3], [4]]
    assert mine.query("SELECT a FROM test.t ORDER BY a") == [[1], [2], [9]]
    mine.close()
    path = f"/clusters/{parent.cluster_id}/branches/{made['branchId']}"
    grandchild = branch(sleepy, parent, "of-a-branch", parentId=made["branchId"])
    assert sleepy.call("POST", f"{path}:reset")["state"] == "RESTORING"
    sleepy.wait_active(path)
    mine = client.session(endpoint, handle(parent, made))
    assert mine.query("SELECT a FROM test.t ORDER BY a") == [[1], [2], [3], [4]]
    mine.close()
    own = client.session(endpoint, handle(parent, grandchild))
    assert own.query("SELECT a FROM test.t ORDER BY a") == [[1], [2], [9]]
    own.close()
    session.close()
    for doomed in (made, grandchild):
        gone = f"/clusters/{parent.cluster_id}/branches/{doomed['branchId']}"
        assert sleepy.call("DELETE", gone)["state"] == "DELETED"
        wait_for(lambda gone=gone: not _is_there(sleepy, gone))
    refused = client.login(endpoint, user=f"{made['userPrefix']}.root", password=PASSWORD)
    assert refused.outcome == "mysql 1045"


def test_a_branch_sleeps_and_wakes_and_is_made_of_a_parent_that_sleeps(
    sleepy: Site, parent: Cluster, endpoint: Endpoint, client: Client
) -> None:
    """Each by itself; and making one wakes nobody."""
    session = client.session(endpoint)
    session.query("CREATE TABLE IF NOT EXISTS test.s (a INT PRIMARY KEY)")
    session.query("INSERT INTO test.s VALUES (1)")
    session.close()
    wait_for(lambda: not running(sleepy, parent.cluster_id))
    made = branch(sleepy, parent, "of-a-sleeper")
    assert not running(sleepy, parent.cluster_id)
    wait_for(lambda: not running(sleepy, made["branchId"]))
    woken = client.session(endpoint, handle(parent, made))
    assert woken.query("SELECT a FROM test.s") == [[1]]
    woken.close()
    assert not running(sleepy, parent.cluster_id)
    sleepy.call("DELETE", f"/clusters/{parent.cluster_id}/branches/{made['branchId']}")


def running(site: Site, cluster_id: str) -> bool:
    return bool(site.world.witness.processes().get(f"tidb-{cluster_id}"))


def _is_there(site: Site, path: str) -> bool:
    listed = site.call("GET", path.rpartition("/")[0])["branches"]
    return path.rpartition("/")[2] in {found["branchId"] for found in listed}
