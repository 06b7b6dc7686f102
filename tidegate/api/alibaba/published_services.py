"""Endpoint services as their owners publish them (``reference/alibaba.md`` 3.3)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text, words
from tidegate.api.alibaba.errors import PRIVATELINK, unsupported
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_tags
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.catalogue import require_region
from tidegate.domain.refusals import Malformed, QuotaReached
from tidegate.domain.service_resources import RESOURCES_PER_CREATE
from tidegate.domain.services import MIN_BANDWIDTH_MBIT, Payer
from tidegate.operations import published_services
from tidegate.operations.published_services import ServiceView
from tidegate.operations.service_resources import ResourceSpec

_WRITE = "ClientToken DryRun"
_IN_CREATE = words(
    "ServiceId ServiceName ServiceDomain ServiceStatus ServiceBusinessStatus ServiceDescription ServiceSupportIPv6 "
    "AutoAcceptEnabled AddressIpVersion CreateTime ZoneAffinityEnabled ResourceGroupId SupportedRegionSet"
)
_PAYERS: dict[str, Payer] = {"Endpoint": "Endpoint", "EndpointService": "EndpointService"}
_WIDEST_MBIT = 50_000


@action(
    PRIVATELINK,
    "CreateVpcEndpointService",
    "RegionId",
    "ServiceDescription AutoAcceptEnabled Payer ServiceResourceType Resource.N AddressIpVersion=IPv4 "
    "SupportedRegionList.N ZoneAffinityEnabled ResourceGroupId Tag.N " + _WRITE,
)
def create_vpc_endpoint_service(call: Call) -> dict[str, Any]:
    """Without resources too.  Nothing crosses regions, so only the own one can be supported."""
    p = call.parameters
    if any(code != call.region.code for code in p.texts("SupportedRegionList")):
        raise unsupported("SupportedRegionList")
    resources = p.structs("Resource")
    if len(resources) > RESOURCES_PER_CREATE:
        raise QuotaReached("resources per create", RESOURCES_PER_CREATE)
    resource_type = p.text("ServiceResourceType") or "slb"
    made = published_services.create_service(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        description=p.text("ServiceDescription") or "",
        auto_accept=p.flag("AutoAcceptEnabled"),
        payer=_payer(p),
        resource_type=resource_type,
        zone_affinity=p.flag("ZoneAffinityEnabled"),
        resource_group_id=p.text("ResourceGroupId") or "",
        resources=[read_resource(resource, resource_type) for resource in resources],
        tags=read_tags(p),
    )
    fields = _fields(made)
    return {name: fields[name] for name in _IN_CREATE}


@action(PRIVATELINK, "GetVpcEndpointServiceAttribute", "RegionId ServiceId")
def get_vpc_endpoint_service_attribute(call: Call) -> dict[str, Any]:
    view = require_own_service(call)
    return {**_fields(view), "Zones": list(view.service.zone_ids)}


@action(
    PRIVATELINK,
    "ListVpcEndpointServices",
    "RegionId",
    "ServiceId ServiceName ServiceStatus ServiceBusinessStatus ServiceResourceType ResourceId AutoAcceptEnabled "
    "AddressIpVersion ZoneAffinityEnabled ResourceGroupId Tag.N MaxResults NextToken",
)
def list_vpc_endpoint_services(call: Call) -> dict[str, Any]:
    p = call.parameters
    found = published_services.list_services(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        service_id=p.text("ServiceId"),
        name=p.text("ServiceName"),
        resource_id=p.text("ResourceId"),
    )
    fitting = [view for view in found if _fits(p, _fields(view))]
    tagged = only_tagged(call, "service", fitting, lambda view: view.service.service_id)
    page, token = page_by_token(p, call.pages, [(view.service.service_id, view) for view in tagged])
    tags = show_tags(call, "service", [view.service.service_id for view in page])
    return {
        "MaxResults": p.number("MaxResults", 50, 1, 1000),
        "NextToken": token,
        "TotalCount": len(tagged),
        "Services": [_fields(view) | {"Tags": tags[view.service.service_id]} for view in page],
    }


@action(
    PRIVATELINK,
    "UpdateVpcEndpointServiceAttribute",
    "RegionId ServiceId",
    "ServiceDescription AutoAcceptEnabled ConnectBandwidth AddressIpVersion=IPv4 ZoneAffinityEnabled " + _WRITE,
)
def update_vpc_endpoint_service_attribute(call: Call) -> dict[str, Any]:
    p = call.parameters
    published_services.update_service(
        call.context,
        call.caller,
        require_own_service(call).service.service_id,
        description=p.get("ServiceDescription"),
        auto_accept=optional_flag(p, "AutoAcceptEnabled"),
        bandwidth_mbit=optional_mbit(p, "ConnectBandwidth"),
        zone_affinity=optional_flag(p, "ZoneAffinityEnabled"),
    )
    return {}


@action(PRIVATELINK, "DeleteVpcEndpointService", "RegionId ServiceId", _WRITE)
def delete_vpc_endpoint_service(call: Call) -> dict[str, Any]:
    published_services.delete_service(call.context, call.caller, require_own_service(call).service.service_id)
    return {}


def require_own_service(call: Call) -> ServiceView:
    """The service that the call names: the caller's own, and of the named region."""
    service_id = call.parameters.require("ServiceId")
    view = published_services.get_service(call.context, call.caller, service_id)
    call.require_here("service", service_id, view.service.region_id)
    return view


def read_resource(p: Parameters, default_type: str | None = None) -> ResourceSpec:
    resource_type = p.text("ResourceType") or default_type or p.require("ResourceType")
    return ResourceSpec(p.require("ResourceId"), resource_type, p.text("ZoneId"))


def optional_flag(p: Parameters, name: str) -> bool | None:
    return p.flag(name) if p.text(name) else None


def optional_mbit(p: Parameters, name: str) -> int | None:
    """What is too much for one kind of resource is not for another: the domain knows."""
    return p.number(name, 0, MIN_BANDWIDTH_MBIT, _WIDEST_MBIT) if p.text(name) else None


def _payer(p: Parameters) -> Payer:
    asked = p.text("Payer") or "Endpoint"
    if asked not in _PAYERS:
        raise Malformed("Payer", asked)
    return _PAYERS[asked]


def _fits(p: Parameters, fields: dict[str, Any]) -> bool:
    texts = words("ServiceStatus ServiceBusinessStatus ServiceResourceType AddressIpVersion ResourceGroupId")
    flags = ("AutoAcceptEnabled", "ZoneAffinityEnabled")
    return all(p.text(name) in (None, fields[name]) for name in texts) and all(
        optional_flag(p, name) in (None, fields[name]) for name in flags
    )


def _fields(view: ServiceView) -> dict[str, Any]:
    service = view.service
    return {
        "ServiceId": service.service_id,
        "ServiceName": service.name,
        "ServiceDomain": service.domain,
        "ServiceStatus": view.state.value.capitalize(),
        "ServiceBusinessStatus": "Normal",
        "ServiceDescription": service.description,
        "ServiceType": "Interface",
        "ServiceResourceType": service.resource_type,
        "ServiceSupportIPv6": False,
        "AutoAcceptEnabled": service.auto_accept,
        "AddressIpVersion": "IPv4",
        "ConnectBandwidth": service.bandwidth_mbit,
        "MinBandwidth": MIN_BANDWIDTH_MBIT,
        "MaxBandwidth": service.max_bandwidth_mbit,
        "Payer": service.payer,
        "RegionId": require_region(service.region_id).code,
        "ResourceGroupId": service.resource_group_id,
        "CreateTime": utc_text(service.created_at),
        "ZoneAffinityEnabled": service.zone_affinity,
        "SupportedRegionSet": [],
    }
