"""`tidegate vpc exec`: its exit status is what a script builds on, so it must be a shell's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.testing import World
from tidegate.testing.vpcs import Vpc


@pytest.fixture(scope="module")
def vpc(world: World) -> Vpc:
    made = world.vpc("exec")
    made.client().run(["true"])
    return made


def run(world: World, vpc: Vpc, *command: str) -> subprocess.CompletedProcess[str]:
    """By way of a shell, which turns a signal into 128 + N, as in the user's script."""
    exec_ = [sys.executable, "-m", "tidegate", "vpc", "exec", vpc.vpc_id, "--", *command]
    return subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", *exec_],
        env=world.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "status"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_commands_own_status_passes_through(world: World, vpc: Vpc, command: str, status: int) -> None:
    done = run(world, vpc, "sh", "-c", command)
    assert done.returncode == status, done.stderr


def test_no_such_command(world: World, vpc: Vpc) -> None:
    """It was 1, as of a command that ran and failed."""
    done = run(world, vpc, "nosuchcommand")
    assert done.returncode == 127
    assert done.stderr.strip() == (
        "tidegate: There is no command nosuchcommand on this host. Give its path, or install it."
    )


def test_a_command_that_cannot_be_executed(world: World, vpc: Vpc, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a program")
    for command in (str(file), str(tmp_path)):
        done = run(world, vpc, command)
        assert done.returncode == 126
        assert len(done.stderr.strip().splitlines()) == 1 and "cannot be executed" in done.stderr
