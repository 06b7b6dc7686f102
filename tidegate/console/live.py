"""Pages that show what happens while it happens.

::

    a commit of this process --Store.listen--> Live.notify --> each watcher whose page shows it: one flag is set
                                                                    |
    the page's EventSource <-- "changed" --- watch() <--------------+
        `--> app.js triggers ``live`` on <body>; each live part of the page fetches itself anew (``ui.live_part``)

The stream tells *that* something changed, never what: what a part shows is asked again, by the reader's own session,
with the same rules as the page.  A watcher holds one flag and no queue, so a slow reader costs nothing and a thousand
changes are one look.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncGenerator, Iterable

from tidegate.store.changes import Change

GAP_S = 0.1
"""between two tellings to one page; the first change after a rest is told at once"""
STREAM_S = 900.0
"""then the page connects anew, and shows that its session still lasts"""
STREAMS_AT_MOST = 512
STREAMS_PER_USER = 32
WATCHED_AT_MOST = 50


class TooManyStreams(Exception):  # noqa: N818 - no fault: the page tries again later
    """No stream is free for this user; the page is not live until one is."""


class _Watcher:
    def __init__(self, wanted: frozenset[Change]) -> None:
        self.flag = asyncio.Event()
        self._exact = wanted
        self._whole = {kind for kind, resource_id in wanted if not resource_id}
        self._kinds = {kind for kind, _ in wanted}

    def wants(self, change: Change) -> bool:
        kind, resource_id = change
        return kind in self._whole or change in self._exact or (not resource_id and kind in self._kinds)


class Live:
    """``notify`` may be called from any thread; everything else runs on the event loop that serves the pages."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._number = 0
        self._last: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watchers: set[_Watcher] = set()
        self._of_user: dict[str, int] = {}
        self._closed = False

    def notify(self, changes: Iterable[Change]) -> None:
        """These have changed, and the store says so already."""
        names = tuple(changes)
        with self._lock:
            self._number += 1
            self._last.update((kind, self._number) for kind, _ in names)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._spread, names)

    def beat(self, kind: str) -> None:
        """For what no commit tells of, such as packets: who watches this kind looks again.  On the event loop."""
        self._spread(((kind, ""),))

    def mark(self) -> str:
        """Where we are now.  A page carries it, so that nothing is lost between its making and its stream."""
        with self._lock:
            return f"{self._boot}.{self._number}"

    def require_room(self, user_id: str) -> None:
        """Raises :class:`TooManyStreams`."""
        if len(self._watchers) >= STREAMS_AT_MOST or self._of_user.get(user_id, 0) >= STREAMS_PER_USER:
            raise TooManyStreams

    async def watch(self, user_id: str, wanted: Iterable[Change], since: str) -> AsyncGenerator[None]:
        """Once for each time to look again; ends after STREAM_S.  Raises :class:`TooManyStreams`."""
        self.require_room(user_id)
        self._loop = asyncio.get_running_loop()
        watcher = _Watcher(frozenset(wanted))
        self._watchers.add(watcher)
        self._of_user[user_id] = self._of_user.get(user_id, 0) + 1
        if self._missed(watcher, since):
            watcher.flag.set()
        ends = self._loop.time() + STREAM_S
        try:
            while not self._closed:
                await asyncio.wait_for(watcher.flag.wait(), ends - self._loop.time())
                watcher.flag.clear()
                if not self._closed:
                    yield
                    await asyncio.sleep(GAP_S)
        except TimeoutError:
            return
        finally:
            self._leave(user_id, watcher)

    def close(self) -> None:
        """End all streams, so that the process can."""
        self._closed = True
        for watcher in self._watchers:
            watcher.flag.set()

    def _leave(self, user_id: str, watcher: _Watcher) -> None:
        self._watchers.discard(watcher)
        self._of_user[user_id] -= 1
        if not self._of_user[user_id]:
            del self._of_user[user_id]

    def _missed(self, watcher: _Watcher, since: str) -> bool:
        """By kinds, which are few: now and then a look too many, never one too few."""
        boot, _, number = since.partition(".")
        if boot != self._boot or not (number.isascii() and number.isdigit() and len(number) < 20):
            return True
        with self._lock:
            return any(last > int(number) for kind, last in self._last.items() if watcher.wants((kind, "")))

    def _spread(self, changes: tuple[Change, ...]) -> None:
        for watcher in self._watchers:
            if not watcher.flag.is_set() and any(watcher.wants(change) for change in changes):
                watcher.flag.set()


def parse_watched(values: Iterable[str]) -> list[Change]:
    """``kind`` or ``kind:id`` each."""
    found = [value.partition(":")[::2] for value in list(values)[:WATCHED_AT_MOST]]
    return [(kind, resource_id) for kind, resource_id in found if kind]
