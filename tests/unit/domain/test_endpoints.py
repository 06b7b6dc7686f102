"""States follow from wish, generation and status: each row of the table, and the refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tidegate.domain.endpoints import (
    ConnectionState,
    Endpoint,
    EndpointState,
    EndpointZone,
    ZoneState,
    attach_group,
    decide_connection_state,
    decide_endpoint_state,
    decide_zone_state,
    detach_group,
    require_no_zones,
    require_only_endpoint,
    require_same_region,
    require_zone_free,
)
from tidegate.domain.refusals import (
    CrossRegion,
    EndpointExists,
    EndpointHasZones,
    GroupAttached,
    GroupRequired,
    NotFound,
    ServiceUnknown,
    ZoneDuplicated,
    ZoneNotServed,
)
from tidegate.domain.services import EndpointService, require_visible
from tidegate.domain.status import Status

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ENDPOINT = Endpoint("ep-1", "a", "alicloud-x", "vpc-1", "epsrv-1", "", "", "d", ("sg-1",), True, NOW)
SERVICE = EndpointService(
    "epsrv-1", "p", "alicloud-x", "alicloud", "n", "d", ("xa", "xb"), True, "100.112.0.1", 4000, ("*",), NOW
)
ZONE = EndpointZone("ep-1", "xa", "vpc-1", "alicloud-x", "vsw-1", "eni-1", "10.0.0.1", "100.64.0.1", "zd", 1)


def status(generation: int, phase: str = "ready") -> Status:
    return Status("endpoint", "ep-1", generation, phase, "because")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("endpoint", "answer", "state", "connection"),
    [
        (ENDPOINT, None, EndpointState.CREATING, ConnectionState.CONNECTING),
        (ENDPOINT, status(1, "failed"), EndpointState.CREATING, ConnectionState.CONNECTING),
        (ENDPOINT, status(1), EndpointState.ACTIVE, ConnectionState.CONNECTED),
        (replace(ENDPOINT, generation=2), status(1), EndpointState.CREATING, ConnectionState.CONNECTING),
        (
            replace(ENDPOINT, generation=2, ready_generation=1),
            status(1),
            EndpointState.PENDING,
            ConnectionState.CONNECTED,
        ),
        (replace(ENDPOINT, accepted=False), status(1), EndpointState.ACTIVE, ConnectionState.DISCONNECTED),
        (
            replace(ENDPOINT, accepted=False, generation=2, ready_generation=1, toggled_generation=2),
            status(1),
            EndpointState.PENDING,
            ConnectionState.DISCONNECTING,
        ),
        (replace(ENDPOINT, deleting=True), status(1), EndpointState.DELETING, ConnectionState.DELETING),
    ],
)
def test_states(endpoint: Endpoint, answer: Status | None, state: EndpointState, connection: ConnectionState) -> None:
    """'Not done yet' and 'failed' never show Active or Connected for the first time."""
    assert decide_endpoint_state(endpoint, answer) is state
    assert decide_connection_state(endpoint, answer) is connection


def test_a_zone_is_connected_only_once_its_own_generation_is_answered() -> None:
    later = replace(ZONE, since_generation=2)
    assert decide_zone_state(ENDPOINT, later, status(1)) is ZoneState.CREATING
    assert decide_zone_state(ENDPOINT, later, status(2)) is ZoneState.CONNECTED
    assert decide_zone_state(replace(ENDPOINT, accepted=False), ZONE, status(1)) is ZoneState.WAIT
    assert decide_zone_state(ENDPOINT, replace(ZONE, deleting=True), status(1)) is ZoneState.DELETING


def test_no_cross_region_endpoints() -> None:
    require_same_region(SERVICE, "alicloud-x")
    with pytest.raises(CrossRegion):
        require_same_region(SERVICE, "alicloud-y")


def test_unknown_and_forbidden_services_look_alike() -> None:
    with pytest.raises(ServiceUnknown) as unknown:
        require_visible(None, "n", "a")
    with pytest.raises(ServiceUnknown) as forbidden:
        require_visible(replace(SERVICE, allowed_accounts=("b",)), "n", "a")
    assert str(unknown.value) == str(forbidden.value)


def test_one_endpoint_per_vpc_and_service() -> None:
    require_only_endpoint([ENDPOINT], SERVICE, "vpc-2")
    with pytest.raises(EndpointExists):
        require_only_endpoint([ENDPOINT], SERVICE, "vpc-1")


def test_zones() -> None:
    with pytest.raises(ZoneNotServed):
        require_zone_free(SERVICE, [], "xc", "ep-1")
    with pytest.raises(ZoneDuplicated):
        require_zone_free(SERVICE, [ZONE], "xa", "ep-1")
    with pytest.raises(EndpointHasZones):
        require_no_zones(ENDPOINT, [ZONE])
    require_no_zones(ENDPOINT, [replace(ZONE, deleting=True)])


def test_an_endpoint_keeps_one_group() -> None:
    assert attach_group(ENDPOINT, "sg-2") == ("sg-1", "sg-2")
    with pytest.raises(GroupAttached):
        attach_group(ENDPOINT, "sg-1")
    with pytest.raises(GroupRequired):
        detach_group(ENDPOINT, "sg-1")
    with pytest.raises(NotFound):
        detach_group(ENDPOINT, "sg-9")
