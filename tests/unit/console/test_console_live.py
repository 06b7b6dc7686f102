"""Changes reach the pages that show them, soon, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest
from console_browser import World

from tidegate.console.live import STREAMS_PER_USER, Live, TooManyStreams, parse_watched
from tidegate.operations import clusters


async def next_within(stream: AsyncIterator[None], limit_s: float) -> bool:
    """Did it tell within that time?"""
    step = asyncio.ensure_future(anext(stream))
    done, _ = await asyncio.wait({step}, timeout=limit_s)
    if not done:
        step.cancel()
        await asyncio.wait({step})
    return bool(done)


def test_a_commit_is_told_within_200_ms(world: World) -> None:
    """Issue 5's figure, from an operation's commit in another thread to the page's stream."""

    committed: list[float] = []
    world.store.listen(lambda changes: committed.append(time.perf_counter()))

    async def watch() -> float:
        stream = world.live.watch("u", [("cluster", "")], world.live.mark())
        step = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        create = {"region_id": "alicloud-ap-southeast-1", "display_name": "orders"}
        caller = world.caller("admin")
        writer = threading.Thread(target=clusters.create_cluster, args=(world.context, caller), kwargs=create)
        writer.start()
        await asyncio.wait_for(step, 5)
        told = time.perf_counter()
        await asyncio.to_thread(writer.join)
        return told - committed[0]

    assert asyncio.run(watch()) < 0.2


def test_only_what_is_watched_is_told() -> None:
    """By kind and id; a change without an id may be any of its kind."""

    async def watch() -> list[bool]:
        live = Live()
        told = []
        for change in (("endpoint", "ep-2"), ("cluster", "ep-1"), ("endpoint", "ep-1"), ("endpoint", "")):
            stream = live.watch("u", [("endpoint", "ep-1")], live.mark())
            step = asyncio.ensure_future(next_within(stream, 0.2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            live.notify([change])
            told.append(await step)
        return told

    assert asyncio.run(watch()) == [False, False, True, True]


def test_what_happened_while_the_page_loaded_is_not_lost() -> None:
    """Between the page's making and its stream, and across a restart of serve."""

    async def watch(live: Live, mark: str) -> bool:
        return await next_within(live.watch("u", [("endpoint", "ep-1")], mark), 0.05)

    live = Live()
    mark = live.mark()
    assert not asyncio.run(watch(live, mark))
    live.notify([("endpoint", "ep-1")])
    assert asyncio.run(watch(live, mark))
    assert asyncio.run(watch(Live(), mark))
    boot = mark.partition(".")[0]
    assert all(asyncio.run(watch(live, f"{boot}.{odd}")) for odd in ("", "²", "9" * 5000))


def test_a_thousand_changes_are_one_look_for_who_is_slow() -> None:
    """A flag, not a queue: nothing grows while a reader sleeps."""

    async def watch() -> int:
        live = Live()
        stream = live.watch("u", [("endpoint", "")], live.mark())
        step = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        for number in range(1000):
            live.notify([("endpoint", f"ep-{number}")])
        await step
        count = 1
        while await next_within(stream, 0.3):
            count += 1
        return count

    assert asyncio.run(watch()) <= 2


def test_streams_are_bounded_and_end() -> None:
    """One user cannot take all; ``down`` does not wait for readers."""

    async def fill() -> int:
        live = Live()
        streams = [live.watch("u", [("vpc", "")], live.mark()) for _ in range(STREAMS_PER_USER)]
        steps = [asyncio.ensure_future(anext(stream, "ended")) for stream in streams]
        await asyncio.sleep(0)
        with pytest.raises(TooManyStreams):
            live.require_room("u")
        live.require_room("somebody else")
        live.close()
        ended = await asyncio.wait_for(asyncio.gather(*steps), 1)
        live.require_room("u")
        return ended.count("ended")

    assert asyncio.run(fill()) == STREAMS_PER_USER


def test_what_a_page_may_watch() -> None:
    assert parse_watched(["endpoint:ep-1", "cluster", ":x"]) == [("endpoint", "ep-1"), ("cluster", "")]


def test_a_rolled_back_change_is_told_to_nobody(world: World) -> None:
    """Told before the commit, a page would show what never was."""
    heard: list[object] = []
    world.store.listen(heard.append)
    create = {"region_id": "alicloud-ap-southeast-1", "display_name": "orders"}
    cluster = clusters.create_cluster(world.context, world.caller("admin"), **create).cluster
    with pytest.raises(ZeroDivisionError), world.store.write() as tx:
        tx.clusters.remove(cluster.cluster_id)
        raise ZeroDivisionError
    assert heard == [frozenset({("cluster", cluster.cluster_id)})]


def test_a_beat_reaches_those_who_watch_packets_and_nobody_else() -> None:
    """Packets are in no store: pages that show them look again by the clock, and the others have their peace."""

    async def watch() -> list[bool]:
        live = Live()
        told = []
        for kind in ("traffic", "endpoint"):
            stream = live.watch("u", [(kind, "")], live.mark())
            step = asyncio.ensure_future(next_within(stream, 0.2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            live.beat("traffic")
            told.append(await step)
        return told

    assert asyncio.run(watch()) == [True, False]
