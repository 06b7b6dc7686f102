"""One host:port that serves an ASGI application over http and https alike.

The clouds' clients take host[:port] and choose the scheme themselves, so both schemes share the port
(docs/decisions/0004-one-port.md)::

    accept --> peek one byte (nothing is read) --0x16: a TLS record--> handshake --+
                  |                            --anything else---------------------+--> uvicorn's httptools protocol
                  silent too long: closed

Everything that costs a descriptor or memory is bounded by :class:`Limits`, each with a time limit of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.lifespan.on import LifespanOn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MIB = 1 << 20
MAX_BODY_BYTES = 2 * MIB
"""Above ``chain.BODY_LIMIT_BYTES`` by more than one chunk, so that there each cloud words its own refusal first."""
_TLS_HANDSHAKE = b"\x16"
"""Content type of every connection's first TLS record (RFC 8446 5.1); no HTTP method begins with it."""
_BACKLOG = 1024
_ACCEPTED_PER_TURN = 64
_ACCEPT_PAUSE_S = 0.5
_OUT_OF_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 46\r\n\r\nToo many connections to Tidegate; retry later.\n"
)


class ListenError(Exception):
    """The address cannot be listened on; the message is one sentence with the remedy."""


class BodyTooLargeError(Exception):
    """Raised by ``receive`` when the request's body exceeds ``max_body_bytes``.

    The application may catch it and answer in its own words; if it does not, the client gets a plain 413.
    """

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(f"the request's body is larger than {max_body_bytes} bytes")
        self.max_body_bytes = max_body_bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients can make us hold, and for how long."""

    connections: int = 2000
    head_bytes: int = 64 * 1024
    """request line and headers together"""
    discarded_bytes: int = 16 * MIB
    """rest of a body nobody reads: taken and dropped up to this, so that the client gets to read its answer"""
    first_byte_s: float = 5.0
    handshake_s: float = 10.0
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: int = 75
    """between requests; longer than the pools of most clients, so that they close first"""


class Listener:
    """``ssl_context`` None: http only.  It may be replaced while running; new connections use the new one."""

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        limits: Limits = Limits(),
    ) -> None:
        self.ssl_context = ssl_context
        self._host, self._port = host, port
        self._limits = limits
        self._config = uvicorn.Config(
            bound_body(app, max_body_bytes),
            http=HttpToolsProtocol,
            ws="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.idle_s,
        )
        self._server = uvicorn.Server(self._config)
        self._connections: set[_Connection] = self._server.server_state.connections  # type: ignore[assignment]
        self._silent: dict[socket.socket, asyncio.TimerHandle] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._lifespan: LifespanOn | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> tuple[str, int]:
        """Listen.  Returns the actual (host, port); raises :class:`ListenError`."""
        self._loop = asyncio.get_running_loop()
        self._socket = bind_listening(self._host, self._port)
        try:
            await self._start_app()
        except BaseException:
            self._socket.close()
            raise
        self._ticker = self._loop.create_task(self._tick())
        self._loop.add_reader(self._socket, self._accept)
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def stop(self, grace_s: float = 10.0) -> None:
        """Accept no more, let requests under way finish within ``grace_s``, then cut what is left."""
        if self._socket is None:
            return
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        for sock in list(self._silent):
            self._drop(sock)
        for connection in list(self._connections):
            connection.shutdown()
        await self._wait_idle(grace_s)
        await self._cut()
        if self._ticker is not None:
            self._ticker.cancel()
        if self._lifespan is not None:
            await self._lifespan.shutdown()

    async def _start_app(self) -> None:
        await self._server.on_tick(0)  # sets the Date header
        self._config.load()
        self._lifespan = self._config.lifespan_class(self._config)
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            raise ListenError("The application did not start (our side); the log says why.")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._server.on_tick(0)

    async def _wait_idle(self, grace_s: float) -> None:
        until = self._loop.time() + grace_s
        state = self._server.server_state
        # uvicorn's sets tell nobody when they empty, so they are polled.
        while (self._connections or state.tasks or self._opening) and self._loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def _cut(self) -> None:
        tasks = [*self._opening, *self._server.server_state.tasks]
        for task in tasks:
            task.cancel()
        for connection in list(self._connections):
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- a new connection --------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._socket is not None
        for _ in range(_ACCEPTED_PER_TURN):
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF_ROOM:
                    self._pause_accepting()
                return
            sock.setblocking(False)
            if self._is_full() and not self._evict_idle():
                _refuse(sock)
            else:
                self._await_first_byte(sock)

    def _is_full(self) -> bool:
        held = len(self._silent) + len(self._opening) + len(self._connections)
        return held >= self._limits.connections

    def _evict_idle(self) -> bool:
        """Close the connection that has been idle between requests for longest; False if there is none."""
        idle = [c for c in self._connections if c.idle_since is not None and not c.transport.is_closing()]
        if not idle:
            return False
        min(idle, key=lambda connection: connection.idle_since or 0.0).transport.close()
        return True

    def _pause_accepting(self) -> None:
        # Without a free descriptor the listening socket stays readable, and the loop would spin on it.
        listening = self._socket
        assert listening is not None
        self._loop.remove_reader(listening)

        def resume() -> None:
            if self._socket is listening:
                self._loop.add_reader(listening, self._accept)

        self._loop.call_later(_ACCEPT_PAUSE_S, resume)

    def _await_first_byte(self, sock: socket.socket) -> None:
        first = _peek(sock)
        if first is None:
            self._silent[sock] = self._loop.call_later(self._limits.first_byte_s, self._drop, sock)
            self._loop.add_reader(sock, self._on_first_byte, sock)
        else:
            self._hand_over(sock, first)

    def _on_first_byte(self, sock: socket.socket) -> None:
        first = _peek(sock)
        if first is not None:
            self._silent.pop(sock).cancel()
            self._loop.remove_reader(sock)
            self._hand_over(sock, first)

    def _drop(self, sock: socket.socket) -> None:
        self._silent.pop(sock).cancel()
        self._loop.remove_reader(sock)
        sock.close()

    def _hand_over(self, sock: socket.socket, first: bytes) -> None:
        tls = first == _TLS_HANDSHAKE
        if not first or (tls and self.ssl_context is None):
            sock.close()
            return
        task = self._loop.create_task(self._open(sock, self.ssl_context if tls else None))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        timeouts = {"ssl_handshake_timeout": self._limits.handshake_s, "ssl_shutdown_timeout": 5.0}
        try:
            await self._loop.connect_accepted_socket(
                self._make_connection, sock, ssl=context, **(timeouts if context else {})
            )
        except (OSError, ssl.SSLError, TimeoutError):  # no TLS after all, or it went away: nobody to tell
            sock.close()

    def _make_connection(self) -> _Connection:
        assert self._lifespan is not None
        return _Connection(self._config, self._server.server_state, self._lifespan.state, self._limits)


class _HeadTooLargeError(Exception):
    """Stops the parser."""


class _Connection(HttpToolsProtocol):
    """uvicorn's protocol with the bounds it lacks: size and time of the head, time of the body, unread bodies.

    uvicorn 0.54 keeps collecting a header that never ends, for as long as it takes
    (uvicorn/protocols/http/httptools_impl.py, read 2026-11).
    """

    def __init__(
        self, config: uvicorn.Config, state: uvicorn.server.ServerState, app_state: dict[str, Any], limits: Limits
    ) -> None:
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


def bind_listening(host: str, port: int) -> socket.socket:
    """A non-blocking listening socket; port 0 picks a free one.  Raises :class:`ListenError`."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ListenError(
            f"TIDEGATE_LISTEN names host {host!r}, which means no address here: use 127.0.0.1:{port}."
        ) from error
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        sock.close()
        raise ListenError(_explain(error, host, port)) from error
    return sock


def build_ssl_context(certificate_path: Path, key_path: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 and later, HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate_path, key_path)
    return context


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


def _peek(sock: socket.socket) -> bytes | None:
    """The first byte, left in the socket; empty at its end or failure, None while nothing came."""
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _refuse(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.send(_BUSY)
    sock.close()


def _explain(error: OSError | OverflowError, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"{host}:{port} is taken by another program (our side): stop it, or listen elsewhere with "
            f"TIDEGATE_LISTEN={host}:0 (a free port) or another number."
        )
    if number == errno.EACCES:
        return f"Port {port} needs privileges this user lacks (our side): use TIDEGATE_LISTEN={host}:8090."
    if number == errno.EADDRNOTAVAIL:
        return f"This machine has no address {host} (our side): use TIDEGATE_LISTEN=127.0.0.1:{port}."
    return f"Cannot listen on {host}:{port} (our side): {error}. Choose another TIDEGATE_LISTEN."
