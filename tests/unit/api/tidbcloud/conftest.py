"""Fixtures: an empty store, and TiDB Cloud in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tidbcloud_cloud import Cloud

from tidegate.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def cloud(store: Store) -> Cloud:
    return Cloud(store)
