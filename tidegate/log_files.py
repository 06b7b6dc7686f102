"""Log files of bounded size: ``serve.log`` is renamed ``serve.log.1`` when it is full, and so on; the oldest goes.

A process's stdout and stderr are its log file, opened by whoever started it, so that also what Python itself says on
its way down is kept.  Whoever starts a process rotates before; while it lives, it does so itself (:class:`LogStream`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from pathlib import Path

LOG_BYTES = 8 << 20
OLDER_FILES = 2
"""beside the one that is written: 24 MiB per process"""


def rotate_if_full(path: Path, limit_bytes: int = LOG_BYTES) -> None:
    """Nothing happens where it cannot be done: a log is no reason to fail."""
    with contextlib.suppress(OSError):
        if path.stat().st_size < limit_bytes:
            return
        older = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, OLDER_FILES + 1))]
        for newer, file in reversed(list(itertools.pairwise(older))):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(file)


class LogStream:
    """A text stream onto this process's stderr, which is ``path``; any thread may write."""

    def __init__(self, path: Path, limit_bytes: int = LOG_BYTES) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            self._make_room()
            sys.stderr.write(text)
            sys.stderr.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _make_room(self) -> None:
        """Rotate, or follow another process that has: two gateways of one region may write for a while."""
        with contextlib.suppress(OSError):
            ours = os.fstat(2)
            if ours.st_size >= self._limit_bytes and _is(ours, self._path):
                rotate_if_full(self._path, self._limit_bytes)
            if not _is(ours, self._path):
                self._reopen(ours)

    def _reopen(self, before: os.stat_result) -> None:
        fresh = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            for descriptor in (1, 2):
                if os.path.samestat(os.fstat(descriptor), before):
                    os.dup2(fresh, descriptor)
        finally:
            os.close(fresh)


def is_our_log(path: Path) -> bool:
    """Whether stderr is this file: not so under a debugger, or a service manager that keeps the log itself."""
    try:
        return _is(os.fstat(2), path)
    except OSError:
        return False


def _is(found: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(found, path.stat())
    except FileNotFoundError:
        return False
