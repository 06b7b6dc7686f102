"""Logs are bounded: a `serve` that was asked twice a second for a year filled its disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.agent import child as module
from tidegate.agent.child import Child
from tidegate.log_files import OLDER_FILES, rotate_if_full

LIMIT = 10_000
PROGRAM = """
import functools, logging, sys
import structlog
from tidegate.app import process
from tidegate.settings import load_settings

process.LogStream = functools.partial(process.LogStream, limit_bytes=int(sys.argv[1]))
process.configure_logging(load_settings(), "serve")
log = structlog.get_logger("x")
for number in range(2000):
    log.info("request", number=number)
    if number % 100 == 0:
        print("raw", number, file=sys.stderr, flush=True)
        logging.getLogger("asyncio").error("library %d", number)
print("the end", flush=True)
"""


def run(home: Path) -> None:
    environment = {**os.environ, "TIDEGATE_HOME": str(home), "TIDEGATE_RUN": str(home / "run")}
    (home / "logs").mkdir(exist_ok=True)
    with (home / "logs" / "serve.log").open("ab") as output:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(LIMIT)],
            env=environment,
            stdout=output,
            stderr=output,
            check=True,
            timeout=60,
        )


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def test_a_process_bounds_its_own_log(tmp_path: Path) -> None:
    """Also what Python and the libraries say by themselves; and the last words are in the newest file."""
    run(tmp_path)
    found = sizes(tmp_path / "logs")
    assert set(found) == {"serve.log", *(f"serve.log.{n}" for n in range(1, OLDER_FILES + 1))}
    assert max(found.values()) < LIMIT + 1000
    kept = (tmp_path / "logs" / "serve.log").read_text()
    assert "the end" in kept and '"number": 1999' in kept
    older = (tmp_path / "logs" / "serve.log.1").read_text() + kept
    assert "raw 1900" in older and "library 1900" in older


def test_a_child_that_dies_at_once_fills_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never comes to the point where it would bound its log, and is started again and again."""
    monkeypatch.setattr(module, "rotate_if_full", lambda path: rotate_if_full(path, LIMIT))
    monkeypatch.setattr(module, "BACKOFF_S", (0.0,))

    async def scene() -> None:
        words = [sys.executable, "-S", "-c", f"print('x' * {LIMIT // 2})"]
        child = Child("gateway-east", words, run=tmp_path, logs=tmp_path / "logs", environment={})
        child.start()
        async with asyncio.timeout(20):
            while not (tmp_path / "logs" / f"gateway-east.log.{OLDER_FILES}").exists():
                await asyncio.sleep(0.02)
        await child.stop()

    asyncio.run(scene())
    assert max(sizes(tmp_path / "logs").values()) <= LIMIT + LIMIT // 2


def test_another_process_has_rotated(tmp_path: Path) -> None:
    """Two gateways of one region write for a while: the one that did not rotate follows."""
    log = tmp_path / "x.log"
    program = """
import sys
from pathlib import Path
from tidegate.log_files import LogStream
stream = LogStream(Path(sys.argv[1]))
stream.write("one\\n")
Path(sys.argv[1]).rename(sys.argv[1] + ".1")
stream.write("two\\n")
"""
    with log.open("ab") as output:
        subprocess.run([sys.executable, "-c", program, str(log)], stderr=output, check=True, timeout=30)
    assert (tmp_path / "x.log.1").read_text() == "one\n"
    assert log.read_text() == "two\n"
