"""A listening socket on the event loop: takes clients in, and pauses while the process is out of descriptors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

ACCEPT_BATCH = 64
ACCEPT_PAUSE_S = 0.1

log = structlog.get_logger(__name__)


class Door:
    """``on_client(socket, host, port)`` for each client.  The listener is ours from here on."""

    def __init__(self, listener: socket.socket, on_client: Callable[[socket.socket, str, int], None]) -> None:
        listener.setblocking(False)
        self._listener: socket.socket | None = listener
        self._on_client = on_client
        asyncio.get_running_loop().add_reader(listener, self._accept)

    @property
    def address(self) -> tuple[str, int] | None:
        if self._listener is None:
            return None
        host, port = self._listener.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Those who wait in the queue are taken in first.  Idempotent."""
        if self._listener is not None:
            self._accept()
        self.leave()

    def leave(self) -> None:
        """Those who wait in the queue are another process's, which has the same listener.  Idempotent."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(ACCEPT_BATCH):
            try:
                client, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._on_client(client, peer[0], peer[1])

    def _pause(self, error: OSError) -> None:
        """Out of file descriptors or memory: the listener stays readable, and asking on at once would spin."""
        log.warning("gateway cannot accept", error=str(error), pause_s=ACCEPT_PAUSE_S)
        loop, listener = asyncio.get_running_loop(), self._listener
        loop.remove_reader(listener)  # type: ignore[arg-type]
        loop.call_later(ACCEPT_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
