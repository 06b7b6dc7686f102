"""How large a request's body may be, for an application that says nothing about it itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 2 << 20
"""Above ``chain.BODY_LIMIT_BYTES`` by more than one chunk, so that there each cloud words its own refusal first."""


class BodyTooLargeError(Exception):
    """Raised by ``receive`` when the request's body exceeds ``max_body_bytes``.

    The application may catch it and answer in its own words; if it does not, the client gets a plain 413.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(f"the request's body is larger than {max_body_bytes} bytes")
        self.max_body_bytes = max_body_bytes


def bound_body(app: App, max_body_bytes: int) -> App:
    """The application, with a ``receive`` that raises :class:`BodyTooLargeError` instead of giving more than that."""

    async def bounded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        declared = _declared_bytes(scope)
        received = 0
        started = False

        async def receive_bounded() -> Message:
            nonlocal received
            if declared > max_body_bytes:  # before "100 Continue" is sent, so the body may never come
                raise BodyTooLargeError(max_body_bytes)
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_body_bytes:
                raise BodyTooLargeError(max_body_bytes)
            return message

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive_bounded, send_noted)
        except BodyTooLargeError as error:
            if started:
                raise
            await _send_too_large(send, error)

    return bounded


async def _send_too_large(send: Send, error: BodyTooLargeError) -> None:
    text = f"Request refused: {error}.\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _declared_bytes(scope: MutableMapping[str, Any]) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
