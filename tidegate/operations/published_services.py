"""Published services as their owners see them: create, find, change, delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate.domain.catalogue import require_region
from tidegate.domain.endpoints import ConnectionState, Endpoint, decide_connection_state
from tidegate.domain.names import make_id, require_description
from tidegate.domain.refusals import Busy, QuotaReached
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.service_resources import ServiceResource
from tidegate.domain.services import (
    EndpointService,
    Payer,
    ServiceState,
    decide_service_state,
    require_default_bandwidth,
    require_deletable,
    require_resource_type,
    service_domain,
    service_name,
)
from tidegate.domain.status import decide_settled
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.service_resources import ResourceSpec, add_resource
from tidegate.operations.services import require_service
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.store.store import Transaction

SERVICES_PER_ACCOUNT = 200


@dataclass(frozen=True, slots=True)
class ServiceView:
    service: EndpointService
    state: ServiceState


def create_service(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    description: str = "",
    auto_accept: bool = False,
    payer: Payer = "Endpoint",
    resource_type: str = "slb",
    zone_affinity: bool = False,
    resource_group_id: str = "",
    resources: Sequence[ResourceSpec] = (),
    tags: Iterable[tuple[str, str]] = (),
) -> ServiceView:
    """Publish a service, with or without resources.

    Raises Malformed, ResourceTypeNotServed, QuotaReached, and what ``attach_resource`` raises.
    """
    region = require_region(region_id)
    _check_words(description, resource_group_id)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return _view(work.tx, require_service(work.tx, caller, known))
        if work.tx.services.count(account_id=caller.account_id) >= SERVICES_PER_ACCOUNT:
            raise QuotaReached("services per account", SERVICES_PER_ACCOUNT)
        service_id = make_id(context.draw, "epsrv", region.id_infix)
        service = EndpointService(
            service_id=service_id,
            account_id=caller.account_id,
            region_id=region_id,
            cloud=region.cloud,
            name=service_name(region, service_id),
            domain=service_domain(region, service_id),
            zone_ids=(),
            auto_accept=auto_accept,
            address="",
            port=0,
            allowed_accounts=(caller.account_id,),
            created_at=work.now,
            description=description,
            resource_type=require_resource_type(resource_type),
            zone_affinity=zone_affinity,
            payer=payer,
            resource_group_id=resource_group_id,
        )
        work.tx.services.add(service)
        for spec in resources:
            service = add_resource(work, caller, service, spec)
        work.tx.services.put(service)
        put_first_tags(work, caller, "service", service_id, tags)
        remember_result(work, caller, service_id)
        return _view(work.tx, service)


def get_service(context: Context, caller: Caller, service_id: str) -> ServiceView:
    """Raises NotFound, also for another account's."""
    with context.store.read() as tx:
        return _view(tx, require_service(tx, caller, service_id))


def list_services(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    service_id: str | None = None,
    name: str | None = None,
    resource_id: str | None = None,
) -> list[ServiceView]:
    """The caller's own, in the order of their ids; at most ``SERVICES_PER_ACCOUNT`` of them."""
    wanted = {"service_id": service_id, "name": name}
    equal: dict[str, Any] = {key: value for key, value in wanted.items() if value}
    with context.store.read() as tx:
        found = tx.services.find(**equal, account_id=caller.account_id, region_id=region_id, deleting=False)
        if resource_id:
            with_it = set(tx.service_resources.values("service_id", resource_id=resource_id, deleting=False))
            found = [service for service in found if service.service_id in with_it]
        return _views(tx, found)


def update_service(
    context: Context,
    caller: Caller,
    service_id: str,
    *,
    description: str | None = None,
    auto_accept: bool | None = None,
    bandwidth_mbit: int | None = None,
    zone_affinity: bool | None = None,
) -> None:
    """Acceptance and bandwidth are for connections to come; those that are there keep theirs."""
    _check_words(description or "", "")
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        wanted: dict[str, Any] = {
            "description": description,
            "auto_accept": auto_accept,
            "zone_affinity": zone_affinity,
        }
        if bandwidth_mbit is not None:
            wanted["bandwidth_mbit"] = require_default_bandwidth(service, bandwidth_mbit)
        changed = {name: value for name, value in wanted.items() if value is not None}
        work.tx.services.put(replace(service, **changed))


def delete_service(context: Context, caller: Caller, service_id: str) -> None:
    """Raises InUse(by connection, service_resource), Busy while the kernel lets go of a resource.

    Endpoints that were refused stay, and show that their service is deleted; its row goes with the last of them.
    """
    with change(context, caller) as work:
        service = require_service(work.tx, caller, service_id)
        endpoints = work.tx.endpoints.find(service_id=service_id)
        resources = work.tx.service_resources.find(service_id=service_id)
        require_deletable(
            service,
            resources=sum(not resource.deleting for resource in resources),
            connected=any(_connected(work.tx, endpoint) for endpoint in endpoints),
        )
        if resources:
            raise Busy("service", service_id)
        forget_tags(work, "service", service_id)
        _remove(work, service, bool(endpoints))


def _remove(work: Work, service: EndpointService, endpoints_left: bool) -> None:
    if endpoints_left:
        work.tx.services.put(replace(service, deleting=True, generation=service.generation + 1))
    else:
        work.tx.services.remove(service.service_id)


def _connected(tx: Transaction, endpoint: Endpoint) -> bool:
    state = decide_connection_state(endpoint, tx.status("endpoint", endpoint.endpoint_id))
    return state not in (ConnectionState.DISCONNECTED, ConnectionState.DELETING)


def _view(tx: Transaction, service: EndpointService) -> ServiceView:
    return _views(tx, [service])[0]


def _views(tx: Transaction, services: Sequence[EndpointService]) -> list[ServiceView]:
    resources: dict[str, list[ServiceResource]] = {}
    for resource in tx.service_resources.find_in("service_id", [s.service_id for s in services]):
        resources.setdefault(resource.service_id, []).append(resource)
    ids = [resource.status_id for some in resources.values() for resource in some]
    statuses = tx.statuses.find_in("resource_id", ids, kind="service_resource")
    ready = {status.resource_id for status in statuses if decide_settled(status, 1)}
    return [
        ServiceView(s, decide_service_state(s, _changing(resources.get(s.service_id, ()), ready))) for s in services
    ]


def _changing(resources: Iterable[ServiceResource], ready: set[str]) -> bool:
    return any(resource.deleting or resource.status_id not in ready for resource in resources)


def _check_words(description: str, resource_group_id: str) -> None:
    if description:
        require_description("ServiceDescription", description)
    if resource_group_id:
        require_resource_group(resource_group_id)
