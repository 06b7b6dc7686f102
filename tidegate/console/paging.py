"""Long lists, a page at a time: what a page weighs does not grow with what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
    number = min(max(int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 8 else 1, 1), pages)
    return Slice(items[(number - 1) * size : number * size], number, pages, len(items))
