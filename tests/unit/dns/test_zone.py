"""Who gets which answer: a table of rows, and the ways names come and go."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.dns.message import REFUSED, Answer, parse_query
from tidegate.dns.zone import FORWARD, NameTable, decide_answer, find_apex

SERVICE = "epsrv-1.cn-hangzhou.privatelink.aliyuncs.com"
MINE, OTHERS = f"ep-a.{SERVICE}", f"ep-b.{SERVICE}"
GATEWAY = "gateway01-privatelink.us-east-1.prod.aws.tidbcloud.com"
NXDOMAIN, NOERROR = dns.rcode.NXDOMAIN, dns.rcode.NOERROR


def view(vpc_id="vpc-a", resolution="isolated", upstreams=()):
    return ResolverConfig(vpc_id, "ns", ("100.100.2.136",), resolution, upstreams)


def table() -> NameTable:
    names = NameTable()
    names.put(MINE, NameRecord(MINE, "vpc-a", ("10.0.0.1", "10.0.1.1")))
    names.put(OTHERS, NameRecord(OTHERS, "vpc-b", ("10.0.0.2",)))
    names.put("db.corp", NameRecord("db.corp", "vpc-b", ("10.0.0.3",)))
    names.put("bare", NameRecord(f"ep-c.{SERVICE}", "vpc-a", ()))
    return names


def ask(name, kind="A", resolver=None, names=None, turn=0, rdclass="IN"):
    question = parse_query(dns.message.make_query(name, kind, rdclass=rdclass).to_wire())
    return decide_answer(names or table(), resolver or view(), question, turn)


ROWS = [
    # name, type, resolution, rcode, addresses
    (MINE, "A", "isolated", NOERROR, ("10.0.0.1", "10.0.1.1")),
    (MINE.upper(), "A", "isolated", NOERROR, ("10.0.0.1", "10.0.1.1")),
    (MINE, "AAAA", "isolated", NOERROR, ()),
    (MINE, "HTTPS", "isolated", NOERROR, ()),
    (OTHERS, "A", "isolated", NXDOMAIN, ()),
    (OTHERS, "AAAA", "isolated", NXDOMAIN, ()),
    (OTHERS, "A", "cloud", NOERROR, ("10.0.0.2",)),
    ("db.corp", "A", "isolated", NXDOMAIN, ()),
    ("db.corp", "A", "cloud", NOERROR, ("10.0.0.3",)),
    (f"ep-c.{SERVICE}", "A", "isolated", NOERROR, ()),
    (SERVICE, "A", "isolated", NOERROR, ()),
    (f"ep-gone.{SERVICE}", "A", "isolated", NXDOMAIN, ()),
    (f"ep-gone.{SERVICE}", "A", "cloud", NXDOMAIN, ()),
    ("privatelink.aliyuncs.com", "NS", "isolated", NOERROR, ()),
    ("vpce-1.vpce-svc-1.us-east-1.vpce.amazonaws.com", "A", "isolated", NXDOMAIN, ()),
    (GATEWAY, "A", "isolated", NXDOMAIN, ()),
    ("1.0.64.100.in-addr.arpa", "PTR", "isolated", NXDOMAIN, ()),
]


@pytest.mark.parametrize("upstreams", [(), ("192.0.2.1",)], ids=["alone", "upstreams"])
@pytest.mark.parametrize(("name", "kind", "resolution", "rcode", "addresses"), ROWS)
def test_rows(name, kind, resolution, rcode, addresses, upstreams):
    """Every one of these is ours to answer: with upstreams the answer is the same, and nothing leaks."""
    answer = ask(name, kind, view(resolution=resolution, upstreams=upstreams))
    assert isinstance(answer, Answer)
    assert (answer.rcode, answer.addresses) == (rcode, addresses)
    assert addresses or answer.apex is not None


@pytest.mark.parametrize(
    "name",
    ["example.com", "aliyuncs.com", "gateway01.us-east-1.prod.aws.tidbcloud.com", "xprivatelink.aliyuncs.com", "."],
)
def test_other_names_go_upstream_if_there_is_one(name):
    assert ask(name, resolver=view(upstreams=("192.0.2.1",))) is FORWARD
    answer = ask(name)
    assert isinstance(answer, Answer)
    assert answer.rcode == NXDOMAIN


def test_addresses_take_turns():
    assert [ask(MINE, turn=turn).addresses[0] for turn in range(3)] == ["10.0.0.1", "10.0.1.1", "10.0.0.1"]


def test_transfers_and_other_classes_are_refused():
    assert ask("privatelink.aliyuncs.com", "AXFR") is REFUSED
    assert ask("version.bind", "TXT", rdclass="CH") is REFUSED


def test_an_empty_parent_is_not_shown_to_those_who_may_not_see_its_children():
    """NXDOMAIN on a parent makes caching resolvers deny the whole subtree; NODATA in a foreign VPC tells it exists."""
    assert ask(SERVICE, resolver=view("vpc-a")).rcode == NOERROR
    assert ask(SERVICE, resolver=view("vpc-z")).rcode == NXDOMAIN
    assert ask(SERVICE, resolver=view("vpc-z", "cloud")).rcode == NOERROR


def test_the_apex_answers_its_soa():
    answer = ask("privatelink.aliyuncs.com", "SOA")
    assert answer.soa_asked
    assert answer.apex == "privatelink.aliyuncs.com"


def test_one_private_name_in_two_vpcs_means_two_addresses():
    """AWS private DNS: the same name in every VPC with an endpoint, each answering its own."""
    names = NameTable()
    names.put(f"vpc-a/{GATEWAY}", NameRecord(GATEWAY, "vpc-a", ("10.0.0.1",)))
    names.put(f"vpc-b/{GATEWAY}", NameRecord(GATEWAY, "vpc-b", ("10.9.9.9",)))
    assert ask(GATEWAY, resolver=view("vpc-a"), names=names).addresses == ("10.0.0.1",)
    assert ask(GATEWAY, resolver=view("vpc-b"), names=names).addresses == ("10.9.9.9",)
    assert ask(GATEWAY, resolver=view("vpc-c"), names=names).rcode == NXDOMAIN
    names.put(f"vpc-a/{GATEWAY}", None)
    assert ask(GATEWAY, resolver=view("vpc-a"), names=names).rcode == NXDOMAIN


def test_apexes():
    assert find_apex(MINE) == "privatelink.aliyuncs.com"
    assert find_apex(GATEWAY) == "us-east-1.prod.aws.tidbcloud.com"
    assert find_apex("7.31.172.in-addr.arpa") == "31.172.in-addr.arpa"
    assert find_apex("7.32.172.in-addr.arpa") is None
    assert find_apex("tidbcloud.com") is None


KEYS = st.sampled_from(["k1", "k2", "k3"])
RECORDS = st.builds(
    NameRecord,
    name=st.sampled_from([MINE, OTHERS, f"a.b.{SERVICE}", "db.corp"]),
    vpc_id=st.sampled_from(["vpc-a", "vpc-b"]),
    addresses=st.just(("10.0.0.1",)),
)


@given(st.lists(st.tuples(KEYS, st.none() | RECORDS), max_size=12))
def test_a_table_emptied_remembers_nothing(steps):
    """A count left over would answer "exists" for names of endpoints long gone, and grow for ever."""
    names = NameTable()
    for key, record in steps:
        names.put(key, record)
    for key in ("k1", "k2", "k3"):
        names.put(key, None)
    assert (len(names), dict(names._by_name), dict(names._above)) == (0, {}, {})
