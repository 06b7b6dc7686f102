"""Client tokens that no longer count: their rows go, a few at a time."""

from __future__ import annotations

from datetime import datetime

from tidegate.store.store import Store
from tidegate.store.tokens import TOKEN_LIFE

PURGE_EVERY_S = 60.0
ROWS_PER_PURGE = 500
"""3 ms of the write lock (measured, of 100,000 rows); what is left goes a second later"""


def purge_tokens(store: Store, now: datetime) -> bool:
    """One purge; True when there may be more.  Nothing is written while nothing is old."""
    if not _has_old(store, now):
        return False
    with store.write() as tx:
        return tx.client_tokens.remove_older("created_at", now - TOKEN_LIFE, ROWS_PER_PURGE) == ROWS_PER_PURGE


def _has_old(store: Store, now: datetime) -> bool:
    with store.read() as tx:
        return tx.client_tokens.has_older("created_at", now - TOKEN_LIFE)
