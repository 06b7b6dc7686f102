"""Endpoints: create, find, change zones and security groups, delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.domain import fabric
from tidegate.domain.catalogue import require_region
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
    endpoint_domain,
    require_changeable,
    require_no_zones,
    require_not_deleting,
    require_not_toggling,
    require_only_endpoint,
    require_zone,
    require_zone_free,
    zone_domain,
)
from tidegate.domain.events import Event
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import EndpointProtected, GroupRequired, Malformed, NotFound, QuotaReached
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.security_groups import GROUPS_PER_ENDPOINT, require_groups_fit
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status
from tidegate.domain.subnets import require_address
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.security_groups import require_security_group
from tidegate.operations.service_resources import assign_resource
from tidegate.operations.services import require_connectable
from tidegate.operations.subnets import require_subnet
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.operations.vpcs import require_vpc
from tidegate.store.store import Transaction

ENDPOINTS_PER_VPC = 1000
ZONES_PER_ENDPOINT = 10


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    zone_id: str
    subnet_id: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneView:
    zone: EndpointZone
    state: ZoneState


@dataclass(frozen=True, slots=True)
class EndpointView:
    endpoint: Endpoint
    service: EndpointService | None
    status: Status | None

    @property
    def state(self) -> EndpointState:
        return decide_endpoint_state(self.endpoint, self.status)

    @property
    def connection(self) -> ConnectionState:
        return decide_connection_state(self.endpoint, self.status, service_gone=_gone(self.service))


def create_endpoint(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    vpc_id: str,
    service: str,
    group_ids: Sequence[str],
    zones: Sequence[ZoneSpec] = (),
    name: str = "",
    description: str = "",
    protected: bool = False,
    zone_affinity: bool = False,
    resource_group_id: str = "",
    tags: Iterable[tuple[str, str]] = (),
) -> EndpointView:
    """Make an endpoint, with or without zones.  ``service`` is a service's name or id.

    Raises ServiceUnknown, CrossRegion, NotFound(vpc, subnet, security_group), EndpointExists, ZoneNotServed,
    ZoneDuplicated, AddressUnavailable, SubnetFull, GroupRequired, GroupKindsMixed, QuotaReached, and WrongState while
    the service's resource in a zone is only being published.
    """
    region = require_region(region_id)
    _check_words(name, description)
    if resource_group_id:
        require_resource_group(resource_group_id)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return _view(work.tx, require_endpoint(work.tx, caller, known))
        found = require_connectable(work.tx, caller, service, region_id)
        vpc = require_vpc(work.tx, caller, vpc_id)
        if vpc.region_id != region_id:
            raise NotFound("vpc", vpc_id)
        here = work.tx.endpoints.find(vpc_id=vpc_id)
        require_only_endpoint(here, found, vpc_id)
        if len(here) >= ENDPOINTS_PER_VPC:
            raise QuotaReached("endpoints per vpc", ENDPOINTS_PER_VPC)
        endpoint_id = make_id(context.draw, "ep", region.id_infix)
        endpoint = Endpoint(
            endpoint_id=endpoint_id,
            account_id=caller.account_id,
            region_id=region_id,
            vpc_id=vpc_id,
            service_id=found.service_id,
            name=name,
            description=description,
            domain=endpoint_domain(region, endpoint_id, found.service_id),
            group_ids=_require_groups(work.tx, caller, endpoint_id, vpc_id, group_ids),
            accepted=found.auto_accept,
            created_at=work.now,
            zone_affinity=zone_affinity,
            protected=protected,
            resource_group_id=resource_group_id,
            bandwidth_mbit=found.bandwidth_mbit,
            limited=not found.scales,
            modified_at=work.now,
        )
        work.tx.endpoints.add(endpoint)
        for spec in zones:
            _add_zone(context, work, caller, endpoint, found, spec)
        put_first_tags(work, caller, "endpoint", endpoint_id, tags)
        remember_result(work, caller, endpoint_id)
        work.wake("endpoint", endpoint_id)
        return EndpointView(endpoint, found, None)


def get_endpoint(context: Context, caller: Caller, endpoint_id: str) -> EndpointView:
    with context.store.read() as tx:
        return _view(tx, require_endpoint(tx, caller, endpoint_id))


def list_endpoints(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    endpoint_id: str | None = None,
    vpc_id: str | None = None,
    name: str | None = None,
    service_id: str | None = None,
    after: str = "",
    before: str = "",
    limit: int = 50,
) -> tuple[list[EndpointView], int]:
    """One page in the order of ids, and how many there are in all.

    ``after`` is the last id of the page before, or ``before`` the first one of the page after.
    """
    wanted = {"endpoint_id": endpoint_id, "vpc_id": vpc_id, "name": name, "service_id": service_id}
    equal = {key: value for key, value in wanted.items() if value}
    equal |= {"account_id": caller.account_id, "region_id": region_id}
    with context.store.read() as tx:
        rows = tx.endpoints
        page = rows.page_before(before, limit, **equal) if before else rows.page(after, limit, **equal)
        ids = [endpoint.endpoint_id for endpoint in page]
        statuses = {s.resource_id: s for s in tx.statuses.find_in("resource_id", ids, kind="endpoint")}
        services = {s.service_id: s for s in tx.services.find_in("service_id", {e.service_id for e in page})}
        total = tx.endpoints.count(**equal)
    return [EndpointView(e, services.get(e.service_id), statuses.get(e.endpoint_id)) for e in page], total


def update_endpoint(
    context: Context,
    caller: Caller,
    endpoint_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    zone_affinity: bool | None = None,
) -> None:
    """Words and preferences: nothing that packets notice."""
    _check_words(name or "", description or "")
    with change(context, caller) as work:
        endpoint, _ = _require_changeable(work.tx, caller, endpoint_id)
        wanted = {"name": name, "description": description, "zone_affinity": zone_affinity}
        changed: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        work.tx.endpoints.put(replace(endpoint, **changed))


def delete_endpoint(context: Context, caller: Caller, endpoint_id: str) -> None:
    """Raises EndpointHasZones while it has zones, EndpointProtected.  Its connections are cut."""
    with change(context, caller) as work:
        endpoint = require_endpoint(work.tx, caller, endpoint_id)
        require_not_deleting(endpoint)
        if endpoint.protected:
            raise EndpointProtected(endpoint_id)
        require_not_toggling(endpoint, work.tx.status("endpoint", endpoint_id))
        require_no_zones(endpoint, work.tx.endpoint_zones.find(endpoint_id=endpoint_id))
        forget_tags(work, "endpoint", endpoint_id)
        _raise_generation(work, replace(endpoint, deleting=True))


def list_zones(context: Context, caller: Caller, endpoint_id: str) -> list[ZoneView]:
    with context.store.read() as tx:
        endpoint = require_endpoint(tx, caller, endpoint_id)
        status = tx.status("endpoint", endpoint_id)
        zones = tx.endpoint_zones.find(endpoint_id=endpoint_id)
    return [ZoneView(zone, decide_zone_state(endpoint, zone, status)) for zone in zones]


def list_events(context: Context, caller: Caller, endpoint_id: str) -> list[Event]:
    """What became of it, the newest first; at most ``EVENTS_PER_RESOURCE``."""
    with context.store.read() as tx:
        require_endpoint(tx, caller, endpoint_id)
        return tx.events.find(kind="endpoint", resource_id=endpoint_id)[::-1]


def add_zone(context: Context, caller: Caller, endpoint_id: str, spec: ZoneSpec) -> None:
    """One more zone: an interface in ``spec.subnet_id``, then connected if the endpoint is."""
    with change(context, caller) as work:
        endpoint, service = _require_changeable(work.tx, caller, endpoint_id)
        raised = _raise_generation(work, endpoint)
        _add_zone(context, work, caller, raised, service, spec)


def remove_zone(context: Context, caller: Caller, endpoint_id: str, zone_id: str) -> None:
    """Its interface and address go, and so do the connections through it."""
    with change(context, caller) as work:
        endpoint = require_endpoint(work.tx, caller, endpoint_id)
        if endpoint.protected:
            raise EndpointProtected(endpoint_id)
        require_not_toggling(endpoint, work.tx.status("endpoint", endpoint_id))
        zone = require_zone(work.tx.endpoint_zones.find(endpoint_id=endpoint_id), zone_id)
        work.tx.endpoint_zones.put(replace(zone, deleting=True))
        _raise_generation(work, endpoint)


def attach_security_group(context: Context, caller: Caller, endpoint_id: str, group_id: str) -> None:
    with change(context, caller) as work:
        endpoint, _ = _require_changeable(work.tx, caller, endpoint_id)
        group_ids = attach_group(endpoint, group_id)
        _require_groups(work.tx, caller, endpoint_id, endpoint.vpc_id, group_ids)
        _raise_generation(work, replace(endpoint, group_ids=group_ids))


def detach_security_group(context: Context, caller: Caller, endpoint_id: str, group_id: str) -> None:
    """Raises GroupRequired for the last one."""
    with change(context, caller) as work:
        endpoint, _ = _require_changeable(work.tx, caller, endpoint_id)
        _raise_generation(work, replace(endpoint, group_ids=detach_group(endpoint, group_id)))


def require_endpoint(tx: Transaction, caller: Caller, endpoint_id: str) -> Endpoint:
    endpoint = tx.endpoints.get(endpoint_id)
    if endpoint is None or endpoint.account_id != caller.account_id:
        raise NotFound("endpoint", endpoint_id)
    return endpoint


def _require_changeable(tx: Transaction, caller: Caller, endpoint_id: str) -> tuple[Endpoint, EndpointService]:
    endpoint = require_endpoint(tx, caller, endpoint_id)
    service = tx.services.get(endpoint.service_id)
    require_changeable(endpoint, tx.status("endpoint", endpoint_id), service_gone=_gone(service))
    assert service is not None  # a service without row is gone
    return endpoint, service


def _gone(service: EndpointService | None) -> bool:
    return service is None or service.deleting


def _require_groups(
    tx: Transaction, caller: Caller, endpoint_id: str, vpc_id: str, group_ids: Sequence[str]
) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(group_ids))
    if not unique:
        raise GroupRequired(endpoint_id)
    if len(unique) > GROUPS_PER_ENDPOINT:
        raise QuotaReached("security groups per endpoint", GROUPS_PER_ENDPOINT)
    require_groups_fit([require_security_group(tx, caller, group_id) for group_id in unique], vpc_id)
    return unique


def _add_zone(
    context: Context, work: Work, caller: Caller, endpoint: Endpoint, service: EndpointService, spec: ZoneSpec
) -> None:
    subnet = require_subnet(work.tx, caller, spec.subnet_id)
    if subnet.vpc_id != endpoint.vpc_id:
        raise NotFound("subnet", spec.subnet_id)
    if subnet.zone_id != spec.zone_id:
        raise Malformed("ZoneId", spec.zone_id)
    zones = work.tx.endpoint_zones.find(endpoint_id=endpoint.endpoint_id)
    require_zone_free(service, zones, spec.zone_id, endpoint.endpoint_id)
    if len(zones) >= ZONES_PER_ENDPOINT:
        raise QuotaReached("zones per endpoint", ZONES_PER_ENDPOINT)
    taken = frozenset(work.tx.interfaces.values("address", subnet_id=subnet.subnet_id))
    region = require_region(endpoint.region_id)
    interface = NetworkInterface(
        interface_id=make_id(context.draw, "eni", region.id_infix),
        account_id=endpoint.account_id,
        region_id=endpoint.region_id,
        vpc_id=endpoint.vpc_id,
        subnet_id=subnet.subnet_id,
        zone_id=spec.zone_id,
        kind="endpoint",
        address=require_address(subnet, taken, spec.address),
        name="",
        description=f"interface of {endpoint.endpoint_id}",
        created_at=work.now,
        endpoint_id=endpoint.endpoint_id,
    )
    work.tx.interfaces.add(interface)
    work.tx.endpoint_zones.add(
        assign_resource(
            work.tx,
            service,
            EndpointZone(
                endpoint_id=endpoint.endpoint_id,
                zone_id=spec.zone_id,
                vpc_id=endpoint.vpc_id,
                region_id=endpoint.region_id,
                subnet_id=subnet.subnet_id,
                interface_id=interface.interface_id,
                address=interface.address,
                fabric_address=_fabric_address(work.tx, endpoint.region_id),
                domain=zone_domain(region, endpoint.endpoint_id, spec.zone_id, endpoint.service_id),
                since_generation=endpoint.generation,
            ),
        )
    )


def _fabric_address(tx: Transaction, region_id: str) -> str:
    """An address that no zone of the region has: numbers go round once in two million endpoints."""
    while True:
        address = fabric.nth_address(fabric.CONSUMER_CIDR, tx.next_number(f"fabric/{region_id}"))
        if not tx.endpoint_zones.count(region_id=region_id, fabric_address=address):
            return address


def _raise_generation(work: Work, endpoint: Endpoint) -> Endpoint:
    raised = replace(endpoint, generation=endpoint.generation + 1)
    work.tx.endpoints.put(raised)
    work.wake("endpoint", endpoint.endpoint_id)
    return raised


def _view(tx: Transaction, endpoint: Endpoint) -> EndpointView:
    return EndpointView(endpoint, tx.services.get(endpoint.service_id), tx.status("endpoint", endpoint.endpoint_id))


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("EndpointName", name)
    if description:
        require_description("EndpointDescription", description)
