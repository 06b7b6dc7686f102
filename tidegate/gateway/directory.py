"""The directory that is told: consumers and routes come from outside, a wake is a question to outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from tidegate.gateway.config import Consumer, Route, WakeError

ASK_AGAIN_S = 1.0
"""a wake may be lost with a process that died; asking again costs nothing when it was not"""


class PushedDirectory:
    """Implements :class:`~tidegate.gateway.config.Directory` on one event loop."""

    def __init__(self, on_wake: Callable[[str], None]) -> None:
        self._on_wake = on_wake
        self._consumers: dict[str, Consumer] = {}
        self._routes: dict[str, Route] = {}
        self._asked_s: dict[str, float] = {}
        self._changed = asyncio.Event()

    def change(
        self,
        consumers: Mapping[str, Consumer | None],
        routes: Mapping[str, Route | None],
    ) -> None:
        """Set (or, for None, forget) these; logins that wait for a cluster look again."""
        for address, consumer in consumers.items():
            if consumer is None:
                self._consumers.pop(address, None)
            else:
                self._consumers[address] = consumer
        for prefix, route in routes.items():
            if (old := self._routes.pop(prefix, None)) is not None:
                self._asked_s.pop(old.cluster_id, None)  # what was asked is answered
            if route is not None:
                self._routes[prefix] = route
        self._changed.set()
        self._changed = asyncio.Event()

    def consumer(self, peer_address: str) -> Consumer | None:
        return self._consumers.get(peer_address)

    def route(self, prefix: str) -> Route | None:
        return self._routes.get(prefix)

    async def wake(self, route: Route, timeout_s: float) -> Route:
        """Ask for the cluster until it is ready.

        Raises :class:`WakeError` when an attempt that began after this question failed, when the cluster is
        deleted meanwhile, or when nothing happened in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        asked = route
        while True:
            current = self._routes.get(route.prefix)
            if current is None:
                raise WakeError("the cluster was deleted")
            if current.ready:
                return current
            if current.failure and (asked.failure is None or current.start_seq > asked.start_seq):
                raise WakeError(current.failure)
            if loop.time() >= deadline:
                raise WakeError(f"its server did not start within {timeout_s:g} s")
            self._ask(route.cluster_id, loop.time())
            await self._wait(min(ASK_AGAIN_S, deadline - loop.time()))

    def _ask(self, cluster_id: str, now_s: float) -> None:
        """For all who wait together: outside, each question is a transaction."""
        if now_s - self._asked_s.get(cluster_id, float("-inf")) >= ASK_AGAIN_S:
            self._asked_s[cluster_id] = now_s
            self._on_wake(cluster_id)

    async def _wait(self, limit_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(limit_s, 0.001))
