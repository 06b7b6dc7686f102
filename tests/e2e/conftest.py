"""One installation and one cluster for all tests here that do not break them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tidegate.testing import Cluster, World
from tidegate.testing.plugin import open_world, pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Clusters never sleep here.  Stopped at the end, it must leave nothing."""
    if os.geteuid() != 0:
        pytest.skip("runs as root; test_rootless.py is the same path for an ordinary user")
    with open_world() as world:
        yield world
        world.stop()
        assert world.witness.traces() == []


@pytest.fixture(scope="session")
def orders(world: World) -> Cluster:
    return world.cluster("orders")
