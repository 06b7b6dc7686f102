"""Stopped, not dead: a process that stands still and goes on later, as under a debugger or on an overloaded host."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from tidegate.testing import Client, Cluster, World, wait_until

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves a test's folder off the path
from crash_watch import beating, count_processes, require_undisturbed

FROZEN_S = 3.0


@pytest.mark.parametrize("after_s", [0.0, 0.05])
def test_a_frozen_agent_goes_on_where_it_was(world: World, client: Client, orders: Cluster, after_s: float) -> None:
    """Its socket accepts, its answers do not come; meanwhile more is wished, and nobody gives up or does it twice."""
    session = client.session()
    timer = threading.Timer(after_s, world.kill, ["agent", signal.SIGSTOP])
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
        world.kill("agent", signal.SIGCONT)
    endpoint = vpc.finish_endpoint(orders, endpoint_id, group_id, timeout_s=20)
    assert vpc.client().reaches(endpoint)
    require_undisturbed(world)
    vpc.delete()


def test_a_frozen_agent_is_replaced(world: World, client: Client) -> None:
    """Killed while it stands still: its successor owes nothing to it."""
    world.kill("agent", signal.SIGSTOP)
    vpc = world.vpc("held", "10.8.0.0/16")
    world.kill("agent", signal.SIGKILL)
    world.start()
    world.settle()
    assert vpc.client().run(["true"]).returncode == 0
    assert set(count_processes(world).values()) == {1}
    vpc.delete()


def test_a_frozen_gateway_does_not_hold_the_others_up(world: World, client: Client) -> None:
    """A VPC can be made while a gateway stands still, and its sessions go on when it does."""
    session = client.session()
    world.kill("gateway-alicloud-ap-southeast-1", signal.SIGSTOP)
    try:
        vpc = world.vpc("beside", "10.8.0.0/16", "ap-northeast-1")
        vpc.client()
    finally:
        world.kill("gateway-alicloud-ap-southeast-1", signal.SIGCONT)
    assert session.query("SELECT 1") == [[1]]
    vpc.delete()
    wait_until(world.is_settled, "the world to settle", 20)
