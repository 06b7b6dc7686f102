"""Pages: by number (VPC, ECS) or by token (PrivateLink, ECS).

A token names the last id of its page.  It is signed, so that one that was made up or altered is refused, and bound to
the account and the action that it was given for.  The signing key follows from the caller's own secret: tokens outlive
a restart, and nothing has to be stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, TypeVar

from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.refusals import Malformed

T = TypeVar("T")

_MAC_BYTES = 16


class PageTokens:
    """Makes and reads the tokens of one caller and one action."""

    def __init__(self, secret: str, scope: str) -> None:
        self._key = hmac.digest(secret.encode(), f"tidegate page token\n{scope}".encode(), hashlib.sha256)

    def make(self, last: str) -> str:
        return base64.urlsafe_b64encode(self._mac(last.encode()) + last.encode()).decode().rstrip("=")

    def read(self, token: str | None) -> str:
        """The last id of the page before; empty for the first page.  Raises Malformed(NextToken)."""
        if not token:
            return ""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            mac, last = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if len(token) <= 256 and hmac.compare_digest(mac, self._mac(last)):
                return last.decode()
        except ValueError:
            pass
        raise Malformed("NextToken", token[:64])

    def _mac(self, last: bytes) -> bytes:
        return hmac.digest(self._key, last, hashlib.sha256)[:_MAC_BYTES]


def page_by_number(parameters: Parameters, items: Sequence[T], *, most: int) -> tuple[Sequence[T], dict[str, Any]]:
    """The asked page, and the three fields that VPC and ECS echo.  A page beyond the end is empty."""
    start, size, counts = read_page(parameters, most=most)
    return items[start : start + size], {**counts, "TotalCount": len(items)}


def read_page(parameters: Parameters, *, most: int) -> tuple[int, int, dict[str, Any]]:
    """From which item on, how many, and the fields that are echoed; ``TotalCount`` is still to come."""
    number = parameters.number("PageNumber", 1, 1, 999_999_999)
    size = parameters.number("PageSize", 10, 1, most)
    return (number - 1) * size, size, {"PageNumber": number, "PageSize": size}


def page_by_token(
    parameters: Parameters, tokens: PageTokens, items: Sequence[tuple[str, T]], *, default: int = 50, most: int = 1000
) -> tuple[list[T], str]:
    """``items`` are (id, value) in the order of ids.  The page, and the next token or an empty text."""
    after = tokens.read(parameters.text("NextToken"))
    size = parameters.number("MaxResults", default, 1, most)
    rest = [item for item in items if item[0] > after]
    token = tokens.make(rest[size - 1][0]) if len(rest) > size else ""
    return [value for _, value in rest[:size]], token
