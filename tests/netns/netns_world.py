"""A small world of fixed configurations, and the class that holds the driver under test."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from netns_witness import Place, Server, named_namespaces

from tidegate.agent.world import open_namespaces
from tidegate.dataplane.config import (
    EndpointInterface,
    HostInterface,
    NetworkConfig,
    Policy,
    PolicyRow,
    RegionConfig,
)
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.settings import Settings

ANY_TCP_4000 = PolicyRow("allow-4000", "accept", "tcp", (4000, 4000))
OPEN = Policy("open", ingress=(ANY_TCP_4000,), egress=())

GATEWAY, CLUSTER, OTHER_CLUSTER = "100.127.255.1", "100.127.0.1", "100.127.0.2"
REGION = RegionConfig(
    "region-1", "region-1", GATEWAY, 4000, "100.64.0.0/11", "100.127.0.0/17", (CLUSTER, OTHER_CLUSTER)
)
HOST = HostInterface("eni-app", "app", "10.0.1.10", "10.0.1.0/24", "open")
OTHER_HOST = HostInterface("eni-app2", "app2", "10.0.1.11", "10.0.1.0/24", "open")
ENDPOINT = EndpointInterface("eni-ep", "ep-1", "10.0.2.5", "open", "100.64.0.1", GATEWAY, 4000)
NETWORK = NetworkConfig(
    vpc_id="vpc-a",
    namespace="vpc-a",
    provider_namespace="region-1",
    cidrs=("10.0.0.0/16",),
    subnet_gateways=(("10.0.1.0/24", "10.0.1.1"), ("10.0.2.0/24", "10.0.2.1")),
    resolver_addresses=("100.100.2.136", "100.100.2.138"),
    hosts=(HOST,),
    endpoints=(ENDPOINT,),
    policies=(OPEN,),
)


def twin(network: NetworkConfig) -> NetworkConfig:
    """Another VPC with the same CIDR and the same host address, without an endpoint."""
    host = replace(HOST, interface_id="eni-twin", namespace="twin")
    return replace(network, vpc_id="vpc-b", namespace="vpc-b", hosts=(host,), endpoints=())


class World:
    """The driver under test, and the places to look at it from."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home", run=folder / "run", rootless=False)
        self.namespaces = open_namespaces(self.settings)
        self.plane = LinuxDataPlane(self.namespaces)
        self._servers: list[Server] = []

    def place(self, name: str) -> Place:
        return Place(f"/run/netns/tg-{self.settings.instance}-{name}")

    def serve(self, name: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> Server:
        server = Server(self.place(name), address, port, kind)
        self._servers.append(server)
        return server

    def fresh_driver(self, **how: Any) -> LinuxDataPlane:
        """As after kill -9: the kernel is as it was, the driver knows nothing."""
        self.plane = LinuxDataPlane(self.namespaces, **how)
        return self.plane

    def names(self) -> set[str]:
        prefix = f"tg-{self.settings.instance}-"
        return {n.removeprefix(prefix) for n in named_namespaces() if n.startswith(prefix)}

    def state(self) -> dict[str, Any]:
        return {name: self.place(name).state() for name in sorted(self.names())}

    def close(self) -> None:
        for server in self._servers:
            server.close()
        LinuxDataPlane(self.namespaces).cleanup()
