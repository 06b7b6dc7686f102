"""Connections to a service as its owner sees and changes them (``reference/alibaba.md`` 3.2, 3.3)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import PRIVATELINK
from tidegate.api.alibaba.published_services import optional_mbit, require_own_service
from tidegate.api.alibaba.wire import state_word
from tidegate.domain.catalogue import require_region
from tidegate.domain.connections import traffic_control
from tidegate.domain.endpoints import ConnectionState
from tidegate.operations import connections
from tidegate.operations.connections import ConnectionView
from tidegate.operations.endpoints import ZoneView

_WRITE = "ClientToken DryRun"
_NEEDS = "RegionId EndpointId ServiceId"
_STATES = {state_word(state): state for state in ConnectionState}


@action(
    PRIVATELINK,
    "ListVpcEndpointConnections",
    "RegionId",
    "ServiceId EndpointId EndpointOwnerId ConnectionStatus EniId ResourceId ReplacedResourceId ResourceGroupId "
    "MaxResults NextToken",
)
def list_vpc_endpoint_connections(call: Call) -> dict[str, Any]:
    """``TotalCount`` is a text in this one."""
    p = call.parameters
    size = p.number("MaxResults", 50, 1, 1000)
    page, total = _page(call, size)
    token = call.pages.make(page[size - 1].endpoint.endpoint_id) if len(page) > size else ""
    return {
        "MaxResults": size,
        "NextToken": token,
        "TotalCount": str(total),
        "Connections": [_fields(view) for view in page[:size]],
    }


@action(PRIVATELINK, "EnableVpcEndpointConnection", _NEEDS, "Bandwidth TrafficControlMode " + _WRITE)
def enable_vpc_endpoint_connection(call: Call) -> dict[str, Any]:
    connections.enable_connection(call.context, call.caller, *_names(call), **_width(call))
    return {}


@action(PRIVATELINK, "UpdateVpcEndpointConnectionAttribute", _NEEDS, "Bandwidth TrafficControlMode " + _WRITE)
def update_vpc_endpoint_connection_attribute(call: Call) -> dict[str, Any]:
    connections.update_connection(call.context, call.caller, *_names(call), **_width(call))
    return {}


@action(PRIVATELINK, "DisableVpcEndpointConnection", _NEEDS, _WRITE)
def disable_vpc_endpoint_connection(call: Call) -> dict[str, Any]:
    connections.disable_connection(call.context, call.caller, *_names(call))
    return {}


@action(PRIVATELINK, "EnableVpcEndpointZoneConnection", _NEEDS + " ZoneId", _WRITE)
def enable_vpc_endpoint_zone_connection(call: Call) -> dict[str, Any]:
    zone_id = call.parameters.require("ZoneId")
    connections.switch_zone(call.context, call.caller, *_names(call), zone_id, enabled=True)
    return {}


@action(PRIVATELINK, "DisableVpcEndpointZoneConnection", _NEEDS + " ZoneId", _WRITE)
def disable_vpc_endpoint_zone_connection(call: Call) -> dict[str, Any]:
    """``ReplacedResource=true`` is about migrated zones, which are not here."""
    zone_id = call.parameters.require("ZoneId")
    connections.switch_zone(call.context, call.caller, *_names(call), zone_id, enabled=False)
    return {}


def _names(call: Call) -> tuple[str, str]:
    return require_own_service(call).service.service_id, call.parameters.require("EndpointId")


def _width(call: Call) -> dict[str, Any]:
    p = call.parameters
    return {"bandwidth_mbit": optional_mbit(p, "Bandwidth"), "control": p.text("TrafficControlMode")}


def _page(call: Call, size: int) -> tuple[list[ConnectionView], int]:
    """Up to one more than ``size``, so that the caller knows whether there is a next page."""
    p = call.parameters
    after, status, region_id = call.pages.read(p.text("NextToken")), p.text("ConnectionStatus"), call.region.region_id
    if (status and status not in _STATES) or p.text("ReplacedResourceId"):
        return [], 0
    return connections.list_connections(
        call.context,
        call.caller,
        region_id=region_id,
        service_id=p.text("ServiceId"),
        endpoint_id=p.text("EndpointId"),
        owner_id=p.text("EndpointOwnerId"),
        interface_id=p.text("EniId"),
        resource_id=p.text("ResourceId"),
        resource_group_id=p.text("ResourceGroupId"),
        state=_STATES[status] if status else None,
        after=after,
        limit=size + 1,
    )


def _fields(view: ConnectionView) -> dict[str, Any]:
    endpoint, service = view.endpoint, view.service
    return {
        "EndpointId": endpoint.endpoint_id,
        "EndpointOwnerId": int(endpoint.account_id),
        "EndpointRegionId": require_region(endpoint.region_id).code,
        "EndpointVpcId": endpoint.vpc_id,
        "ServiceId": service.service_id,
        "ServiceRegionId": require_region(service.region_id).code,
        "ConnectionStatus": state_word(view.state),
        "Bandwidth": endpoint.bandwidth_mbit,
        "TrafficControlMode": traffic_control(endpoint),
        "ModifiedTime": utc_text(endpoint.modified_at or endpoint.created_at),
        "ResourceGroupId": endpoint.resource_group_id,
        "ResourceOwner": endpoint.account_id == service.account_id,
        "Zones": [_zone_fields(zone) for zone in view.zones],
    }


def _zone_fields(view: ZoneView) -> dict[str, Any]:
    zone = view.zone
    return {
        "ZoneId": zone.zone_id,
        "ZoneStatus": state_word(view.state),
        "ZoneDomain": zone.domain,
        "VSwitchId": zone.subnet_id,
        "EniId": zone.interface_id,
        "ResourceId": zone.resource_id,
        "ReplacedEniId": "",
        "ReplacedResourceId": "",
    }
