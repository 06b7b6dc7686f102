"""What the data plane reports of packets, against what the test itself sent."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from netns_witness import Server, talks
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, World

from tidegate.dataplane.config import DataPlaneError, NetworkConfig, Policy, PolicyRow
from tidegate.dataplane.ruleset import REFUSED_FLOWS
from tidegate.domain.traffic import DEFAULT_RULE, NetworkTraffic, Refused

DENY_3306 = PolicyRow("sgr-no-mysql", "drop", "tcp", (3306, 3306))
ALLOW = PolicyRow("sgr-yes", "accept", "tcp", (4000, 4000))
JUDGED = Policy("p-endpoint", ingress=(DENY_3306, ALLOW), egress=())
SENDER = Policy("p-sender", ingress=(), egress=(PolicyRow("sgr-no-out", "drop", "tcp", (5000, 5000)),))


def judged(world: World) -> NetworkConfig:
    config = replace(
        NETWORK,
        hosts=(replace(HOST, policy_id="p-sender"),),
        endpoints=(replace(ENDPOINT, policy_id="p-endpoint"),),
        policies=(JUDGED, SENDER),
    )
    world.plane.apply_network(config)
    return config


def told(traffic: NetworkTraffic) -> dict[int, Refused]:
    """port -> what is known of it"""
    return {flow.port: flow for flow in traffic.refused}


def test_refused_by_rule(world: World, gateway: Server) -> None:
    """Who was dropped, where, by which rule of whom: the one question about a connection that does not come up."""
    config = judged(world)
    app = world.place("app")
    for port in (3306, 9999, 5000):
        assert not app.reaches(ENDPOINT.address, port)
    seen = told(world.plane.observe_network(config))
    assert {port: (flow.hop, flow.rule_id) for port, flow in seen.items()} == {
        3306: ("ingress", "sgr-no-mysql"),
        9999: ("ingress", DEFAULT_RULE),
        5000: ("egress", "sgr-no-out"),
    }
    for flow in seen.values():
        assert (flow.protocol, flow.source, flow.destination) == ("tcp", HOST.address, ENDPOINT.address)
        assert flow.packets >= 1 and flow.ago_s <= 3


def test_refused_by_a_hop(world: World, gateway: Server) -> None:
    """What the groups allow may still be no port of the endpoint, or no address of the VPC."""
    allow_all = Policy("open", ingress=(PolicyRow("sgr-all", "accept"),), egress=())
    config = replace(NETWORK, policies=(allow_all,))
    world.plane.apply_network(config)
    assert not world.place("app").reaches(ENDPOINT.address, 4001)
    assert not world.place("app").reaches("10.0.9.9", 4000)
    seen = world.plane.observe_network(config).refused
    assert {(flow.hop, flow.destination, flow.port) for flow in seen} == {
        ("local", ENDPOINT.address, 4001),
        ("to_peer", "10.0.9.9", 4000),
    }


def test_passed_is_counted(world: World, gateway: Server) -> None:
    """Bytes of both directions at the endpoint's address; a connection is one, however many packets it has."""
    config = judged(world)
    app = world.place("app")
    assert app.reaches(ENDPOINT.address, 4000)
    before = world.plane.observe_network(config).passed[ENDPOINT.address]
    with app.connect(ENDPOINT.address, 4000) as connection:
        for _ in range(10):
            assert talks(connection, b"x" * 1000)
    after = world.plane.observe_network(config).passed[ENDPOINT.address]
    assert after.connections == before.connections + 1
    # 10 kB there and 10 kB back, and at most a header per packet
    assert 20_000 <= after.size_bytes - before.size_bytes <= 20_000 + 60 * (after.packets - before.packets + 1)


def test_rules_count(world: World, gateway: Server) -> None:
    config = judged(world)
    assert world.place("app").reaches(ENDPOINT.address, 4000)
    assert not world.place("app").reaches(ENDPOINT.address, 3306)
    counts = {(c.hop, c.groups, c.rule_id): c for c in world.plane.observe_network(config).rules}
    yes, no = counts["ingress", "p-endpoint", "sgr-yes"], counts["ingress", "p-endpoint", "sgr-no-mysql"]
    assert yes.accepts and yes.packets == 1, "the first packet is judged; its connection is known from then on"
    assert not no.accepts and no.packets >= 1


def test_full_memory_still_drops(world: World, gateway: Server) -> None:
    """The set of refused flows is bounded, and a full set must not let through what it cannot remember."""
    config = judged(world)
    with world.place("app").socket(socket.SOCK_DGRAM) as scan:
        for port in range(10_000, 10_000 + REFUSED_FLOWS + 200):
            scan.sendto(b"?", (ENDPOINT.address, port))
    assert not world.place("app").reaches(ENDPOINT.address, 3306)
    assert gateway.peers == []
    traffic = world.plane.observe_network(config)
    counts = {(c.groups, c.rule_id): c.packets for c in traffic.rules if not c.accepts}
    assert counts["p-endpoint", DEFAULT_RULE] == REFUSED_FLOWS + 200
    assert counts["p-endpoint", "sgr-no-mysql"] >= 1


def test_looking_changes_nothing(world: World) -> None:
    """A look is no transaction: the next pass must still find the rules as it left them."""
    assert not world.place("app").reaches(ENDPOINT.address, 9999)
    world.plane.observe_network(NETWORK)
    assert world.plane.apply_network(NETWORK) is False
    assert told(world.plane.observe_network(NETWORK))[9999].rule_id == DEFAULT_RULE


def test_no_table(world: World) -> None:
    """Somebody flushed the rules: the report says so instead of showing nothing as quiet."""
    world.place("vpc-a").run("nft", "delete", "table", "inet", "tidegate")
    with pytest.raises(DataPlaneError, match=r"vpc-a.*cannot be read"):
        world.plane.observe_network(NETWORK)


def test_unused(world: World) -> None:
    """An endpoint that nobody has used is there, with zeros."""
    passed = world.plane.observe_network(NETWORK).passed
    assert passed[ENDPOINT.address].connections == 0
    assert GATEWAY not in passed
