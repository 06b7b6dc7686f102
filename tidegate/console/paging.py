"""Long lists, a page at a time: what a page weighs does not grow with what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of ``total`` items; ``ui.pager`` draws the way to the others."""

    items: Sequence[T]
    number: int
    pages: int
    total: int


def take_slice(items: Sequence[T], wanted: str, size: int = PAGE_SIZE) -> Slice[T]:
    """``wanted`` is the query's ``page``; what is no page is the nearest one."""
    pages = max(1, -(-len(items) // size))
    number = min(_read_number(wanted), pages)
    return Slice(items[(number - 1) * size : number * size], number, pages, len(items))


def load_slice(load: Callable[[int, int], tuple[Sequence[T], int]], wanted: str, size: int = PAGE_SIZE) -> Slice[T]:
    """As ``take_slice``, of a list that is read in parts: ``load(start, limit)`` gives some, and how many there are."""
    number = _read_number(wanted)
    items, total = load((number - 1) * size, size)
    pages = max(1, -(-total // size))
    if number > pages:
        number = pages
        items, total = load((number - 1) * size, size)
    return Slice(items, number, pages, total)


def _read_number(wanted: str) -> int:
    return max(int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 8 else 1, 1)


@dataclass(frozen=True, slots=True)
class Cursor(Generic[T]):
    """A page of a list that is read from an id on; ``ui.cursor`` draws the way to the others.

    ``previous`` and ``next`` are what the query must say to get there; empty where there is nothing.
    """

    items: Sequence[T]
    total: int
    previous: str
    next: str


class Load(Protocol[T]):
    """An operation's list: up to ``limit`` items after or before an id, ascending, and how many there are in all."""

    def __call__(self, *, after: str, before: str, limit: int) -> tuple[list[T], int]: ...


def take_cursor(load: Load[T], query: Mapping[str, str], key: Callable[[T], str], size: int = PAGE_SIZE) -> Cursor[T]:
    """``query`` says ``after=<id>`` or ``before=<id>``, or neither for the first page."""
    before, after = query.get("before", ""), query.get("after", "")
    found, total = load(after="" if before else after, before=before, limit=size + 1)
    more = len(found) > size
    items = found[-size:] if before else found[:size]
    if not items:
        return Cursor(items, total, "", "")
    back, on = (more, True) if before else (bool(after), more)
    previous = f"before={key(items[0])}" if back else ""
    return Cursor(items, total, previous, f"after={key(items[-1])}" if on else "")
