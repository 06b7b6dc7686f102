"""What a published service leads to: attach, detach, list; and the choice of one for an endpoint's zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate.domain import fabric
from tidegate.domain.endpoints import EndpointZone, ZoneState, decide_zone_state
from tidegate.domain.refusals import NotFound
from tidegate.domain.service_resources import (
    ServiceResource,
    choose_resource,
    require_attached,
    require_publishable,
    require_unused,
)
from tidegate.domain.services import EndpointService, require_resource_type
from tidegate.domain.status import decide_settled
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.operations.interfaces import require_interface
from tidegate.operations.services import require_service
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    resource_id: str
    resource_type: str
    zone_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceView:
    """``endpoints``: how many endpoints have a zone that leads to it."""

    resource: ServiceResource
    endpoints: int


def list_resources(context: Context, caller: Caller, service_id: str) -> list[ResourceView]:
    """In the order of their ids; those that are being let go are no longer shown."""
    with context.store.read() as tx:
        require_service(tx, caller, service_id)
        resources = tx.service_resources.find(service_id=service_id, deleting=False)
        used = _used(tx, resources)
    return [ResourceView(resource, used[resource.resource_id]) for resource in resources]


def attach_resource(context: Context, caller: Caller, service_id: str, spec: ResourceSpec) -> None:
    """Raises NotFound(service, interface), Conflict, ResourceTypeNotServed, Malformed, QuotaReached."""
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        service = replace(service, generation=service.generation + 1)
        work.tx.services.put(add_resource(work, caller, service, spec))


def detach_resource(
    context: Context, caller: Caller, service_id: str, resource_id: str, zone_id: str | None = None
) -> None:
    """Raises InUse while a connected zone leads to it.  Disconnected zones get another one when they are enabled."""
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        resources = work.tx.service_resources.find(service_id=service_id)
        resource = require_attached(resources, service_id, resource_id, zone_id)
        zones = _zones_of(work.tx, resource)
        require_unused(resource, sum(_leads_there(work.tx, zone) for zone in zones))
        for zone in zones:
            work.tx.endpoint_zones.put(replace(zone, resource_id="", service_address=""))
        gone = work.tx.service_resources.put(replace(resource, deleting=True))
        rest = [gone if r == resource else r for r in resources]
        work.tx.services.put(
            replace(service, zone_ids=_zone_ids(rest), generation=service.generation + 1),
        )
        work.wake("interface", resource_id)


def add_resource(work: Work, caller: Caller, service: EndpointService, spec: ResourceSpec) -> EndpointService:
    """Publish one interface through ``service``; the service with its zones as they then are."""
    resource_type = require_resource_type(spec.resource_type)
    interface = require_interface(work.tx, caller, spec.resource_id)
    if interface.region_id != service.region_id:
        raise NotFound("interface", spec.resource_id)
    existing = work.tx.service_resources.find(service_id=service.service_id)
    require_publishable(interface, resource_type, spec.zone_id, existing)
    resource = ServiceResource(
        service_id=service.service_id,
        resource_id=interface.interface_id,
        resource_type=resource_type,
        account_id=caller.account_id,
        region_id=service.region_id,
        zone_id=interface.zone_id,
        vpc_id=interface.vpc_id,
        subnet_id=interface.subnet_id,
        address=_service_address(work.tx, service.region_id),
        target_address=interface.address,
        created_at=work.now,
    )
    work.tx.service_resources.add(resource)
    work.wake("interface", interface.interface_id)
    return replace(service, zone_ids=_zone_ids([*existing, resource]))


def assign_resource(tx: Transaction, service: EndpointService, zone: EndpointZone) -> EndpointZone:
    """``zone`` with the resource that it leads to; the shared services have none.  Raises ZoneNotServed, WrongState."""
    if not service.published or zone.service_address:
        return zone
    resources = tx.service_resources.find(service_id=service.service_id, zone_id=zone.zone_id, deleting=False)
    statuses = tx.statuses.find_in("resource_id", [r.status_id for r in resources], kind="service_resource")
    published = {status.resource_id for status in statuses if decide_settled(status, 1)}
    ready = [r.resource_id for r in resources if r.status_id in published]
    chosen = choose_resource(service, resources, ready, zone.zone_id, _used(tx, resources))
    return replace(zone, resource_id=chosen.resource_id, service_address=chosen.address)


def _zone_ids(resources: Sequence[ServiceResource]) -> tuple[str, ...]:
    return tuple(sorted({resource.zone_id for resource in resources if not resource.deleting}))


def _used(tx: Transaction, resources: Sequence[ServiceResource]) -> Counter[str]:
    """How many zones lead to each.  One interface may be a resource of several services, told apart by address."""
    by_address = {resource.address: resource.resource_id for resource in resources}
    zones = tx.endpoint_zones.find_in("resource_id", by_address.values(), deleting=False)
    return Counter(by_address[zone.service_address] for zone in zones if zone.service_address in by_address)


def _zones_of(tx: Transaction, resource: ServiceResource) -> list[EndpointZone]:
    zones = tx.endpoint_zones.find(resource_id=resource.resource_id, deleting=False)
    return [zone for zone in zones if zone.service_address == resource.address]


def _leads_there(tx: Transaction, zone: EndpointZone) -> bool:
    """Do packets go this way, or may they still?"""
    endpoint = tx.endpoints.get(zone.endpoint_id)
    if endpoint is None or endpoint.deleting:
        return False
    state = decide_zone_state(endpoint, zone, tx.status("endpoint", zone.endpoint_id))
    return (endpoint.accepted and zone.enabled) or state is ZoneState.DISCONNECTING


def _service_address(tx: Transaction, region_id: str) -> str:
    """An address that no resource of the region has; those of the dead are not reused at once."""
    while True:
        address = fabric.nth_address(fabric.SERVICE_CIDR, tx.next_number(f"service/{region_id}"))
        if not tx.service_resources.count(region_id=region_id, address=address):
            return address
