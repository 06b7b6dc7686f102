"""Subnets (vSwitch, Subnet): a slice of a VPC's range in one zone, and which of its addresses are free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from tidegate.domain.refusals import AddressUnavailable, CidrOutsideVpc, CidrOverlaps, Malformed, SubnetFull
from tidegate.domain.vpcs import Vpc, require_network


@dataclass(frozen=True, slots=True)
class Subnet:
    subnet_id: str
    vpc_id: str
    account_id: str
    region_id: str
    zone_id: str
    cidr: str
    name: str
    description: str
    created_at: datetime
    resource_group_id: str = ""
    generation: int = 1
    deleting: bool = False


def require_subnet_cidr(text: str, vpc: Vpc, others: Iterable[Subnet]) -> IPv4Network:
    """/16 to /29, inside the VPC, apart from the VPC's other subnets."""
    network = require_network("CidrBlock", text)
    if not 16 <= network.prefixlen <= 29:
        raise Malformed("CidrMask", text)
    if not network.subnet_of(IPv4Network(vpc.cidr)):
        raise CidrOutsideVpc(text, vpc.cidr)
    for other in others:
        if network.overlaps(IPv4Network(other.cidr)):
            raise CidrOverlaps(text, other.cidr)
    return network


def gateway_address(cidr: str) -> str:
    """The router's address in a subnet: x.x.x.253 of a /24, the first of the three reserved at the end.

    ``reference/alibaba.md`` 4, CreateVSwitch: the first and the last three addresses are reserved.
    """
    return str(IPv4Network(cidr).broadcast_address - 2)


def usable_addresses(cidr: str) -> Iterator[IPv4Address]:
    """Addresses that interfaces may have, ascending."""
    network = IPv4Network(cidr)
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 3
    return (IPv4Address(n) for n in range(first, last + 1))


def usable_count(cidr: str) -> int:
    return IPv4Network(cidr).num_addresses - 4


def require_address(subnet: Subnet, taken: frozenset[str], wanted: str | None) -> str:
    """``wanted`` if it is free, else the lowest free address.

    Raises :class:`AddressUnavailable` for a wanted one that is taken, reserved or outside, :class:`SubnetFull`
    when none is left.
    """
    if wanted:
        network = IPv4Network(subnet.cidr)
        try:
            offset = int(IPv4Address(wanted)) - int(network.network_address)
        except ValueError:
            raise AddressUnavailable(wanted, subnet.subnet_id) from None
        if wanted in taken or not 1 <= offset <= network.num_addresses - 4:
            raise AddressUnavailable(wanted, subnet.subnet_id)
        return wanted
    for address in usable_addresses(subnet.cidr):
        if str(address) not in taken:
            return str(address)
    raise SubnetFull(subnet.subnet_id)
