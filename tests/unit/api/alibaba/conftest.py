"""``store``: a fresh database.  ``cloud``: the API over it, with a caller's key.  ``network``: a VPC ready to use."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.store.store import Store

sys.path.append(str(Path(__file__).parent))  # importlib mode: a helper beside its tests is not found otherwise

from alibaba_world import Cloud, Network, make_cloud, make_network, play_controller


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated, with accounts and services: making that takes a second, copying it none."""
    path = tmp_path_factory.mktemp("store") / "tidegate.db"
    store = Store(f"sqlite:///{path}")
    store.migrate()
    make_cloud(store)
    store.close()
    return path


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "tidegate.db"
    shutil.copy(migrated, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def cloud(store: Store) -> Cloud:
    return make_cloud(store)


@pytest.fixture
def network(cloud: Cloud, store: Store) -> Network:
    network = make_network(cloud)
    play_controller(store)
    return network
