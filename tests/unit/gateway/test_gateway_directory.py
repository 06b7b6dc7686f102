"""Who waits for a cluster, and how often the outside is asked for it."""

from __future__ import annotations

import asyncio

import pytest

from tidegate.gateway.config import Route, WakeError
from tidegate.gateway.directory import PushedDirectory

ASLEEP = Route("2abc", "east", "1", "100.104.0.1", 4000, start_seq=1)


def test_all_who_wait_ask_once() -> None:
    """Five hundred logins asked five hundred times a second, each time for the store's write lock."""

    async def scene() -> None:
        asked: list[str] = []
        directory = PushedDirectory(asked.append)
        directory.change({}, {"2abc": ASLEEP})
        waiting = [asyncio.create_task(directory.wake(ASLEEP, 5.0)) for _ in range(500)]
        await asyncio.sleep(0.05)
        assert asked == ["1"]
        directory.change({}, {"2abc": Route("2abc", "east", "1", "100.104.0.1", 4000, ready=True, start_seq=2)})
        assert {route.ready for route in await asyncio.gather(*waiting)} == {True}

    asyncio.run(scene())


def test_a_failure_is_an_answer_so_the_next_login_asks_at_once() -> None:
    async def scene() -> None:
        asked: list[str] = []
        directory = PushedDirectory(asked.append)
        directory.change({}, {"2abc": ASLEEP})
        waiting = asyncio.create_task(directory.wake(ASLEEP, 5.0))
        await asyncio.sleep(0)
        failed = Route("2abc", "east", "1", "100.104.0.1", 4000, failure="The disk is full.", start_seq=2)
        directory.change({}, {"2abc": failed})
        with pytest.raises(WakeError, match="disk is full"):
            await waiting
        again = asyncio.create_task(directory.wake(failed, 5.0))
        await asyncio.sleep(0)
        assert asked == ["1", "1"]
        again.cancel()

    asyncio.run(scene())
