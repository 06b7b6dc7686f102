"""Security groups as rows of verdict and packet.  Order and ties are the caller's; the kernel takes the first."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace

import pytest
from netns_witness import Place
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, OTHER_HOST, World

from tidegate.dataplane.config import Policy, PolicyRow

A, B = HOST.address, OTHER_HOST.address
ANY = Policy("any", ingress=(), egress=(), ingress_default="accept")


def accept(protocol: str = "all", ports: tuple[int, int] | None = None, **peer: str) -> PolicyRow:
    return PolicyRow("yes", "accept", protocol, ports, **peer)  # type: ignore[arg-type]


def drop(protocol: str = "all", ports: tuple[int, int] | None = None, **peer: str) -> PolicyRow:
    return PolicyRow("no", "drop", protocol, ports, **peer)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Row:
    """A packet from host A to ``to`` and whether it arrives, under the receiver's rows or the sender's."""

    said: str
    rows: tuple[PolicyRow, ...]
    packet: tuple[str, int]
    arrives: bool
    default: str = "drop"


INGRESS = (
    Row("nothing is allowed by default", (), ("tcp", 4000), False),
    Row("default accept", (), ("tcp", 4000), True, "accept"),
    Row("the port", (accept("tcp", (4000, 4000)),), ("tcp", 4000), True),
    Row("another port", (accept("tcp", (4001, 4001)),), ("tcp", 4000), False),
    Row("range, lower end", (accept("tcp", (4000, 4010)),), ("tcp", 4000), True),
    Row("range, upper end", (accept("tcp", (3990, 4000)),), ("tcp", 4000), True),
    Row("range, just beside", (accept("tcp", (3990, 3999)),), ("tcp", 4000), False),
    Row("tcp row, udp packet", (accept("tcp", (4000, 4000)),), ("udp", 4000), False),
    Row("udp", (accept("udp", (4000, 4000)),), ("udp", 4000), True),
    Row("udp row, tcp packet", (accept("udp", (4000, 4000)),), ("tcp", 4000), False),
    Row("icmp", (accept("icmp"),), ("icmp", 0), True),
    Row("icmp row, tcp packet", (accept("icmp"),), ("tcp", 4000), False),
    Row("gre row, tcp packet", (accept("gre"),), ("tcp", 4000), False),
    Row("tcp without ports", (accept("tcp"),), ("tcp", 4000), True),
    Row("tcp with all ports", (accept("tcp", (0, 65535)),), ("tcp", 4000), True),
    Row("all", (accept(),), ("icmp", 0), True),
    Row("peer network", (accept(peer_cidr="10.0.1.0/24"),), ("tcp", 4000), True),
    Row("peer host", (accept(peer_cidr=f"{A}/32"),), ("tcp", 4000), True),
    Row("anybody", (accept(peer_cidr="0.0.0.0/0"),), ("tcp", 4000), True),
    Row("another network", (accept(peer_cidr="10.0.3.0/24"),), ("tcp", 4000), False),
    Row("group with the peer", (accept(peer_group="sg-a"),), ("tcp", 4000), True),
    Row("group without the peer", (accept(peer_group="sg-empty"),), ("tcp", 4000), False),
    Row("first match wins: drop before", (drop("tcp", (4000, 4000)), accept()), ("tcp", 4000), False),
    Row("first match wins: accept before", (accept("tcp", (4000, 4000)), drop()), ("tcp", 4000), True),
    Row("a drop for others is no drop", (drop(peer_cidr="10.0.3.0/24"), accept()), ("tcp", 4000), True),
)
EGRESS = (
    Row("default accept", (), ("tcp", 4000), True, "accept"),
    Row("default drop", (), ("tcp", 4000), False),
    Row("drop the port", (drop("tcp", (4000, 4000)),), ("tcp", 4000), False, "accept"),
    Row("allow the port", (accept("tcp", (4000, 4000)),), ("tcp", 4000), True),
    Row("to the subnet of the target", (accept(peer_cidr="10.0.0.0/16"),), ("tcp", 4000), True),
    Row("to another subnet", (accept(peer_cidr="10.0.3.0/24"),), ("tcp", 4000), False),
    Row("to a group", (accept(peer_group="sg-targets"),), ("tcp", 4000), True),
    Row("to another group", (accept(peer_group="sg-empty"),), ("tcp", 4000), False),
)


def _world_with(world: World, sender: Policy, receiver: Policy) -> Place:
    """Host A under ``sender``; host B and the endpoint under ``receiver``; servers on all of them."""
    hosts = (replace(HOST, policy_id=sender.policy_id), replace(OTHER_HOST, policy_id=receiver.policy_id))
    world.plane.apply_network(
        replace(
            NETWORK,
            hosts=hosts,
            endpoints=(replace(ENDPOINT, policy_id=receiver.policy_id),),
            policies=(sender, receiver),
            group_members=(("sg-a", (A,)), ("sg-targets", (B, ENDPOINT.address)), ("sg-empty", ())),
        )
    )
    return world.place("app")


def _serve(world: World) -> None:
    world.serve("region-1", GATEWAY, 4000)
    world.serve("app2", B, 4000)
    world.serve("app2", B, 4000, socket.SOCK_DGRAM)


def _judge(app: Place, rows: Row) -> dict[str, bool]:
    kind, port = rows.packet
    seen = {"host": app.reaches(B, port, kind)}
    if kind == "tcp":
        seen["endpoint"] = app.reaches(ENDPOINT.address, port)
    return seen


@pytest.mark.parametrize("row", INGRESS, ids=lambda r: r.said)
def test_ingress(world: World, row: Row) -> None:
    """The receiver's groups decide, the same for a host and for an endpoint."""
    policy = Policy("p", ingress=row.rows, egress=(), ingress_default=row.default)  # type: ignore[arg-type]
    app = _world_with(world, ANY, policy)
    _serve(world)
    assert set(_judge(app, row).values()) == {row.arrives}


@pytest.mark.parametrize("row", EGRESS, ids=lambda r: r.said)
def test_egress(world: World, row: Row) -> None:
    """The sender's groups decide, also about an endpoint: its address is what the user wrote rules for."""
    policy = Policy("p", ingress=(), egress=row.rows, egress_default=row.default)  # type: ignore[arg-type]
    app = _world_with(world, policy, ANY)
    _serve(world)
    assert set(_judge(app, row).values()) == {row.arrives}


def test_answers_need_no_rule(world: World) -> None:
    """Stateful: B may answer A though B's own groups let nothing out and A's let nothing in."""
    closed = Policy("closed", ingress=(), egress=())
    mute = Policy("mute", ingress=(accept(),), egress=(), egress_default="drop")
    app = _world_with(world, closed, mute)
    _serve(world)
    assert app.reaches(B, 4000) and app.reaches(B, 4000, "udp") and app.reaches(B, 0, "icmp")
    assert not world.place("app2").reaches(A, 0, "icmp")


def test_group_membership_follows_the_configuration(world: World) -> None:
    """One element comes and goes; no chain is rewritten for it."""
    policy = Policy("p", ingress=(accept(peer_group="sg-a"),), egress=())
    app = _world_with(world, ANY, policy)
    _serve(world)
    config = world.plane._networks["vpc-a"]
    assert app.reaches(B, 4000)
    world.plane.apply_network(replace(config, group_members=(("sg-a", ()),)))
    assert not app.reaches(B, 4000)
    world.plane.apply_network(replace(config, group_members=(("sg-a", (A,)),)))
    assert app.reaches(B, 4000)


def test_a_drop_can_be_traced_to_the_users_rule(world: World) -> None:
    """`nft list` alone names the rule that dropped, and how often."""
    policy = Policy("p", ingress=(PolicyRow("sgr-42", "drop", "tcp", (4000, 4000)), accept()), egress=())
    app = _world_with(world, ANY, policy)
    app.reaches(B, 4000)
    listed = world.place("vpc-a").run("nft", "list", "chain", "inet", "tidegate", "ingress_p").stdout
    line = next(line for line in listed.splitlines() if "sgr-42" in line)
    assert "goto refused" in line and "packets 0" not in line


def test_hosts_of_two_subnets_see_each_other(world: World) -> None:
    """The router joins the subnets; ARP for a neighbour is answered at once, not after 0.8 s."""
    far = replace(OTHER_HOST, address="10.0.2.11", subnet_cidr="10.0.2.0/24", policy_id="any")
    world.plane.apply_network(
        replace(NETWORK, hosts=(replace(HOST, policy_id="any"), far), endpoints=(), policies=(ANY,))
    )
    assert world.place("app").reaches("10.0.2.11", 0, "icmp")
    assert world.place("app2").reaches(A, 0, "icmp")
