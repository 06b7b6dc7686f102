"""Client tokens are kept for a day: the table grew with every create call, for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.controller import tokens
from tidegate.controller.loop import Controller, ControllerSettings
from tidegate.controller.plan import PlanSettings
from tidegate.store.store import Store
from tidegate.store.tokens import TOKEN_LIFE, ClientToken

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    made.migrate()
    yield made
    made.close()


def use_tokens(store: Store, count: int, created_at: datetime, begin: str) -> None:
    with store.write() as tx:
        for number in range(count):
            tx.client_tokens.add(ClientToken("1", "CreateVpc", f"{begin}{number}", "d", "vpc-1", created_at))


def count(store: Store) -> int:
    with store.read() as tx:
        return tx.client_tokens.count()


def test_what_no_longer_counts_goes_a_few_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, so that API calls get the write lock in between; and one that still counts stays."""
    monkeypatch.setattr(tokens, "ROWS_PER_PURGE", 10)
    use_tokens(store, 25, NOW - TOKEN_LIFE - SECOND, "old")
    use_tokens(store, 5, NOW - TOKEN_LIFE + SECOND, "new")
    assert tokens.purge_tokens(store, NOW)
    assert count(store) == 20
    assert tokens.purge_tokens(store, NOW)
    assert not tokens.purge_tokens(store, NOW)
    assert count(store) == 5
    assert not tokens.purge_tokens(store, NOW)


def test_the_controller_does_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, also while no agent is there."""
    monkeypatch.setattr(tokens, "ROWS_PER_PURGE", 10)
    use_tokens(store, 25, NOW - TOKEN_LIFE - SECOND, "old")

    class Nobody:
        async def apply(self, config: Any) -> dict[str, str]:
            return {}

    async def scene() -> None:
        settings = ControllerSettings(PlanSettings(), resync_s=0.02)
        controller = Controller(store, Nobody(), settings, on_idle=lambda _: None, now=lambda: NOW)
        task = asyncio.create_task(controller.run())
        async with asyncio.timeout(10):
            while count(store):
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(scene())
