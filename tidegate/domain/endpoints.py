"""Endpoints: a VPC's private door to one service.  One interface, one address, one subnet per zone.

What may follow a state (``reference/alibaba.md`` 3.2)::

    endpoint     CREATING ──> ACTIVE <──> PENDING        connection   DISCONNECTED ──> CONNECTING ──> CONNECTED
                    │            │           │                             ^                              │
                    └────────> DELETING <────┘                             └─────── DISCONNECTING <───────┘

No state is stored: each follows from the wish (this row), its generation, and the status row that answers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.domain.catalogue import Region
from tidegate.domain.refusals import (
    Busy,
    EndpointExists,
    EndpointHasZones,
    GroupAttached,
    GroupRequired,
    NotFound,
    ZoneDuplicated,
    ZoneNotServed,
)
from tidegate.domain.services import EndpointService, require_same_region
from tidegate.domain.status import Status, decide_settled

__all__ = ["require_same_region"]  # where people look for the cross-region refusal


class EndpointState(StrEnum):
    CREATING = "creating"
    ACTIVE = "active"
    PENDING = "pending"
    DELETING = "deleting"


class ConnectionState(StrEnum):
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"


class ZoneState(StrEnum):
    CREATING = "creating"
    WAIT = "wait"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``accepted`` is the provider's wish: True connects, False keeps (or cuts) the connection.

    ``ready_generation`` is the first generation that ever became ready, 0 before: it tells CREATING from PENDING.
    """

    endpoint_id: str
    account_id: str
    region_id: str
    vpc_id: str
    service_id: str
    name: str
    description: str
    domain: str
    group_ids: tuple[str, ...]
    accepted: bool
    created_at: datetime
    zone_affinity: bool = False
    protected: bool = False
    resource_group_id: str = ""
    bandwidth_mbit: int = 3072
    generation: int = 1
    ready_generation: int = 0
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class EndpointZone:
    """One zone of an endpoint: its interface in the VPC, and the fabric address that the provider sees.

    ``since_generation`` is the endpoint's generation that wished it; ``deleting`` stays until the kernel has let go.
    """

    endpoint_id: str
    zone_id: str
    vpc_id: str
    region_id: str
    subnet_id: str
    interface_id: str
    address: str
    fabric_address: str
    domain: str
    since_generation: int
    deleting: bool = False


def endpoint_domain(region: Region, endpoint_id: str, service_id: str) -> str:
    """*Domain Name of Endpoint Service*: ``<ep>.<epsrv>.<region>.privatelink.aliyuncs.com``."""
    return f"{endpoint_id}.{service_id}.{region.code}.privatelink.aliyuncs.com"


def zone_domain(region: Region, endpoint_id: str, zone_id: str, service_id: str) -> str:
    return f"{endpoint_id}-{zone_id}.{service_id}.{region.code}.privatelink.aliyuncs.com"


def decide_endpoint_state(endpoint: Endpoint, status: Status | None) -> EndpointState:
    if endpoint.deleting:
        return EndpointState.DELETING
    if decide_settled(status, endpoint.generation):
        return EndpointState.ACTIVE
    return EndpointState.PENDING if endpoint.ready_generation else EndpointState.CREATING


def decide_connection_state(endpoint: Endpoint, status: Status | None) -> ConnectionState:
    """An accepted endpoint without zones shows Connected: the service accepted it, no packet can pass yet.

    Whether the cloud does so is not documented (``docs/fidelity.md``).
    """
    settled = decide_settled(status, endpoint.generation)
    if endpoint.deleting:
        return ConnectionState.DISCONNECTING
    if not endpoint.accepted:
        return (
            ConnectionState.DISCONNECTED if settled or not endpoint.ready_generation else ConnectionState.DISCONNECTING
        )
    if settled:
        return ConnectionState.CONNECTED
    return ConnectionState.CONNECTED if endpoint.ready_generation else ConnectionState.CONNECTING


def decide_zone_state(endpoint: Endpoint, zone: EndpointZone, status: Status | None) -> ZoneState:
    if zone.deleting or endpoint.deleting:
        return ZoneState.DELETING
    if not decide_settled(status, zone.since_generation):
        return ZoneState.CREATING
    return ZoneState.CONNECTED if endpoint.accepted else ZoneState.WAIT


def require_not_deleting(endpoint: Endpoint) -> None:
    if endpoint.deleting:
        raise Busy("endpoint", endpoint.endpoint_id)


def require_only_endpoint(existing: Iterable[Endpoint], service: EndpointService, vpc_id: str) -> None:
    """One endpoint per VPC and service (EndpointDuplicated; ``reference/tidbcloud.md`` 6.1)."""
    for endpoint in existing:
        if endpoint.vpc_id == vpc_id and endpoint.service_id == service.service_id:
            raise EndpointExists(endpoint.endpoint_id, service.service_id, vpc_id)


def require_zone_free(service: EndpointService, zones: Iterable[EndpointZone], zone_id: str, endpoint_id: str) -> None:
    if zone_id not in service.zone_ids:
        raise ZoneNotServed(zone_id, service.service_id)
    if any(zone.zone_id == zone_id for zone in zones):
        raise ZoneDuplicated(zone_id, endpoint_id)


def require_zone(zones: Iterable[EndpointZone], zone_id: str) -> EndpointZone:
    for zone in zones:
        if zone.zone_id == zone_id and not zone.deleting:
            return zone
    raise NotFound("endpoint_zone", zone_id)


def require_no_zones(endpoint: Endpoint, zones: Iterable[EndpointZone]) -> None:
    """Zones are removed before their endpoint (EndpointDependenceViolation)."""
    if any(not zone.deleting for zone in zones):
        raise EndpointHasZones(endpoint.endpoint_id)


def attach_group(endpoint: Endpoint, group_id: str) -> tuple[str, ...]:
    if group_id in endpoint.group_ids:
        raise GroupAttached(group_id, endpoint.endpoint_id)
    return (*endpoint.group_ids, group_id)


def detach_group(endpoint: Endpoint, group_id: str) -> tuple[str, ...]:
    if group_id not in endpoint.group_ids:
        raise NotFound("security_group", group_id)
    rest = tuple(g for g in endpoint.group_ids if g != group_id)
    if not rest:
        raise GroupRequired(endpoint.endpoint_id)
    return rest
