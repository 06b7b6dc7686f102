"""Connections: an endpoint as the owner of its service sees it.  Accepted or not, zone by zone, and how wide.

The consumer asks for the endpoint, the provider for its connection; each waits for the other's change to end
(``EndpointConnectionOperationDenied`` and its like are transient: clients ask again).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from tidegate.domain.endpoints import (
    ConnectionState,
    Endpoint,
    EndpointZone,
    ZoneState,
    decide_connection_state,
    decide_running,
    decide_zone_state,
)
from tidegate.domain.refusals import Busy, Malformed, NotFound, WrongState
from tidegate.domain.services import EndpointService, require_bandwidth
from tidegate.domain.status import Status

TrafficControl = Literal["Scalability", "BandwidthLimit"]


def traffic_control(endpoint: Endpoint) -> TrafficControl:
    return "BandwidthLimit" if endpoint.limited else "Scalability"


def require_connection(service: EndpointService, endpoint: Endpoint | None, asked: str) -> Endpoint:
    if endpoint is None or endpoint.service_id != service.service_id:
        raise NotFound("connection", asked)
    return endpoint


def require_quiet(endpoint: Endpoint, status: Status | None) -> None:
    """Nobody's change of the endpoint is being carried out.  A failed one is not: else it could not be cut off."""
    if endpoint.deleting or decide_running(status, endpoint.generation):
        raise Busy("connection", endpoint.endpoint_id)


def connect(endpoint: Endpoint, accepted: bool) -> Endpoint:
    """The wish, in its next generation; the same value when it is so already."""
    if endpoint.accepted == accepted:
        return endpoint
    generation = endpoint.generation + 1
    return replace(endpoint, accepted=accepted, generation=generation, toggled_generation=generation)


def toggle_zones(endpoint: Endpoint, zones: Iterable[EndpointZone]) -> list[EndpointZone]:
    """All zones follow their connection, but one that was switched off by itself stays off."""
    return [
        replace(zone, toggled_generation=endpoint.generation) for zone in zones if zone.enabled and not zone.deleting
    ]


def connect_zone(
    endpoint: Endpoint, zone: EndpointZone, status: Status | None, enabled: bool
) -> tuple[Endpoint, EndpointZone]:
    """Enable needs a connected endpoint and a zone that is off, disable one that is on (``reference`` 3.3)."""
    state = decide_connection_state(endpoint, status)
    if state is not ConnectionState.CONNECTED:
        raise WrongState("connection", endpoint.endpoint_id, state.value)
    now = decide_zone_state(endpoint, zone, status)
    if now is not (ZoneState.DISCONNECTED if enabled else ZoneState.CONNECTED):
        raise WrongState("endpoint_zone", zone.zone_id, now.value)
    raised = replace(endpoint, generation=endpoint.generation + 1)
    return raised, replace(zone, enabled=enabled, toggled_generation=raised.generation)


def widen(endpoint: Endpoint, service: EndpointService, bandwidth_mbit: int | None, control: str | None) -> Endpoint:
    """Another bandwidth, or none to keep.  Only network load balancers scale."""
    limited = endpoint.limited
    if control is not None:
        if control not in ("Scalability", "BandwidthLimit") or (control == "Scalability" and not service.scales):
            raise Malformed("TrafficControlMode", control)
        limited = control == "BandwidthLimit"
    mbit = endpoint.bandwidth_mbit if bandwidth_mbit is None else require_bandwidth(service, bandwidth_mbit)
    if (limited, mbit) == (endpoint.limited, endpoint.bandwidth_mbit):
        return endpoint
    return replace(endpoint, limited=limited, bandwidth_mbit=mbit, generation=endpoint.generation + 1)
