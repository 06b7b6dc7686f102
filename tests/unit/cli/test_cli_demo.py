"""The demo's own judgement: it must not call a leak a success."""

from __future__ import annotations

import errno
import re
import socket
import string
from ipaddress import IPv4Network

import pymysql
import pytest

from tidegate.cli import probe
from tidegate.cli.demo_verdicts import EXPECTED, Findings, choose_cidr, decide_held, decide_refused, parse_routes
from tidegate.cli.demo_words import WORDS, choose_language, say

OUTCOMES = {
    "same_cidr_vpc_by_name": "nxdomain",
    "same_cidr_vpc_by_address": "unreachable",
    "closed_security_group": "timeout",
    "from_the_host": "unreachable",
    "wrong_prefix": "mysql 1045",
    "cross_region_endpoint": "EndpointServiceNotFound",
    "gcp_cluster": "NoPrivateEndpoint",
}


def complete() -> Findings:
    findings = Findings("com.x", ["a"], "r", {"status": "Active", "connection_status": "Connected"})
    findings.rows = [list(row) for row in probe.ROWS]
    findings.refused = [decide_refused(case, outcome) for case, outcome in OUTCOMES.items()]
    return findings


def test_all_held() -> None:
    assert decide_held(complete(), probe.ROWS) == []


@pytest.mark.parametrize("case", EXPECTED)
def test_whoever_gets_in_breaks_the_demo(case: str) -> None:
    """Each case by itself."""
    findings = complete()
    findings.refused = [decide_refused(c, "connected" if c == case else o) for c, o in OUTCOMES.items()]
    assert decide_held(findings, probe.ROWS) == [case]


@pytest.mark.parametrize("outcome", ["refused", "mysql 1045", "connected", "resolver silent"])
def test_a_dropped_packet_has_no_answer(outcome: str) -> None:
    """A RST or a MySQL greeting from behind a closed group means that the packet went through."""
    assert not decide_refused("closed_security_group", outcome).held


def test_a_case_that_was_not_tried_has_not_held() -> None:
    """A demo that breaks off half-way must not end well."""
    findings = complete()
    findings.refused.pop()
    assert decide_held(findings, probe.ROWS) == ["gcp_cluster"]
    findings.rows = []
    assert "rows" in decide_held(findings, probe.ROWS)


def test_the_json_object_has_exactly_the_promised_keys() -> None:
    """Programs read it; see README."""
    answer = complete().build_json()
    assert set(answer) == {
        "service_name", "availability_zone_ids", "region_id", "endpoint", "rows", "refused", "elapsed_s",
    }  # fmt: skip
    assert set(answer["endpoint"]) == {"id", "status", "connection_status", "domain"}
    assert set(answer["elapsed_s"]) == {"cluster", "endpoint", "first_row", "total"}
    assert all(set(refused) == {"case", "expected", "got"} for refused in answer["refused"])
    assert all(refused["expected"] == refused["got"] for refused in answer["refused"])


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "nxdomain"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "resolver silent"),
        (TimeoutError("timed out"), "timeout"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (pymysql.OperationalError(1045, "Access denied"), "mysql 1045"),
        (OSError(errno.EPERM, "not permitted"), "EPERM"),
    ],
)
def test_outcomes_of_an_attempt(error: Exception, outcome: str) -> None:
    """A silent resolver is a broken world, not a refusal: it must not pass for NXDOMAIN."""
    assert probe.classify(error) == outcome


def test_the_hosts_own_networks_are_avoided() -> None:
    """The attempt from the host must not reach a neighbour that happens to have the endpoint's address."""
    assert choose_cidr([IPv4Network("0.0.0.0/0")]) == "10.77.0.0/16"
    assert choose_cidr([IPv4Network("10.0.0.0/8")]) == "172.16.0.0/16"
    assert choose_cidr([IPv4Network("10.77.3.0/24")]) == "10.78.0.0/16"


def test_routes_of_proc() -> None:
    """Written by hand from proc(5): addresses are little-endian."""
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert parse_routes(table) == [IPv4Network("0.0.0.0/0"), IPv4Network("10.0.0.0/16")]


@pytest.mark.parametrize(
    ("asked", "environ", "language"),
    [
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ("zh", {"LANG": "C"}, "zh"),
        (None, {}, "en"),
    ],
)
def test_language(asked: str | None, environ: dict[str, str], language: str) -> None:
    assert choose_language(asked, environ) == language


def test_both_languages_say_the_same() -> None:
    """Same facts in both, a sentence for each case."""
    for english, chinese in WORDS.values():
        fields = [
            sorted(name for _, name, _, _ in string.Formatter().parse(text) if name) for text in (english, chinese)
        ]
        assert fields[0] == fields[1]
    assert all(say("zh", case) != say("en", case) for case in EXPECTED)
    assert re.search("[\u4e00-\u9fff]", say("zh", "step1"))


def test_public_names_are_no_leak() -> None:
    """``resolution = "cloud"``: the name resolves everywhere, true to Alibaba; only the address must stay silent."""
    assert decide_refused("same_cidr_vpc_by_name", "timeout", resolution="cloud").held
    assert not decide_refused("same_cidr_vpc_by_name", "timeout").held
    assert not decide_refused("same_cidr_vpc_by_name", "nxdomain", resolution="cloud").held
