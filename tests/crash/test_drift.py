"""Somebody, by hand or by a firewall's script, takes away what we made: it comes back by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.testing import Client, Endpoint, World, wait_until

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves a test's folder off the path
from crash_watch import converged

REGION = "alicloud-ap-southeast-1"
WITHIN_S = 15.0
"""The agent looks at one network, or one region, every 2 s."""


def delete_host_link(world: World, endpoint: Endpoint) -> None:
    world.witness.look(endpoint.vpc.client().namespace, "ip", "link", "delete", "eth0")


def delete_fabric_link(world: World, endpoint: Endpoint) -> None:
    world.witness.look(endpoint.vpc.vpc_id, "ip", "link", "delete", "fabric")


def flush_rules_of_the_vpc(world: World, endpoint: Endpoint) -> None:
    world.witness.look(endpoint.vpc.vpc_id, "nft", "flush", "ruleset")


def flush_rules_of_the_provider(world: World, endpoint: Endpoint) -> None:
    world.witness.look(REGION, "nft", "flush", "ruleset")


def delete_the_endpoints_address(world: World, endpoint: Endpoint) -> None:
    world.witness.look(endpoint.vpc.vpc_id, "ip", "addr", "delete", f"{endpoint.addresses[0]}/32", "dev", "lo")


def delete_the_gateways_address(world: World, endpoint: Endpoint) -> None:
    listed = json.loads(world.witness.look(REGION, "ip", "-json", "-4", "addr", "show", "dev", "lo"))
    addresses = [a["local"] for i in listed for a in i.get("addr_info", ()) if not a["local"].startswith("127.")]
    for address in addresses:
        world.witness.look(REGION, "ip", "addr", "delete", f"{address}/32", "dev", "lo")


def delete_a_route(world: World, endpoint: Endpoint) -> None:
    world.witness.look(endpoint.vpc.vpc_id, "ip", "route", "flush", "dev", "fabric")


@pytest.mark.parametrize(
    "damage",
    [
        delete_host_link,
        delete_fabric_link,
        flush_rules_of_the_vpc,
        flush_rules_of_the_provider,
        delete_the_endpoints_address,
        delete_the_gateways_address,
        delete_a_route,
    ],
    ids=lambda damage: damage.__name__,
)
def test_it_comes_back(
    world: World, client: Client, endpoint: Endpoint, damage: Callable[[World, Endpoint], None]
) -> None:
    """Rules that are gone let everything through, links that are gone let nothing: neither may stay."""
    state = converged(world)
    damage(world, endpoint)
    assert world.witness.state() != state
    wait_until(lambda: world.witness.state() == state, "what was there before", WITHIN_S, poll_s=0.3)
    assert client.reaches(endpoint)
    assert client.query("SELECT 1") == [[1]]
