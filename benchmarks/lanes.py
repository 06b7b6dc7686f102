"""Two lanes of three namespaces each, and between them nothing but what is compared.

::

    plain      app --veth-- router (no rules, no tracking) --veth-- server
    endpoint   app --veth-- VPC's router (security groups, DNAT, SNAT) --fabric-- provider namespace

The endpoint lane is made by the real data plane, :class:`~tidegate.dataplane.linux.LinuxDataPlane`; a plain server
stands where the gateway would listen, so the figures are the path's alone.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

from tidegate.agent.world import NamedNamespaces
from tidegate.dataplane.config import (
    EndpointInterface,
    HostInterface,
    NetworkConfig,
    Policy,
    PolicyRow,
    RegionConfig,
)
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.domain import fabric

PORT = 4000
GATEWAY, DATABASE = fabric.GATEWAY_ADDRESS, fabric.nth_address(fabric.CLUSTER_CIDR, 0)
SHARED_ENI, EXCLUSIVE_ENI = "10.0.2.5", "10.0.2.6"
"""The ENI of an endpoint of the gateway (ping-pong), and of one that leads straight to a database (iperf3)."""

PLAIN = ("plain-app", "plain-router", "plain-server")
PLAIN_SERVER = "10.9.2.2"

REGION = RegionConfig(
    region_id="bench",
    namespace="bench",
    gateway_address=GATEWAY,
    gateway_port=PORT,
    fabric_cidr=fabric.CONSUMER_CIDR,
    cluster_cidr=fabric.CLUSTER_CIDR,
    cluster_addresses=(DATABASE,),
    direct_services=((DATABASE, PORT),),
)


def _endpoint(number: int, address: str, service: str) -> EndpointInterface:
    return EndpointInterface(
        interface_id=f"eni-{number}",
        endpoint_id=f"ep-{number}",
        address=address,
        policy_id="open",
        fabric_address=fabric.nth_address(fabric.CONSUMER_CIDR, number),
        service_address=service,
        service_port=PORT,
    )


NETWORK = NetworkConfig(
    vpc_id="bench-vpc",
    namespace="bench-vpc",
    provider_namespace="bench",
    cidrs=("10.0.0.0/16",),
    subnet_gateways=(("10.0.1.0/24", "10.0.1.1"), ("10.0.2.0/24", "10.0.2.1")),
    resolver_addresses=fabric.RESOLVERS,
    hosts=(HostInterface("eni-app", "bench-app", "10.0.1.10", "10.0.1.0/24", "open"),),
    endpoints=(_endpoint(0, SHARED_ENI, GATEWAY), _endpoint(1, EXCLUSIVE_ENI, DATABASE)),
    policies=(Policy("open", (PolicyRow("allow-4000", "accept", "tcp", (PORT, PORT), "10.0.0.0/16"),), ()),),
    group_members=(("sg-bench", (SHARED_ENI, EXCLUSIVE_ENI)),),
)


def make_endpoint_lane(plane: LinuxDataPlane) -> None:
    plane.apply_region(REGION)
    plane.apply_network(NETWORK)


def make_crowd(plane: LinuxDataPlane, count: int) -> Iterator[float]:
    """``count`` other VPCs of the region, each with an endpoint of its service; yields the seconds each one took."""
    for number in range(2, count + 2):
        name = f"bench-{number}"
        network = replace(
            NETWORK,
            vpc_id=name,
            namespace=name,
            hosts=(),
            endpoints=(_endpoint(number, SHARED_ENI, GATEWAY),),
        )
        start = time.monotonic()
        plane.apply_network(network)
        yield time.monotonic() - start


def make_plain_lane(namespaces: NamedNamespaces) -> None:
    """The same number of hops by plain routing: 10.9.1.2 -- router -- 10.9.2.2."""
    app, router, server = PLAIN
    for name in PLAIN:
        namespaces.create(name)
    for end, far, subnet in ((app, "to-app", "10.9.1"), (server, "to-server", "10.9.2")):
        _ip(namespaces, router, f"link add name {far} type veth peer name eth0 netns {namespaces.path(end)}")
        _ip(namespaces, router, f"addr add {subnet}.1/24 dev {far}")
        _ip(namespaces, router, f"link set {far} up")
        _ip(namespaces, end, f"addr add {subnet}.2/24 dev eth0")
        _ip(namespaces, end, "link set eth0 up")
        _ip(namespaces, end, "link set lo up")
        _ip(namespaces, end, f"route add default via {subnet}.1")
    _run(namespaces, router, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])


def delete_plain_lane(namespaces: NamedNamespaces) -> None:
    for name in PLAIN:
        namespaces.delete(name)


def _ip(namespaces: NamedNamespaces, where: str, words: str) -> None:
    _run(namespaces, where, ["ip", *words.split()])


def _run(namespaces: NamedNamespaces, where: str, command: list[str]) -> None:
    subprocess.run(inside(namespaces, where, command), check=True)


def inside(namespaces: NamedNamespaces, where: str, command: list[str]) -> list[str]:
    return ["nsenter", f"--net={namespaces.path(where)}", *command]
