"""Subnets on the wire, where they are called vSwitches (``reference/alibaba.md`` 4)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import VPC
from tidegate.api.alibaba.paging import page_by_number
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_tags
from tidegate.domain.refusals import Missing
from tidegate.operations import subnets, vpcs
from tidegate.operations.subnets import SubnetView


@action(VPC, "CreateVSwitch", "VpcId ZoneId CidrBlock", "RegionId VSwitchName Description Tag.N ClientToken")
def create_vswitch(call: Call) -> dict[str, Any]:
    p = call.parameters
    vpc = vpcs.get_vpc(call.context, call.caller, p.require("VpcId")).vpc
    call.require_here("vpc", vpc.vpc_id, vpc.region_id)
    subnet = subnets.create_subnet(
        call.context,
        call.caller,
        vpc_id=vpc.vpc_id,
        zone_id=p.require("ZoneId"),
        cidr=p.require("CidrBlock"),
        name=p.text("VSwitchName") or "",
        description=p.text("Description") or "",
        tags=read_tags(p),
    )
    return {"VSwitchId": subnet.subnet_id}


@action(
    VPC,
    "DescribeVSwitches",
    "",
    "RegionId VpcId VSwitchId ZoneId VSwitchName VSwitchOwnerId RouteTableId IsDefault EnableIpv6 ResourceGroupId "
    "Tag.N PageNumber PageSize DryRun",
)
def describe_vswitches(call: Call) -> dict[str, Any]:
    """The SDK marks no parameter as required; without a region a VPC or vSwitch must be named."""
    p = call.parameters
    if not (p.text("RegionId") or p.text("VpcId") or p.text("VSwitchId")):
        raise Missing("RegionId")
    found = subnets.find_subnets(
        call.context,
        call.caller,
        region_id=call.region.region_id if p.text("RegionId") else None,
        vpc_id=p.text("VpcId"),
        subnet_ids=[part.strip() for part in p["VSwitchId"].split(",")] if p.text("VSwitchId") else None,
        zone_id=p.text("ZoneId"),
    )
    if name := p.text("VSwitchName"):
        found = [view for view in found if view.subnet.name == name]
    if group := p.text("ResourceGroupId"):
        found = [view for view in found if view.subnet.resource_group_id == group]
    if table := p.text("RouteTableId"):
        found = [view for view in found if view.route_table_id == table]
    if p.flag("IsDefault") or p.flag("EnableIpv6") or p.text("VSwitchOwnerId") not in (None, call.caller.account_id):
        found = []  # there are no default vSwitches here, none with IPv6, and none that others share
    page, counts = page_by_number(p, only_tagged(call, "subnet", found, lambda view: view.subnet.subnet_id), most=50)
    tags = show_tags(call, "subnet", [view.subnet.subnet_id for view in page])
    return {**counts, "VSwitches": {"VSwitch": [_fields(call, view, tags[view.subnet.subnet_id]) for view in page]}}


@action(VPC, "DescribeVSwitchAttributes", "VSwitchId", "RegionId DryRun")
def describe_vswitch_attributes(call: Call) -> dict[str, Any]:
    """A missing id is a 404; Terraform takes it, and a 200 with an empty id, as gone."""
    view = _here(call)
    subnet_id = view.subnet.subnet_id
    tags = show_tags(call, "subnet", [subnet_id])
    return {**_fields(call, view, tags[subnet_id]), "CloudResources": {"CloudResourceSetType": []}}


@action(VPC, "ModifyVSwitchAttribute", "VSwitchId", "RegionId VSwitchName Description")
def modify_vswitch_attribute(call: Call) -> dict[str, Any]:
    p = call.parameters
    subnet_id = _here(call).subnet.subnet_id
    subnets.modify_subnet(
        call.context, call.caller, subnet_id, name=p.get("VSwitchName"), description=p.get("Description")
    )
    return {}


@action(VPC, "DeleteVSwitch", "VSwitchId", "RegionId DryRun")
def delete_vswitch(call: Call) -> dict[str, Any]:
    subnets.delete_subnet(call.context, call.caller, _here(call).subnet.subnet_id)
    return {}


def _here(call: Call) -> SubnetView:
    subnet_id = call.parameters.require("VSwitchId")
    view = subnets.get_subnet(call.context, call.caller, subnet_id)
    call.require_here("subnet", subnet_id, view.subnet.region_id)
    return view


def _fields(call: Call, view: SubnetView, tags: list[dict[str, str]]) -> dict[str, Any]:
    subnet = view.subnet
    return {
        "VSwitchId": subnet.subnet_id,
        "VSwitchName": subnet.name,
        "VpcId": subnet.vpc_id,
        "ZoneId": subnet.zone_id,
        "CidrBlock": subnet.cidr,
        "Ipv6CidrBlock": "",
        "Description": subnet.description,
        "Status": "Available" if view.available else "Pending",
        "AvailableIpAddressCount": view.free_addresses,
        "CreationTime": utc_text(subnet.created_at),
        "IsDefault": False,
        "NetworkAclId": "",
        "ResourceGroupId": subnet.resource_group_id,
        "RouteTable": {"RouteTableId": view.route_table_id, "RouteTableType": "System"},
        "ShareType": "",
        "EnabledIpv6": False,
        "OwnerId": int(call.caller.account_id),
        "Tags": {"Tag": tags},
    }
