"""64-byte ping-pong over several lanes by one pair of processes, so that all that differs is the network between them.

::

    python -m benchmarks.pingpong serve   NETNS=ADDRESS:PORT ...
    python -m benchmarks.pingpong measure NETNS=ADDRESS:PORT ... --seconds 3 --wait block

``measure`` opens one TCP connection per lane (TCP_NODELAY at both ends) and sends bursts over them in turn; it prints
one JSON list with p50 and p99 in microseconds for each lane.  ``--wait busy``: both ends spin instead of sleeping, so
that the scheduler's wake-ups, which are most of a blocking round trip, do not hide the path.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SIZE_BYTES = 64
BURST = 50
WARM_UP_BURSTS = 4
_NEW_NET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a socket is opened, and what it listens on or connects to."""

    namespace: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.namespace}={self.address}:{self.port}"


def parse_lane(text: str) -> Lane:
    namespace, _, target = text.partition("=")
    address, _, port = target.rpartition(":")
    return Lane(namespace, address, int(port))


@contextlib.contextmanager
def standing_in(path: str) -> Iterator[None]:
    """A socket belongs to the namespace in which it was opened."""
    home, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(path, os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(home)
        os.close(home)
        os.close(there)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def serve(lanes: Sequence[Lane], busy: bool) -> None:
    """Echo on every lane, one connection at a time each, until killed."""
    listeners = [_listen(lane) for lane in lanes]
    print("ready", flush=True)
    while True:
        connections = []
        for listener in listeners:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
        with contextlib.suppress(ConnectionError, EOFError):
            (_echo_spinning if busy else _echo_sleeping)(connections)
        for connection in connections:
            connection.close()


def _listen(lane: Lane) -> socket.socket:
    with standing_in(lane.namespace):
        listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lane.address, lane.port))
    listener.listen(8)
    return listener


def _echo_sleeping(connections: list[socket.socket]) -> None:
    waiting = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        waiting.register(number, select.EPOLLIN)
    while True:
        for number, _ in waiting.poll():
            by_number[number].sendall(_received(by_number[number]))


def _echo_spinning(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.setblocking(False)
    while True:
        for connection in connections:
            try:
                data = connection.recv(SIZE_BYTES)
            except BlockingIOError:
                continue
            if not data:
                raise EOFError
            connection.send(data)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(SIZE_BYTES)
    if not data:
        raise EOFError
    return data


def measure(lanes: Sequence[Lane], seconds: float, busy: bool) -> list[dict[str, float]]:
    """One entry per lane, in their order."""
    connections = [_connect(lane, busy) for lane in lanes]
    burst = _burst_spinning if busy else _burst_sleeping
    times_ns: list[list[int]] = [[] for _ in lanes]
    for _ in range(WARM_UP_BURSTS):
        for connection in connections:
            burst(connection)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number, connection in enumerate(connections):
            times_ns[number] += burst(connection)
    for connection in connections:
        connection.close()
    return [_describe(times) for times in times_ns]


def _connect(lane: Lane, busy: bool) -> socket.socket:
    with standing_in(lane.namespace):
        connection = socket.socket()
    connection.settimeout(5.0)
    connection.connect((lane.address, lane.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(not busy)
    return connection


def _burst_sleeping(connection: socket.socket) -> list[int]:
    word, now, times = bytes(SIZE_BYTES), time.perf_counter_ns, []
    for _ in range(BURST):
        start = now()
        connection.send(word)
        connection.recv(SIZE_BYTES)
        times.append(now() - start)
    return times


def _burst_spinning(connection: socket.socket) -> list[int]:
    word, now, times, receive = bytes(SIZE_BYTES), time.perf_counter_ns, [], connection.recv
    for _ in range(BURST):
        start = now()
        connection.send(word)
        while True:
            with contextlib.suppress(BlockingIOError):
                receive(SIZE_BYTES)
                break
        times.append(now() - start)
    return times


def _describe(times_ns: list[int]) -> dict[str, float]:
    in_order = sorted(times_ns)
    return {
        "p50_us": in_order[len(in_order) // 2] / 1000,
        "p99_us": in_order[len(in_order) * 99 // 100] / 1000,
        "count": len(in_order),
    }


def _pin(cpu: int) -> None:
    """Ends on two CPUs, always the same two; a machine with one CPU shares it."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("side", choices=("serve", "measure"))
    words.add_argument("lanes", nargs="+", type=parse_lane, metavar="NETNS=ADDRESS:PORT")
    words.add_argument("--seconds", type=float, default=3.0)
    words.add_argument("--wait", choices=("busy", "block"), default="block")
    given = words.parse_args()
    busy = given.wait == "busy"
    if given.side == "serve":
        _pin(1)
        serve(given.lanes, busy)
    else:
        _pin(0)
        json.dump(measure(given.lanes, given.seconds, busy), sys.stdout)


if __name__ == "__main__":
    main()
