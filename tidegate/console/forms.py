"""What a browser's form sends: urlencoded, bounded in size, time and number of fields."""

from __future__ import annotations

from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request

BODY_LIMIT_BYTES = 64 * 1024
READ_LIMIT_S = 20.0
FIELDS_AT_MOST = 500


class FormError(Exception):
    """The body is no form of ours; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(f"no form: {status}")
        self.status = status


class Form:
    """Field -> values in the order they came.  Blanks around values are dropped, except around passwords."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def get(self, name: str, default: str = "") -> str:
        """The last value: a checkbox comes after the hidden field that stands for its absence."""
        found = self.getlist(name)
        return found[-1] if found else default

    def getlist(self, name: str) -> list[str]:
        return [value if "password" in name else value.strip() for key, value in self._pairs if key == name]

    def number(self, name: str) -> int | None:
        """None when it is no whole number of a sane size."""
        text = self.get(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)


async def read_form(request: Request) -> Form:
    """Raises :class:`FormError`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormError(415)
    body = bytearray()
    try:
        with anyio.fail_after(READ_LIMIT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT_BYTES:
                    raise FormError(413)
    except (TimeoutError, ClientDisconnect):
        raise FormError(408) from None
    return parse_form(bytes(body))


def parse_form(body: bytes) -> Form:
    """Raises :class:`FormError` for too many fields and for what is not UTF-8."""
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST, errors="strict"))
    except ValueError:  # UnicodeDecodeError is one
        raise FormError(400) from None
