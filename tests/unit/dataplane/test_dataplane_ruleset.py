"""The pure half of the data plane: what is asked of nft, down to the element."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.dataplane import hops
from tidegate.dataplane.config import (
    EndpointInterface,
    HostInterface,
    NetworkConfig,
    Policy,
    PolicyRow,
    Publication,
    RegionConfig,
)
from tidegate.dataplane.ruleset import (
    build_change,
    build_load,
    chain_name,
    network_fixed,
    network_pieces,
    region_fixed,
    region_pieces,
)

POLICY = Policy("sg-1", (PolicyRow("r1", "accept", "tcp", (4000, 4000), peer_cidr="10.0.0.0/8"),), ())
HOST = HostInterface("eni-h", "h", "10.0.1.10", "10.0.1.0/24", "sg-1")
NETWORK = NetworkConfig(
    "vpc-1",
    "vpc-1",
    "region",
    ("10.0.0.0/16",),
    (("10.0.1.0/24", "10.0.1.1"),),
    ("100.100.2.136",),
    (HOST,),
    policies=(POLICY,),
)


def endpoint(n: int, **other: Any) -> EndpointInterface:
    there = f"10.0.{2 + n // 250}.{1 + n % 250}"
    fabric = f"100.64.{n // 250}.{1 + n % 250}"
    made = EndpointInterface(f"eni-{n}", f"ep-{n}", there, "sg-1", fabric, "100.127.255.1", 4000)
    return replace(made, **other)


def change(old: NetworkConfig, new: NetworkConfig) -> list[Any]:
    return build_change(network_pieces(old), network_pieces(new))


def elements(commands: list[Any], verb: str) -> dict[str, list[Any]]:
    bodies = (c[verb]["element"] for c in commands if verb in c and "element" in c[verb])
    return {b["name"]: b["elem"] for b in bodies}


def rules_of(row: PolicyRow) -> Any:
    policy = Policy("p", (row,), ())
    commands = build_load(network_fixed(), network_pieces(replace(NETWORK, policies=(policy,))))
    rules = [c["add"]["rule"] for c in commands if "rule" in c.get("add", {})]
    return next(r for r in rules if r["chain"] == "ingress_p" and r.get("comment") == row.rule_id)["expr"]


def test_one_more_endpoint_is_four_elements_whatever_else_exists() -> None:
    """The cost of adding one must not grow with the number there is."""
    thousand = replace(NETWORK, endpoints=tuple(endpoint(n) for n in range(1000)))
    commands = change(thousand, replace(thousand, endpoints=(*thousand.endpoints, endpoint(1000))))
    assert elements(commands, "add") == {
        "ingress": [["10.0.6.1", {"goto": {"target": "ingress_sg-1"}}]],
        "live": [{"concat": ["10.0.6.1", "100.64.4.1"]}],
        "service": [[{"concat": ["10.0.6.1", 4000]}, "100.127.255.1"]],
        "fabric": [["10.0.6.1", "100.64.4.1"]],
    }
    assert len(commands) == 4


def test_an_endpoint_of_every_port_is_four_elements_too() -> None:
    commands = change(NETWORK, replace(NETWORK, endpoints=(endpoint(1, service_port=0),)))
    assert set(elements(commands, "add")) == {"ingress", "live", "every_port", "fabric"}


def test_one_more_publication_is_three_elements() -> None:
    """And no chain or rule, whatever else is published."""
    published = tuple(Publication(f"s{n}", f"100.113.0.{n + 1}", HOST.address) for n in range(101))
    old, new = replace(NETWORK, publications=published[:100]), replace(NETWORK, publications=published)
    commands = change(old, new)
    assert elements(commands, "add") == {
        "published": [["100.113.0.101", {"goto": {"target": "ingress_sg-1"}}]],
        "targets": [["100.113.0.101", "10.0.1.10"]],
        "serving": [{"concat": ["100.113.0.101", "10.0.1.10"]}],
    }
    assert len(commands) == 3


def test_a_publication_without_its_host_opens_nothing() -> None:
    """Its host went first: there are no groups that could judge.  With the host the elements come back."""
    publication = Publication("s", "100.113.0.1", HOST.address)
    homeless = replace(NETWORK, hosts=(), publications=(publication,))
    assert change(replace(NETWORK, hosts=()), homeless) == []
    assert "published" in elements(change(homeless, replace(homeless, hosts=(HOST,))), "add")


def test_a_bandwidth_is_no_matter_of_rules() -> None:
    connected = replace(NETWORK, endpoints=(endpoint(1),))
    assert change(connected, replace(NETWORK, endpoints=(endpoint(1, bandwidth_mbit=100),))) == []


def test_disconnecting_takes_all_but_the_judgement() -> None:
    connected = replace(NETWORK, endpoints=(endpoint(1),))
    commands = change(connected, replace(NETWORK, endpoints=(endpoint(1, connected=False),)))
    assert set(elements(commands, "delete")) == {"live", "service", "fabric"}
    assert elements(commands, "add") == {}


def test_no_difference_is_no_command() -> None:
    """Equal by value, not by identity: configurations arrive over a socket."""
    again = replace(NETWORK, endpoints=(endpoint(1),))
    assert change(replace(NETWORK, endpoints=(endpoint(1),)), again) == []


def test_order_of_a_policy_change() -> None:
    """The kernel refuses a jump to a chain that is not there, and to remove one that is named."""
    new_policy = replace(POLICY, policy_id="sg-2")
    new = replace(NETWORK, hosts=(replace(HOST, policy_id="sg-2"),), policies=(new_policy,))
    verbs = [(next(iter(c)), next(iter(next(iter(c.values()))))) for c in change(NETWORK, new)]
    assert verbs.index(("add", "chain")) < verbs.index(("add", "element"))
    assert verbs.index(("delete", "element")) < verbs.index(("delete", "chain"))


def test_a_load_replaces_the_table_in_one_transaction() -> None:
    """add, delete, add: works whether the table is there or not."""
    commands = build_load(network_fixed(), network_pieces(NETWORK))
    assert [next(iter(c)) for c in commands[:3]] == ["add", "delete", "add"]
    assert all("table" in next(iter(c.values())) for c in commands[:3])


def match(protocol: str, name: str, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": name}}, "right": right}}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (PolicyRow("r", "accept"), []),
        (PolicyRow("r", "accept", peer_cidr="0.0.0.0/0"), []),
        (PolicyRow("r", "accept", "tcp", (1, 9)), [match("tcp", "dport", {"range": [1, 9]})]),
        (PolicyRow("r", "accept", "udp", (9, 9)), [match("udp", "dport", 9)]),
        (PolicyRow("r", "accept", peer_cidr="10.1.2.3/32"), [match("ip", "saddr", "10.1.2.3")]),
        (PolicyRow("r", "accept", peer_cidr="10.1.2.3"), [match("ip", "saddr", "10.1.2.3")]),
        (
            PolicyRow("r", "accept", peer_cidr="10.1.0.0/16"),
            [match("ip", "saddr", {"prefix": {"addr": "10.1.0.0", "len": 16}})],
        ),
        (PolicyRow("r", "accept", peer_group="sg-9"), [match("ip", "saddr", "@group_sg-9")]),
        (
            PolicyRow("r", "accept", "icmp"),
            [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "icmp"}}],
        ),
    ],
)
def test_rows(row: PolicyRow, expected: list[Any]) -> None:
    """Every row counts its packets, whatever it matches."""
    assert rules_of(row) == [*expected, {"counter": None}, {"accept": None}]
    dropped = rules_of(replace(row, verdict="drop"))
    assert dropped[-1] == {"goto": {"target": "refused"}}, "every drop goes through the hop that remembers it"


def test_a_group_that_a_rule_names_but_nobody_has_is_an_empty_set() -> None:
    """Else nft refuses the whole transaction."""
    policy = Policy("p", (PolicyRow("r", "accept", peer_group="sg-none"),), ())
    commands = build_load(network_fixed(), network_pieces(replace(NETWORK, policies=(policy,))))
    assert "group_sg-none" in [c["add"]["set"]["name"] for c in commands if "set" in c.get("add", {})]


def test_long_comments_are_cut_where_the_kernel_would_refuse_them() -> None:
    """127 bytes, and not in the middle of a character."""
    row = PolicyRow("规" * 60, "accept")
    commands = build_load(network_fixed(), network_pieces(replace(NETWORK, policies=(Policy("p", (row,), ()),))))
    comments = [c["add"]["rule"].get("comment", "") for c in commands if "rule" in c.get("add", {})]
    assert "规" * 42 in comments
    assert max(len(c.encode()) for c in comments) <= 127


@given(st.text(max_size=300), st.text(max_size=300))
def test_chain_names_are_words_and_tell_ids_apart(one: str, two: str) -> None:
    """nft's grammar has no commas, spaces or endless names; two policies must never share a chain."""
    names = [chain_name(hops.INGRESS, text) for text in (one, two)]
    assert all(len(n) < 128 and n.isascii() and " " not in n and "," not in n for n in names)
    assert (names[0] == names[1]) == (one == two)


ids = st.lists(st.integers(0, 12), unique=True, max_size=8)


@st.composite
def networks(draw: Any) -> NetworkConfig:
    policies = tuple(replace(POLICY, policy_id=f"sg-{n}") for n in (1, 2))
    endpoints = tuple(
        endpoint(n, connected=draw(st.booleans()), policy_id=f"sg-{draw(st.sampled_from((1, 2)))}") for n in draw(ids)
    )
    hosts = tuple(
        replace(HOST, policy_id=f"sg-{draw(st.sampled_from((1, 2)))}") for _ in range(draw(st.integers(0, 1)))
    )
    published = tuple(Publication(f"s{n}", f"100.113.0.{n + 1}", HOST.address) for n in draw(ids))
    groups = tuple((f"g{n}", tuple(f"10.9.9.{m}" for m in draw(ids))) for n in draw(ids))
    return replace(
        NETWORK, hosts=hosts, endpoints=endpoints, publications=published, policies=policies, group_members=groups
    )


@given(networks(), networks())
def test_a_change_ends_in_the_elements_of_a_load(old: NetworkConfig, new: NetworkConfig) -> None:
    """Played on a model of the kernel's sets, the difference gives what a whole load would."""
    kernel = _play({}, build_load(network_fixed(), network_pieces(old)))
    wanted = _play({}, build_load(network_fixed(), network_pieces(new)))
    assert _play(kernel, change(old, new)) == wanted


def _play(kernel: dict[str, set[str]], commands: list[Any]) -> dict[str, set[str]]:
    """Sets only; as strict as the kernel: nothing is added twice or deleted when absent."""
    for command in commands:
        ((verb, thing),) = command.items()
        ((kind, body),) = thing.items()
        if kind in ("set", "map") and verb == "add":
            assert body["name"] not in kernel
            kernel[body["name"]] = set()
        elif kind == "set":
            del kernel[body["name"]]
        elif kind == "element":
            members = {json.dumps(e) for e in body["elem"]}
            there = kernel[body["name"]]
            assert members.isdisjoint(there) if verb == "add" else members <= there
            kernel[body["name"]] = there | members if verb == "add" else there - members
    return kernel


def test_the_providers_services() -> None:
    """The gateway, and what exclusive endpoints are translated to; nothing else listens to consumers."""
    region = RegionConfig("r", "r", "100.127.255.1", 4000, "100.64.0.0/11", "100.127.0.0/17", ("100.127.0.1",))
    direct = replace(region, direct_services=(("100.127.0.1", 4000),))
    found = elements(build_load(region_fixed(direct), region_pieces(direct)), "add")
    assert found["services"] == [{"concat": ["100.127.255.1", 4000]}, {"concat": ["100.127.0.1", 4000]}]
    assert found["selves"] == [{"concat": ["100.127.0.1", "100.127.0.1"]}]


def test_every_hop_is_a_chain_and_every_chain_a_hop() -> None:
    """The table a newcomer reads cannot lag behind the rules."""
    region = RegionConfig("r", "r", "100.127.255.1", 4000, "100.64.0.0/11", "100.127.0.0/17")
    chains = {*network_fixed().chains, *region_fixed(region).chains}
    by_policy = {hops.EGRESS.name, hops.INGRESS.name}
    assert {hop.name for hop in hops.HOPS} == chains | by_policy


def test_every_hook_denies_unless_it_only_translates() -> None:
    assert {hop.policy for hop in hops.HOPS if hop.hook and hop.kind == "filter"} == {"drop"}


def test_every_drop_of_a_vpc_is_remembered() -> None:
    """A rule that dropped by itself would refuse without anybody ever learning why.

    What no user sends or asks about is left out: IPv6, invalid packets, the router's own.
    """
    commands = build_load(network_fixed(), network_pieces(NETWORK))
    rules = [command["add"]["rule"] for command in commands if "rule" in command.get("add", {})]
    silent = [r for r in rules if {"drop": None} in r["expr"]]
    assert {r["chain"] for r in silent} == {hops.ARRIVE.name, hops.SEND.name, hops.REFUSED.name}
    assert len([r for r in silent if r["chain"] == hops.ARRIVE.name]) == 2, "IPv6, invalid"
