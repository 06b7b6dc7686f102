"""JSON bodies in, JSON values out, as protobuf's JSON mapping has them.

An int64 may come as number or string and always goes as number (``reference/tidbcloud.md`` 1.6: Go clients do not
accept strings); null is the same as absent; fields nobody knows are ignored, as grpc-gateway does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tidegate.domain.refusals import Malformed, Missing

Json = dict[str, Any]

INT32_MAX = 2**31 - 1


def parse_body(body: bytes) -> Fields:
    """The JSON object of a request.  Raises :class:`Malformed` for anything else.

    msgspec, not ``json``: it refuses lone surrogates and NaN, which no database and no client could take back.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("body", "it is not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("body", "it is not a JSON object")
    return Fields(value)


class Fields:
    """A JSON object whose fields are taken by name and kind; a wrong kind raises :class:`Malformed` with its path."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values, self._path = values, path

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Is it there, and not null?"""
        return self._values.get(name) is not None

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "a string")

    def require_text(self, name: str) -> str:
        """Raises :class:`Missing` also for an empty string: in protobuf the two are one."""
        if not (value := self.text(name)):
            raise Missing(self.path(name))
        return value

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false")

    def number(self, name: str, highest: int = INT32_MAX) -> int | None:
        """0 to ``highest``."""
        value = self._values.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None or not 0 <= number <= highest:
            raise self._wrong(name, f"a whole number from 0 to {highest}")
        return number

    def require_number(self, name: str) -> int:
        if (value := self.number(name)) is None:
            raise Missing(self.path(name))
        return value

    def group(self, name: str) -> Fields | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Fields(value, self.path(name))

    def require_group(self, name: str) -> Fields:
        if (value := self.group(name)) is None:
            raise Missing(self.path(name))
        return value

    def list(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None or isinstance(value, list):
            return value or []
        raise self._wrong(name, "a list")

    def groups(self, name: str) -> Sequence[Fields]:
        """A list of objects."""
        items = self.list(name)
        if not all(isinstance(item, dict) for item in items):
            raise self._wrong(name, "a list of objects")
        return [Fields(item, f"{self.path(name)}[{at}]") for at, item in enumerate(items)]

    def texts(self, name: str) -> dict[str, str]:
        """A map of strings, such as ``labels``."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(name, "an object with string values")
        return value

    def _wrong(self, name: str, wanted: str) -> Malformed:
        # The value stays out of the message: it may be a password in the wrong place.
        return Malformed(self.path(name), f"it is not {wanted}")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 19 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None


def build_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, ``2026-01-05T07:09:31.869Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
