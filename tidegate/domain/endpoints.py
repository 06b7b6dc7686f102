"""Endpoints: a VPC's private door to one service.  One interface, one address, one subnet per zone.

What may follow a state (``reference/alibaba.md`` 3.2)::

    endpoint     CREATING ──> ACTIVE <──> PENDING        connection   DISCONNECTED ──> CONNECTING ──> CONNECTED
                    │            │           │                             ^                              │
                    └────────> DELETING <────┘                             └─────── DISCONNECTING <───────┘
                                                         at last DELETING; SERVICE_DELETED: its owner took it away
    zone         CREATING ──> WAIT ──> CONNECTING ──> CONNECTED ──> DISCONNECTING ──> DISCONNECTED ──> CONNECTING...
                         (CREATING ──> CONNECTED where the connection is up)                   at last DELETING

No state is stored: each follows from the wish (this row), its generation, and the status row that answers it.
The service's owner changes connections: ``connections.py``.
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
    EndpointProtected,
    GroupAttached,
    GroupRequired,
    NotFound,
    ServiceGone,
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
    DELETING = "deleting"
    SERVICE_DELETED = "service_deleted"


class ZoneState(StrEnum):
    CREATING = "creating"
    WAIT = "wait"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``accepted`` is the provider's wish: True connects, False keeps (or cuts) the connection.

    ``ready_generation`` is the last generation that became ready, 0 before: it tells CREATING from PENDING.
    ``toggled_generation`` is the one in which ``accepted`` was last changed.  ``limited``: ``bandwidth_mbit`` holds.
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
    limited: bool = True
    toggled_generation: int = 1
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndpointZone:
    """One zone of an endpoint: its interface in the VPC, and the fabric address that the provider sees.

    ``since_generation`` is the endpoint's generation that wished it; ``deleting`` stays until the kernel has let go.
    ``enabled`` is the provider's wish for this zone alone; ``toggled_generation`` the endpoint's generation in which
    it was last connected or disconnected, 0: never since it was made.  ``resource_id`` and ``service_address`` are the
    published service's resource that it leads to; empty for the region's shared service.
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
    enabled: bool = True
    toggled_generation: int = 0
    resource_id: str = ""
    service_address: str = ""


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


def decide_connection_state(
    endpoint: Endpoint, status: Status | None, *, service_gone: bool = False
) -> ConnectionState:
    """An accepted endpoint without zones shows Connected: the service accepted it, no packet can pass yet.

    Whether the cloud does so is not documented (``docs/fidelity.md``).
    """
    if endpoint.deleting:
        return ConnectionState.DELETING
    if service_gone:
        return ConnectionState.SERVICE_DELETED
    carried_out = (
        decide_settled(status, endpoint.generation) or endpoint.ready_generation >= endpoint.toggled_generation
    )
    if endpoint.accepted:
        return ConnectionState.CONNECTED if carried_out else ConnectionState.CONNECTING
    never_was = endpoint.toggled_generation == 1
    return ConnectionState.DISCONNECTED if carried_out or never_was else ConnectionState.DISCONNECTING


def decide_zone_state(endpoint: Endpoint, zone: EndpointZone, status: Status | None) -> ZoneState:
    if zone.deleting or endpoint.deleting:
        return ZoneState.DELETING
    if not _carried_out(endpoint, status, zone.since_generation):
        return ZoneState.CREATING
    carried_out = _carried_out(endpoint, status, zone.toggled_generation)
    if endpoint.accepted and zone.enabled:
        return ZoneState.CONNECTED if carried_out else ZoneState.CONNECTING
    if not zone.toggled_generation:
        return ZoneState.WAIT
    return ZoneState.DISCONNECTED if carried_out else ZoneState.DISCONNECTING


def decide_running(status: Status | None, generation: int) -> bool:
    """Is this generation still being carried out?  One that failed is not: it waits for somebody's next change."""
    return status is None or status.observed_generation < generation or status.phase == "working"


def _carried_out(endpoint: Endpoint, status: Status | None, generation: int) -> bool:
    return endpoint.ready_generation >= generation or decide_settled(status, generation)


def require_not_deleting(endpoint: Endpoint) -> None:
    if endpoint.deleting:
        raise Busy("endpoint", endpoint.endpoint_id)


def require_changeable(endpoint: Endpoint, status: Status | None, *, service_gone: bool) -> None:
    """What its owner may change: not what is protected, going away, without service, or being (dis)connected."""
    require_not_deleting(endpoint)
    if endpoint.protected:
        raise EndpointProtected(endpoint.endpoint_id)
    if service_gone:
        raise ServiceGone(endpoint.endpoint_id)
    require_not_toggling(endpoint, status)


def require_not_toggling(endpoint: Endpoint, status: Status | None) -> None:
    """The provider's change is carried out before the consumer's next.  An endpoint just made is not such a case."""
    toggled = endpoint.toggled_generation
    if toggled > max(1, endpoint.ready_generation) and decide_running(status, toggled):
        raise Busy("connection", endpoint.endpoint_id)


def require_only_endpoint(existing: Iterable[Endpoint], service: EndpointService, vpc_id: str) -> None:
    """One endpoint per VPC and service (EndpointDuplicated; ``reference/tidbcloud.md`` 6.1)."""
    for endpoint in existing:
        if endpoint.vpc_id == vpc_id and endpoint.service_id == service.service_id:
            raise EndpointExists(endpoint.endpoint_id, service.service_id, vpc_id)


def require_zone_free(service: EndpointService, zones: Iterable[EndpointZone], zone_id: str, endpoint_id: str) -> None:
    if zone_id not in service.zone_ids:
        raise ZoneNotServed(zone_id, service.service_id)
    for zone in zones:
        if zone.zone_id == zone_id:
            # One that is just going away is no duplicate: the caller may ask again.
            raise Busy("endpoint_zone", zone_id) if zone.deleting else ZoneDuplicated(zone_id, endpoint_id)


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
