"""A process and its record: pids are reused, so a process is known by its pid and its start time together.

A record is a small JSON file in the run folder, written by whoever started the process; a process whose starter died
before it could write one is found by its command line and environment.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def process_start(pid: int) -> str | None:
    """Clock ticks since boot at which ``pid`` started (proc(5), stat field 22); None when it is not there."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


def is_stopped(pid: int) -> bool:
    """Stopped by a signal or held by a debugger: it lives and answers nobody (proc(5), states T and t)."""
    fields = _stat(pid)
    return fields is not None and fields[0] in "Tt"


def explain_silence(name: str, pid: int | None) -> str:
    """One sentence on a process of ours that does not answer, with the remedy."""
    if pid is None:
        return f"{name} does not run. Start it again: tidegate up."
    if is_stopped(pid):
        return (
            f"{name} (process {pid}) stands still: a signal or a debugger has stopped it. Let it go on: "
            f"kill -CONT {pid}."
        )
    return f"{name} (process {pid}) does not answer: it is busy, or hangs. If it stays so: kill -9 {pid}; tidegate up."


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def write_record(path: Path, pid: int) -> None:
    """Atomically: a reader sees the old record or this one."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"pid": pid, "start": process_start(pid)}))
    draft.replace(path)


def read_record(path: Path) -> int | None:
    """The living process's pid; a record whose start time differs belongs to a dead one."""
    try:
        record = json.loads(path.read_text())
        pid, started = int(record["pid"]), str(record["start"])
    except (OSError, ValueError, KeyError):
        return None
    return pid if process_start(pid) == started else None


def find_processes(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """The living processes of our user's with this command line and at least these variables."""
    line = b"".join(os.fsencode(word) + b"\0" for word in argv)
    wanted = {os.fsencode(f"{name}={value}") for name, value in environment.items()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if entry.stat().st_uid != os.geteuid() or (entry / "cmdline").read_bytes() != line:
                continue
            if wanted <= set((entry / "environ").read_bytes().split(b"\0")) and process_start(int(entry.name)):
                yield int(entry.name)
