"""Network interfaces on the wire (``reference/alibaba.md`` 5.3).

There are no instances here: an interface is itself a program's place in the VPC (``tidegate vpc exec``), so it is
``Available`` as soon as its namespace is there.
"""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import ECS
from tidegate.api.alibaba.paging import page_by_number, page_by_token
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.names import require_description
from tidegate.domain.refusals import Malformed, NotFound
from tidegate.operations import interfaces, subnets
from tidegate.operations.interfaces import InterfaceView


@action(
    ECS,
    "CreateNetworkInterface",
    "RegionId VSwitchId",
    "SecurityGroupId SecurityGroupIds.N PrimaryIpAddress NetworkInterfaceName Description ClientToken",
)
def create_network_interface(call: Call) -> dict[str, Any]:
    p = call.parameters
    subnet = subnets.get_subnet(call.context, call.caller, p.require("VSwitchId")).subnet
    call.require_here("subnet", subnet.subnet_id, subnet.region_id)
    if description := p.text("Description"):
        require_description("Description", description)
    made = interfaces.create_interface(
        call.context,
        call.caller,
        subnet_id=subnet.subnet_id,
        group_ids=p.texts("SecurityGroupIds") or p.texts("SecurityGroupId"),
        address=p.text("PrimaryIpAddress"),
        name=p.text("NetworkInterfaceName") or "",
        description=description or "",
    )
    found = interfaces.find_interfaces(
        call.context, call.caller, region_id=made.region_id, interface_ids=[made.interface_id]
    )
    return _fields(call, found[0]) if found else {"NetworkInterfaceId": made.interface_id}


@action(ECS, "DeleteNetworkInterface", "RegionId NetworkInterfaceId")
def delete_network_interface(call: Call) -> dict[str, Any]:
    interface_id = call.parameters.require("NetworkInterfaceId")
    here = interfaces.find_interfaces(
        call.context, call.caller, region_id=call.region.region_id, interface_ids=[interface_id]
    )
    if not here:
        raise NotFound("interface", interface_id)
    interfaces.delete_interface(call.context, call.caller, interface_id)
    return {}


@action(
    ECS,
    "DescribeNetworkInterfaces",
    "RegionId",
    "NetworkInterfaceId.N VpcId VSwitchId PrivateIpAddress.N PrimaryIpAddress NetworkInterfaceName SecurityGroupId "
    "Type ServiceManaged Status PageNumber PageSize MaxResults NextToken",
)
def describe_network_interfaces(call: Call) -> dict[str, Any]:
    p = call.parameters
    ids = p.texts("NetworkInterfaceId")
    if len(ids) > 100:
        raise Malformed("NetworkInterfaceId", f"{len(ids)} ids")
    found = interfaces.find_interfaces(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        interface_ids=ids or None,
        vpc_id=p.text("VpcId"),
        subnet_id=p.text("VSwitchId"),
    )
    found = [view for view in found if _matches(view, p)]
    if p.text("MaxResults") or p.text("NextToken"):
        items = [(view.interface.interface_id, view) for view in found]
        page, token = page_by_token(p, call.pages, items, default=10, most=500)
        return {"NextToken": token, "NetworkInterfaceSets": {"NetworkInterfaceSet": [_fields(call, v) for v in page]}}
    views, counts = page_by_number(p, found, most=100)
    return {
        **counts,
        "NextToken": "",
        "NetworkInterfaceSets": {"NetworkInterfaceSet": [_fields(call, view) for view in views]},
    }


def _matches(view: InterfaceView, p: Parameters) -> bool:
    interface = view.interface
    addresses = p.texts("PrivateIpAddress") or p.texts("PrimaryIpAddress")
    if addresses and interface.address not in addresses:
        return False
    if (group := p.text("SecurityGroupId")) and group not in view.group_ids:
        return False
    if p.text("ServiceManaged") and p.flag("ServiceManaged") != (interface.kind == "endpoint"):
        return False
    wanted = {"Type": "Secondary", "Status": _status(view), "NetworkInterfaceName": interface.name}
    return not p.text("InstanceId") and all(p.text(key) in (None, value) for key, value in wanted.items())


def _status(view: InterfaceView) -> str:
    if view.interface.deleting:
        return "Deleting"
    if view.interface.kind == "endpoint":
        return "InUse"
    return "Available" if view.available else "Creating"


def _fields(call: Call, view: InterfaceView) -> dict[str, Any]:
    interface = view.interface
    return {
        "NetworkInterfaceId": interface.interface_id,
        "NetworkInterfaceName": interface.name,
        "Description": interface.description,
        "Status": _status(view),
        "Type": "Secondary",
        "VpcId": interface.vpc_id,
        "VSwitchId": interface.subnet_id,
        "ZoneId": interface.zone_id,
        "PrivateIpAddress": interface.address,
        "PrivateIpSets": {
            "PrivateIpSet": [{"PrivateIpAddress": interface.address, "Primary": True, "PrivateDnsName": ""}]
        },
        "Ipv6Sets": {"Ipv6Set": []},
        "MacAddress": interface.mac_address,
        "SecurityGroupIds": {"SecurityGroupId": list(view.group_ids)},
        "InstanceId": "",
        "Attachment": {},
        "AssociatedPublicIp": {},
        "OwnerId": call.caller.account_id,
        "ServiceID": 0,
        "ServiceManaged": interface.kind == "endpoint",
        "SourceDestCheck": True,
        "ResourceGroupId": "",
        "CreationTime": utc_text(interface.created_at),
        "Tags": {"Tag": []},
    }
