"""What a database sees of its client: one address per endpoint, also where the clients' own are the same."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tidegate.domain import fabric
from tidegate.testing import Client, Cluster, World


def seen(client: Client) -> str:
    [[user]] = client.query("SELECT USER()")
    return str(user).rpartition("@")[2]


def test_two_clients_of_one_address_are_told_apart(world: World, orders: Cluster) -> None:
    """docs/concepts/path.md: the client's own address would not tell which VPC speaks."""
    vpcs = [world.vpc(name, "10.0.0.0/16") for name in ("left", "right")]
    for vpc in vpcs:
        vpc.endpoint(orders)
    clients = [vpc.client() for vpc in vpcs]
    own = [client.run(["ip", "-4", "-o", "addr", "show", "scope", "global"]).stdout.split()[3] for client in clients]
    assert own[0] == own[1]
    first, second = (seen(client) for client in clients)
    assert first != second
    assert all(ip_address(address) in ip_network(fabric.CONSUMER_CIDR) for address in (first, second))
    assert seen(clients[0]) == first, "the same at each login"
