"""Endpoints on the wire (``reference/alibaba.md`` 3.1, 3.2)."""

from __future__ import annotations

import json
from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text, words
from tidegate.api.alibaba.errors import PRIVATELINK, unsupported
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.published_services import optional_flag
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_tags
from tidegate.api.alibaba.wire import Parameters, state_word
from tidegate.domain.catalogue import require_cloud_region, require_region
from tidegate.domain.endpoints import EndpointState
from tidegate.domain.refusals import CrossRegion, Malformed, Missing, ServiceUnknown
from tidegate.operations import endpoints
from tidegate.operations.endpoints import EndpointView, ZoneSpec, ZoneView
from tidegate.operations.services import find_service_id, find_visible_services

_POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"],"Principal":"*"}]}'
_NOT_IN_CREATE = words(
    "EndpointType Payer PolicyDocument ProtectedEnabled RegionId ResourceGroupId ResourceOwner "
    "ZonePrivateIpAddressCount"
)
_NOT_IN_LIST = ("Payer", "ZonePrivateIpAddressCount")
_SCAN = 1000
_WRITE = "ClientToken DryRun"


@action(
    PRIVATELINK,
    "CreateVpcEndpoint",
    "RegionId VpcId",
    "ServiceId ServiceName ServiceRegionId EndpointName EndpointDescription EndpointType=Interface SecurityGroupId.N "
    "Zone.N ZonePrivateIpAddressCount=1 AddressIpVersion=IPv4 ResourceGroupId ZoneAffinityEnabled PolicyDocument "
    "ProtectedEnabled Tag.N " + _WRITE,
)
def create_vpc_endpoint(call: Call) -> dict[str, Any]:
    """Without zones too.

    ``ProtectedEnabled`` "takes effect only when the request is made by using Security Token Service" (the API's own
    words, 2026-11), which none is here: it is read, and the endpoint shows that it is not protected.
    """
    p = call.parameters
    p.flag("ProtectedEnabled")
    _require_open_policy(p)
    made = endpoints.create_endpoint(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        vpc_id=p.require("VpcId"),
        service=_asked_service(call),
        group_ids=p.texts("SecurityGroupId"),
        zones=[_zone_spec(zone) for zone in p.structs("Zone")],
        name=p.text("EndpointName") or "",
        description=p.text("EndpointDescription") or "",
        zone_affinity=p.flag("ZoneAffinityEnabled"),
        resource_group_id=p.text("ResourceGroupId") or "",
        tags=read_tags(p),
    )
    return {name: value for name, value in _fields(made).items() if name not in _NOT_IN_CREATE}


@action(PRIVATELINK, "GetVpcEndpointAttribute", "RegionId EndpointId")
def get_vpc_endpoint_attribute(call: Call) -> dict[str, Any]:
    return _fields(_here(call))


@action(
    PRIVATELINK,
    "ListVpcEndpoints",
    "RegionId",
    "EndpointId EndpointName EndpointStatus EndpointType ConnectionStatus ServiceName ServiceRegionId VpcId "
    "ResourceGroupId AddressIpVersion Tag.N MaxResults NextToken",
)
def list_vpc_endpoints(call: Call) -> dict[str, Any]:
    p = call.parameters
    size = p.number("MaxResults", 50, 1, 1000)
    page, token, total = _page(call, size)
    tags = show_tags(call, "endpoint", [view.endpoint.endpoint_id for view in page])
    rows = [
        {k: v for k, v in _fields(view).items() if k not in _NOT_IN_LIST} | {"Tags": tags[view.endpoint.endpoint_id]}
        for view in page
    ]
    return {"MaxResults": size, "NextToken": token, "TotalCount": total, "Endpoints": rows}


@action(
    PRIVATELINK,
    "UpdateVpcEndpointAttribute",
    "RegionId EndpointId",
    "EndpointName EndpointDescription AddressIpVersion=IPv4 ZoneAffinityEnabled PolicyDocument ResetPolicy " + _WRITE,
)
def update_vpc_endpoint_attribute(call: Call) -> dict[str, Any]:
    """``ResetPolicy`` asks for the policy that every endpoint has here."""
    p = call.parameters
    p.flag("ResetPolicy")
    _require_open_policy(p)
    endpoints.update_endpoint(
        call.context,
        call.caller,
        _id(call),
        name=p.get("EndpointName"),
        description=p.get("EndpointDescription"),
        zone_affinity=optional_flag(p, "ZoneAffinityEnabled"),
    )
    return {}


@action(PRIVATELINK, "DeleteVpcEndpoint", "RegionId EndpointId", _WRITE)
def delete_vpc_endpoint(call: Call) -> dict[str, Any]:
    endpoints.delete_endpoint(call.context, call.caller, _id(call))
    return {}


@action(PRIVATELINK, "ListVpcEndpointZones", "RegionId EndpointId", "MaxResults NextToken")
def list_vpc_endpoint_zones(call: Call) -> dict[str, Any]:
    p = call.parameters
    zones = endpoints.list_zones(call.context, call.caller, _id(call))
    page, token = page_by_token(p, call.pages, [(view.zone.zone_id, view) for view in zones])
    return {
        "MaxResults": p.number("MaxResults", 50, 1, 1000),
        "NextToken": token,
        "TotalCount": len(zones),
        "Zones": [_zone_fields(view) for view in page],
    }


@action(PRIVATELINK, "AddZoneToVpcEndpoint", "RegionId EndpointId ZoneId VSwitchId", "ip " + _WRITE)
def add_zone_to_vpc_endpoint(call: Call) -> dict[str, Any]:
    endpoints.add_zone(call.context, call.caller, _id(call), _zone_spec(call.parameters))
    return {}


@action(PRIVATELINK, "RemoveZoneFromVpcEndpoint", "RegionId EndpointId ZoneId", _WRITE)
def remove_zone_from_vpc_endpoint(call: Call) -> dict[str, Any]:
    endpoints.remove_zone(call.context, call.caller, _id(call), call.parameters.require("ZoneId"))
    return {}


@action(PRIVATELINK, "ListVpcEndpointSecurityGroups", "RegionId EndpointId", "MaxResults NextToken")
def list_vpc_endpoint_security_groups(call: Call) -> dict[str, Any]:
    view, p = _here(call), call.parameters
    size = p.number("MaxResults", 50, 1, 50)
    groups = sorted(view.endpoint.group_ids)
    page, token = page_by_token(p, call.pages, [(group, group) for group in groups], most=50)
    status = "Attached" if view.state is EndpointState.ACTIVE else "Attaching"
    return {
        "MaxResults": size,
        "NextToken": token,
        "TotalCount": len(groups),
        "SecurityGroups": [{"SecurityGroupId": group, "SecurityGroupStatus": status} for group in page],
    }


@action(PRIVATELINK, "AttachSecurityGroupToVpcEndpoint", "RegionId EndpointId SecurityGroupId", _WRITE)
def attach_security_group(call: Call) -> dict[str, Any]:
    group_id = call.parameters.require("SecurityGroupId")
    endpoints.attach_security_group(call.context, call.caller, _id(call), group_id)
    return {}


@action(PRIVATELINK, "DetachSecurityGroupFromVpcEndpoint", "RegionId EndpointId SecurityGroupId", _WRITE)
def detach_security_group(call: Call) -> dict[str, Any]:
    group_id = call.parameters.require("SecurityGroupId")
    endpoints.detach_security_group(call.context, call.caller, _id(call), group_id)
    return {}


def _here(call: Call) -> EndpointView:
    endpoint_id = call.parameters.require("EndpointId")
    view = endpoints.get_endpoint(call.context, call.caller, endpoint_id)
    call.require_here("endpoint", endpoint_id, view.endpoint.region_id)
    return view


def _id(call: Call) -> str:
    """The endpoint's id, once it is known to be of the named region."""
    return _here(call).endpoint.endpoint_id


def _asked_service(call: Call) -> str:
    """The service's id or name.  Both must mean one service; a foreign ``ServiceRegionId`` is a cross-region wish."""
    p, region = call.parameters, call.region
    service_id, name = p.text("ServiceId"), p.text("ServiceName")
    asked = service_id or name
    if asked is None:
        raise Missing("ServiceName")
    if (code := p.text("ServiceRegionId")) and code != region.code:
        raise CrossRegion(asked, require_cloud_region("alicloud", code).region_id, region.region_id)
    if service_id and name:
        found = find_visible_services(
            call.context, call.caller, region_id=region.region_id, name=name, service_id=service_id
        )
        if not found:
            raise ServiceUnknown(name)
    return asked


def _require_open_policy(p: Parameters) -> None:
    """Policies speak of who may call a cloud service's API; a TCP service has no such callers to tell apart."""
    text = p.text("PolicyDocument")
    if text is None:
        return
    try:
        same = json.loads(text) == json.loads(_POLICY)
    except (ValueError, RecursionError):
        raise Malformed("PolicyDocument", text[:64]) from None
    if not same:
        raise unsupported("PolicyDocument")


def _zone_spec(p: Parameters) -> ZoneSpec:
    """``ip`` is lower case on the wire."""
    if p.text("Ipv6Address"):
        raise Malformed("Ipv6Address", p["Ipv6Address"])
    return ZoneSpec(p.require("ZoneId"), p.require("VSwitchId"), p.text("ip"))


def _page(call: Call, size: int) -> tuple[list[EndpointView], str, int]:
    """One page, its next token, and the total.  States follow from two rows, so filters on them read all endpoints."""
    p = call.parameters
    after = call.pages.read(p.text("NextToken"))
    service_id = _filter_service(call)
    if service_id == "" or p.text("ServiceRegionId") not in (None, call.region.code):
        return [], "", 0
    if p.text("EndpointType") not in (None, "Interface") or p.text("AddressIpVersion") not in (None, "IPv4"):
        return [], "", 0
    states = {name: p.text(name) for name in ("EndpointStatus", "ConnectionStatus", "ResourceGroupId")}
    if any(states.values()) or p.structs("Tag"):
        tagged = only_tagged(call, "endpoint", _all(call, service_id), lambda view: view.endpoint.endpoint_id)
        everything = [view for view in tagged if _in_state(view, states)]
        rest = [view for view in everything if view.endpoint.endpoint_id > after]
        total = len(everything)
    else:
        rest, total = _read(call, service_id, after, size + 1)
    page = rest[:size]
    token = call.pages.make(page[-1].endpoint.endpoint_id) if len(rest) > size else ""
    return page, token, total


def _filter_service(call: Call) -> str | None:
    """None: no filter; empty: a name that matches nothing."""
    name = call.parameters.text("ServiceName")
    if name is None:
        return None
    return find_service_id(call.context, name) or ""


def _read(call: Call, service_id: str | None, after: str, limit: int) -> tuple[list[EndpointView], int]:
    p = call.parameters
    return endpoints.list_endpoints(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        endpoint_id=p.text("EndpointId"),
        vpc_id=p.text("VpcId"),
        name=p.text("EndpointName"),
        service_id=service_id,
        after=after,
        limit=limit,
    )


def _all(call: Call, service_id: str | None) -> list[EndpointView]:
    everything: list[EndpointView] = []
    while True:
        after = everything[-1].endpoint.endpoint_id if everything else ""
        some, _ = _read(call, service_id, after, _SCAN)
        everything += some
        if len(some) < _SCAN:
            return everything


def _in_state(view: EndpointView, states: dict[str, str | None]) -> bool:
    fields = _fields(view)
    return all(value in (None, fields[name]) for name, value in states.items())


def _fields(view: EndpointView) -> dict[str, Any]:
    endpoint, service = view.endpoint, view.service
    code = require_region(endpoint.region_id).code
    return {
        "EndpointId": endpoint.endpoint_id,
        "EndpointName": endpoint.name,
        "EndpointDescription": endpoint.description,
        "EndpointType": "Interface",
        "EndpointStatus": state_word(view.state),
        "EndpointBusinessStatus": "Normal",
        "ConnectionStatus": state_word(view.connection),
        "Bandwidth": endpoint.bandwidth_mbit,
        "EndpointDomain": endpoint.domain,
        "ServiceId": endpoint.service_id,
        "ServiceName": service.name if service else "",
        "ServiceRegionId": code,
        "RegionId": code,
        "VpcId": endpoint.vpc_id,
        "CreateTime": utc_text(endpoint.created_at),
        "Payer": service.payer if service else "Endpoint",
        "ResourceOwner": service is not None and service.account_id == endpoint.account_id,
        "ResourceGroupId": endpoint.resource_group_id,
        "ZonePrivateIpAddressCount": 1,
        "ZoneAffinityEnabled": endpoint.zone_affinity,
        "ProtectedEnabled": endpoint.protected,
        "PolicyDocument": _POLICY,
        "AddressIpVersion": "IPv4",
    }


def _zone_fields(view: ZoneView) -> dict[str, Any]:
    zone = view.zone
    return {
        "EniId": zone.interface_id,
        "EniIp": zone.address,
        "RegionId": require_region(zone.region_id).code,
        "VSwitchId": zone.subnet_id,
        "ZoneDomain": zone.domain,
        "ZoneId": zone.zone_id,
        "ZoneIpv6Address": "",
        "ZoneStatus": state_word(view.state),
    }
