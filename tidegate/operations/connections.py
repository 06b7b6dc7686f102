"""Connections to published services: list, accept, refuse, widen; also one zone alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.domain.connections import (
    connect,
    connect_zone,
    require_connection,
    require_quiet,
    toggle_zones,
    widen,
)
from tidegate.domain.endpoints import (
    ConnectionState,
    Endpoint,
    EndpointZone,
    decide_connection_state,
    decide_zone_state,
    require_zone,
)
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.operations.endpoints import ZoneView
from tidegate.operations.service_resources import assign_resource
from tidegate.operations.services import require_service
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """``zones`` in the order of their ids."""

    endpoint: Endpoint
    service: EndpointService
    state: ConnectionState
    zones: tuple[ZoneView, ...]


def list_connections(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    service_id: str | None = None,
    endpoint_id: str | None = None,
    owner_id: str | None = None,
    interface_id: str | None = None,
    resource_id: str | None = None,
    resource_group_id: str | None = None,
    state: ConnectionState | None = None,
    after: str = "",
    before: str = "",
    limit: int = 50,
) -> tuple[list[ConnectionView], int]:
    """One page of the connections to the caller's services in the order of endpoint ids, and how many there are.

    ``after`` and ``before`` as for endpoints.
    """
    wanted = {"endpoint_id": endpoint_id, "account_id": owner_id, "resource_group_id": resource_group_id}
    equal: dict[str, Any] = {key: value for key, value in wanted.items() if value}
    with context.store.read() as tx:
        services = _own_services(tx, caller, region_id, service_id)
        found = tx.endpoints.find_in("service_id", services, **equal)
        if interface_id or resource_id:
            with_it = _endpoints_with(tx, interface_id, resource_id)
            found = [endpoint for endpoint in found if endpoint.endpoint_id in with_it]
        found.sort(key=lambda endpoint: endpoint.endpoint_id)
        if state is not None:
            statuses = _statuses(tx, found)
            found = [e for e in found if decide_connection_state(e, statuses.get(e.endpoint_id)) is state]
        if before:
            page = [endpoint for endpoint in found if endpoint.endpoint_id < before][-limit:]
        else:
            page = [endpoint for endpoint in found if endpoint.endpoint_id > after][:limit]
        return _views(tx, page, services), len(found)


def enable_connection(
    context: Context,
    caller: Caller,
    service_id: str,
    endpoint_id: str,
    *,
    bandwidth_mbit: int | None = None,
    control: str | None = None,
) -> None:
    """Accept.  Raises NotFound(service, connection), Busy(connection), Malformed; accepted already: no change."""
    with change(context, caller) as work:
        service, endpoint = _require_quiet_connection(work.tx, caller, service_id, endpoint_id)
        _toggle(work, service, endpoint, connect(widen(endpoint, service, bandwidth_mbit, control), True))


def disable_connection(context: Context, caller: Caller, service_id: str, endpoint_id: str) -> None:
    """Refuse, or cut what is connected."""
    with change(context, caller) as work:
        service, endpoint = _require_quiet_connection(work.tx, caller, service_id, endpoint_id)
        _toggle(work, service, endpoint, connect(endpoint, False))


def update_connection(
    context: Context,
    caller: Caller,
    service_id: str,
    endpoint_id: str,
    *,
    bandwidth_mbit: int | None = None,
    control: str | None = None,
) -> None:
    with change(context, caller) as work:
        service, endpoint = _require_quiet_connection(work.tx, caller, service_id, endpoint_id)
        _toggle(work, service, endpoint, widen(endpoint, service, bandwidth_mbit, control))


def switch_zone(
    context: Context, caller: Caller, service_id: str, endpoint_id: str, zone_id: str, *, enabled: bool
) -> None:
    """Connect or disconnect one zone.  Raises NotFound(service, connection, endpoint_zone), WrongState, Busy."""
    with change(context, caller) as work:
        service, endpoint = _require_quiet_connection(work.tx, caller, service_id, endpoint_id)
        zone = require_zone(work.tx.endpoint_zones.find(endpoint_id=endpoint_id), zone_id)
        status = work.tx.status("endpoint", endpoint_id)
        raised, switched = connect_zone(endpoint, zone, status, enabled)
        if enabled:
            switched = assign_resource(work.tx, service, switched)
        work.tx.endpoint_zones.put(switched)
        _save(work, raised)


def _toggle(work: Work, service: EndpointService, before: Endpoint, wanted: Endpoint) -> None:
    if wanted == before:
        return
    if wanted.accepted != before.accepted:
        zones = work.tx.endpoint_zones.find(endpoint_id=before.endpoint_id)
        for zone in toggle_zones(wanted, zones):
            work.tx.endpoint_zones.put(assign_resource(work.tx, service, zone) if wanted.accepted else zone)
    _save(work, wanted)


def _save(work: Work, endpoint: Endpoint) -> None:
    work.tx.endpoints.put(replace(endpoint, modified_at=work.now))
    work.wake("endpoint", endpoint.endpoint_id)


def _require_quiet_connection(
    tx: Transaction, caller: Caller, service_id: str, endpoint_id: str
) -> tuple[EndpointService, Endpoint]:
    service = require_service(tx, caller, service_id)
    endpoint = require_connection(service, tx.endpoints.get(endpoint_id), endpoint_id)
    require_quiet(endpoint, tx.status("endpoint", endpoint_id))
    return service, endpoint


def _own_services(
    tx: Transaction, caller: Caller, region_id: str, service_id: str | None
) -> dict[str, EndpointService]:
    equal = {"service_id": service_id} if service_id else {}
    found = tx.services.find(account_id=caller.account_id, region_id=region_id, deleting=False, **equal)
    return {service.service_id: service for service in found}


def _endpoints_with(tx: Transaction, interface_id: str | None, resource_id: str | None) -> set[str]:
    wanted = {"interface_id": interface_id, "resource_id": resource_id}
    equal = {key: value for key, value in wanted.items() if value}
    return {zone.endpoint_id for zone in tx.endpoint_zones.find(**equal)}


def _statuses(tx: Transaction, endpoints: Sequence[Endpoint]) -> dict[str, Status]:
    ids = [endpoint.endpoint_id for endpoint in endpoints]
    return {status.resource_id: status for status in tx.statuses.find_in("resource_id", ids, kind="endpoint")}


def _views(
    tx: Transaction, endpoints: Sequence[Endpoint], services: dict[str, EndpointService]
) -> list[ConnectionView]:
    statuses = _statuses(tx, endpoints)
    zones: dict[str, list[EndpointZone]] = {endpoint.endpoint_id: [] for endpoint in endpoints}
    for zone in tx.endpoint_zones.find_in("endpoint_id", zones):
        zones[zone.endpoint_id].append(zone)
    views = []
    for endpoint in endpoints:
        status = statuses.get(endpoint.endpoint_id)
        shown = (ZoneView(zone, decide_zone_state(endpoint, zone, status)) for zone in zones[endpoint.endpoint_id])
        state = decide_connection_state(endpoint, status)
        views.append(ConnectionView(endpoint, services[endpoint.service_id], state, tuple(shown)))
    return views
