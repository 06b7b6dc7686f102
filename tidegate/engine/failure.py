"""Why a server is not there, in one sentence with the remedy (pure, but for the tail of its logs)."""

from __future__ import annotations

import errno
import re
import signal
from pathlib import Path

from tidegate.engine.folder import Folder

_KNOWN = (
    (
        re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE),
        "The disk is full: make room, and it starts again by itself",
    ),
    (
        re.compile(r"address already in use", re.IGNORECASE),
        "Its port is taken by another process: stop that one, and it starts again by itself",
    ),
    (
        re.compile(r"cannot assign requested address", re.IGNORECASE),
        "Its address is not in its namespace yet (our side); it is tried again",
    ),
    (
        re.compile(r"cannot allocate memory|out of memory", re.IGNORECASE),
        "It ran past its memory bound: raise cluster_memory_mib, or read less in one statement",
    ),
    (
        re.compile(r"permission denied|read-only file system", re.IGNORECASE),
        "Its folder cannot be written: give the folder back to the user that runs Tidegate",
    ),
)


_FATAL = re.compile(r"^(panic|fatal error)|\[(FATAL|PANIC)\]|^\S*error:", re.IGNORECASE)
_LOG_HEAD = re.compile(r"^\[\d{4}/[^]]*\] \[[A-Z]+\] \[[^]]*\] ")
"""Of TiDB's log: time, level, place in the source."""
_TAIL_BYTES = 16384


def decide_telling_line(text: str, plain: bool) -> str:
    """Of a server's output: the last line that is an error's; ``plain``: else the last one at all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _FATAL.search(line)]
    last = errors[-1:] or (lines[-1:] if plain else [])
    return _LOG_HEAD.sub("", last[0]).partition(" [stack=")[0][:300] if last else ""


def read_last_words(folder: Folder) -> str:
    """Why it ended, in its own words: a panic on its console, else an error in its log; else empty."""
    said = decide_telling_line(_tail(folder.console), plain=True)
    return said or decide_telling_line(_tail(folder.log), plain=False)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def decide_reason(last_line: str, status: int | None) -> str:
    """One sentence from the server's last words and its exit status (minus the signal's number, or None)."""
    how = _describe_status(status)
    for pattern, meaning in _KNOWN:
        if pattern.search(last_line):
            return f"{meaning} ({how}; it said: {last_line})."
    if status == -signal.SIGKILL:
        return "tidb-server was killed (SIGKILL), perhaps for want of memory; it is started again."
    return f"tidb-server {how}; it said: {last_line}." if last_line else f"tidb-server {how} without a word."


def _describe_status(status: int | None) -> str:
    if status is None:
        return "ended"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def describe_exit(folder: Folder, status: int | None) -> str:
    """:func:`decide_reason` from what the server left in its folder."""
    return decide_reason(read_last_words(folder), status)


def describe_os_error(error: OSError) -> str:
    """One sentence for what the system refused us."""
    where = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The disk is full{where}: make room, and it is tried again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"A file cannot be used{where}: give it back to the user that runs Tidegate."
        case errno.ENOENT if error.filename == "nsenter":
            return "nsenter is missing: install util-linux."
        case _:
            return f"The system refused: {error.strerror or error}{where}."
