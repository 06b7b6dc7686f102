"""Waiting is asking again until a deadline; nothing here sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.02


def wait_until(look: Callable[[], T | None], what: str, timeout_s: float = 30.0, poll_s: float = POLL_S) -> T:
    """The first true thing ``look`` gives; a failed :class:`Attempt` is not.  Raises AssertionError naming ``what``."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: did not happen within {timeout_s:g} s")
        time.sleep(poll_s)
    return found
