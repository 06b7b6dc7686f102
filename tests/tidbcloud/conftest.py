"""One installation for this folder's run, spoken to with the TiDB Cloud API and with MySQL clients.

Needs ``nft``, ``ip`` and a tidb-server, as ``tidegate.testing`` says; a CPU limit needs root.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves a test folder out of the path

from tidbcloud_site import Site

from tidegate.testing.plugin import open_world, pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with open_world(cluster_idle_s=0.0) as world:
        yield Site(world)
