"""Resources of endpoint services on the wire (``reference/alibaba.md`` 3.3).

The cloud's are load balancers, which are not here: ``ResourceId`` is a network interface of one of the owner's VPCs,
and whatever listens on its TCP ports is the service.  ``ResourceType`` is taken and shown, and asks for no other thing.
"""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import PRIVATELINK
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.published_services import read_resource, require_own_service
from tidegate.domain.catalogue import require_region
from tidegate.operations import service_resources
from tidegate.operations.service_resources import ResourceView

_NEEDS = "RegionId ServiceId ResourceId ResourceType"
_TAKES = "ZoneId ClientToken DryRun"


@action(PRIVATELINK, "AttachResourceToVpcEndpointService", _NEEDS, _TAKES)
def attach_resource(call: Call) -> dict[str, Any]:
    service_id = require_own_service(call).service.service_id
    service_resources.attach_resource(call.context, call.caller, service_id, read_resource(call.parameters))
    return {}


@action(PRIVATELINK, "DetachResourceFromVpcEndpointService", _NEEDS, _TAKES)
def detach_resource(call: Call) -> dict[str, Any]:
    service_id, p = require_own_service(call).service.service_id, call.parameters
    resource_id, zone_id = p.require("ResourceId"), p.text("ZoneId")
    service_resources.detach_resource(call.context, call.caller, service_id, resource_id, zone_id)
    return {}


@action(PRIVATELINK, "ListVpcEndpointServiceResources", "RegionId ServiceId", "MaxResults NextToken")
def list_vpc_endpoint_service_resources(call: Call) -> dict[str, Any]:
    """This list has no TotalCount."""
    p = call.parameters
    found = service_resources.list_resources(call.context, call.caller, require_own_service(call).service.service_id)
    page, token = page_by_token(p, call.pages, [(view.resource.resource_id, view) for view in found], most=50)
    return {
        "MaxResults": p.number("MaxResults", 50, 1, 50),
        "NextToken": token,
        "Resources": [_fields(view) for view in page],
    }


def _fields(view: ResourceView) -> dict[str, Any]:
    resource = view.resource
    return {
        "ResourceId": resource.resource_id,
        "ResourceType": resource.resource_type,
        "ResourceSupportIPv6": False,
        "ZoneId": resource.zone_id,
        "VpcId": resource.vpc_id,
        "VSwitchId": resource.subnet_id,
        "RegionId": require_region(resource.region_id).code,
        "Ip": resource.target_address,
        "AutoAllocatedEnabled": True,
        "RelatedEndpointCount": view.endpoints,
        "RelatedDeprecatedEndpointCount": 0,
    }
