"""VPCs: private address ranges that may overlap with each other, because nothing routes between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network

from tidegate.domain.refusals import Malformed

DEFAULT_CIDR = "172.16.0.0/12"

_TAKEN = tuple(
    IPv4Network(n)
    for n in ("100.64.0.0/10", "224.0.0.0/4", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "240.0.0.0/4")
)


@dataclass(frozen=True, slots=True)
class Vpc:
    vpc_id: str
    account_id: str
    region_id: str
    cidr: str
    name: str
    description: str
    router_id: str
    route_table_id: str
    created_at: datetime
    resource_group_id: str = ""
    generation: int = 1
    deleting: bool = False
    route_table_name: str = ""
    route_table_description: str = ""


def require_vpc_cidr(text: str) -> IPv4Network:
    """A network of /8 to /28 that is not the fabric's, link-local, loopback or multicast.

    Alibaba recommends the RFC 1918 ranges and allows others but 100.64.0.0/10, 224.0.0.0/4, 127.0.0.0/8 and
    169.254.0.0/16 (CreateVpc, ``reference/alibaba.md`` 4).  100.64.0.0/10 is also our fabric and the resolvers' range.
    """
    network = require_network("CidrBlock", text)
    if not 8 <= network.prefixlen <= 28 or any(network.overlaps(taken) for taken in _TAKEN):
        raise Malformed("CidrBlock", text)
    return network


def require_network(field: str, text: str) -> IPv4Network:
    """A network in CIDR form without host bits."""
    try:
        return IPv4Network(text)
    except ValueError:
        raise Malformed(field, text) from None
