"""Commands that wait for the host say what stands in the way, instead of only waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from signal import SIGCONT, SIGSTOP

import pytest

from tidegate.testing import Client, Cluster, World, wait_until

CLI = [sys.executable, "-m", "tidegate"]


def commands(client: Client, orders: Cluster) -> dict[str, list[str]]:
    vpc = client.vpc.vpc_id
    return {
        "cluster": ["cluster", "create", "while-away", "-o", "json"],
        "endpoint": ["endpoint", "create", "again", "--vpc", "test-waiting", "--cluster", "orders", "-o", "json"],
        "exec": ["vpc", "exec", vpc, "--host", "while-away", "--", "true"],
    }


@pytest.mark.parametrize("what", ["cluster", "endpoint", "exec"])
def test_the_agent_is_dead(world: World, client: Client, orders: Cluster, what: str) -> None:
    """`tidegate cluster create` showed a spinner for three minutes beside a dead agent."""
    vpc = world.vpc("waiting", "10.11.0.0/16")
    assert world.kill("agent")
    try:
        waiting, said = begin(world, commands(client, orders)[what])
        wait_until(lambda: "Still waiting" in "".join(said), "a word on the agent", 15)
        (line,) = [line for line in said if "Still waiting" in line]
        assert "agent does not run" in line and "tidegate up" in line
        assert waiting.poll() is None, "it may come back: the command waits on"
    finally:
        world.start()
    assert waiting.wait(60) == 0, said
    vpc.delete()


def test_the_agent_stands_still(world: World, client: Client, orders: Cluster) -> None:
    (pid,) = world.kill("agent", SIGSTOP)
    try:
        waiting, said = begin(world, ["vpc", "exec", client.vpc.vpc_id, "--host", "later", "--", "true"])
        wait_until(lambda: f"kill -CONT {pid}" in "".join(said), "a word on the agent", 15)
    finally:
        os.kill(pid, SIGCONT)
    assert waiting.wait(60) == 0, said


def begin(world: World, command: list[str]) -> tuple[subprocess.Popen[str], list[str]]:
    """The process, and the lines that it says as it says them."""
    process = subprocess.Popen(
        [*CLI, *command], env=world.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said: list[str] = []

    def listen() -> None:
        assert process.stderr
        for line in process.stderr:
            said.append(line)

    threading.Thread(target=listen, daemon=True).start()
    return process, said
