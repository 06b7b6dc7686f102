"""One HTTP connection: uvicorn's protocol, with the bounds that it lacks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients can make us hold, and for how long."""

    connections: int = 2000
    head_bytes: int = 64 * 1024
    """request line and headers together"""
    discarded_bytes: int = 16 << 20
    """rest of a body nobody reads: taken and dropped up to this, so that the client gets to read its answer"""
    first_byte_s: float = 5.0
    handshake_s: float = 10.0
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: int = 75
    """between requests; longer than the pools of most clients, so that they close first"""


class _HeadTooLargeError(Exception):
    """Stops the parser."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with the bounds it lacks: size and time of the head, time of the body, unread bodies.

    uvicorn 0.54 keeps collecting a header that never ends, for as long as it takes
    (uvicorn/protocols/http/httptools_impl.py, read 2026-11).
    """

    def __init__(self, config: uvicorn.Config, state: ServerState, app_state: dict[str, Any], limits: Limits) -> None:
        super().__init__(config, state, app_state)
        self.idle_since: float | None = None
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True
        self._in_message = False
        self._step = 0
        self._timed_step = 0
        self._fed_bytes = 0
        self._head_bytes = 0
        self._discarded_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._allow(self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._allow(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A header that is not complete yet has not been reported by the parser, but it is kept: count it here.
        self._fed_bytes = self._fed_bytes + len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._fed_bytes > self._limits.head_bytes and not self.transport.is_closing():
            self._head_bytes = self._fed_bytes
            self.send_400_response("Request header too large.")
        if self._step != self._timed_step:
            self._time_step()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.idle_since = None
        self._in_head = self._in_message = True
        self._head_bytes = self._discarded_bytes = 0
        self._step += 1

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._fed_bytes = 0
        self._step += 1
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > self._limits.discarded_bytes:
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message, self._in_head = False, True
        self._step += 1
        self.idle_since = self.loop.time() if self.cycle.response_complete else None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._in_message and self.cycle.response_complete:
            self.idle_since = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        if self._head_bytes <= self._limits.head_bytes:
            super().send_400_response(msg)
            return
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
            b"content-length: 26\r\nconnection: close\r\n\r\nRequest header too large.\n"
        )
        self.transport.close()

    def _count_head(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > self._limits.head_bytes:
            raise _HeadTooLargeError

    def _time_step(self) -> None:
        """Give the step that the last data left us in its time.  A request that came whole needs no timer."""
        self._timed_step = self._step
        if self._in_message:
            self._allow(self._limits.head_s if self._in_head else self._limits.body_s)
        elif self.idle_since is not None:
            # uvicorn armed its own idle timer at the answer, and the body that came after has disarmed it.
            self._allow(self._limits.idle_s)
        elif self._deadline is not None:
            self._allow(None)

    def _allow(self, seconds: float | None) -> None:
        """Close the connection unless the next step comes within ``seconds``; None: no limit now."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
