"""Which addresses a subnet gives away; two interfaces with one address would steal each other's packets."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.refusals import AddressUnavailable, CidrOutsideVpc, CidrOverlaps, Malformed, SubnetFull
from tidegate.domain.subnets import (
    Subnet,
    gateway_address,
    require_address,
    require_subnet_cidr,
    usable_addresses,
    usable_count,
)
from tidegate.domain.vpcs import Vpc, require_vpc_cidr

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VPC = Vpc("vpc-1", "a", "r", "10.0.0.0/16", "", "", "", "", NOW)


def subnet(cidr: str) -> Subnet:
    return Subnet("vsw-1", "vpc-1", "a", "r", "z", cidr, "", "", NOW)


@given(st.integers(16, 29), st.integers(0, 2**29 - 1))
def test_reserved_addresses_are_never_given(prefix: int, seed: int) -> None:
    """The first and the last three are reserved; the router's is one of them (CreateVSwitch)."""
    network = IPv4Network((seed << 3 & ~(2 ** (32 - prefix) - 1), prefix))
    given_away = list(usable_addresses(str(network)))[:300]
    assert len(list(usable_addresses(str(network)))) == usable_count(str(network))
    assert str(network.network_address) not in map(str, given_away)
    assert gateway_address(str(network)) not in map(str, usable_addresses(str(network)))


def test_a_slash_24_has_252_free_addresses_and_its_router_at_253() -> None:
    assert usable_count("10.0.1.0/24") == 252
    assert gateway_address("10.0.1.0/24") == "10.0.1.253"


def test_the_lowest_free_address_and_the_wanted_one() -> None:
    taken = frozenset({"10.0.1.1", "10.0.1.2"})
    assert require_address(subnet("10.0.1.0/24"), taken, None) == "10.0.1.3"
    assert require_address(subnet("10.0.1.0/24"), taken, "10.0.1.9") == "10.0.1.9"


@pytest.mark.parametrize("wanted", ["10.0.1.1", "10.0.1.0", "10.0.1.253", "10.0.1.255", "10.0.2.5", "x", "10.0.1.999"])
def test_an_address_that_is_taken_reserved_or_elsewhere(wanted: str) -> None:
    with pytest.raises(AddressUnavailable):
        require_address(subnet("10.0.1.0/24"), frozenset({"10.0.1.1"}), wanted)


def test_a_full_subnet() -> None:
    small = subnet("10.0.1.0/29")
    everything = frozenset(map(str, usable_addresses("10.0.1.0/29")))
    assert len(everything) == 4
    with pytest.raises(SubnetFull):
        require_address(small, everything, None)


def test_a_subnet_lies_in_its_vpc_and_apart_from_others() -> None:
    with pytest.raises(CidrOutsideVpc):
        require_subnet_cidr("10.1.0.0/24", VPC, [])
    with pytest.raises(CidrOverlaps):
        require_subnet_cidr("10.0.1.128/25", VPC, [subnet("10.0.1.0/24")])
    for bad in ("10.0.1.1/24", "10.0.0.0/15", "10.0.0.0/30", "", "::/16"):
        with pytest.raises(Malformed):
            require_subnet_cidr(bad, VPC, [])


@pytest.mark.parametrize(
    "cidr", ["100.64.0.0/16", "100.100.2.0/24", "224.0.0.0/8", "10.0.0.0/7", "10.0.0.0/29", "127.0.0.0/8"]
)
def test_ranges_no_vpc_may_have(cidr: str) -> None:
    """100.64.0.0/10 is the fabric: a VPC with it could answer for the provider."""
    with pytest.raises(Malformed):
        require_vpc_cidr(cidr)
