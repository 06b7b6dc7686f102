"""What the data plane is asked to make, and all that its callers see of it.

Two kinds of configuration, each whole by itself:

* :class:`RegionConfig`: one *provider namespace* per region, where gateway and databases live;
* :class:`NetworkConfig`: one VPC: its namespace (the router), its subnets, every network interface in it,
  the security policies, and the *fabric link* to its region's provider namespace.

Addresses are strings in dotted form, networks in CIDR form; everything is frozen and hashable, so two
configurations are equal exactly when the kernel should look the same.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate.domain import fabric
from tidegate.domain.traffic import NetworkTraffic

Verdict = Literal["accept", "drop"]
Protocol_ = Literal["tcp", "udp", "icmp", "gre", "all"]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One security-group rule as a packet meets it.  Rows are tried in order; the first match decides.

    ``peer_cidr`` and ``peer_group`` exclude each other; neither set means any peer.  ``ports`` is an inclusive
    range for tcp and udp, None otherwise.  ``rule_id`` goes into the kernel as the rule's comment, so that
    a drop can be traced back to the user's rule with ``nft list`` alone.
    """

    rule_id: str
    verdict: Verdict
    protocol: Protocol_ = "all"
    ports: tuple[int, int] | None = None
    peer_cidr: str | None = None
    peer_group: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The ordered rows of one *set* of security groups; shared by all interfaces that have this set."""

    policy_id: str
    ingress: tuple[PolicyRow, ...]
    egress: tuple[PolicyRow, ...]
    ingress_default: Verdict = "drop"
    egress_default: Verdict = "accept"


@dataclass(frozen=True, slots=True)
class HostInterface:
    """A program's place in a VPC: a namespace of its own, joined to the VPC's router by a veth pair."""

    interface_id: str
    namespace: str
    address: str
    subnet_cidr: str
    policy_id: str


@dataclass(frozen=True, slots=True)
class EndpointInterface:
    """One zone of an endpoint: packets to ``address``:``service_port`` leave as ``fabric_address`` for the service.

    ``connected`` False keeps the address (it answers ARP) but lets nothing through.
    """

    interface_id: str
    endpoint_id: str
    address: str
    policy_id: str
    fabric_address: str
    service_address: str
    service_port: int
    """0: every TCP port (a service that a user published; the port stays)"""
    connected: bool = True
    bandwidth_mbit: int = 0
    """of the endpoint's connection through this zone, each way; 0: not limited"""


@dataclass(frozen=True, slots=True)
class Publication:
    """A user's TCP service in this VPC, reachable through endpoints of other VPCs of the region.

    ``address`` is the service's fabric address (100.113.0.0/16); packets to it, of any TCP port, go to
    ``target_address``, a host interface of this VPC, whose security groups judge them with the consumer's fabric
    address as their source (as Alibaba's load balancers speak from 100.64.0.0/10).
    """

    service_id: str
    address: str
    target_address: str


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One VPC, whole."""

    vpc_id: str
    namespace: str
    provider_namespace: str
    cidrs: tuple[str, ...]
    subnet_gateways: tuple[tuple[str, str], ...]
    """(subnet CIDR, the router's address in it)"""
    resolver_addresses: tuple[str, ...]
    hosts: tuple[HostInterface, ...] = ()
    endpoints: tuple[EndpointInterface, ...] = ()
    publications: tuple[Publication, ...] = ()
    policies: tuple[Policy, ...] = ()
    group_members: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(security group id, the addresses of its members), for rules whose peer is a group"""


@dataclass(frozen=True, slots=True)
class RegionConfig:
    """One provider namespace: the gateway's address, and the ranges around it."""

    region_id: str
    namespace: str
    gateway_address: str
    gateway_port: int
    fabric_cidr: str
    """Consumers' translated addresses: never dialled from inside."""
    cluster_cidr: str
    """Database addresses: dialled from ``gateway_address`` only."""
    cluster_addresses: tuple[str, ...] = ()
    direct_services: tuple[tuple[str, int], ...] = ()
    """(cluster address, port) that exclusive endpoints are translated to, past the gateway"""
    published_cidr: str = fabric.SERVICE_CIDR
    """Published services' addresses: passed on to the VPC that publishes, never dialled from inside."""


class Namespaces(Protocol):
    """The network namespaces of this installation; the agent's ``world.py`` is the real one.

    Names are short (``vpc-...``); ``path`` is the bind-mounted file that ``nsenter --net=PATH`` takes.
    ``create`` is idempotent.  ``inside`` moves the *calling thread* and always moves it back.
    """

    def create(self, name: str) -> None: ...
    def delete(self, name: str) -> None: ...
    def names(self) -> frozenset[str]: ...
    def path(self, name: str) -> str: ...
    def inside(self, name: str) -> AbstractContextManager[None]: ...


class DataPlane(Protocol):
    """The driver.  Every method may be called any number of times and killed at any instruction.

    ``apply_*`` take one whole part and converge the kernel to it: what is missing is made, what differs is
    replaced in one nft transaction, what a dead predecessor left inside the part is swept.  They return
    True when anything had to change and raise :class:`DataPlaneError` with one sentence when they cannot.
    ``observe_network`` reads what the VPC's packets did, from any thread and beside an apply; it changes nothing.
    ``sweep`` removes every namespace of this installation that is in neither set.  ``cleanup`` removes all.
    """

    def apply_region(self, config: RegionConfig) -> bool: ...
    def apply_network(self, config: NetworkConfig) -> bool: ...
    def observe_network(self, config: NetworkConfig) -> NetworkTraffic: ...
    def remove_network(self, vpc_id: str) -> None: ...
    def remove_region(self, region_id: str) -> None: ...
    def sweep(self, keep_networks: frozenset[str], keep_regions: frozenset[str]) -> None: ...
    def cleanup(self) -> None: ...


class DataPlaneError(Exception):
    """The kernel refused; the message says what, why, and what to do."""
