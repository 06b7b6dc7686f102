"""Network interfaces on the wire (``reference/alibaba.md`` 5.3).

There are no instances here: an interface is itself a program's place in the VPC (``tidegate vpc exec``), so it is
``Available`` as soon as its namespace is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import ECS, ApiError
from tidegate.api.alibaba.paging import page_by_number, page_by_token
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_ecs_tags
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.refusals import Malformed, Missing, NotFound
from tidegate.operations import interfaces, subnets
from tidegate.operations.interfaces import InterfaceView


@action(
    ECS,
    "CreateNetworkInterface",
    "RegionId VSwitchId",
    "SecurityGroupId SecurityGroupIds.N PrimaryIpAddress NetworkInterfaceName Description ResourceGroupId Tag.N "
    "ClientToken",
)
def create_network_interface(call: Call) -> dict[str, Any]:
    p = call.parameters
    subnet = subnets.get_subnet(call.context, call.caller, p.require("VSwitchId")).subnet
    call.require_here("subnet", subnet.subnet_id, subnet.region_id)
    made = interfaces.create_interface(
        call.context,
        call.caller,
        subnet_id=subnet.subnet_id,
        group_ids=p.texts("SecurityGroupIds") or p.texts("SecurityGroupId"),
        address=p.text("PrimaryIpAddress"),
        name=p.text("NetworkInterfaceName") or "",
        description=p.text("Description") or "",
        resource_group_id=p.text("ResourceGroupId") or "",
        tags=read_tags(p),
    )
    found = interfaces.find_interfaces(
        call.context, call.caller, region_id=made.region_id, interface_ids=[made.interface_id]
    )
    return _rows(call, found)[0] if found else {"NetworkInterfaceId": made.interface_id}


@action(ECS, "DeleteNetworkInterface", "RegionId NetworkInterfaceId")
def delete_network_interface(call: Call) -> dict[str, Any]:
    interfaces.delete_interface(call.context, call.caller, _here(call).interface.interface_id)
    return {}


@action(
    ECS,
    "ModifyNetworkInterfaceAttribute",
    "RegionId NetworkInterfaceId",
    "NetworkInterfaceName Description SecurityGroupId.N SourceDestCheck=true",
)
def modify_network_interface_attribute(call: Call) -> dict[str, Any]:
    """``SecurityGroupId.N`` replace all groups that it had; in force at once."""
    p = call.parameters
    interfaces.modify_interface(
        call.context,
        call.caller,
        _here(call).interface.interface_id,
        name=p.get("NetworkInterfaceName"),
        description=p.get("Description"),
        group_ids=p.texts("SecurityGroupId"),
    )
    return {}


@action(ECS, "JoinSecurityGroup", "SecurityGroupId", "RegionId NetworkInterfaceId InstanceId")
def join_security_group(call: Call) -> dict[str, Any]:
    interface_id = _member(call)
    interfaces.join_group(call.context, call.caller, interface_id, call.parameters.require("SecurityGroupId"))
    return {}


@action(ECS, "LeaveSecurityGroup", "SecurityGroupId", "RegionId NetworkInterfaceId InstanceId")
def leave_security_group(call: Call) -> dict[str, Any]:
    interface_id = _member(call)
    interfaces.leave_group(call.context, call.caller, interface_id, call.parameters.require("SecurityGroupId"))
    return {}


@action(ECS, "DescribeNetworkInterfaceAttribute", "RegionId NetworkInterfaceId", "Attribute=attachment")
def describe_network_interface_attribute(call: Call) -> dict[str, Any]:
    return _rows(call, [_here(call)])[0]


@action(
    ECS,
    "DescribeNetworkInterfaces",
    "RegionId",
    "NetworkInterfaceId.N VpcId VSwitchId PrivateIpAddress.N PrimaryIpAddress NetworkInterfaceName SecurityGroupId "
    "InstanceId Type ServiceManaged Status ResourceGroupId Tag.N PageNumber PageSize MaxResults NextToken",
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
    items = only_tagged(call, "interface", found, lambda view: view.interface.interface_id)
    if p.text("MaxResults") or p.text("NextToken"):
        by_id = [(view.interface.interface_id, view) for view in items]
        views, token = page_by_token(p, call.pages, by_id, default=10, most=500)
        return {"NextToken": token, "NetworkInterfaceSets": {"NetworkInterfaceSet": _rows(call, views)}}
    page, counts = page_by_number(p, items, most=100)
    return {**counts, "NextToken": "", "NetworkInterfaceSets": {"NetworkInterfaceSet": _rows(call, page)}}


def _here(call: Call) -> InterfaceView:
    interface_id = call.parameters.require("NetworkInterfaceId")
    found = interfaces.find_interfaces(
        call.context, call.caller, region_id=call.region.region_id, interface_ids=[interface_id]
    )
    if not found:
        raise NotFound("interface", interface_id)
    return found[0]


def _member(call: Call) -> str:
    """Who joins or leaves a group: an interface, as there are no instances here."""
    p = call.parameters
    instance_id, interface_id = p.text("InstanceId"), p.text("NetworkInterfaceId")
    if instance_id and interface_id:
        text = "The InstanceId and NetworkInterfaceId parameters are mutually exclusive."
        raise ApiError("InvalidParam.EniIdAndInstanceId.Conflict", 403, text)
    if instance_id:
        raise NotFound("instance", instance_id)
    if not interface_id:
        raise Missing("NetworkInterfaceId")
    if not p.text("RegionId"):
        raise Missing("RegionIdOfEni")
    return _here(call).interface.interface_id


def _matches(view: InterfaceView, p: Parameters) -> bool:
    interface = view.interface
    addresses = p.texts("PrivateIpAddress") or p.texts("PrimaryIpAddress")
    if addresses and interface.address not in addresses:
        return False
    if (group := p.text("SecurityGroupId")) and group not in view.group_ids:
        return False
    if p.text("ServiceManaged") and p.flag("ServiceManaged") != (interface.kind == "endpoint"):
        return False
    wanted = {
        "Type": "Secondary",
        "Status": _status(view),
        "NetworkInterfaceName": interface.name,
        "ResourceGroupId": interface.resource_group_id,
    }
    return not p.text("InstanceId") and all(p.text(key) in (None, value) for key, value in wanted.items())


def _status(view: InterfaceView) -> str:
    if view.interface.deleting:
        return "Deleting"
    if view.interface.kind == "endpoint":
        return "InUse"
    return "Available" if view.available else "Creating"


def _rows(call: Call, views: Iterable[InterfaceView]) -> list[dict[str, Any]]:
    page = list(views)
    tags = show_ecs_tags(call, "interface", [view.interface.interface_id for view in page])
    return [{**_fields(call, view), "Tags": {"Tag": tags[view.interface.interface_id]}} for view in page]


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
        "ResourceGroupId": interface.resource_group_id,
        "CreationTime": utc_text(interface.created_at),
    }
