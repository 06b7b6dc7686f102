"""`tidegate up` in front: whatever ends it, nothing that it started runs on, unless it has detached."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import pytest

from tidegate import installation
from tidegate.testing import World, wait_until

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves a test's folder off the path
from crash_watch import count_processes

UP = [sys.executable, "-m", "tidegate", "up"]
EVERYBODY = {"agent", "serve", "resolvers"}


@pytest.fixture
def fresh() -> Iterator[World]:
    """Not started yet."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the witness looks into namespaces under /run/netns")
    world = World()
    try:
        yield world
    finally:
        world.close()
    assert world.witness.traces() == []


def begin(world: World, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*UP, *options],
        env=world.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(front: subprocess.Popen[str], number: Signals) -> str:
    front.send_signal(number)
    said, _ = front.communicate(timeout=60)
    assert "Traceback" not in said, said
    return said


def wait_for_claim(world: World, front: subprocess.Popen[str]) -> None:
    """Python has loaded, and whatever is started from now on is this front's."""
    record = world.settings.run / "front.json"

    def claimed() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return f'"pid": {front.pid},' in record.read_text()
        return False

    wait_until(claimed, "the front to be in charge", 60)


def is_up(world: World) -> bool:
    """All of it, and the front has seen it."""
    return installation.describe(world.settings) is not None and set(world.witness.processes()) >= EVERYBODY


def everybody(world: World) -> dict[str, list[int]]:
    """Without the server that makes the template of databases, which ends by itself."""
    return {name: pids for name, pids in world.witness.processes().items() if name in EVERYBODY}


def require_nothing(world: World) -> None:
    """No trace, and no guard that waits for a front which is gone."""
    wait_until(lambda: not remains(world), f"nothing to remain: {remains(world)}", 30, poll_s=0.1)


def remains(world: World) -> list[str]:
    """Traces, and any process that was started with this world's run folder."""
    mark = f"TIDEGATE_RUN={world.settings.run}".encode()
    found = list(world.witness.traces())
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def test_a_start_that_fails_leaves_nothing(fresh: World) -> None:
    """The agent was started, `serve` found its port taken: the agent, its resolvers and its world ran on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = fresh.environment() | {"TIDEGATE_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"}
        done = subprocess.run(UP, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "TIDEGATE_LISTEN" in done.stderr
    require_nothing(fresh)


@pytest.mark.parametrize(("number", "after_s"), [(SIGINT, 0.0), (SIGTERM, 0.3), (SIGINT, 0.6), (SIGTERM, 1.2)])
def test_interrupted_while_it_starts(fresh: World, number: Signals, after_s: float) -> None:
    front = begin(fresh)
    wait_for_claim(fresh, front)
    threading.Event().wait(after_s)  # the moment under test
    end(front, number)
    require_nothing(fresh)


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP])
def test_interrupted_in_front(fresh: World, number: Signals) -> None:
    """SIGHUP: a terminal that is closed left everything running."""
    front = begin(fresh)
    wait_until(lambda: is_up(fresh), "the start", 30)
    end(front, number)
    require_nothing(fresh)


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.8, None])
def test_killed(fresh: World, after_s: float | None) -> None:
    """kill -9 of the front, while it starts or later: nobody was left who would stop the rest."""
    front = begin(fresh)
    if after_s is None:
        wait_until(lambda: is_up(fresh), "the start", 30)
    else:
        wait_for_claim(fresh, front)
        threading.Event().wait(after_s)  # the moment under test
    front.kill()
    front.wait()
    require_nothing(fresh)


def test_killed_and_started_again_at_once(fresh: World) -> None:
    """As a service manager does it: the dead one's guard must not take the new one's processes away."""
    front = begin(fresh)
    wait_until(lambda: is_up(fresh), "the start", 30)
    for _ in range(3):
        front.kill()
        front.wait()
        front = begin(fresh)
        wait_for_claim(fresh, front)
        wait_until(lambda: is_up(fresh), "the new start", 30)
    fresh.settle()
    assert set(count_processes(fresh).values()) == {1}
    end(front, SIGINT)
    require_nothing(fresh)


def test_detached_it_runs_on(fresh: World) -> None:
    """And a second `up`, which only looks on, takes nothing away, however it ends."""
    front = begin(fresh, "--detach")
    assert front.wait(60) == 0
    before = everybody(fresh)
    assert set(before) == EVERYBODY
    for number in (SIGINT, SIGKILL):
        onlooker = begin(fresh)
        assert onlooker.stdout
        wait_until(lambda: "only looks on" in onlooker.stdout.readline(), "it to look on", 30)  # noqa: B023
        end(onlooker, number)
        assert everybody(fresh) == before
    fresh.stop()
    require_nothing(fresh)


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
def test_the_demo_takes_its_own_away(fresh: World, number: Signals) -> None:
    """In the middle of its steps, with a cluster and a VPC made; killed, its guard does it."""
    demo = subprocess.Popen(
        [*UP[:-1], "demo"], env=fresh.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert demo.stdout
    wait_until(lambda: "Active, Connected" in demo.stdout.readline(), "its second step", 60)
    said = end(demo, number)
    assert number is SIGKILL or said.rstrip().endswith("is taken away again.")
    require_nothing(fresh)
