"""Names and plans: what must fit the kernel's limits and stay the same for ever."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tidegate.dataplane import wiring
from tidegate.dataplane.config import EndpointInterface, NetworkConfig, Publication
from tidegate.dataplane.wiring import Owner

NETWORK = NetworkConfig(
    "vpc-1", "vpc-1", "region", ("10.0.0.0/16",), (("10.0.1.0/24", "10.0.1.1"),), ("100.100.2.136",)
)
ENDPOINT = EndpointInterface("eni-1", "ep-1", "10.0.2.5", "sg-1", "100.64.0.1", "100.127.255.1", 4000)


@given(st.text())
def test_link_names_fit(name: str) -> None:
    """IFNAMSIZ is 16 with the closing zero; slash, colon and space are refused."""
    for link in (wiring.host_link(name), wiring.fabric_link(name)):
        assert len(link) <= 15 and link.isascii() and not set(link) & set("/: ")


@given(st.text())
def test_macs_are_unicast_and_locally_administered(name: str) -> None:
    first = int(wiring.mac(name).split(":")[0], 16)
    assert first & 1 == 0 and first & 2 == 2 and len(wiring.mac(name)) == 17


def test_names_are_stable() -> None:
    """A driver of the next release must recognise the links of this one."""
    assert wiring.fabric_link("vpc-a") == "f-8266fc7efe5d"
    assert wiring.host_link("eni-app") == "h-0066a9f40136"


def test_aliases_round_trip_and_strangers_are_not_ours() -> None:
    for owner in (Owner("region", "r"), Owner("network", "vpc-1", "region"), Owner("host", "vpc-1", "eni-1")):
        assert wiring.parse_alias(wiring.build_alias(owner)) == owner
    for stranger in ("", "eth0", "tidegate/pod/x/y", "tidegate/host/x", "other/host/x/y"):
        assert wiring.parse_alias(stranger) is None


def test_a_disconnected_endpoint_keeps_its_address_but_no_route() -> None:
    config = replace(NETWORK, endpoints=(replace(ENDPOINT, connected=False),))
    assert ENDPOINT.address in wiring.plan_router_addresses(config)
    assert wiring.plan_services(config) == wiring.plan_claims(config) == frozenset()


def test_publishing_adds_one_route_each_way() -> None:
    """However many consumers there are: towards all of them in the VPC, towards the service in the provider."""
    publications = tuple(Publication(f"s{n}", f"100.113.0.{n}", "10.0.1.10") for n in (1, 2))
    config = replace(NETWORK, publications=publications)
    assert wiring.plan_services(config) == {"100.64.0.0/11"}
    assert wiring.plan_claims(config) == {"100.113.0.1/32", "100.113.0.2/32"}


def test_limits_are_of_connected_endpoints_only() -> None:
    limited = replace(ENDPOINT, bandwidth_mbit=100)
    for endpoint, limits in (
        (limited, {"100.64.0.1": 100}),
        (ENDPOINT, {}),
        (replace(limited, connected=False), {}),
    ):
        assert wiring.plan_limits(replace(NETWORK, endpoints=(endpoint,))) == limits


def test_narrow_keeps_only_what_differs() -> None:
    """The quick pass costs what changed: 1,000 equal endpoints are left out on both sides."""
    others = tuple(replace(ENDPOINT, interface_id=f"eni-{n + 2}") for n in range(1000))
    moved = replace(ENDPOINT, address="10.0.2.6")
    gone, come = wiring.narrow(
        replace(NETWORK, endpoints=(ENDPOINT, *others)), replace(NETWORK, endpoints=(*others, moved))
    )
    assert (gone.endpoints, come.endpoints) == ((ENDPOINT,), (moved,))
