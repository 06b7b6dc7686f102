"""The userspace relay: bytes of one session between the client's and the database's socket, both directions.

It rides on asyncio's ``add_reader``: one recv into a shared buffer, one send, nothing kept unless the receiver is
slow.  Then the rest of that one read waits, the sender is not read, and TCP slows it down: memory is bounded by
``BUFFER_BYTES`` per direction.  An epoll loop of our own and a selector that bypasses asyncio were measured
beside it and gained nothing beyond the noise with 16 sessions, nor did splice(2) through a pipe at any size
beat recv and send with this buffer (14 Gbit/s either way, equal CPU; 2026-11, kernel 6.18).  So the simplest stays.

A TLS client is an :class:`ssl.SSLSocket`, and so is its database's connection then: recv and send are the same calls,
only the errors for "not now" differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.gateway.channel import close_socket

BUFFER_BYTES = 256 * 1024
TLS_RECORD_BYTES = 16384
HALF_CLOSED_S = 30.0
"""How long the other direction may stay silent after one side has ended its own"""

_BUFFER = bytearray(BUFFER_BYTES)
_VIEW = memoryview(_BUFFER)
# "Not now" of a plain and of a TLS socket.
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(slots=True, eq=False)
class _Flow:
    """One direction.  ``waiting`` was read and is not yet sent; while it is not empty the source is not read."""

    name: str
    source: socket.socket
    target: socket.socket
    waiting: bytes = b""
    carried_bytes: int = 0
    ended: bool = False
    reading: bool = False
    writing: bool = False


class Relay:
    """One session.  Takes both sockets (non-blocking) and closes them; ``on_end`` is called once, with the reason."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        on_end: Callable[[str], None],
        *,
        half_closed_s: float = HALF_CLOSED_S,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._up = _Flow("client", client, server)
        self._down = _Flow("server", server, client)
        self._on_end = on_end
        self._half_closed_s = half_closed_s
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    @property
    def bytes_to_server(self) -> int:
        return self._up.carried_bytes

    @property
    def bytes_to_client(self) -> int:
        return self._down.carried_bytes

    def start(self, to_client: bytes = b"", to_server: bytes = b"") -> None:
        """Send what is left of the login, then relay."""
        for flow, first in ((self._down, to_client), (self._up, to_server)):
            flow.waiting = first
            flow.carried_bytes += len(first)
        for flow in (self._down, self._up):
            # The first pump also reads: a TLS socket may hold bytes that no readiness event will announce.
            self._pump(flow)

    def close(self, reason: str) -> None:
        """End the session now; bytes under way are lost."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for flow in (self._up, self._down):
            self._watch(flow, read=False, write=False)
        for flow in (self._up, self._down):
            close_socket(flow.source)
        self._on_end(reason)

    def _pump(self, flow: _Flow) -> None:
        """Move what can be moved now, then wait for what is missing."""
        if self._over:
            return
        try:
            if self._flush(flow) and not flow.ended:
                self._fill(flow)
        except OSError as error:
            self.close(f"{flow.name} to {self._other(flow).name}: {error}")
            return
        except Exception:
            # asyncio would call us again at once, for ever: a mistake of ours ends one session, not the loop.
            self.close("an error of the gateway")
            raise
        if flow.ended and not flow.waiting:
            self._end_flow(flow)
        if not self._over:
            self._watch(flow, read=not flow.ended and not flow.waiting, write=bool(flow.waiting))

    def _fill(self, flow: _Flow) -> None:
        """Read once and send at once."""
        count = _receive(flow.source)
        if count is None:
            return
        if count == 0:
            flow.ended = True
            return
        flow.carried_bytes += count
        sent = _send(flow.target, _VIEW[:count])
        if sent < count:
            flow.waiting = bytes(_VIEW[sent:count])

    def _flush(self, flow: _Flow) -> bool:
        """Send what waits; True: nothing waits any more."""
        if flow.waiting:
            sent = _send(flow.target, memoryview(flow.waiting))
            flow.waiting = flow.waiting[sent:]
        return not flow.waiting

    def _end_flow(self, flow: _Flow) -> None:
        """Pass the end on.  TLS has no half-close worth the name: one side's end ends a TLS session."""
        other = self._other(flow)
        if other.ended and not other.waiting:
            self.close(f"{flow.name if self._timer is None else other.name} closed")
        elif self._timer is None:
            if isinstance(flow.target, ssl.SSLSocket):
                self.close(f"{flow.name} closed")
                return
            shut_down(flow.target)
            self._await_other_end(f"{flow.name} closed", -1)

    def _await_other_end(self, reason: str, carried_bytes: int) -> None:
        """A peer that does not end its direction either, and sends nothing, holds its session no longer."""
        now = self.bytes_to_client + self.bytes_to_server
        if now == carried_bytes:
            self.close(reason)
        else:
            self._timer = self._loop.call_later(self._half_closed_s, self._await_other_end, reason, now)

    def _other(self, flow: _Flow) -> _Flow:
        return self._down if flow is self._up else self._up

    def _watch(self, flow: _Flow, *, read: bool, write: bool) -> None:
        """Level-triggered: what is not wanted must not be watched, or the loop would spin."""
        if read != flow.reading:
            flow.reading = read
            if read:
                self._loop.add_reader(flow.source, self._pump, flow)
            else:
                self._loop.remove_reader(flow.source)
        if write != flow.writing:
            flow.writing = write
            if write:
                self._loop.add_writer(flow.target, self._pump, flow)
            else:
                self._loop.remove_writer(flow.target)


def _receive(source: socket.socket) -> int | None:
    """Fill the shared buffer: 0 at the end of the stream, None when nothing is there yet."""
    try:
        count = source.recv_into(_BUFFER)
    except _NOT_NOW:
        return None
    if not isinstance(source, ssl.SSLSocket) or count == 0:
        return count
    # TLS gives one record per call.  Take all there are, so that nothing decrypted stays behind unannounced.
    while count <= BUFFER_BYTES - TLS_RECORD_BYTES:
        try:
            more = source.recv_into(_VIEW[count:])
        except _NOT_NOW:
            break
        if more == 0:
            break  # the next call meets the end again
        count += more
    return count


def _send(target: socket.socket, data: memoryview) -> int:
    """How many bytes the kernel took."""
    if not isinstance(target, ssl.SSLSocket):
        try:
            return target.send(data)
        except _NOT_NOW:
            return 0
    # OpenSSL wants a write that was put off repeated with the same bytes: whole records from the same place do.
    sent = 0
    while sent < len(data):
        try:
            sent += target.send(data[sent : sent + TLS_RECORD_BYTES])
        except _NOT_NOW:
            break
    return sent


def shut_down(sock: socket.socket) -> None:
    """Pass an end of stream on; a peer that is gone already needs none."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
