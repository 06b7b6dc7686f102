"""A closed loop of clients over keep-alive connections, in one thread and with next to no cost of its own.

The requests are bytes made before the window opens (each with its own nonce, so each is sent once); in the window this
process only writes, reads until the answer is whole, and notes the time.
"""

from __future__ import annotations

import gc
import os
import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ANSWER_LIMIT_S = 30.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The figure cannot be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one window saw.  ``latencies_ms`` is sorted; CPU is per answered request."""

    answered: int
    seconds: float
    latencies_ms: list[float]
    server_cpu_ms: float
    generator_cpu_ms: float
    answer_bytes: int

    def build(self) -> dict[str, Any]:
        return {
            "per_s": round(self.answered / self.seconds, 1),
            "p50_ms": round(self.quantile(0.50), 3),
            "p99_ms": round(self.quantile(0.99), 3),
            "server_cpu_ms": round(self.server_cpu_ms, 3),
            "generator_cpu_ms": round(self.generator_cpu_ms, 4),
            "answered": self.answered,
            "answer_bytes": self.answer_bytes,
        }

    def quantile(self, share: float) -> float:
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(len(self.latencies_ms) * share))]


def run_window(address: tuple[str, int], pid: int, requests: Sequence[bytes], clients: int, seconds: float) -> Window:
    """Send until the time or the requests are used up.  ``pid``: the server, whose processor time is read.

    A server that closes its connections (werkzeug's does) is connected to anew, as any client would; that is part of
    its latency.  Raises :class:`BenchError` for an answer that is not 200: a refusal is quick, and no figure.
    """
    gc.collect()
    gc.disable()
    try:
        server_s, own_s = cpu_seconds(pid), time.process_time()
        began = time.perf_counter()
        latencies, size = _loop(address, clients, iter(requests), began + seconds)
        took = time.perf_counter() - began
        server_s, own_s = cpu_seconds(pid) - server_s, time.process_time() - own_s
    finally:
        gc.enable()
    count = len(latencies)
    latencies.sort()
    return Window(count, took, latencies, server_s * 1000 / count, own_s * 1000 / count, size)


class _Client:
    """One connection, one call under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address, self._data = address, b""
        self.sent_at = 0.0
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(self._address, ANSWER_LIMIT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        if self.socket.fileno() < 0:
            self.socket = self._connect()
        self.socket.sendall(request)

    def read(self) -> int:
        """The size of the whole answer once it is there, else 0.  The connection is closed if the server says so."""
        chunk = self.socket.recv(1 << 20)
        if not chunk:
            raise BenchError("The server closed a connection in the middle of an answer.")
        data = self._data = self._data + chunk
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        found = _LENGTH.search(data, 0, end + 4)
        if found is None or data[9:12] != b"200":
            raise BenchError(f"Not an answer that can be counted: {data[:600].decode(errors='replace')}")
        if len(data) < end + 4 + int(found[1]):
            return 0
        self._data = b""
        if _CLOSES.search(data, 0, end + 4):
            self.socket.close()
        return len(data)


def _loop(address: tuple[str, int], clients: int, requests: Iterator[bytes], until: float) -> tuple[list[float], int]:
    latencies: list[float] = []
    size, under_way = 0, 0
    with selectors.EpollSelector() as selector:
        for _ in range(clients):
            client = _Client(address)
            client.send(next(requests))
            selector.register(client.socket, selectors.EVENT_READ, client)
            under_way += 1
        while under_way:
            ready = selector.select(ANSWER_LIMIT_S)
            if not ready:
                raise BenchError(f"No answer within {ANSWER_LIMIT_S:g} s.")
            for key, _ in ready:
                client = key.data
                if not (whole := client.read()):
                    continue
                now = time.perf_counter()
                latencies.append((now - client.sent_at) * 1000)
                size = whole
                closed = client.socket.fileno() < 0
                if closed:
                    selector.unregister(key.fileobj)
                request = next(requests, None) if now < until else None
                if request is None:
                    client.socket.close()
                    under_way -= 1
                    continue
                client.send(request)
                if closed:
                    selector.register(client.socket, selectors.EVENT_READ, client)
    return latencies, size


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S
