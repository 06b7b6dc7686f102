"""Ids and display names: their shapes.  Randomness is passed in as a function that draws ``n`` letters.

Shapes: ``reference/alibaba.md`` 3.5 (endpoint ids: ``ep-`` + 20, region infix first), ``reference/tidbcloud.md`` 1.6.
"""

from __future__ import annotations

import re
from typing import Protocol

from tidegate.domain.refusals import Malformed

LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
MIXED = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"


class Draw(Protocol):
    """``draw(alphabet, length)``: that many letters, each drawn evenly from the alphabet."""

    def __call__(self, alphabet: str, length: int) -> str: ...


def make_id(draw: Draw, kind: str, infix: str) -> str:
    """``vpc-`` + region infix + random, 20 letters after the dash as Alibaba's ids have."""
    return f"{kind}-{infix}{draw(LOWER, 20 - len(infix))}"


def make_prefix(draw: Draw) -> str:
    """A user-name prefix: 15 letters and digits, mixed case, the first a digit as seen in the cloud's samples."""
    return draw("23456789", 1) + draw(MIXED, 14)


def make_cluster_id(draw: Draw) -> str:
    """A decimal uint64 as string, 20 digits as in the samples."""
    return "1" + draw("01234567", 1) + draw("0123456789", 18)


PASSWORD_LENGTH = 16
_PASSWORD_KINDS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789", "-_.~")


def make_password(draw: Draw) -> str:
    """16 letters with upper, lower, digits and specials, as the cloud's dialog makes them; none that a URL minds."""
    while True:
        password = draw("".join(_PASSWORD_KINDS), PASSWORD_LENGTH)
        # Not first a dash: a pasted "-p..." would be read as an option.
        if password[0].isalnum() and all(any(letter in kind for letter in password) for kind in _PASSWORD_KINDS):
            return password


def make_branch_id(draw: Draw) -> str:
    """``bran-`` and 26 lower-case base32 letters, as in the samples."""
    return "bran-" + draw("abcdefghijklmnopqrstuvwxyz234567", 26)


_ALI_NAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff_.:\-]{1,127}")
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{2,62}[A-Za-z0-9]")


def require_resource_name(field: str, name: str) -> str:
    """2 to 128 letters, begins with a letter or Chinese character, not http:// or https://."""
    if not _ALI_NAME.fullmatch(name) or name.startswith(("http://", "https://")):
        raise Malformed(field, name)
    return name


def require_description(field: str, text: str) -> str:
    """2 to 256 letters, not beginning with http:// or https://."""
    if not 2 <= len(text) <= 256 or text.startswith(("http://", "https://")):
        raise Malformed(field, text)
    return text


def require_cluster_name(name: str) -> str:
    """``reference/tidbcloud.md`` 2.2: 4 to 64 letters, digits and inner dashes."""
    if not _CLUSTER_NAME.fullmatch(name):
        raise Malformed("displayName", name)
    return name
