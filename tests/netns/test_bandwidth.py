"""An endpoint's bandwidth, measured: its connection is limited both ways, its neighbours' are not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from netns_witness import Place, eventually
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, REGION, World, twin

from tidegate.dataplane.config import EndpointInterface, Policy, Publication

ANY = Policy("open", ingress=(), egress=(), ingress_default="accept")
PORT = 4000
LIMITED = replace(ENDPOINT, bandwidth_mbit=100)
FREE = replace(ENDPOINT, interface_id="eni-free", endpoint_id="ep-2", address="10.0.2.6", fabric_address="100.64.0.2")
SERVICE = "100.113.0.1"
TO_SERVICE = replace(
    ENDPOINT,
    interface_id="eni-svc",
    address="10.0.2.7",
    fabric_address="100.64.0.7",
    service_address=SERVICE,
    service_port=0,
    bandwidth_mbit=100,
)
FAR_ABOVE_MBIT = 400
"""What an unlimited path does on any machine, and no path limited to 100 does."""


class Meter:
    """iperf3, with a server where the service is."""

    def __init__(self, server: Place, address: str, port: int = PORT) -> None:
        self._port = str(port)
        command = ["nsenter", f"--net={server.path}", "iperf3", "-s", "-B", address, "-p", self._port]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        listens = ("ss", "-Hltn", f"sport = :{port}")
        assert eventually(lambda: bool(server.run(*listens).stdout)), "iperf3 does not listen"

    def mbit(self, client: Place, address: str, *options: str) -> float:
        """What arrives, in Mbit/s; without the first half second, in which TCP finds its pace."""
        done = client.run("iperf3", "-c", address, "-p", self._port, "-t", "2", "-O", "0.5", "-J", *options)
        return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e6

    def close(self) -> None:
        self._server.kill()
        self._server.wait()


@pytest.fixture
def meter(world: World) -> Iterator[Meter]:
    made = Meter(world.place("region-1"), GATEWAY)
    yield made
    made.close()


def _apply(world: World, *endpoints: EndpointInterface) -> None:
    assert world.plane.apply_network(replace(NETWORK, endpoints=endpoints, policies=(ANY,)))


@pytest.mark.parametrize("direction", [(), ("-R",)], ids=["up", "down"])
def test_limited_to_100_each_way(world: World, meter: Meter, direction: tuple[str, ...]) -> None:
    _apply(world, LIMITED, FREE)
    app = world.place("app")
    assert meter.mbit(app, LIMITED.address, *direction) == pytest.approx(100, rel=0.15)
    assert meter.mbit(app, LIMITED.address, *direction, "-P", "4") == pytest.approx(100, rel=0.15)
    assert meter.mbit(app, FREE.address, *direction) > FAR_ABOVE_MBIT


def test_changed_live(world: World, meter: Meter) -> None:
    """Every change holds for the next packet, running connections included; the counters live on."""
    _apply(world, FREE)
    app = world.place("app")
    for mbit in (100, 20, 50):
        _apply(world, replace(ENDPOINT, bandwidth_mbit=mbit), FREE)
        assert meter.mbit(app, ENDPOINT.address) == pytest.approx(mbit, rel=0.15)
    sent = _sent_bytes(world)
    _apply(world, replace(ENDPOINT, bandwidth_mbit=60), FREE)
    assert _sent_bytes(world) >= sent > 10_000_000
    _apply(world, ENDPOINT, FREE)
    assert meter.mbit(app, ENDPOINT.address) > FAR_ABOVE_MBIT
    assert world.place("vpc-a").shaping() == world.place("region-1").shaping() == []


def _sent_bytes(world: World) -> int:
    """Of class fffe:1, which is 100.64.0.1: what a person sees in `tc -s class show dev fabric`."""
    listed = world.place("vpc-a").run("tc", "-s", "class", "show", "dev", "fabric").stdout
    mine = listed[listed.index("htb fffe:1 ") :]
    return int(mine.split("Sent ")[1].split()[0])


@pytest.fixture
def published(world: World) -> Iterator[tuple[Meter, Meter]]:
    """Two servers, on two ports, at a service that another VPC publishes."""
    publisher = replace(twin(NETWORK), publications=(Publication("s", SERVICE, HOST.address),), policies=(ANY,))
    world.plane.apply_network(publisher)
    meters = (Meter(world.place("twin"), HOST.address), Meter(world.place("twin"), HOST.address, PORT + 1))
    yield meters
    for meter in meters:
        meter.close()


def test_a_published_service_is_limited_on_the_consumers_side(world: World, published: tuple[Meter, Meter]) -> None:
    _apply(world, TO_SERVICE)
    for direction in ((), ("-R",)):
        rate = published[0].mbit(world.place("app"), TO_SERVICE.address, *direction)
        assert rate == pytest.approx(100, rel=0.15)


def test_two_at_once_do_not_share(world: World, published: tuple[Meter, Meter]) -> None:
    """A neighbour that fills its own limit takes nothing from this one's."""
    small = replace(
        TO_SERVICE, interface_id="eni-2", address="10.0.2.8", fabric_address="100.64.0.8", bandwidth_mbit=20
    )
    _apply(world, TO_SERVICE, small)
    app = world.place("app")
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(published[0].mbit, app, TO_SERVICE.address)
        two = threads.submit(published[1].mbit, app, small.address)
        assert one.result() == pytest.approx(100, rel=0.15)
        assert two.result() == pytest.approx(20, rel=0.15)


def test_an_endpoint_that_is_not_connected_has_no_limit_to_keep(world: World) -> None:
    _apply(world, replace(LIMITED, connected=False))
    assert world.place("vpc-a").shaping() == []
    _apply(world, LIMITED)
    assert any("rate 100Mbit" in line for line in world.place("vpc-a").shaping())
    world.plane.remove_network("vpc-a")
    assert world.place("region-1").shaping() == []
    world.plane.apply_region(REGION)
