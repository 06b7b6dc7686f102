"""Published services: who sees them, what may be published, which resource a zone gets, when one may go."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.refusals import (
    BandwidthFixed,
    Conflict,
    InUse,
    Malformed,
    Missing,
    NotFound,
    QuotaReached,
    ResourceTypeNotServed,
    WrongState,
    ZoneNotServed,
)
from tidegate.domain.service_resources import (
    RESOURCES_PER_ZONE,
    ServiceResource,
    choose_resource,
    require_attached,
    require_publishable,
)
from tidegate.domain.services import (
    USERS_PER_SERVICE,
    EndpointService,
    ServiceState,
    allow,
    decide_service_state,
    decide_visible,
    disallow,
    require_arn,
    require_bandwidth,
    require_default_bandwidth,
    require_deletable,
    require_resource_type,
    require_user,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SHARED = EndpointService("epsrv-t", "p", "r", "alicloud", "n", "d", ("xa",), True, "100.112.0.1", 4000, ("*",), NOW)
MINE = replace(SHARED, service_id="epsrv-1", account_id="1", address="", port=0, allowed_accounts=("1",))
INTERFACE = NetworkInterface("eni-1", "1", "r", "vpc-1", "vsw-1", "xa", "host", "10.0.0.1", "", "", NOW)
RESOURCE = ServiceResource("epsrv-1", "eni-1", "slb", "1", "r", "xa", "vpc-1", "vsw-1", "100.113.0.1", "10.0.0.1", NOW)


@pytest.mark.parametrize(
    ("service", "account", "sees"),
    [
        (SHARED, "7", True),
        (MINE, "1", True),
        (MINE, "7", False),
        (replace(MINE, allowed_accounts=()), "1", False),  # its owner too can be taken off
        (replace(MINE, allowed_accounts=("7",)), "7", True),
        (replace(MINE, allowed_arns=("acs:ram:*:7:*",)), "7", True),
        (replace(MINE, allowed_arns=("acs:ram:*:77:*",)), "7", False),
        (replace(MINE, allowed_arns=("acs:ram:*:*:*",)), "7", True),
        (replace(MINE, deleting=True), "1", False),
    ],
)
def test_who_sees_a_service(service: EndpointService, account: str, sees: bool) -> None:
    assert decide_visible(service, account) is sees


def test_the_whitelist_is_a_set() -> None:
    twice = allow(allow(MINE, ["7"], ["acs:ram:*:8:*"]), ["7"], [])
    assert (twice.allowed_accounts, twice.allowed_arns) == (("1", "7"), ("acs:ram:*:8:*",))
    gone = disallow(disallow(twice, ["7"], []), ["7"], ["acs:ram:*:9:*"])
    assert (gone.allowed_accounts, gone.allowed_arns) == (("1",), ("acs:ram:*:8:*",))
    with pytest.raises(QuotaReached):
        allow(MINE, [str(n) for n in range(1, USERS_PER_SERVICE + 2)], [])


def test_users_are_numbers_and_arns_have_one_form() -> None:
    assert require_user("1234567890123456") and require_arn("acs:ram:*:1234567890123456:*")
    for bad in ("", "0", "-1", "1 ", "x", "１２", "9" * 20):
        with pytest.raises(Malformed):
            require_user(bad)
    for bad in ("", "acs:ram:cn:1:*", "acs:ram:*::*", "acs:ram:*:1:root", "acs:ram:*:1:*\n"):
        with pytest.raises(Malformed):
            require_arn(bad)


def test_states_of_a_service() -> None:
    assert decide_service_state(MINE, False) is ServiceState.ACTIVE
    assert decide_service_state(MINE, True) is ServiceState.CREATING
    assert decide_service_state(replace(MINE, generation=2), True) is ServiceState.PENDING
    assert decide_service_state(replace(MINE, deleting=True), False) is ServiceState.DELETING


def test_bandwidths_by_kind_of_resource() -> None:
    nlb = replace(MINE, resource_type="nlb")
    assert require_bandwidth(MINE, 10240) and require_bandwidth(nlb, 50000) and require_default_bandwidth(MINE, 100)
    for service, mbit in ((MINE, 99), (MINE, 10241), (nlb, 50001)):
        with pytest.raises(Malformed):
            require_bandwidth(service, mbit)
    with pytest.raises(BandwidthFixed):
        require_default_bandwidth(nlb, 200)
    with pytest.raises(ResourceTypeNotServed):
        require_resource_type("gwlb")


def test_what_may_be_published() -> None:
    require_publishable(INTERFACE, "slb", None, [])
    require_publishable(INTERFACE, "nlb", "xa", [])
    with pytest.raises(NotFound):
        require_publishable(replace(INTERFACE, kind="endpoint"), "slb", None, [])
    with pytest.raises(Missing):
        require_publishable(INTERFACE, "alb", None, [])
    with pytest.raises(Malformed):
        require_publishable(INTERFACE, "slb", "xb", [])
    with pytest.raises(Conflict):
        require_publishable(INTERFACE, "slb", None, [RESOURCE])
    full = [replace(RESOURCE, resource_id=f"eni-x{n}") for n in range(RESOURCES_PER_ZONE)]
    with pytest.raises(QuotaReached):
        require_publishable(INTERFACE, "slb", None, full)
    require_publishable(replace(INTERFACE, zone_id="xb"), "slb", None, full)


def test_a_zone_gets_the_least_used_published_resource_of_its_zone() -> None:
    others = [RESOURCE, replace(RESOURCE, resource_id="eni-2"), replace(RESOURCE, resource_id="eni-3", zone_id="xb")]
    ready = ["eni-1", "eni-2", "eni-3"]
    assert choose_resource(MINE, others, ready, "xa", Counter({"eni-1": 2, "eni-2": 1})).resource_id == "eni-2"
    assert choose_resource(MINE, others, ["eni-1"], "xa", Counter({"eni-1": 2})).resource_id == "eni-1"
    with pytest.raises(ZoneNotServed):
        choose_resource(MINE, others, ready, "xc", Counter())
    with pytest.raises(ZoneNotServed):
        choose_resource(MINE, [replace(RESOURCE, deleting=True)], ready, "xa", Counter())
    with pytest.raises(WrongState):  # it is only being published: come again
        choose_resource(MINE, others, [], "xa", Counter())


def test_what_is_attached() -> None:
    assert require_attached([RESOURCE], "epsrv-1", "eni-1", "xa") is RESOURCE
    for resource, zone in ((RESOURCE, "xb"), (replace(RESOURCE, deleting=True), None)):
        with pytest.raises(NotFound):
            require_attached([resource], "epsrv-1", "eni-1", zone)


def test_what_keeps_a_service() -> None:
    require_deletable(MINE, resources=0, connected=False)
    for resources, connected, by in ((1, False, "service_resource"), (1, True, "connection")):
        with pytest.raises(InUse) as refused:
            require_deletable(MINE, resources=resources, connected=connected)
        assert refused.value.by == by
