"""``pageSize``, ``pageToken`` and ``skip`` of lists (``reference/tidbcloud.md`` 1.6).

A page token names the last entry of the page before, by time and id, so what is created or deleted between two pages
neither hides an entry nor shows one twice.  It also carries a mark of the other parameters, which must stay equal.
It is no secret and gives no right: what it points into is the caller's own list.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

import msgspec

from tidegate.domain.refusals import Malformed

T = TypeVar("T")
Key = tuple[float, str]
"""(seconds since the epoch, id): the order of a list"""

_TOKEN_LETTERS = 512


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: list[T]
    next_token: str
    """empty at the end"""


def parse_size(text: str | None, default: int, highest: int = 100) -> int:
    """Absent and 0 are the default; larger ones are clamped, as the cloud documents."""
    return min(parse_count("pageSize", text) or default, highest)


def parse_count(field: str, text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise Malformed(field, text)
    return int(text)


def take_page(items: Sequence[T], key: Callable[[T], Key], *, token: str, size: int, skip: int, mark: str) -> Page[T]:
    """One page of ``items``, which are in the order of ``key``.

    ``skip`` counts from the beginning of the list, so it means nothing on later pages, where clients repeat it.
    """
    if token:
        after = _parse_token(token, _short(mark))
        rest = [item for item in items if key(item) > after]
    else:
        rest = list(items[skip:])
    page = rest[:size]
    return Page(page, _build_token(key(page[-1]), _short(mark)) if len(rest) > size else "")


def _short(mark: str) -> str:
    return sha256(mark.encode()).hexdigest()[:12]


def _build_token(key: Key, mark: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode([*key, mark])).decode().rstrip("=")


def _parse_token(token: str, mark: str) -> Key:
    try:
        raw = urlsafe_b64decode(token[:_TOKEN_LETTERS] + "=" * (-len(token) % 4))
        moment, id_, made_for = msgspec.json.decode(raw, type=tuple[float, str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise Malformed("pageToken", "it was not made by this list") from None
    if made_for != mark:
        raise Malformed("pageToken", "the other parameters differ from those of the page before")
    return moment, id_
