"""One host:port that serves an ASGI application over http and https alike.

The clouds' clients take host[:port] and choose the scheme themselves, so both schemes share the port
(docs/decisions/0004-one-port.md)::

    accept --> peek one byte (nothing is read) --0x16: a TLS record--> handshake --+
                  |                            --anything else---------------------+--> uvicorn's httptools protocol
                  silent too long: closed

Everything that costs a descriptor or memory is bounded: connections here and in ``connection.py``, bodies in
``body.py``, by :class:`Limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from pathlib import Path

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from tidegate.api.body import MAX_BODY_BYTES, App, bound_body
from tidegate.api.connection import Connection, Limits

_TLS_HANDSHAKE = b"\x16"
"""Content type of every connection's first TLS record (RFC 8446 5.1); no HTTP method begins with it."""
_BACKLOG = 1024
_ACCEPTED_PER_TURN = 64
_ACCEPT_PAUSE_S = 0.5
_OUT_OF_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BUSY_TEXT = b"Too many connections to Tidegate; retry later.\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BUSY_TEXT), _BUSY_TEXT)
)


class ListenError(Exception):
    """The address cannot be listened on; the message is one sentence with the remedy."""


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
        limits: Limits | None = None,
    ) -> None:
        self.ssl_context = ssl_context
        self._host, self._port = host, port
        self._limits = limits or Limits()
        self._config = uvicorn.Config(
            bound_body(app, max_body_bytes),
            http=Connection,
            ws="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self._limits.idle_s,
        )
        self._server = uvicorn.Server(self._config)
        self._connections: set[Connection] = self._server.server_state.connections  # type: ignore[assignment]
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

    def _make_connection(self) -> Connection:
        assert self._lifespan is not None
        return Connection(self._config, self._server.server_state, self._lifespan.state, self._limits)


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
