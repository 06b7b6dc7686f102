"""Run as an ordinary user by test_rootless.py: the three steps, what must fail, and no trace afterwards.

Needs no root and nothing of the checkout but the package::

    python tests/e2e/rootless_steps.py      # prints "all well"
"""

from __future__ import annotations

import os
from dataclasses import replace

from tidegate.testing import Client, Endpoint, World, wait_until


def main() -> None:
    assert os.geteuid() != 0
    with World(meter_s=1) as world:
        a, b = world.vpc("a"), world.vpc("b")
        endpoint = a.endpoint(world.cluster("orders"))
        client, stranger = a.client(), b.client()
        assert client.reaches(endpoint)
        assert not stranger.reaches(endpoint)
        assert world.dial_from_host(endpoint.addresses[0]) in ("unreachable", "timeout")
        client.query("CREATE TABLE test.tide (id INT PRIMARY KEY, word VARCHAR(16))")
        client.query("INSERT INTO test.tide VALUES (1, 'ebb'), (2, 'flood')")
        assert client.query("SELECT word FROM test.tide ORDER BY id") == [["ebb"], ["flood"]]
        assert client.login(endpoint, ca=world.environment()["TIDEGATE_CA"])
        assert client.login(endpoint, user="2AbcdefghijkLmn.root").outcome == "mysql 1045"

        limits_hold(world)
        branch_has_the_rows(world, client, endpoint)

        endpoint.revoke()
        before = world.witness.dropped(a.vpc_id, "default")
        assert client.dial(endpoint.domain).outcome == "timeout"
        assert world.witness.dropped(a.vpc_id, "default") > before
        endpoint.allow()
        uid = client.run(["id", "-u"]).stdout.strip()
        assert uid == str(os.getuid()), "a program inside is nobody else than its user"

        state = world.witness.state()
        world.stop()
        assert world.witness.traces() == []
        world.start()
        world.settle()
        assert world.witness.state() == state
        assert client.query("SELECT word FROM test.tide ORDER BY id") == [["ebb"], ["flood"]]
        world.stop()
        assert world.witness.traces() == []
    print("all well")


def limits_hold(world: World) -> None:
    """A CPU limit that the kernel keeps, by whatever means this user has; and usage that was counted."""
    cluster = world.cluster("essential", rcu=(2000, 2000))
    ((reason,),) = [[r["reason"] for r in world.status()["resources"] if r["id"] == cluster.cluster_id]]
    assert reason.startswith("Running on 1 CPUs (maxRcu 2000) at most"), reason
    (pid,) = world.witness.processes()[f"tidb-{cluster.cluster_id}"]
    if "whole CPUs" in reason:
        assert len(os.sched_getaffinity(pid)) == 1
    api = world.access.tidbcloud
    wait_until(
        lambda: int(api.call("GET", f"/v1beta1/clusters/{cluster.cluster_id}")["usage"]["requestUnit"]) > 0, "its usage"
    )


def branch_has_the_rows(world: World, client: Client, endpoint: Endpoint) -> None:
    """Its parent stands still for it by nft and SIGSTOP, both inside the user's own namespaces."""
    api, path = world.access.tidbcloud, f"/v1beta1/clusters/{endpoint.cluster.cluster_id}/branches"
    made = api.call("POST", path, {"displayName": "feature", "rootPassword": endpoint.cluster.password})
    path = f"{path}/{made['branchId']}"
    wait_until(lambda: api.call("GET", path)["state"] == "ACTIVE", "the branch to be ACTIVE")
    branch = replace(endpoint.cluster, cluster_id=made["branchId"], user=f"{made['userPrefix']}.root")
    session = client.session(endpoint, branch)
    assert session.query("SELECT word FROM test.tide ORDER BY id") == [["ebb"], ["flood"]]
    session.close()
    api.call("DELETE", path)
    wait_until(lambda: f"tidb-{made['branchId']}" not in world.witness.processes(), "the branch's server to end")
    world.settle()


if __name__ == "__main__":
    main()
