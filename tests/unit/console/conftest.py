"""Fixtures: ``world`` has a store, accounts, users and the consoles; ``console`` is a logged-in browser on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from tidegate.store.store import Store

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode finds no module beside a test by itself

from console_browser import Browser, World


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrating takes a tenth of a second, copying does not."""
    path = tmp_path_factory.mktemp("store") / "tidegate.db"
    made = Store(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture
def world(tmp_path: Path, migrated: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{copy(migrated, tmp_path)}")
    yield World(store)
    store.close()


@pytest.fixture
def console(world: World) -> Browser:
    """The first user's browser, logged in, speaking English."""
    return world.enter("admin")
