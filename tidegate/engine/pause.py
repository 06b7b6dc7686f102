"""Standing still for a copy: new statements wait outside, those under way end, then the process is stopped.

A copy of a store at any moment is what a ``kill -9`` leaves: TiDB recovers from it.  But TiDB's embedded store keeps
the locks of two-phase commits in memory only, so a transaction that is just being committed would be half there.
Hence the order::

    hold_clients      the kernel drops what clients send (TCP sends it again: they wait, and nothing fails)
    wait_quiet        no statement that may write is under way, and the server has stopped writing to the disk
    freeze            SIGSTOP, until every thread stands.  ... the copy ...  SIGCONT, and the clients go on

Whoever dies in between leaves nothing behind for long: the kernel forgets a held address by itself, and a stopped
server is found by the next look (:func:`thaw`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tidegate.engine.process import Server, is_alive

HOLD_S = 30
"""the kernel lets clients go on after this, whatever became of us"""
NFT_LIMIT_S = 5.0
QUIET_LIMIT_S = 8.0
STILL_S = 0.1
"""so long nothing must have been written: a commit that was acknowledged is carried out within a few ms"""
_POLL_S = 0.01
STOPPED = (b"T", b"t")


class PauseError(Exception):
    """The server does not stand still; the message says why, and it can be tried again."""


@contextlib.contextmanager
def hold_clients(namespace: Path, address: str, port: int) -> Iterator[None]:
    """Until the end of the block, or :data:`HOLD_S`, what others send to ``address`` is dropped.

    Raises :class:`PauseError` where ``nft`` refuses.  The server's own address, which is ours, stays in.
    """
    table = f"tidegate-hold-{address.replace('.', '-')}"
    rules = f"""
        table inet {table} {{
            set held {{ type ipv4_addr; flags timeout; elements = {{ {address} timeout {HOLD_S}s }} }}
            chain input {{
                type filter hook input priority -400; policy accept;
                ip daddr @held ip saddr != {address} tcp dport {port} drop
            }}
        }}"""
    # Added and deleted in one transaction: what a dead predecessor left must not add up.
    _nft(namespace, f"add table inet {table}\ndelete table inet {table}\n{rules}\n")
    try:
        yield
    finally:
        with contextlib.suppress(PauseError):
            _nft(namespace, f"delete table inet {table}\n")


def _nft(namespace: Path, text: str) -> None:
    command = ["nsenter", f"--net={namespace}", "--", "nft", "-f", "-"]
    environment = {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env=environment, timeout=NFT_LIMIT_S
        )
    except OSError as error:
        raise PauseError(f"nft cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise PauseError(f"nft did not answer within {NFT_LIMIT_S:g} s") from error
    if done.returncode:
        raise PauseError(f"the kernel would not hold its clients: {done.stderr.strip()[:200]}")


def wait_quiet(count_writers: Callable[[], int], count_written: Callable[[], int]) -> None:
    """Until no statement that may write is under way and nothing is written any more.  Raises :class:`PauseError`."""
    deadline_s = time.monotonic() + QUIET_LIMIT_S
    written, since_s = -1, time.monotonic()
    while time.monotonic() - since_s < STILL_S:
        # Both, each time: what lay in a socket's queue may begin to run only now.
        writers, now = count_writers(), count_written()
        if writers or now != written:
            written, since_s = now, time.monotonic()
        if time.monotonic() > deadline_s:
            what = f"{writers} statements that write are still running" if writers else "it keeps writing to its store"
            raise PauseError(f"{what} after {QUIET_LIMIT_S:g} s")
        time.sleep(_POLL_S)


@contextlib.contextmanager
def freeze(server: Server) -> Iterator[None]:
    """Stopped from the first instant of the block to its end.  Raises :class:`PauseError` when it does not stop."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        deadline_s = time.monotonic() + 5
        while not _is_stopped(server.pid):
            if not is_alive(server) or time.monotonic() > deadline_s:
                raise PauseError("its server could not be stopped")
            time.sleep(0.001)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGCONT)


def thaw(server: Server) -> None:
    """Let a server go on whom somebody stopped and did not live to start again."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    """Every thread: one in the midst of a write ends it first."""
    with contextlib.suppress(OSError):
        states = [
            (thread / "stat").read_bytes().rpartition(b")")[2].split()[0]
            for thread in Path(f"/proc/{pid}/task").iterdir()
        ]
        return all(state in STOPPED for state in states)
    return False
