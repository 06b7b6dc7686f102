"""Endpoint services as their users see them (``reference/alibaba.md`` 3.1, 3.4).  *Verify* is the list."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import PRIVATELINK, ApiError
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.tags import only_tagged, show_tags
from tidegate.domain.services import EndpointService
from tidegate.operations import services


@action(
    PRIVATELINK,
    "ListVpcEndpointServicesByEndUser",
    "RegionId",
    "ServiceId ServiceName ServiceRegionId ServiceType ResourceGroupId Tag.N MaxResults NextToken",
)
def list_vpc_endpoint_services_by_end_user(call: Call) -> dict[str, Any]:
    """``TotalCount`` is a text in this one."""
    p, region = call.parameters, call.region
    found = services.find_visible_services(
        call.context,
        call.caller,
        region_id=region.region_id,
        name=p.text("ServiceName"),
        service_id=p.text("ServiceId"),
    )
    if p.text("ServiceRegionId") not in (None, region.code) or p.text("ServiceType") not in (None, "Interface"):
        found = []
    if group := p.text("ResourceGroupId"):
        found = [service for service in found if service.resource_group_id == group]
    found = list(only_tagged(call, "service", found, lambda service: service.service_id))
    page, token = page_by_token(p, call.pages, [(service.service_id, service) for service in found])
    tags = show_tags(call, "service", [s.service_id for s in page if s.account_id == call.caller.account_id])
    return {
        "MaxResults": p.number("MaxResults", 50, 1, 1000),
        "NextToken": token,
        "TotalCount": str(len(found)),
        "Services": [_fields(service) | {"Tags": tags.get(service.service_id, [])} for service in page],
    }


@action(PRIVATELINK, "CheckProductOpen")
def check_product_open(call: Call) -> dict[str, Any]:
    return {"Success": True}


@action(PRIVATELINK, "OpenPrivateLinkService", "", "OwnerId")
def open_private_link_service(call: Call) -> dict[str, Any]:
    """It is open from the start; Terraform takes this error as done."""
    text = "You have already activated the service. Go to the console to start using it."
    raise ApiError("OrderOpend", 400, text)


def _fields(service: EndpointService) -> dict[str, Any]:
    return {
        "ServiceId": service.service_id,
        "ServiceName": service.name,
        "ServiceDomain": service.domain,
        "ServiceType": "Interface",
        "ServiceResourceType": service.resource_type,
        "Zones": list(service.zone_ids),
        "Payer": service.payer,
        "AutoAcceptEnabled": service.auto_accept,
        "AddressIpVersion": "IPv4",
        "ServiceSupportIPv6": False,
        "VpcEndpointPolicySupported": False,
        "ZoneAffinityEnabled": service.zone_affinity,
        "ResourceGroupId": service.resource_group_id,
    }
