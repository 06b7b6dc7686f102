"""Sockets during a login: small reads and writes that can be awaited, plain or TLS alike.

asyncio's own ``sock_recv`` refuses TLS sockets, and its streams read ahead, which would swallow bytes that belong
to the TLS handshake or to whoever takes the session over.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TypeVar

_R = TypeVar("_R")

KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 15, 4
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; Python has no name for it before 3.12


def prepare_socket(sock: socket.socket) -> None:
    """Queries are small and wait for answers: no Nagle.  A peer that vanished is noticed after two minutes."""
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


async def receive(sock: socket.socket, limit_bytes: int) -> bytes:
    """At most ``limit_bytes``; empty at the end of the stream.  Raises OSError."""
    return await _retry(sock, partial(sock.recv, limit_bytes))


async def send_all(sock: socket.socket, data: bytes) -> None:
    """Raises OSError."""
    while data:
        sent = await _retry(sock, partial(sock.send, data), writing=True)
        data = data[sent:]


async def start_tls(sock: socket.socket, context: ssl.SSLContext, *, server_side: bool = True) -> ssl.SSLSocket:
    """One side's part of a TLS handshake; ``sock`` is used up.  Raises OSError (SSLError is one)."""
    secured = context.wrap_socket(sock, server_side=server_side, do_handshake_on_connect=False)
    try:
        await _retry(secured, secured.do_handshake)
    except BaseException:
        secured.close()
        raise
    return secured


def open_towards(source_address: str, target_address: str) -> socket.socket:
    """A socket bound to our own address, since the database's firewall lets no other in.

    The port is chosen at connect, when the target is known: else one target's TIME_WAIT would use up ports of all.
    """
    family = socket.AF_INET6 if ":" in target_address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        prepare_socket(sock)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source_address, 0))
    except BaseException:
        sock.close()
        raise
    return sock


async def connect(sock: socket.socket, address: tuple[str, int]) -> None:
    """Raises OSError."""
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        await _ready(sock, writing=True)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def until_gone(sock: socket.socket) -> None:
    """Returns when the peer has closed; never, once it sent something, for the end is hidden behind those bytes."""
    await _ready(sock)
    try:
        # The plain recv also for TLS: it peeks at the connection, not at the session.
        if not socket.socket.recv(sock, 1, socket.MSG_PEEK):
            return
    except OSError:
        return
    await asyncio.get_running_loop().create_future()


def close_socket(sock: socket.socket) -> None:
    """Close, with TLS's own goodbye where there is room for it."""
    if isinstance(sock, ssl.SSLSocket):
        # "Not now" is an OSError too: the goodbye is sent, the peer's is not waited for.
        with contextlib.suppress(OSError, ValueError):
            sock.unwrap()
    sock.close()


async def drain(sock: socket.socket, limit_bytes: int = 1 << 20) -> None:
    """Read and drop until the peer closes.

    Closing on unread bytes sends a reset, which can overtake our last packet.
    """
    while limit_bytes > 0 and (data := await receive(sock, 16384)):
        limit_bytes -= len(data)


async def _retry(sock: socket.socket, call: Callable[[], _R], *, writing: bool = False) -> _R:
    while True:
        try:
            return call()
        except (BlockingIOError, InterruptedError):
            await _ready(sock, writing=writing)
        except ssl.SSLWantReadError:
            await _ready(sock)
        except ssl.SSLWantWriteError:
            await _ready(sock, writing=True)


async def _ready(sock: socket.socket, *, writing: bool = False) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    fd = sock.fileno()
    (loop.add_writer if writing else loop.add_reader)(fd, wake)
    try:
        await ready
    finally:
        (loop.remove_writer if writing else loop.remove_reader)(fd)
