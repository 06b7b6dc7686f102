"""What each server has used, by the kernel's own counters: no work per query, and out of a tenant's reach.

The counters of a process end with it, so each look adds what is new to a total, and total and counter are kept in
one record beside the data.  Whoever looks next, another agent too, goes on from there; between the last look and a
process's end nothing more than one interval is lost.

::

    /proc/PID/stat  CPU time, all threads            /proc/PID/io  read_bytes, write_bytes: to and from the disk
                                                                   wchar: all written, to sockets and files alike
    sent = wchar - write_bytes: the store writes around the page cache, so what is no disk write went to a client
    (measured with TiDB 8.5.4: 10.02 MB for a SELECT of 10.00 MB, 0.00 MB for an INSERT of as much)
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tidegate.domain.usage import Consumption
from tidegate.engine.folder import Folder
from tidegate.engine.process import Server

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Counters:
    """Of one process since its start (proc(5)); they only grow."""

    cpu_s: float = 0.0
    read_bytes: int = 0
    disk_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """``total`` is all that was counted, up to ``counters`` of the process ``pid`` that began at ``started``."""

    pid: int = 0
    started: int = 0
    counters: Counters = field(default_factory=Counters)
    total: Counters = field(default_factory=Counters)


class Meter:
    """The totals of all clusters of one host.  Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._stored: dict[str, int] = {}

    def measure(self, cluster_id: str, folder: Folder, server: Server | None) -> None:
        """Add what this server has used since the last look; without one, only know what was used before."""
        stored_bytes = measure_data(folder.data)
        with self._lock:
            before = self._records.get(cluster_id) or load_record(folder.usage)
            # Read under the lock: with counters older than those of the record, the difference would count twice.
            counters = read_counters(server) if server is not None else None
            record = advance(before, server, counters) if server is not None and counters is not None else before
            if record != before:
                # No room or no folder: it is tried again at the next look, which knows all that this one knew.
                with contextlib.suppress(OSError):
                    save_record(folder.usage, record)
            self._records[cluster_id], self._stored[cluster_id] = record, stored_bytes

    def forget(self, cluster_id: str) -> None:
        with self._lock:
            self._records.pop(cluster_id, None)
            self._stored.pop(cluster_id, None)

    def consumptions(self) -> dict[str, Consumption]:
        with self._lock:
            return {key: _consumption(record.total, self._stored[key]) for key, record in self._records.items()}


def advance(record: Record, server: Server, now: Counters) -> Record:
    """The record after a look at ``server``; a process that it does not know counts from its start."""
    same = (record.pid, record.started) == (server.pid, server.started)
    before = record.counters if same else Counters()
    total = Counters(
        cpu_s=record.total.cpu_s + max(0.0, now.cpu_s - before.cpu_s),
        read_bytes=record.total.read_bytes + max(0, now.read_bytes - before.read_bytes),
        disk_bytes=record.total.disk_bytes + max(0, now.disk_bytes - before.disk_bytes),
        written_bytes=record.total.written_bytes + max(0, now.written_bytes - before.written_bytes),
    )
    return Record(server.pid, server.started, now, total)


def _consumption(total: Counters, stored_bytes: int) -> Consumption:
    return Consumption(
        cpu_s=total.cpu_s,
        read_bytes=total.read_bytes,
        written_bytes=total.disk_bytes,
        sent_bytes=max(0, total.written_bytes - total.disk_bytes),
        stored_bytes=stored_bytes,
    )


def read_counters(server: Server) -> Counters | None:
    """None when the process is gone, or is another one by now."""
    try:
        stat = Path(f"/proc/{server.pid}/stat").read_bytes().rpartition(b")")[2].split()
        io = dict(line.split(": ") for line in Path(f"/proc/{server.pid}/io").read_text().splitlines())
    except OSError:
        return None
    if int(stat[19]) != server.started:
        return None
    cpu_s = (int(stat[11]) + int(stat[12])) / _TICKS_PER_S
    return Counters(cpu_s, int(io["read_bytes"]), int(io["write_bytes"]), int(io["wchar"]))


def count_written(server: Server) -> int:
    """Bytes that it has given to the disk since its start; -1 when it is gone."""
    counters = read_counters(server)
    return counters.disk_bytes if counters else -1


def measure_data(folder: Path) -> int:
    """Bytes that are there: of the store's log 256 MB are reserved, and only what was written counts."""
    total = 0
    # Not rglob, which raises for a folder that goes while it is read: a cluster may be deleted meanwhile.
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                path = Path(above) / name
                if path.is_file():
                    total += _written_bytes(path)
    return total


def _written_bytes(path: Path) -> int:
    written = position = 0
    # SEEK_DATA raises ENXIO behind the last data.
    with path.open("rb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            written += position - begin
    return written


def load_record(path: Path) -> Record:
    """An empty one when there is none, or it cannot be read."""
    try:
        value = json.loads(path.read_text())
        return Record(value["pid"], value["started"], Counters(**value["counters"]), Counters(**value["total"]))
    except (OSError, ValueError, TypeError, KeyError):
        return Record()


def save_record(path: Path, record: Record) -> None:
    """Atomically.  Raises OSError."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(path)
