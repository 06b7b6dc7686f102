"""A server's process: spawned inside a namespace, found again by anyone, counted, stopped.

The kernel holds the truth.  A server is known by its command line, which names its cluster's ``tidb.toml``;
the record beside the data only makes finding it quick, and tells which wish it answered.  So a server whose
parent died between the spawn and the record is found all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

GOGC = "20"
"""Percent of the live heap that may be garbage.  The store's write buffers (3 x 74 MB, mostly never touched) count
as live, and TiDB's housekeeping makes 3.5 MB of garbage a second: with Go's 100 % an idle server grows to 550 MB
(measured).  In the environment, because a change of TiDB's own GC tuner goes back to what stands there."""

STOP_GRACE_S = 10.0
"""TiDB ends in 1.8 s when idle (measured); after this it is killed, which loses no committed row."""


@dataclass(frozen=True, slots=True)
class Server:
    """A process that is, or was, a cluster's server.  ``started`` is field 22 of /proc/PID/stat (clock ticks)."""

    pid: int
    started: int
    start_seq: int = 0


def spawn_server(binary: Path, config_path: Path, namespace: Path | None, console: Path) -> Server:
    """Start it in a session of its own, so that no signal meant for us reaches it.

    Raises FileNotFoundError when ``nsenter`` or the binary is missing.
    """
    command = [str(binary), f"--config={config_path}"]
    if namespace is not None:
        # nsenter --net execs without a fork, so its pid is the server's.  Not `ip netns exec`: that
        # remounts /sys, and TiDB dies in its cgroup detection.
        command = ["nsenter", f"--net={namespace}", "--", *command]
    with console.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=config_path.parent,
            env=_environment(),
            start_new_session=True,
        )
    _children[child.pid] = child
    return Server(child.pid, _start_time(child.pid) or 0)


def _environment() -> dict[str, str]:
    """Nothing of ours but the path: the environment of a process of ours may hold credentials."""
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "USER": "tidb", "TZ": "UTC", "GOGC": GOGC}
    # Else TiDB counts its CPUs once, at its start, from the limit it has then, and a raised limit would not help it.
    return own | {"GOMAXPROCS": str(len(os.sched_getaffinity(0)))}


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Our own children, kept so that they are reaped; adopted servers belong to init."""


def bound_process(pid: int, memory_limit_bytes: int) -> None:
    """The last line of defence: past twice its limit the server dies, not the host; and it dies before we do."""
    limit = 2 * memory_limit_bytes + (1 << 30)
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")


def is_alive(server: Server) -> bool:
    """False too for a zombie, and when the pid is another process by now."""
    child = _children.get(server.pid)
    if child is not None and child.poll() is not None:
        return False
    return server.started != 0 and _start_time(server.pid) == server.started


def exit_status(pid: int) -> int | None:
    """The exit status of a child of ours that has ended: minus the signal's number when one killed it."""
    child = _children.get(pid)
    try:
        # Not poll(): that answers None while another thread is polling the same child.
        return child.wait(1.0) if child is not None else None
    except subprocess.TimeoutExpired:
        return None


def forget_process(pid: int) -> None:
    _children.pop(pid, None)


def stop_server(server: Server, grace_s: float = STOP_GRACE_S) -> None:
    """SIGTERM, then SIGKILL after ``grace_s``; returns when the process is gone.  Idempotent.

    One that stands still goes on for it: it could not hear SIGTERM, and would be killed in the midst of its work.
    """
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 30.0)):
        if not is_alive(server):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, number)
            os.kill(server.pid, signal.SIGCONT)
        if wait_gone(server, patience_s):
            return


def wait_gone(server: Server, timeout_s: float) -> bool:
    """True as soon as the process is gone."""
    try:
        descriptor = os.pidfd_open(server.pid)
    except OSError:
        return not is_alive(server)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        deadline_s = time.monotonic() + timeout_s
        while is_alive(server) and (left_s := deadline_s - time.monotonic()) > 0:
            poller.poll(left_s * 1000)
    finally:
        os.close(descriptor)
    return not is_alive(server)


def scan_servers() -> dict[Path, Server]:
    """Every process whose command line names a ``--config=.../tidb.toml``, by that path."""
    found: dict[Path, Server] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # Of our own user only: anybody may give a process of theirs such a command line.
            if entry.stat().st_uid != os.geteuid():
                continue
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        for argument in arguments:
            if argument.startswith(b"--config=") and argument.endswith(b"/tidb.toml"):
                started = _start_time(int(entry.name))
                if started is not None:
                    path = Path(os.fsdecode(argument.removeprefix(b"--config=")))
                    found[path] = Server(int(entry.name), started)
    return found


def _start_time(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_inside(server: Server, namespace: Path) -> bool:
    """True when the server's network namespace is the one at ``namespace``."""
    try:
        there, here = Path(f"/proc/{server.pid}/ns/net").stat(), namespace.stat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


# -- the record ---------------------------------------------------------------------------------------------


def save_record(path: Path, server: Server) -> None:
    """Atomically; a torn record would only cost a scan."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(server)))
    draft.replace(path)


def load_record(path: Path) -> Server | None:
    """The recorded server, dead or alive; None when there is none or it cannot be read."""
    try:
        return Server(**{key: int(value) for key, value in json.loads(path.read_text()).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


# -- sessions -----------------------------------------------------------------------------------------------

ESTABLISHED = "01"
"""include/net/tcp_states.h"""


def count_sessions(pids: Iterable[int]) -> dict[tuple[str, int], int]:
    """Established connections per local (address, port), in the namespaces of ``pids``; each is read once."""
    counts: dict[tuple[str, int], int] = {}
    seen: set[tuple[int, int]] = set()
    for pid in pids:
        try:
            namespace = Path(f"/proc/{pid}/ns/net").stat()
            if (namespace.st_dev, namespace.st_ino) in seen:
                continue
            with Path(f"/proc/{pid}/net/tcp").open() as table:
                for key in parse_established(table):
                    counts[key] = counts.get(key, 0) + 1
        except OSError:
            continue
        seen.add((namespace.st_dev, namespace.st_ino))
    return counts


def parse_established(table: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Local ends of established IPv4 connections from /proc/net/tcp, but for a host talking to itself (ours)."""
    for line in table:
        columns = line.split()
        if len(columns) < 4 or columns[3] != ESTABLISHED:
            continue
        (address, _, port), (peer, _, _) = columns[1].partition(":"), columns[2].partition(":")
        if address != peer:
            yield _address(address), int(port, 16)


def _address(text: str) -> str:
    # The kernel prints the 32-bit word as the host stores it, so little-endian machines show it reversed.
    return socket.inet_ntoa(int(text, 16).to_bytes(4, sys.byteorder))
