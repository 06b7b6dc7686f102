"""How a listening socket reaches a gateway: opened on the host, passed over a Unix socket (``SCM_RIGHTS``).

A socket stays in the network namespace where it was opened, so the gateway, inside the provider's, takes in clients of
the host's network through it, and through nothing else.

::

    giver (serve)                             gateway
      connect ------------------------------>
             <------------------------------ one line: the host:port it listens on already, or nothing
      one byte and the socket -------------->   listens there from now on
      ... the connection stays: its end tells the giver that this gateway is gone
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

LINE_BYTES = 256

log = structlog.get_logger(__name__)


class SocketReceiver:
    """The gateway's end, at ``path``.  ``held()`` is the address it listens on, ``on_socket`` takes a new one."""

    def __init__(
        self, path: Path, held: Callable[[], tuple[str, int] | None], on_socket: Callable[[socket.socket], None]
    ) -> None:
        self._path, self._held, self._on_socket = path, held, on_socket
        self._listener: socket.socket | None = None
        self._givers: set[socket.socket] = set()
        self._inode = 0

    def start(self) -> None:
        """Take the path over from a dead predecessor."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)  # before anybody can connect
        self._inode = self._path.stat().st_ino
        self._listener.listen(4)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for giver in tuple(self._givers):
            self._forget(giver)
        if self._listener is not None:
            loop.remove_reader(self._listener)
            self._listener.close()
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_ino == self._inode:  # else a successor's
                    self._path.unlink()

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            giver, _ = self._listener.accept()
            giver.setblocking(False)
            self._givers.add(giver)
            asyncio.get_running_loop().add_reader(giver, self._receive, giver)
            held = self._held()
            with contextlib.suppress(OSError):
                giver.send(f"{held[0]}:{held[1]}\n".encode() if held else b"\n")

    def _receive(self, giver: socket.socket) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(giver, 1, 4)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            self._take(socket.socket(fileno=descriptor))
        if not data:
            self._forget(giver)

    def _take(self, sock: socket.socket) -> None:
        """Only what it is meant to be: a listening IPv4 socket."""
        if sock.family == socket.AF_INET and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._on_socket(sock)
        else:
            log.error("gateway was passed something else than a listening IPv4 socket")
            sock.close()

    def _forget(self, giver: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(giver)
        self._givers.discard(giver)
        giver.close()


class Recipient:
    """The giver's end: one gateway.  Blocking; raises OSError when there is none."""

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(timeout_s)
        try:
            self._connection.connect(str(path))
            line = b""
            while not line.endswith(b"\n") and len(line) < LINE_BYTES:
                piece = self._connection.recv(LINE_BYTES)
                if not piece:
                    raise ConnectionResetError(f"the gateway at {path} went away")
                line += piece
        except BaseException:
            self._connection.close()
            raise
        self.held = line.decode().strip()
        """host:port that the gateway listens on, or empty"""

    @property
    def alive(self) -> bool:
        """False once the gateway's process is gone."""
        self._connection.setblocking(False)
        try:
            return bool(self._connection.recv(1))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def give(self, sock: socket.socket) -> None:
        self._connection.setblocking(True)
        socket.send_fds(self._connection, [b"s"], [sock.fileno()])
        host, port = sock.getsockname()
        self.held = f"{host}:{port}"

    def close(self) -> None:
        self._connection.close()
