"""The private path, by real packets: who reaches an endpoint, who does not, and what ends with it."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest
from netns_witness import Place, Server, talks
from netns_world import (
    CLUSTER,
    ENDPOINT,
    GATEWAY,
    HOST,
    NETWORK,
    OPEN,
    OTHER_CLUSTER,
    OTHER_HOST,
    REGION,
    World,
    twin,
)

from tidegate.dataplane.links import SENDING_LIMIT_S, Links
from tidegate.dataplane.wiring import host_link


def test_server_sees_the_fabric_address(world: World, gateway: Server) -> None:
    """The gateway tells tenants apart by this address."""
    with world.place("app").connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
    assert gateway.peers[0][0] == ENDPOINT.fabric_address


def test_same_cidr_elsewhere_does_not_reach(world: World, gateway: Server) -> None:
    """Overlapping VPC ranges are the normal case; one endpoint serves one VPC only."""
    world.plane.apply_network(twin(NETWORK))
    assert not world.place("twin").reaches(ENDPOINT.address, 4000)
    assert not world.place("twin").reaches(GATEWAY, 4000)
    assert world.place("app").reaches(ENDPOINT.address, 4000)
    assert len(gateway.peers) == 1


def test_two_vpcs_with_the_same_addresses_have_their_own_endpoints(world: World, gateway: Server) -> None:
    """Same ENI address, same host address: only the fabric address differs."""
    other = replace(ENDPOINT, interface_id="eni-ep2", endpoint_id="ep-2", fabric_address="100.64.0.2")
    world.plane.apply_network(replace(twin(NETWORK), endpoints=(other,)))
    assert world.place("twin").reaches(ENDPOINT.address, 4000)
    assert world.place("app").reaches(ENDPOINT.address, 4000)
    assert [peer[0] for peer in gateway.peers] == ["100.64.0.2", "100.64.0.1"]


def test_provider_cannot_dial_a_consumer(world: World) -> None:
    """Not by the fabric address, not by the VPC's own addresses."""
    server = world.serve("app", HOST.address, 4000)
    for target in (ENDPOINT.fabric_address, HOST.address, ENDPOINT.address):
        for source in (GATEWAY, CLUSTER):
            with pytest.raises((TimeoutError, OSError)):
                world.place("region-1").connect(target, 4000, source=(source, 0))
    assert server.peers == []


def test_the_router_too_stops_a_provider_that_dials(world: World) -> None:
    """Second lock on the same door: with the provider's own rules gone the VPC still lets nothing in."""
    provider = world.place("region-1")
    provider.run("nft", "flush", "ruleset")
    provider.run("ip", "route", "add", "10.0.0.0/16", "via", "169.254.1.1", "dev", _fabric_end(provider), "onlink")
    server = world.serve("app", HOST.address, 4000)
    for target in (ENDPOINT.fabric_address, HOST.address, ENDPOINT.address, "10.0.1.1"):
        assert not provider.reaches(target, 4000)
    assert not provider.reaches(HOST.address, 0, "icmp")
    assert server.peers == []


def _fabric_end(provider: Place) -> str:
    return next(link["ifname"] for link in provider.ip("link") if link["ifname"].startswith("f-"))


def test_the_machine_itself_does_not_reach(world: World, gateway: Server) -> None:
    """The host's own network has no route into the world."""
    for target in (ENDPOINT.address, GATEWAY, HOST.address):
        with pytest.raises(OSError), socket.socket() as s:
            s.settimeout(0.2)
            s.bind(("127.0.0.1", 0))  # nothing may leave this machine, should a route exist
            s.connect((target, 4000))
    assert gateway.peers == []


@pytest.mark.parametrize(("port", "kind"), [(4001, "tcp"), (22, "tcp"), (4000, "udp"), (0, "icmp")])
def test_an_endpoint_is_one_port_only(world: World, gateway: Server, port: int, kind: str) -> None:
    """A group that allows everything opens no more than the service's port."""
    everything = replace(OPEN, ingress_default="accept")
    world.plane.apply_network(replace(NETWORK, policies=(everything,)))
    world.serve("region-1", GATEWAY, 4001)
    assert not world.place("app").reaches(ENDPOINT.address, port, kind)
    assert world.place("app").reaches(ENDPOINT.address, 4000)


def test_the_gateways_own_address_is_not_reachable(world: World, gateway: Server) -> None:
    """There is no way around the endpoint, even with a route."""
    assert not world.place("app").reaches(GATEWAY, 4000)
    assert not world.place("app").reaches(CLUSTER, 4000)


def test_disconnecting_cuts_running_connections(world: World, gateway: Server) -> None:
    """Disconnected means no traffic; another endpoint of the same VPC is not disturbed."""
    other = replace(ENDPOINT, interface_id="eni-2", endpoint_id="ep-2", address="10.0.2.6", fabric_address="100.64.0.2")
    world.plane.apply_network(replace(NETWORK, endpoints=(ENDPOINT, other)))
    mine, others = (world.place("app").connect(a, 4000) for a in (ENDPOINT.address, other.address))
    with mine, others:
        assert talks(mine) and talks(others)
        world.plane.apply_network(replace(NETWORK, endpoints=(replace(ENDPOINT, connected=False), other)))
        assert not talks(mine)
        assert talks(others)
        assert not world.place("app").reaches(ENDPOINT.address, 4000)


def test_removing_an_endpoint_cuts_running_connections(world: World, gateway: Server) -> None:
    with world.place("app").connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
        world.plane.apply_network(replace(NETWORK, endpoints=()))
        assert not talks(connection)


def test_an_address_used_again_does_not_revive_old_connections(world: World, gateway: Server) -> None:
    """The kernel remembers a translation for days; the next endpoint on that address must not inherit it."""
    heir = replace(ENDPOINT, interface_id="eni-9", endpoint_id="ep-9", fabric_address="100.64.0.9")
    with world.place("app").connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
        world.plane.apply_network(replace(NETWORK, endpoints=()))
        world.plane.apply_network(replace(NETWORK, endpoints=(heir,)))
        assert not talks(connection)
    assert world.place("app").reaches(heir.address, 4000)
    assert gateway.peers[-1][0] == "100.64.0.9"


def test_running_connections_survive_a_new_agent(world: World, gateway: Server) -> None:
    """A fresh driver replaces the whole table; connections are tracked apart from it."""
    with world.place("app").connect(ENDPOINT.address, 4000) as connection:
        assert talks(connection)
        driver = world.fresh_driver()
        driver.apply_region(REGION)
        assert driver.apply_network(NETWORK)
        assert talks(connection)


def test_a_changed_group_keeps_running_connections(world: World, gateway: Server) -> None:
    """Security groups are stateful: a rule decides about new connections."""
    with world.place("app").connect(ENDPOINT.address, 4000) as connection:
        world.plane.apply_network(replace(NETWORK, policies=(replace(OPEN, ingress=()),)))
        assert talks(connection)
    assert not world.place("app").reaches(ENDPOINT.address, 4000)


def test_a_host_sends_as_itself_only(world: World, gateway: Server) -> None:
    """An address that the host gave itself is dropped by the router, also when it is a neighbour's."""
    world.plane.apply_network(replace(NETWORK, hosts=(HOST, OTHER_HOST)))
    app = world.place("app")
    for stolen in (OTHER_HOST.address, "10.0.1.77", "192.168.7.7"):
        app.run("ip", "addr", "add", f"{stolen}/32", "dev", "eth0")
        with pytest.raises(TimeoutError):
            app.connect(ENDPOINT.address, 4000, source=(stolen, 0))
    assert gateway.peers == []


def test_two_hosts_may_use_the_same_source_port(world: World, gateway: Server) -> None:
    """Both become one fabric address, so the kernel must give the second another port."""
    world.plane.apply_network(replace(NETWORK, hosts=(HOST, OTHER_HOST)))
    one = world.place("app").connect(ENDPOINT.address, 4000, source=(HOST.address, 5555))
    two = world.place("app2").connect(ENDPOINT.address, 4000, source=(OTHER_HOST.address, 5555))
    with one, two:
        assert talks(one) and talks(two)
    assert len(set(gateway.peers)) == 2


def test_an_exclusive_endpoint_goes_straight_to_its_database(world: World) -> None:
    """Translated to a cluster's address; the neighbour's database stays out of reach."""
    direct = replace(ENDPOINT, service_address=CLUSTER)
    mine, others = world.serve("region-1", CLUSTER, 4000), world.serve("region-1", OTHER_CLUSTER, 4000)
    world.plane.apply_network(replace(NETWORK, endpoints=(direct,)))
    assert not world.place("app").reaches(ENDPOINT.address, 4000), "the region does not offer it yet"
    world.plane.apply_region(replace(REGION, direct_services=((CLUSTER, 4000),)))
    assert world.place("app").reaches(ENDPOINT.address, 4000)
    assert len(mine.peers) == 1 and others.peers == []


def test_a_fabric_address_cannot_be_borrowed(world: World, gateway: Server) -> None:
    """Authorisation rests on the fabric address: a VPC that would send with another's is not heard."""
    world.plane.apply_network(twin(NETWORK))
    router = world.place("vpc-b")
    router.run("nft", "flush", "ruleset")
    router.run("ip", "addr", "add", f"{ENDPOINT.fabric_address}/32", "dev", "fabric")
    router.run("ip", "route", "add", f"{GATEWAY}/32", "via", "169.254.1.2", "dev", "fabric", "onlink")
    with pytest.raises(TimeoutError):
        router.connect(GATEWAY, 4000, source=(ENDPOINT.fabric_address, 0))
    assert gateway.peers == []


def test_the_router_answers_pings_and_names_only(world: World) -> None:
    """Resolver and subnet gateway are local to the router; nothing else there answers."""
    dns = world.serve("vpc-a", "100.100.2.136", 53, socket.SOCK_DGRAM)
    dns_tcp = world.serve("vpc-a", "100.100.2.136", 53)
    other = world.serve("vpc-a", "10.0.1.1", 8080)
    app = world.place("app")
    no_egress = replace(OPEN, egress_default="drop")
    world.plane.apply_network(replace(NETWORK, policies=(no_egress,)))
    assert app.reaches("100.100.2.136", 53, "udp") and app.reaches("100.100.2.136", 53)
    assert app.reaches("10.0.1.1", 0, "icmp")
    assert not app.reaches("10.0.1.1", 8080)
    assert dns.peers and dns_tcp.peers and other.peers == []


def test_databases_are_dialled_by_the_gateway_only(world: World) -> None:
    """Inside the provider: from the gateway's address, or a database to itself."""
    database = world.serve("region-1", CLUSTER, 4000)
    provider = world.place("region-1")
    provider.connect(CLUSTER, 4000, source=(GATEWAY, 0)).close()
    provider.connect(CLUSTER, 4000, source=(CLUSTER, 0)).close()
    for source in (OTHER_CLUSTER, "127.0.0.1"):
        with pytest.raises(TimeoutError):
            provider.connect(CLUSTER, 4000, source=(source, 0))
    assert [peer[0] for peer in database.peers] == [GATEWAY, CLUSTER]


def test_ipv6_is_off(world: World) -> None:
    """No second, unguarded network beside the one with rules."""
    for name in ("app", "vpc-a", "region-1"):
        links = world.place(name).ip("-6", "addr")
        assert [i["ifname"] for i in links if i["addr_info"] and i["ifname"] != "lo"] == []


def test_a_new_link_loses_no_first_packet(world: World) -> None:
    """Under load one connection in forty waited a second: the router's end of a new link was up, but the kernel still
    threw away what it sent, the ARP answer first of all, until its link watch had run.
    """
    app = world.place("app")
    app.run("ip", "link", "set", "eth0", "down")
    with world.namespaces.inside("vpc-a"), Links() as links:
        link = links.link(host_link(HOST.interface_id))
        assert link is not None and link.up and not link.sending
        app.run("ip", "link", "set", "eth0", "up")
        links.await_sending(link.name)
        again = links.link(link.name)
        assert again is not None and again.sending
        started = time.monotonic()
        app.run("ip", "link", "set", "eth0", "down")
        links.await_sending(link.name)
        assert SENDING_LIMIT_S <= time.monotonic() - started < SENDING_LIMIT_S + 1
