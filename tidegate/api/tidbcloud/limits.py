"""How many requests a key has left in this minute (``reference/tidbcloud.md`` 1.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

REQUESTS_PER_MINUTE = 6000
"""Ours: the cloud's 100 share it among strangers, and would stop a CI run that polls (``docs/fidelity.md``)."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one key has: ``remaining`` after this request, and when the count begins again."""

    limit: int
    remaining: int
    reset_s: int
    allowed: bool = True

    def headers(self) -> dict[str, str]:
        return {
            "X-Ratelimit-Limit-Minute": str(self.limit),
            "X-Ratelimit-Remaining-Minute": str(self.remaining),
            "X-Ratelimit-Reset": str(self.reset_s),
        }


class RateLimit:
    """A count per key and calendar minute.  Not thread-safe: the event loop is its only caller.

    It holds only keys that proved themselves in this minute, so strangers cannot make it grow.
    """

    def __init__(self, limit: int, clock_s: Callable[[], float] = time.time) -> None:
        self._limit, self._clock_s = limit, clock_s
        self._minute = 0
        self._counts: dict[str, int] = {}

    def take(self, key_id: str) -> Allowance:
        """Count one request of this key."""
        self._turn()
        count = self._counts.get(key_id, 0) + 1
        self._counts[key_id] = min(count, self._limit + 1)
        return self._allowance(count)

    def peek(self) -> Allowance:
        """What a request without a key is told: nobody's count changes."""
        self._turn()
        return self._allowance(0)

    def _turn(self) -> None:
        minute = int(self._clock_s() // 60)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()

    def _allowance(self, count: int) -> Allowance:
        reset_s = 60 - int(self._clock_s() % 60)
        return Allowance(self._limit, max(0, self._limit - count), reset_s, count <= self._limit)
