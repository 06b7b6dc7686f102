"""``tidegate cluster connect``: whose domain is the host."""

from __future__ import annotations

from tidegate.cli.cluster import SHOWN_CHOICES, choose_host
from tidegate.domain.connection_strings import HOST


def test_the_only_endpoint_is_the_host() -> None:
    assert choose_host([{"EndpointId": "ep-1", "EndpointDomain": "ep-1.aliyuncs.com"}], "orders") == (
        "ep-1.aliyuncs.com",
        None,
    )


def test_without_an_endpoint_the_hint_is_the_command_that_makes_one() -> None:
    host, hint = choose_host([], "orders")
    assert host == HOST
    assert hint is not None and "tidegate endpoint create NAME --vpc VPC --cluster orders" in hint


def test_of_several_endpoints_the_hint_names_each() -> None:
    """After `scripts/demo --keep` the README's own step 3 met three; "choose one" did not say of what."""
    several = [{"EndpointId": "ep-1", "EndpointName": "orders-ep"}, {"EndpointId": "ep-2"}]
    host, hint = choose_host(several, "orders")
    assert host == HOST
    assert hint is not None and "2 endpoints reach it; choose yours by --endpoint: ep-1 orders-ep, ep-2." in hint


def test_a_crowd_of_endpoints_is_counted() -> None:
    _, hint = choose_host([{"EndpointId": f"ep-{n}"} for n in range(SHOWN_CHOICES + 3)], "orders")
    assert hint is not None and hint.endswith(", and 3 more.")
