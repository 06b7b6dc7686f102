"""A service that a user publishes: who reaches it from another VPC, who does not, and what ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from netns_witness import Place, Server, talks
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, OPEN, REGION, World, twin

from tidegate.dataplane.config import NetworkConfig, Policy, PolicyRow, Publication

SERVICE, OTHER_SERVICE = "100.113.0.1", "100.113.0.2"
ANY = Policy("open", ingress=(), egress=(), ingress_default="accept")
PUBLICATION = Publication("epsrv-1", SERVICE, HOST.address)
TO_SERVICE = replace(
    ENDPOINT,
    interface_id="eni-svc",
    endpoint_id="ep-svc",
    address="10.0.2.7",
    fabric_address="100.64.0.7",
    service_address=SERVICE,
    service_port=0,
)
CONSUMER = replace(NETWORK, endpoints=(ENDPOINT, TO_SERVICE), policies=(ANY,))
PUBLISHER = replace(twin(NETWORK), publications=(PUBLICATION,), policies=(ANY,))
"""The same CIDR, and the same host address, as the consumer's."""


@pytest.fixture
def pair(world: World) -> World:
    world.plane.apply_network(CONSUMER)
    world.plane.apply_network(PUBLISHER)
    return world


@pytest.fixture
def service(pair: World) -> Server:
    return pair.serve("twin", HOST.address, 8080)


@pytest.fixture
def running(pair: World, service: Server) -> Iterator[object]:
    with pair.place("app").connect(TO_SERVICE.address, 8080) as connection:
        assert talks(connection)
        yield connection


def _fabric_end(world: World, network: NetworkConfig) -> str:
    links = world.place("region-1").ip("link")
    return next(i["ifname"] for i in links if i.get("ifalias", "").startswith(network.vpc_id))


def test_the_publisher_sees_the_consumers_fabric_address(pair: World, service: Server) -> None:
    """Overlapping ranges: neither side ever sees an address of the other's VPC."""
    with pair.place("app").connect(TO_SERVICE.address, 8080) as connection:
        assert talks(connection)
    assert [peer[0] for peer in service.peers] == [TO_SERVICE.fabric_address]


def test_every_tcp_port_and_the_database_endpoint_beside_it(pair: World, service: Server) -> None:
    """The port stays; what the host does not listen to is refused by the host itself, as on any network."""
    other = pair.serve("twin", HOST.address, 9)
    pair.serve("region-1", GATEWAY, 4000)
    app = pair.place("app")
    assert app.reaches(TO_SERVICE.address, 8080) and app.reaches(TO_SERVICE.address, 9)
    assert app.reaches(ENDPOINT.address, 4000)
    assert len(other.peers) == len(service.peers) == 1
    with pytest.raises(ConnectionRefusedError):
        app.connect(TO_SERVICE.address, 10)
    assert not app.reaches(ENDPOINT.address, 8080), "a database's endpoint keeps its one port"


@pytest.mark.parametrize(("port", "kind"), [(8080, "udp"), (0, "icmp")])
def test_tcp_only(pair: World, port: int, kind: str) -> None:
    assert not pair.place("app").reaches(TO_SERVICE.address, port, kind)


@pytest.mark.parametrize(
    ("row", "arrives"),
    [
        (PolicyRow("r", "accept", "tcp", (8080, 8080)), True),
        (PolicyRow("r", "accept", "tcp", (8081, 8081)), False),
        (PolicyRow("r", "accept", "tcp", (8080, 8080), peer_cidr="100.64.0.0/10"), True),
        (PolicyRow("r", "accept", "tcp", (8080, 8080), peer_cidr="100.64.0.7/32"), True),
        (PolicyRow("r", "accept", "tcp", (8080, 8080), peer_cidr="100.64.0.8/32"), False),
        (PolicyRow("r", "accept", "tcp", (8080, 8080), peer_cidr="10.0.0.0/8"), False),
        (PolicyRow("r", "accept", "all", None, peer_group="sg-none"), False),
    ],
    ids=["the port", "another port", "the fabric", "this consumer", "another", "own range", "a group"],
)
def test_the_targets_groups_judge(pair: World, service: Server, row: PolicyRow, arrives: bool) -> None:
    """Their peer is the consumer's fabric address, as a load balancer's is 100.64.0.0/10 on Alibaba Cloud."""
    judged = Policy("open", ingress=(row,), egress=(), egress_default="drop")
    pair.plane.apply_network(replace(PUBLISHER, policies=(judged,)))
    assert pair.place("app").reaches(TO_SERVICE.address, 8080) is arrives


def test_the_endpoints_groups_judge_first(pair: World, service: Server) -> None:
    pair.plane.apply_network(replace(CONSUMER, policies=(OPEN,)))
    assert not pair.place("app").reaches(TO_SERVICE.address, 8080)
    assert service.peers == []


def test_nothing_else_is_opened_by_publishing(pair: World, service: Server) -> None:
    """Not the service's address from inside a VPC, not a neighbour of the target, not the consumer from the service."""
    third = replace(HOST, interface_id="eni-t2", namespace="twin2", address="10.0.1.12")
    pair.plane.apply_network(replace(PUBLISHER, hosts=(*PUBLISHER.hosts, third)))
    neighbour = pair.serve("twin2", third.address, 8080)
    consumer = pair.serve("app", HOST.address, 8080)
    assert not pair.place("app").reaches(SERVICE, 8080), "past the endpoint"
    assert not pair.place("twin").reaches(SERVICE, 8080), "from the publisher's own host"
    for name in ("twin", "twin2"):
        assert not pair.place(name).reaches(TO_SERVICE.fabric_address, 8080), "back to the consumer"
    for source in (GATEWAY, "100.127.0.1"):
        for target in (SERVICE, TO_SERVICE.fabric_address):
            with pytest.raises(OSError):
                pair.place("region-1").connect(target, 8080, source=(source, 0))
    assert neighbour.peers == consumer.peers == service.peers == []


def test_a_third_vpc_does_not_reach(pair: World, service: Server) -> None:
    third = replace(
        twin(NETWORK),
        vpc_id="vpc-c",
        namespace="vpc-c",
        hosts=(replace(HOST, interface_id="eni-c", namespace="c"),),
        policies=(ANY,),
    )
    pair.plane.apply_network(third)
    for target in (TO_SERVICE.address, SERVICE, TO_SERVICE.fabric_address, HOST.address):
        if target != HOST.address:
            assert not pair.place("c").reaches(target, 8080)
    assert service.peers == []


def _free_router(world: World, network: NetworkConfig, *claims: str) -> Place:
    """The VPC's router with its rules gone, and with addresses and routes that are not its own."""
    router = world.place(network.namespace)
    router.run("nft", "flush", "ruleset")
    for claim in claims:
        router.run("ip", "addr", "add", f"{claim}/32", "dev", "fabric")
    for target in ("100.64.0.0/10", "10.0.0.0/8"):
        router.run("ip", "route", "add", target, "via", "169.254.1.2", "dev", "fabric", "onlink")
    return router


def test_no_vpc_can_claim_anothers_addresses(pair: World, service: Server) -> None:
    """Second lock: with its own rules gone a VPC still sends with its own addresses only."""
    third = replace(
        twin(NETWORK),
        vpc_id="vpc-c",
        namespace="vpc-c",
        hosts=(),
        endpoints=(replace(TO_SERVICE, fabric_address="100.64.0.9"),),
    )
    pair.plane.apply_network(third)
    second = replace(PUBLICATION, address=OTHER_SERVICE)
    pair.plane.apply_network(replace(PUBLISHER, publications=(PUBLICATION, second)))
    router = _free_router(pair, third, TO_SERVICE.fabric_address, OTHER_SERVICE, "100.64.0.9", "10.9.9.9")
    for stolen in (TO_SERVICE.fabric_address, OTHER_SERVICE, "10.9.9.9"):
        with pytest.raises(TimeoutError):
            router.connect(SERVICE, 8080, source=(stolen, 0))
    with router.connect(SERVICE, 8080, source=("100.64.0.9", 0)) as own:
        assert talks(own)
    assert [peer[0] for peer in service.peers] == ["100.64.0.9"]


def test_a_publisher_cannot_dial_its_consumers(pair: World) -> None:
    """Stateless, so by flags: the provider passes no first packet from a service; and the consumer's router none."""
    consumer = pair.serve("app", HOST.address, 8080)
    router = _free_router(pair, PUBLISHER, SERVICE)
    for _ in range(2):
        for target in (TO_SERVICE.fabric_address, ENDPOINT.fabric_address, GATEWAY):
            with pytest.raises(TimeoutError):
                router.connect(target, 8080, source=(SERVICE, 0))
        pair.place("region-1").run("nft", "flush", "chain", "inet", "tidegate", "pass")
        pair.place("region-1").run("nft", "add", "rule", "inet", "tidegate", "pass", "accept")
    assert consumer.peers == []


def test_one_consumer_does_not_reach_another(pair: World) -> None:
    """Only fabric to service and back: two consumers' addresses never meet in the provider."""
    consumer = pair.serve("app", HOST.address, 8080)
    third = replace(
        twin(NETWORK),
        vpc_id="vpc-c",
        namespace="vpc-c",
        hosts=(),
        endpoints=(replace(ENDPOINT, fabric_address="100.64.0.9"),),
    )
    pair.plane.apply_network(third)
    router = _free_router(pair, third, "100.64.0.9")
    pair.place("vpc-a").run("nft", "flush", "ruleset")
    with pytest.raises(TimeoutError):
        router.connect(TO_SERVICE.fabric_address, 8080, source=("100.64.0.9", 0))
    before = _counted(pair, "nothing else crosses")
    assert before > 0 and consumer.peers == []


def _counted(world: World, comment: str) -> int:
    listed = world.place("region-1").run("nft", "list", "chain", "inet", "tidegate", "pass").stdout
    line = next(line for line in listed.splitlines() if comment in line)
    return int(line.split("packets ")[1].split()[0])


CUTS = {
    "unpublished": replace(PUBLISHER, publications=()),
    "target changed": replace(
        PUBLISHER,
        publications=(replace(PUBLICATION, target_address="10.0.1.12"),),
        hosts=(*PUBLISHER.hosts, replace(HOST, interface_id="eni-t2", namespace="twin2", address="10.0.1.12")),
    ),
    "target gone from the groups": replace(PUBLISHER, hosts=()),
    "disconnected": replace(CONSUMER, endpoints=(ENDPOINT, replace(TO_SERVICE, connected=False))),
    "ENI removed": replace(CONSUMER, endpoints=(ENDPOINT,)),
}


@pytest.mark.parametrize("cut", CUTS)
def test_what_cuts_running_connections(pair: World, running: object, cut: str) -> None:
    """At once, and for new ones too; put back, new ones flow."""
    pair.plane.apply_network(CUTS[cut])
    assert not talks(running)  # type: ignore[arg-type]
    if cut != "target changed":
        assert not pair.place("app").reaches(TO_SERVICE.address, 8080)


def test_published_again_flows_again(pair: World, service: Server) -> None:
    """Between the two the provider has no route, and must not say so: `reaches` would fail on a refusal aloud."""
    pair.plane.apply_network(replace(PUBLISHER, publications=()))
    assert not pair.place("app").reaches(TO_SERVICE.address, 8080)
    pair.plane.apply_network(PUBLISHER)
    assert pair.place("app").reaches(TO_SERVICE.address, 8080)


def test_other_publications_are_not_disturbed(pair: World, running: object) -> None:
    another = Publication("epsrv-2", OTHER_SERVICE, HOST.address)
    pair.plane.apply_network(replace(PUBLISHER, publications=(PUBLICATION, another)))
    pair.plane.apply_network(PUBLISHER)
    assert talks(running)  # type: ignore[arg-type]


def test_an_own_service_and_a_strangers_at_once(pair: World) -> None:
    """One VPC publishes, consumes its own service, and another's: in and out by the same fabric link."""
    to_own = replace(
        TO_SERVICE,
        interface_id="eni-own",
        address="10.0.2.8",
        fabric_address="100.64.0.8",
        service_address=OTHER_SERVICE,
    )
    own = Publication("epsrv-2", OTHER_SERVICE, HOST.address)
    both = replace(CONSUMER, endpoints=(ENDPOINT, TO_SERVICE, to_own), publications=(own,))
    to_mine = replace(to_own, interface_id="eni-back", fabric_address="100.64.0.10")
    pair.plane.apply_network(both)
    pair.plane.apply_network(replace(PUBLISHER, endpoints=(to_mine,)))
    mine, theirs = pair.serve("app", HOST.address, 8080), pair.serve("twin", HOST.address, 8080)
    assert pair.place("app").reaches(to_own.address, 8080), "my own service, by my own endpoint, from its own host"
    assert pair.place("app").reaches(TO_SERVICE.address, 8080)
    assert pair.place("twin").reaches(to_mine.address, 8080)
    assert [peer[0] for peer in mine.peers] == ["100.64.0.8", "100.64.0.10"]
    assert [peer[0] for peer in theirs.peers] == ["100.64.0.7"]
    with pair.place("app").connect(to_own.address, 8080) as connection:
        assert talks(connection)
        pair.plane.apply_network(replace(both, publications=()))
        assert not talks(connection)


def test_a_service_address_of_two_zones_is_two_doors(pair: World, service: Server) -> None:
    """One service has an address per zone; taking one away leaves the other's connections."""
    second = replace(PUBLICATION, address=OTHER_SERVICE)
    by_second = replace(
        TO_SERVICE,
        interface_id="eni-z2",
        address="10.0.2.9",
        fabric_address="100.64.0.11",
        service_address=OTHER_SERVICE,
    )
    pair.plane.apply_network(replace(CONSUMER, endpoints=(TO_SERVICE, by_second)))
    pair.plane.apply_network(replace(PUBLISHER, publications=(PUBLICATION, second)))
    app = pair.place("app")
    with app.connect(TO_SERVICE.address, 8080) as one, app.connect(by_second.address, 8080) as two:
        assert talks(one) and talks(two)
        pair.plane.apply_network(replace(PUBLISHER, publications=(second,)))
        assert not talks(one)
        assert talks(two)


def test_running_connections_survive_a_new_agent(pair: World, running: object) -> None:
    driver = pair.fresh_driver()
    driver.apply_region(REGION)
    driver.apply_network(PUBLISHER)
    driver.apply_network(CONSUMER)
    assert talks(running)  # type: ignore[arg-type]
    assert driver.apply_network(PUBLISHER) is driver.apply_network(CONSUMER) is False
