"""How a gateway takes over the listening sockets of one that stands still, or hangs.

A listening socket is the kernel's, and its queue of clients is one, however many processes hold it.  So the successor
takes a second descriptor of the very same socket (pidfd_getfd(2), Linux 5.6; for it the kernel asks the same rights as
for a debugger, which root has, and the world's own root).  The one that stands still accepts nobody, those who wait in
the queue are served at once, and the sessions that it holds stay with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tidegate.agent.processes import find_processes
from tidegate.settings import Settings

PIDFD_GETFD = 438
"""include/uapi/asm-generic/unistd.h; the same on every architecture"""

_libc = ctypes.CDLL(None, use_errno=True)


def take_listeners(settings: Settings) -> Iterator[socket.socket]:
    """Every listening IPv4 socket of another living process of this installation with our own command line."""
    argv = [os.fsdecode(word) for word in Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]]
    for pid in find_processes(argv, {"TIDEGATE_RUN": str(settings.run)}):
        if pid != os.getpid():
            yield from _listeners_of(pid)


def _listeners_of(pid: int) -> Iterator[socket.socket]:
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                if str(entry.readlink()).startswith("socket:") and (sock := _duplicate(process, int(entry.name))):
                    yield sock
        finally:
            os.close(process)


def _duplicate(process: int, descriptor: int) -> socket.socket | None:
    """None for what is no listening IPv4 socket, or is gone by now."""
    copy = _libc.syscall(PIDFD_GETFD, process, descriptor, 0)
    if copy < 0:
        return None
    sock = socket.socket(fileno=copy)
    if sock.family == socket.AF_INET and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return sock
    sock.close()
    return None
