"""The pure parts of the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.access import Access
from tidegate.cli.calls.clusters import private_service
from tidegate.cli.calls.endpoints import region_of_service
from tidegate.cli.calls.networks import plan_subnets
from tidegate.cli.clients import AlibabaClient, CliError, Server, TidbCloudClient
from tidegate.cli.cluster import describe_public
from tidegate.cli.endpoint import refuse_service
from tidegate.cli.reports import PASSWORD_VARIABLE, choose_password, make_password
from tidegate.cli.status import choose_rows, is_wrong, render, summarize
from tidegate.cli.tidb import show_build
from tidegate.cli.vpc import resolver_text
from tidegate.domain.connection_strings import build_string

SERVICE = "com.aliyuncs.privatelink.ap-southeast-1.epsrv-t4nabc"


@pytest.mark.parametrize(
    ("cidr", "count", "subnets"),
    [
        ("10.0.0.0/16", 1, ["10.0.0.0/24"]),
        ("10.0.0.0/16", 3, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ("10.0.0.0/24", 2, ["10.0.0.0/25", "10.0.0.128/25"]),
        ("10.0.0.0/28", 1, ["10.0.0.0/28"]),
    ],
)
def test_subnets_are_cut_from_the_front(cidr: str, count: int, subnets: list[str]) -> None:
    assert plan_subnets(cidr, count) == subnets


@pytest.mark.parametrize(("cidr", "count"), [("10.0.0.0/28", 3), ("10.0.0.1/16", 1), ("ten", 1)])
def test_no_room_is_said_before_anything_is_made(cidr: str, count: int) -> None:
    with pytest.raises(CliError):
        plan_subnets(cidr, count)


def cluster(private: dict[str, Any], cloud: str = "alicloud") -> dict[str, Any]:
    region = {"name": f"regions/{cloud}-x", "regionId": "x", "cloudProvider": cloud}
    return {"displayName": "orders", "region": region, "endpoints": {"private": private}}


def test_the_dialogs_three_values() -> None:
    found = cluster({"host": "h", "port": 4000, "alicloud": {"serviceName": SERVICE, "availabilityZone": ["xa", "xb"]}})
    assert private_service(found) == (SERVICE, ["xa", "xb"], "x")


def test_a_gcp_cluster_has_none() -> None:
    """The how-to page's first limit, in a sentence that names the cloud and the way out."""
    with pytest.raises(CliError, match=r"hosted on gcp.*Alibaba Cloud or AWS"):
        private_service(cluster({}, "gcp"))


def test_cross_region_is_named_as_such() -> None:
    """The cloud's API only says that the service does not exist; the name tells us more."""
    assert region_of_service(SERVICE) == "ap-southeast-1"
    assert region_of_service("com.amazonaws.vpce.us-east-1.vpce-svc-0") is None
    assert "cross-region endpoints are not" in refuse_service(SERVICE, "ap-northeast-1")
    assert "No service" in refuse_service(SERVICE, "ap-southeast-1")


def test_made_passwords() -> None:
    """They go into URLs, quotes and options; and the cloud wants four kinds of letters."""
    for password in (make_password() for _ in range(200)):
        assert len(password) == 16 and password[0].isalnum()
        assert any(c.isupper() for c in password) and any(c.islower() for c in password)
        assert any(c.isdigit() for c in password) and set(password) & set("-_.~")
        assert not set(password) & set("'\"\\$`@:/ ")


def test_a_given_password_is_not_shown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "from the environment")
    assert choose_password(from_stdin=False) == ("from the environment", False)


def test_the_vpcs_resolver_is_the_only_one() -> None:
    assert [line for line in resolver_text().splitlines() if "nameserver" in line] == [
        "nameserver 100.100.2.136",
        "nameserver 100.100.2.138",
    ]


def report(failed: int = 0, working: int = 0, connected: bool = True, **errors: str) -> dict[str, Any]:
    agent = {"connected": connected, "reason": "it is gone", "errors": errors}
    return {
        "agent": agent,
        "phases": {"ready": 2, "working": working, "failed": failed},
        "resources": [],
        "stopped": {},
    }


@pytest.mark.parametrize(
    ("found", "sentence", "wrong"),
    [
        (report(), "All is well: 2 resources, all as wished.", False),
        (report(working=1), "1 of 3 resources are on their way; nothing failed.", False),
        (report(failed=1), "Not well: 1 of 3 resources failed.", True),
        (report(networks="x"), "Not well: 0 of 2 resources failed, 1 parts of the host.", True),
        (report(connected=False), "The agent is not connected: it is gone", True),
    ],
)
def test_summary(found: dict[str, Any], sentence: str, wrong: bool) -> None:
    assert summarize(found) == sentence
    assert is_wrong(found) is wrong


def row(kind: str, phase: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "phase": phase, "name": name, "id": name, "reason": "", "state": "", "endpoints": 0} | more


def test_what_is_wrong_comes_first() -> None:
    """And the services that every region offers do not hide it: those that nobody uses are one line."""
    rows = [
        *(row("service", "ready", f"idle{number}", state="offered") for number in range(34)),
        row("service", "ready", "used", state="offered", endpoints=2, reason="Offered."),
        row("service", "ready", "published", state="available"),
        row("service", "failed", "broken", state="offered"),
        row("vpc", "ready", "a"),
        row("vpc", "failed", "b"),
    ]
    chosen = choose_rows(rows, everything=False)
    assert [r["name"] for r in chosen] == ["broken", "b", "published", "used", "a", "of 34 regions"]
    assert len(choose_rows(rows, everything=True)) == len(rows)
    shown = render(report() | {"resources": rows}).plain.splitlines()
    assert len(shown) == 7
    assert any(line.endswith("Offered. Used by 2 endpoints.") for line in shown)


def test_a_build_in_a_log_is_seen_to_live(capsys: pytest.CaptureFixture[str]) -> None:
    """CI has no terminal: ten silent minutes look like a hang, and a line per source file fills the log."""
    with show_build() as tell:
        tell("modules", None, "downloading")
        for number in range(50):
            tell("compile", number / 50, f"package {number}")
    assert capsys.readouterr().err.splitlines() == ["TiDB: modules downloading", "TiDB: compile 0% package 0"]


def test_public_strings_name_the_ca_of_this_installation() -> None:
    """Its certificates are not signed by any CA that a system knows."""
    server = Server("http", "127.0.0.1:1")
    clients = AlibabaClient(server, "k", "s"), TidbCloudClient(server, "k", "s")
    access = Access(server, *clients, ca_path=Path("/home/x/ca.pem"))
    public = {"host": "db.example", "port": 4001, "disabled": False}
    cluster = {"displayName": "orders", "userPrefix": "3p", "endpoints": {"public": public}}
    facts, target = describe_public(access, cluster)
    assert facts == {"host": "db.example", "port": 4001, "ca": "/home/x/ca.pem"}
    assert "--ssl-ca=/home/x/ca.pem" in build_string("MySQL CLI", target)
    public["disabled"] = True
    with pytest.raises(CliError, match="disabled"):
        describe_public(access, cluster)
