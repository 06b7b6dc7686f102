"""Names, link-layer addresses, addresses and routes that a configuration asks for.  Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from tidegate.dataplane import hops
from tidegate.dataplane.config import HostInterface, NetworkConfig, RegionConfig
from tidegate.domain import fabric

VPC_HOP, PROVIDER_HOP = "169.254.1.1", "169.254.1.2"
"""Next hops on every fabric link: known to both ends as permanent neighbours, so no ARP and no neighbour per
endpoint (the kernel's table has 1,024 places for the whole machine)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Written as alias on a namespace's ``lo``: a driver that knows nothing yet reads there whose it is.

    ``kind`` is region, network or host; ``belongs`` the region's or VPC's id; ``detail`` the provider namespace
    of a network, the interface of a host.
    """

    kind: str
    belongs: str
    detail: str = ""


def build_alias(owner: Owner) -> str:
    return "/".join(("tidegate", owner.kind, owner.belongs, owner.detail))


def parse_alias(alias: str) -> Owner | None:
    words = alias.split("/")
    if len(words) != 4 or words[0] != "tidegate" or words[1] not in ("region", "network", "host"):
        return None
    return Owner(*words[1:])


def _digest(text: str, hex_digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:hex_digits]


def host_link(interface_id: str) -> str:
    """The router's end of a host's link; at most 15 bytes (IFNAMSIZ)."""
    return f"h-{_digest(interface_id, 12)}"


def fabric_link(vpc_id: str) -> str:
    """The provider's end of a VPC's fabric link."""
    return f"f-{_digest(vpc_id, 12)}"


def mac(what: str) -> str:
    """A stable, locally administered, unicast address."""
    digits = _digest(what, 10)
    return ":".join(("02", *(digits[i : i + 2] for i in range(0, 10, 2))))


def router_mac(interface_id: str) -> str:
    return mac(f"router {interface_id}")


def host_mac(interface_id: str) -> str:
    return mac(f"host {interface_id}")


def vpc_fabric_mac(vpc_id: str) -> str:
    return mac(f"vpc {vpc_id}")


def provider_fabric_mac(vpc_id: str) -> str:
    return mac(f"provider {vpc_id}")


def plan_router_addresses(config: NetworkConfig) -> frozenset[str]:
    """What answers ARP on the router itself: gateways, resolvers and every ENI, connected or not."""
    gateways = (address for _, address in config.subnet_gateways)
    return frozenset((*gateways, *config.resolver_addresses, *(e.address for e in config.endpoints)))


def plan_services(config: NetworkConfig) -> frozenset[str]:
    """Routes of the VPC over its fabric link; with strict rp_filter also who may speak to it from there."""
    services = frozenset(f"{e.service_address}/32" for e in config.endpoints if e.connected)
    return services | {fabric.CONSUMER_CIDR} if config.publications else services


def plan_claims(config: NetworkConfig) -> frozenset[str]:
    """Routes of the provider towards this VPC; with strict rp_filter also what the VPC may send as."""
    consumers = (f"{e.fabric_address}/32" for e in config.endpoints if e.connected)
    return frozenset((*consumers, *(f"{p.address}/32" for p in config.publications)))


def plan_limits(config: NetworkConfig) -> dict[str, int]:
    """Fabric address to Mbit/s, of connected endpoints that are limited."""
    return {e.fabric_address: e.bandwidth_mbit for e in config.endpoints if e.connected and e.bandwidth_mbit > 0}


def narrow(known: NetworkConfig, config: NetworkConfig) -> tuple[NetworkConfig, NetworkConfig]:
    """Both configurations with only those endpoints in which they differ: the work is the difference's size."""
    old = {e.interface_id: e for e in known.endpoints}
    new = {e.interface_id: e for e in config.endpoints}
    gone = tuple(e for e in known.endpoints if new.get(e.interface_id) != e)
    come = tuple(e for e in config.endpoints if old.get(e.interface_id) != e)
    return replace(known, endpoints=gone), replace(config, endpoints=come)


def plan_host_links(config: NetworkConfig) -> dict[str, HostInterface]:
    return {host_link(h.interface_id): h for h in config.hosts}


def plan_region_addresses(config: RegionConfig) -> frozenset[str]:
    return frozenset((config.gateway_address, *config.cluster_addresses))


def find_gateway(config: NetworkConfig, host: HostInterface) -> str | None:
    """The router's address in the host's subnet."""
    return next((address for cidr, address in config.subnet_gateways if cidr == host.subnet_cidr), None)


ROUTER_SETTINGS = {
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/conf/all/rp_filter": "1",  # strict: a host sends with its own address only
    "ipv4/conf/default/rp_filter": "1",
    "ipv4/conf/all/accept_redirects": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/ip_forward": "1",
    "netfilter/nf_conntrack_tcp_loose": "0",  # a connection starts with SYN, so one that was cut stays cut
    "netfilter/nf_conntrack_tcp_be_liberal": "1",  # a lost window update must not hang a session
}
PROVIDER_SETTINGS = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/conf/all/rp_filter": "1",  # strict: a VPC sends with its own fabric addresses only
    "ipv4/conf/default/rp_filter": "1",
    "ipv4/conf/all/accept_redirects": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",  # a VPC may consume what it publishes: in and out by one link
    "ipv4/ip_forward": "1",  # for published services; the rules are there before this is written
}
HOST_SETTINGS = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/ip_forward": "0",
    "ipv4/ping_group_range": "0 0",  # `ping` without CAP_NET_RAW for the group that is 0 in this world
}


def host_link_settings(link: str) -> dict[str, str]:
    """The router answers ARP for everything it routes to, and at once (the default waits up to 0.8 s)."""
    return {f"ipv4/conf/{link}/proxy_arp": "1", f"ipv4/neigh/{link}/proxy_delay": "0"}


FABRIC_LINK = hops.FABRIC
