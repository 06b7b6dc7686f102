"""A child is found again whatever its starter's death left undone, and one that cannot start delays nobody twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tidegate.agent import child as module
from tidegate.agent.child import Child
from tidegate.agent.config import HostConfig

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def make(tmp_path: Path, argv: list[str]) -> Child:
    environment = {"TIDEGATE_RUN": str(tmp_path)}
    return Child("gateway-east", argv, run=tmp_path, logs=tmp_path / "logs", environment=environment)


def test_a_child_started_but_not_recorded_is_found(tmp_path: Path) -> None:
    """Killed between start and record, the agent was followed by one that started a second gateway: the port was
    taken, and the first one was never told anything again.
    """
    orphan = subprocess.Popen(SLEEP, env={**os.environ, "TIDEGATE_RUN": str(tmp_path)}, start_new_session=True)
    stranger = subprocess.Popen(SLEEP, env={**os.environ, "TIDEGATE_RUN": "/elsewhere"}, start_new_session=True)

    async def scene() -> None:
        child = make(tmp_path, SLEEP)
        child.start()
        async with asyncio.timeout(5):
            while child._recorded() is None:
                await asyncio.sleep(0.01)
        assert child._recorded() == orphan.pid
        await child.stop()

    try:
        time.sleep(0.2)  # both have become what they are
        asyncio.run(scene())
        assert orphan.wait(5) != 0
        assert stranger.poll() is None
    finally:
        orphan.kill()
        stranger.kill()
        orphan.wait()
        stranger.wait()


def test_a_child_that_does_not_start_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change of the host, of any region, waited the whole limit again for one gateway that kept dying."""
    monkeypatch.setattr(module, "CONNECT_LIMIT_S", 0.3)

    async def scene() -> None:
        child = make(tmp_path, ["/bin/false"])
        child.start()
        began = time.monotonic()
        for _ in range(5):
            assert "has not started" in (await child.apply(HostConfig()))[""]
        assert 0.3 <= time.monotonic() - began < 0.9
        await child.stop()

    asyncio.run(scene())
