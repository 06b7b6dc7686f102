"""Fixtures: a fresh world of namespaces per test, torn down and checked for traces afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves a test folder out of the path

from netns_witness import Server, mounts, root_links
from netns_world import GATEWAY, NETWORK, REGION, World


@pytest.fixture
def bare_world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with nothing in it."""
    if os.geteuid() != 0:
        pytest.skip("needs root: makes network namespaces under /run/netns")
    links = root_links()
    world = World(tmp_path)
    request.node.stash[_WORLD] = world
    try:
        yield world
    finally:
        world.close()
    assert world.names() == set()
    assert f"tg-{world.settings.instance}" not in mounts()
    assert not [new for new in root_links() - links if new.startswith(("h-", "f-", "fabric"))]


@pytest.fixture
def world(bare_world: World) -> World:
    """One region, one VPC with a host and a connected endpoint; a server where the gateway would listen."""
    bare_world.plane.apply_region(REGION)
    bare_world.plane.apply_network(NETWORK)
    return bare_world


@pytest.fixture
def gateway(world: World) -> Server:
    return world.serve("region-1", GATEWAY, 4000)


_WORLD = pytest.StashKey[World]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows links, rules and connections as they were at that moment."""
    outcome: Any = yield
    world = item.stash.get(_WORLD, None)
    if call.when == "call" and call.excinfo is not None and world is not None:
        dumps = "\n".join(world.place(name).dump() for name in sorted(world.names()))
        outcome.get_result().sections.append(("the world as it was", dumps))
