"""Connections: every transition of 3.2, zone by zone, and who waits for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tidegate.domain.connections import connect, connect_zone, require_connection, require_quiet, toggle_zones, widen
from tidegate.domain.endpoints import (
    ConnectionState,
    Endpoint,
    EndpointZone,
    ZoneState,
    decide_connection_state,
    decide_zone_state,
    require_changeable,
    require_zone_free,
)
from tidegate.domain.refusals import Busy, EndpointProtected, Malformed, NotFound, ServiceGone, WrongState
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Phase, Status

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ENDPOINT = Endpoint(
    "ep-1", "a", "r", "vpc-1", "epsrv-1", "", "", "d", ("sg-1",), False, NOW, generation=1, ready_generation=1
)
SERVICE = EndpointService("epsrv-1", "p", "r", "alicloud", "n", "d", ("xa",), False, "", 0, ("p",), NOW)
ZONE = EndpointZone("ep-1", "xa", "vpc-1", "r", "vsw-1", "eni-1", "10.0.0.1", "100.64.0.1", "zd", 1)


def status(generation: int, phase: Phase = "ready") -> Status:
    return Status("endpoint", "ep-1", generation, phase, "because")


def states(endpoint: Endpoint, zone: EndpointZone, answer: Status | None) -> tuple[ConnectionState, ZoneState]:
    return decide_connection_state(endpoint, answer), decide_zone_state(endpoint, zone, answer)


def settled(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, ready_generation=endpoint.generation)


def test_a_connections_life() -> None:
    """Wait until accepted; then cut and joined again; each with its state in between."""
    assert states(ENDPOINT, ZONE, status(1)) == (ConnectionState.DISCONNECTED, ZoneState.WAIT)
    endpoint = connect(ENDPOINT, True)
    [zone] = toggle_zones(endpoint, [ZONE])
    assert states(endpoint, zone, status(1)) == (ConnectionState.CONNECTING, ZoneState.CONNECTING)
    assert states(endpoint, zone, status(2)) == (ConnectionState.CONNECTED, ZoneState.CONNECTED)
    endpoint = connect(settled(endpoint), False)
    [zone] = toggle_zones(endpoint, [zone])
    assert states(endpoint, zone, status(2)) == (ConnectionState.DISCONNECTING, ZoneState.DISCONNECTING)
    assert states(endpoint, zone, status(3)) == (ConnectionState.DISCONNECTED, ZoneState.DISCONNECTED)
    assert connect(endpoint, False) is endpoint


def test_a_later_failure_does_not_unmake_what_was_made() -> None:
    endpoint = settled(connect(ENDPOINT, True))
    assert decide_connection_state(replace(endpoint, generation=3), status(3, "failed")) is ConnectionState.CONNECTED
    assert decide_zone_state(replace(endpoint, generation=3), ZONE, status(3, "failed")) is ZoneState.CONNECTED


def test_a_zone_alone() -> None:
    endpoint = settled(connect(ENDPOINT, True))
    raised, off = connect_zone(endpoint, ZONE, status(2), False)
    assert states(raised, off, status(2)) == (ConnectionState.CONNECTED, ZoneState.DISCONNECTING)
    assert states(raised, off, status(3)) == (ConnectionState.CONNECTED, ZoneState.DISCONNECTED)
    raised = settled(raised)
    with pytest.raises(WrongState):
        connect_zone(raised, off, status(3), False)
    again, on = connect_zone(raised, off, status(3), True)
    assert states(again, on, status(3))[1] is ZoneState.CONNECTING
    with pytest.raises(WrongState):
        connect_zone(settled(again), on, status(4), True)
    with pytest.raises(WrongState):
        connect_zone(ENDPOINT, ZONE, status(1), True)  # the connection itself is not up


def test_a_zone_that_is_off_stays_off_when_its_connection_comes_back() -> None:
    off = replace(ZONE, enabled=False, toggled_generation=2)
    endpoint = connect(settled(replace(ENDPOINT, generation=3)), True)
    assert toggle_zones(endpoint, [off, replace(ZONE, deleting=True)]) == []
    assert decide_zone_state(settled(endpoint), off, status(4)) is ZoneState.DISCONNECTED


def test_the_provider_waits_for_a_running_change_and_not_for_a_failed_one() -> None:
    """A consumer whose network fails must not be able to keep its connection by that."""
    changed = replace(ENDPOINT, generation=2)
    require_quiet(ENDPOINT, status(1))
    require_quiet(changed, status(2, "failed"))
    for endpoint, answer in ((changed, status(1)), (ENDPOINT, None), (replace(ENDPOINT, deleting=True), status(1))):
        with pytest.raises(Busy):
            require_quiet(endpoint, answer)


def test_the_consumer_waits_for_the_provider() -> None:
    require_changeable(replace(ENDPOINT, generation=5), status(1), service_gone=False)  # its own changes queue up
    connecting = connect(ENDPOINT, True)
    with pytest.raises(Busy) as refused:
        require_changeable(connecting, status(1), service_gone=False)
    assert refused.value.kind == "connection"
    require_changeable(connecting, status(2), service_gone=False)
    with pytest.raises(EndpointProtected):
        require_changeable(replace(ENDPOINT, protected=True), status(1), service_gone=False)
    with pytest.raises(ServiceGone):
        require_changeable(ENDPOINT, status(1), service_gone=True)


def test_a_zone_that_is_going_away_is_no_duplicate() -> None:
    with pytest.raises(Busy):
        require_zone_free(SERVICE, [replace(ZONE, deleting=True)], "xa", "ep-1")


def test_a_deleted_service_shows() -> None:
    shown = decide_connection_state(ENDPOINT, status(1), service_gone=True)
    assert shown is ConnectionState.SERVICE_DELETED


def test_width() -> None:
    assert widen(ENDPOINT, SERVICE, None, None) is ENDPOINT
    assert widen(ENDPOINT, SERVICE, 3072, "BandwidthLimit") is ENDPOINT
    wide = widen(ENDPOINT, SERVICE, 200, None)
    assert (wide.bandwidth_mbit, wide.limited, wide.generation) == (200, True, 2)
    nlb = replace(SERVICE, resource_type="nlb")
    free = widen(ENDPOINT, nlb, None, "Scalability")
    assert not free.limited and widen(free, nlb, 50000, "BandwidthLimit").bandwidth_mbit == 50000
    for service, mbit, control in ((SERVICE, 50, None), (SERVICE, None, "Scalability"), (nlb, None, "x")):
        with pytest.raises(Malformed):
            widen(ENDPOINT, service, mbit, control)


def test_a_connection_is_of_its_service() -> None:
    assert require_connection(SERVICE, ENDPOINT, "ep-1") is ENDPOINT
    for endpoint in (None, replace(ENDPOINT, service_id="epsrv-2")):
        with pytest.raises(NotFound):
            require_connection(SERVICE, endpoint, "ep-1")
