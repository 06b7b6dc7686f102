"""The pytest plugin: the fixture ``tidegate_world``, and what the world looked like when a test failed.

``conftest.py``::

    pytest_plugins = ["tidegate.testing.plugin"]

A test::

    def test_our_application_gets_its_rows(tidegate_world):
        vpc = tidegate_world.vpc("app")
        endpoint = vpc.endpoint(tidegate_world.cluster("orders"))
        done = vpc.client().run(["python", "app.py", endpoint.domain])
        assert done.returncode == 0, done.stderr

One installation serves the whole run, so each test makes VPCs and clusters of its own.  It needs ``nft``, ``ip`` and a
tidb-server (``python -m tidegate.engine.binary`` finds or builds one), and no root.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tidegate.agent.world import TOOL_PATH
from tidegate.engine.binary import NoBinaryError, find_binary
from tidegate.testing.world import World

_WORLDS: set[World] = set()


def missing_reason() -> str | None:
    """Why no world can be made here, or None."""
    for tool in ("ip", "nft"):
        if shutil.which(tool, path=TOOL_PATH) is None:
            return f"needs `{tool}`: apt-get install iproute2 nftables"
    try:
        found = find_binary()
    except NoBinaryError as error:
        return str(error)
    return None if found else "no tidb-server: python -m tidegate.engine.binary finds or builds one"


@pytest.fixture(scope="session")
def tidegate_world() -> Iterator[World]:
    """An installation for the whole run; its clusters never sleep."""
    with open_world() as world:
        yield world


class open_world:  # noqa: N801 - used as a function
    """``with open_world(cluster_idle_s=2) as world``: skips with the reason where none can be made.

    While it is open, a failed test shows what it looks like.
    """

    def __init__(self, **settings: Any) -> None:
        if reason := missing_reason():
            pytest.skip(reason)
        self._world = World(**settings)

    def __enter__(self) -> World:
        _WORLDS.add(self._world)
        try:
            return self._world.__enter__()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, *reason: Any) -> None:
        _WORLDS.discard(self._world)
        self._world.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows links, rules, connections and logs as they were at that moment."""
    outcome: Any = yield
    if call.when == "call" and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        for world in _WORLDS:
            outcome.get_result().sections.append(("the world as it was", world.dump()))
