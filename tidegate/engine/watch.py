"""One thread that watches all servers: a pidfd each, and once a second a look at the kernel's connections."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from tidegate.engine.process import Server, count_sessions, is_alive

TICK_S = 1.0

_log = logging.getLogger(__name__)


class Watcher:
    """``on_tick`` once a second, ``on_exit`` for a process that ended, ``on_sessions`` with all counts.

    All are called from this one thread; ``watch`` from any.
    """

    def __init__(
        self,
        on_tick: Callable[[], None],
        on_exit: Callable[[str, Server], None],
        on_sessions: Callable[[dict[tuple[str, int], int]], None],
    ) -> None:
        self._on_tick, self._on_exit, self._on_sessions = on_tick, on_exit, on_sessions
        self._lock = threading.Lock()
        self._wanted: dict[str, Server] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, servers: Mapping[str, Server]) -> None:
        """From now on exactly these.  The thread begins with the first call."""
        with self._lock:
            if self._closed:
                return
            self._wanted = dict(servers)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine-watch", daemon=True)
                self._thread.start()
        self._wake()

    def close(self) -> None:
        """Idempotent; returns when no call-back can come any more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def _run(self) -> None:
        held: dict[str, tuple[Server, int]] = {}
        next_tick_s = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._closed:
                ended = self._follow(selector, held)
                for cluster_id, server in ended:
                    self._guard(partial(self._on_exit, cluster_id, server))
                if time.monotonic() >= next_tick_s:
                    next_tick_s = time.monotonic() + TICK_S
                    self._guard(self._on_tick)
                    self._guard(lambda: self._on_sessions(count_sessions(s.pid for s, _ in held.values())))
                selector.select(max(0.0, next_tick_s - time.monotonic()))
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            for _, descriptor in held.values():
                os.close(descriptor)

    def _follow(
        self, selector: selectors.BaseSelector, held: dict[str, tuple[Server, int]]
    ) -> list[tuple[str, Server]]:
        """Make the selector hold exactly the wanted pidfds; returns those that have ended, which it drops."""
        with self._lock:
            wanted = dict(self._wanted)
        ended = []
        for cluster_id, (server, descriptor) in list(held.items()):
            same = _same(wanted.get(cluster_id), server)
            if same and is_alive(server):
                continue
            selector.unregister(descriptor)
            os.close(descriptor)
            del held[cluster_id]
        for cluster_id, server in wanted.items():
            if cluster_id in held:
                held[cluster_id] = (server, held[cluster_id][1])
                continue
            try:
                descriptor = os.pidfd_open(server.pid)
            except OSError:
                ended.append((cluster_id, server))
                continue
            if not is_alive(server):
                os.close(descriptor)
                ended.append((cluster_id, server))
                continue
            selector.register(descriptor, selectors.EVENT_READ)
            held[cluster_id] = (server, descriptor)
        return ended

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _log.exception("engine: a watcher's call-back failed")


def _same(wanted: Server | None, held: Server) -> bool:
    return wanted is not None and (wanted.pid, wanted.started) == (held.pid, held.started)
