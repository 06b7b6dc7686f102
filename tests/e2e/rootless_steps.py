"""Run as an ordinary user by test_rootless.py: the three steps, what must fail, and no trace afterwards.

Needs no root and nothing of the checkout but the package::

    python tests/e2e/rootless_steps.py      # prints "all well"
"""

from __future__ import annotations

import os

from tidegate.testing import World


def main() -> None:
    assert os.geteuid() != 0
    with World() as world:
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


if __name__ == "__main__":
    main()
