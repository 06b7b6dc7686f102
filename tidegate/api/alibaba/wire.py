"""Parameters in, JSON or XML out.

Every RPC parameter is one flat text, in the query or in a form body; both are merged (``reference/alibaba.md`` 1.1).
Lists count from 1: ``Zone.1.ZoneId``.  Decoding is ``signature.py``'s, so that what is read is what was signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import Response

from tidegate.api.alibaba.errors import ApiError
from tidegate.domain.refusals import Malformed, Missing

MAX_LIST = 200
"""longer than any list of these APIs; how many parameters there may be is ``signature.py``'s limit"""
_LIST_KEY = re.compile(r"([A-Za-z0-9]+)\.([1-9][0-9]{0,3})(?:\.(.+))?", re.DOTALL)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]*")


class Parameters(Mapping[str, str]):
    """The call's parameters.  Names are case-sensitive.  Readers raise Missing and Malformed with the wire's names."""

    def __init__(self, values: Mapping[str, str], prefix: str = "") -> None:
        self._values, self._prefix = dict(values), prefix

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str | None:
        """The value, or None if absent or empty: an empty parameter means what an absent one means."""
        return self._values.get(name) or None

    def require(self, name: str) -> str:
        if not (value := self.text(name)):
            raise Missing(self._prefix + name)
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise Malformed(self._prefix + name, text)
        return int(text)

    def flag(self, name: str) -> bool:
        """``True`` (Python), ``true`` (others), or False, ``false``, absent."""
        text = (self.text(name) or "false").lower()
        if text not in ("true", "false"):
            raise Malformed(self._prefix + name, text)
        return text == "true"

    def texts(self, name: str) -> list[str]:
        """``Name.1``, ``Name.2``... in the order of their numbers; also a bare ``Name``."""
        numbered = [values[""] for values in self._numbered(name).values() if values.get("")]
        return numbered or ([self._values[name]] if self.text(name) else [])

    def structs(self, name: str) -> list[Parameters]:
        """``Name.1.A``, ``Name.1.B``, ``Name.2.A``... one Parameters per number.

        What cannot be a field of one (``Name=x``, ``Name.1=x``) is Malformed: to pass over it would be to ignore it.
        """
        groups = self._numbered(name)
        if self.text(name) or any(values.get("") for values in groups.values()):
            raise Malformed(self._prefix + name, "a value where fields are expected")
        return [Parameters(values, f"{name}.{number}.") for number, values in groups.items() if "" not in values]

    def json_texts(self, name: str) -> list[str] | None:
        """A list as JSON text, ``["sg-1","sg-2"]`` (ECS), or None if absent."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            raise Malformed(self._prefix + name, text[:64]) from None
        items = value if isinstance(value, list) and len(value) <= MAX_LIST else [None]
        # ASCII: these are ids, and JSON can spell halves of characters that no database takes.
        ids = [item for item in items if isinstance(item, str) and item.isascii()]
        if len(ids) != len(items):
            raise Malformed(self._prefix + name, text[:64])
        return ids

    def _numbered(self, name: str) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for key, value in self._values.items():
            match = _LIST_KEY.fullmatch(key)
            if match and match[1] == name:
                found.setdefault(int(match[2]), {})[match[3] or ""] = value
            elif value and key.startswith(f"{name}."):
                raise Malformed(self._prefix + name, key[:64])  # no number that counts: Name.0, Name.x
        if len(found) > MAX_LIST:
            raise Malformed(self._prefix + name, f"{len(found)} items")
        return dict(sorted(found.items()))


@cache
def state_word(state: str) -> str:
    """``service_deleted`` is ``ServiceDeleted`` on the wire."""
    return "".join(part.capitalize() for part in state.split("_"))


def merge_parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Query and form together.  A name that comes twice with one value is one parameter; with two values, an error."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        if merged.setdefault(name, value) != value:
            raise ApiError(
                "InvalidParameter.Format", 400, "A parameter is given more than once, with different values."
            )
    return merged


def build_reply(content: Mapping[str, Any], *, xml: bool, root: str, status: int = 200) -> Response:
    """The answer in the asked format.  ``root`` names XML's outermost element."""
    if not xml:
        return Response(_json(content), status, {"content-type": "application/json;charset=utf-8"})
    tag = root if _TAG.fullmatch(root) else "Response"
    text = f"<?xml version='1.0' encoding='UTF-8'?>{_element(tag, content)}"
    return Response(text.encode("utf-8", "replace"), status, {"content-type": "text/xml;charset=utf-8"})


def _json(content: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:
        # A lone surrogate cannot be sent as UTF-8; ``replace`` costs one character, an exception the whole answer.
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _element(tag: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"<{tag}>{''.join(_element(k, v) for k, v in value.items())}</{tag}>"
    if isinstance(value, list):
        return "".join(_element(tag, item) for item in value)
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"<{tag}>{escape(_NOT_XML.sub('', str(value)))}</{tag}>"
