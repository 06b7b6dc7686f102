"""A server's process comes to its end as it should, whoever has stopped it before."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tidegate.engine.process import exit_status, forget_process, spawn_server, stop_server

SERVER = f"""#!{sys.executable}
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_server_that_stands_still_ends_in_order(tmp_path: Path) -> None:
    """An agent was killed during a branch's copy, and ``down`` came next: the server, stopped for the copy, could not
    hear SIGTERM and was killed after ten seconds, which tears transactions that a clean end does not.
    """
    binary, console = tmp_path / "server", tmp_path / "console.log"
    binary.write_text(SERVER)
    binary.chmod(0o700)
    server = spawn_server(binary, tmp_path / "tidb.toml", None, console)
    try:
        while console.read_text() != "ready\n":
            os.sched_yield()
        os.kill(server.pid, signal.SIGSTOP)
        stop_server(server, 5.0)
        assert exit_status(server.pid) == 7
    finally:
        stop_server(server, 0)
        forget_process(server.pid)
