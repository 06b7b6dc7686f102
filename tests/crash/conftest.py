"""One installation for all tests here: what one test kills is up again when the next begins."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tidegate.testing import Client, Cluster, Endpoint, World
from tidegate.testing.plugin import open_world, pytest_runtest_makereport
from tidegate.testing.witness import host_state

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def installation() -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("needs root: the witness looks into namespaces under /run/netns")
    before = host_state()
    with open_world() as world:
        yield world
        world.stop()
        assert world.witness.traces() == [], "whatever was killed, stop() leaves nothing"
    assert host_state()["tables"] == before["tables"]
    assert host_state()["routes"] == before["routes"]


@pytest.fixture(scope="session")
def endpoint(installation: World) -> Endpoint:
    return installation.vpc("app").endpoint(installation.cluster("orders"))


@pytest.fixture(scope="session")
def orders(endpoint: Endpoint) -> Cluster:
    return endpoint.cluster


@pytest.fixture(scope="session")
def client(endpoint: Endpoint) -> Client:
    return endpoint.vpc.client()


@pytest.fixture
def world(installation: World, client: Client) -> Iterator[World]:
    """All of it runs, and there is one endpoint that works; so again afterwards."""
    installation.start()
    installation.settle()
    yield installation
    installation.start()
    installation.settle()
