"""Stopped, not dead: a process that stands still and goes on later, as under a debugger or on an overloaded host."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from tidegate.agent.processes import process_start
from tidegate.testing import Client, Cluster, Endpoint, World, wait_until

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves a test's folder off the path
from crash_watch import beating, converged, count_processes, require_undisturbed

GATEWAY = "gateway-alicloud-ap-southeast-1"
FROZEN_S = 3.0


@pytest.mark.parametrize("after_s", [0.0, 0.05])
def test_a_frozen_agent_goes_on_where_it_was(world: World, client: Client, orders: Cluster, after_s: float) -> None:
    """Its socket accepts, its answers do not come; meanwhile more is wished, and nobody gives up or does it twice."""
    session = client.session()
    timer = threading.Timer(after_s, world.kill, ["agent", SIGSTOP])
    timer.start()
    vpc = world.vpc("frozen", "10.8.0.0/16")
    vpc.begin_client()
    endpoint_id, group_id = vpc.begin_endpoint(orders)
    timer.join()
    try:
        with beating(session) as beats:
            threading.Event().wait(FROZEN_S)  # the time under test
        assert beats.failed == []
    finally:
        world.kill("agent", SIGCONT)
    endpoint = vpc.finish_endpoint(orders, endpoint_id, group_id, timeout_s=20)
    assert vpc.client().reaches(endpoint)
    session.close()
    require_undisturbed(world)
    vpc.delete()


def test_a_frozen_agent_is_replaced(world: World, client: Client) -> None:
    """Killed while it stands still: its successor owes nothing to it."""
    world.kill("agent", SIGSTOP)
    vpc = world.vpc("held", "10.8.0.0/16")
    world.kill("agent", SIGKILL)
    world.start()
    world.settle()
    assert vpc.client().run(["true"]).returncode == 0
    assert set(count_processes(world).values()) == {1}
    vpc.delete()


def test_a_frozen_gateway_does_not_hold_the_others_up(world: World, client: Client) -> None:
    """A VPC can be made while a gateway stands still, and its sessions go on when it does."""
    session = client.session()
    world.kill(GATEWAY, SIGSTOP)
    try:
        vpc = world.vpc("beside", "10.8.0.0/16", "ap-northeast-1")
        vpc.client()
    finally:
        world.kill(GATEWAY, SIGCONT)
    assert session.query("SELECT 1") == [[1]]
    session.close()
    vpc.delete()
    wait_until(world.is_settled, "the world to settle", 20)


def frozen(world: World, name: str) -> int:
    (pid,) = world.kill(name, SIGSTOP)
    return pid


def said(world: World) -> str:
    """What `tidegate status` prints, in the ten seconds it may take at most."""
    command = [sys.executable, "-m", "tidegate", "status"]
    done = subprocess.run(command, env=world.environment(), capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 1, done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["agent", "serve", "resolvers", GATEWAY])
def test_status_names_who_stands_still(world: World, client: Client, name: str) -> None:
    """`status` waited half a minute for a frozen `serve`, and took a frozen gateway for one that is well."""
    pid = frozen(world, name)
    try:
        sentences = said(world)
    finally:
        os.kill(pid, SIGCONT)
    (line,) = [line for line in sentences.splitlines() if f"kill -CONT {pid}" in line]
    assert f"{name} (process {pid}) stands still" in line


def test_frozen_resolvers_are_replaced(world: World, client: Client, endpoint: Endpoint) -> None:
    """They hold nothing: killed and started anew, every VPC has its names again."""
    state = converged(world)
    pid = frozen(world, "resolvers")
    wait_until(lambda: process_start(pid) is None, "its end", 15)
    wait_until(lambda: bool(client.dial(endpoint.domain)), "a name to resolve again", 15)
    assert converged(world) == state


def test_a_frozen_gateway_is_succeeded(world: World, client: Client, orders: Cluster) -> None:
    """Its sessions are not cut: they wait.  New ones go to a successor on the very same listening socket, at once for
    those who wait in its queue; and when it goes on, it serves its own sessions to their end, then goes.
    """
    session = client.session()
    state = converged(world)
    pid = frozen(world, GATEWAY)
    try:
        started = time.monotonic()
        assert client.query("SELECT 1") == [[1]], "this login waited in the queue"
        assert time.monotonic() - started < 15
        assert len(world.witness.processes()[GATEWAY]) == 2
        assert f"kill -CONT {pid}" in said(world)
        assert "takes new sessions" in said(world)
    finally:
        os.kill(pid, SIGCONT)
    for _ in range(20):
        assert client.query("SELECT 1") == [[1]], "each new session, also while the old gateway wakes up"
    assert session.query("SELECT 40 + 2") == [[42]], "the old session was not cut"
    session.close()
    wait_until(lambda: pid not in world.witness.processes()[GATEWAY], "the end of the old gateway", 15)
    assert client.query("SELECT 1") == [[1]]
    assert converged(world) == state


def test_a_gateway_frozen_for_good_does_not_outlive_down(world: World, client: Client) -> None:
    frozen(world, GATEWAY)
    wait_until(lambda: len(world.witness.processes()[GATEWAY]) == 2, "a successor", 15)
    world.stop()
    assert world.witness.traces() == []


def test_a_change_is_carried_out_while_a_gateway_stands_still(world: World, client: Client, orders: Cluster) -> None:
    """A configuration that the frozen gateway had to be told held every later change of the host up, without end."""
    pid = frozen(world, GATEWAY)
    try:
        vpc = world.vpc("beside", "10.8.0.0/16")
        endpoint = vpc.endpoint(orders)
        assert vpc.client().reaches(endpoint)
    finally:
        os.kill(pid, SIGCONT)
    vpc.delete()


@pytest.mark.parametrize("name", ["agent", "serve"])
def test_up_replaces_who_stands_still(world: World, client: Client, name: str) -> None:
    """`tidegate up` waited for it half a minute, and gave up."""
    session = client.session()
    pid = frozen(world, name)
    world.start()
    assert process_start(pid) is None
    assert session.query("SELECT 1") == [[1]]
    session.close()
    world.settle()
