"""VPCs and their one route table on the wire (``reference/alibaba.md`` 4)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import VPC
from tidegate.api.alibaba.paging import page_by_number
from tidegate.domain.catalogue import require_region
from tidegate.domain.refusals import Malformed
from tidegate.operations import vpcs
from tidegate.operations.vpcs import VpcView

_MOST_IDS = 20


@action(VPC, "CreateVpc", "RegionId", "CidrBlock VpcName Description ResourceGroupId ClientToken DryRun")
def create_vpc(call: Call) -> dict[str, Any]:
    p = call.parameters
    vpc = vpcs.create_vpc(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        cidr=p.text("CidrBlock") or "",
        name=p.text("VpcName") or "",
        description=p.text("Description") or "",
        resource_group_id=p.text("ResourceGroupId") or "",
    )
    return {
        "VpcId": vpc.vpc_id,
        "VRouterId": vpc.router_id,
        "RouteTableId": vpc.route_table_id,
        "ResourceGroupId": vpc.resource_group_id,
    }


@action(VPC, "DescribeVpcs", "RegionId", "VpcId VpcName IsDefault ResourceGroupId PageNumber PageSize")
def describe_vpcs(call: Call) -> dict[str, Any]:
    """``VpcId`` is a comma list of up to 20."""
    p = call.parameters
    ids = [part.strip() for part in p["VpcId"].split(",")] if p.text("VpcId") else None
    if ids is not None and len(ids) > _MOST_IDS:
        raise Malformed("VpcId", f"{len(ids)} ids")
    found = vpcs.find_vpcs(call.context, call.caller, call.region.region_id, ids)
    if name := p.text("VpcName"):
        found = [view for view in found if view.vpc.name == name]
    if group := p.text("ResourceGroupId"):
        found = [view for view in found if view.vpc.resource_group_id == group]
    if p.flag("IsDefault"):
        found = []  # there are no default VPCs here
    page, counts = page_by_number(p, found, most=50)
    return {**counts, "Vpcs": {"Vpc": [_fields(call, view) for view in page]}}


@action(VPC, "DescribeVpcAttribute", "RegionId VpcId")
def describe_vpc_attribute(call: Call) -> dict[str, Any]:
    view = _here(call)
    count = len(view.subnet_ids)
    return {
        **_fields(call, view),
        "AssociatedCens": {"AssociatedCen": []},
        "CloudResources": {"CloudResourceSetType": [{"ResourceType": "VSwitch", "ResourceCount": count}]},
        "ClassicLinkEnabled": False,
        "SupportIpv4Gateway": False,
    }


@action(VPC, "ModifyVpcAttribute", "VpcId", "RegionId CidrBlock VpcName Description")
def modify_vpc_attribute(call: Call) -> dict[str, Any]:
    vpc = _here(call).vpc
    p = call.parameters
    if p.text("CidrBlock") not in (None, vpc.cidr):
        raise Malformed("CidrBlock", p["CidrBlock"])
    vpcs.modify_vpc(call.context, call.caller, vpc.vpc_id, name=p.get("VpcName"), description=p.get("Description"))
    return {}


@action(VPC, "DeleteVpc", "VpcId", "RegionId DryRun")
def delete_vpc(call: Call) -> dict[str, Any]:
    vpcs.delete_vpc(call.context, call.caller, _here(call).vpc.vpc_id)
    return {}


@action(
    VPC,
    "DescribeRouteTableList",
    "RegionId",
    "VpcId RouteTableId RouteTableType RouterId RouterType PageNumber PageSize",
)
def describe_route_table_list(call: Call) -> dict[str, Any]:
    """Each VPC has exactly its system route table."""
    p = call.parameters
    ids = [p["VpcId"]] if p.text("VpcId") else None
    found = vpcs.find_vpcs(call.context, call.caller, call.region.region_id, ids)
    if table := p.text("RouteTableId"):
        found = [view for view in found if view.vpc.route_table_id == table]
    if router := p.text("RouterId"):
        found = [view for view in found if view.vpc.router_id == router]
    if (p.text("RouteTableType") or "System") != "System" or (p.text("RouterType") or "VRouter") != "VRouter":
        found = []
    page, counts = page_by_number(p, found, most=50)
    return {**counts, "RouterTableList": {"RouterTableListType": [_route_table(call, view) for view in page]}}


def _here(call: Call) -> VpcView:
    view = vpcs.get_vpc(call.context, call.caller, call.parameters.require("VpcId"))
    call.require_here("vpc", view.vpc.vpc_id, view.vpc.region_id)
    return view


def _fields(call: Call, view: VpcView) -> dict[str, Any]:
    vpc = view.vpc
    return {
        "VpcId": vpc.vpc_id,
        "VpcName": vpc.name,
        "Description": vpc.description,
        "CidrBlock": vpc.cidr,
        "Status": "Available" if view.available else "Pending",
        "RegionId": require_region(vpc.region_id).code,
        "CreationTime": utc_text(vpc.created_at),
        "IsDefault": False,
        "VRouterId": vpc.router_id,
        "VSwitchIds": {"VSwitchId": list(view.subnet_ids)},
        "RouterTableIds": {"RouterTableIds": [vpc.route_table_id]},
        "NatGatewayIds": {"NatGatewayIds": []},
        "UserCidrs": {"UserCidr": []},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "EnabledIpv6": False,
        "Ipv6CidrBlock": "",
        "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
        "Tags": {"Tag": []},
        "ResourceGroupId": vpc.resource_group_id,
        "OwnerId": int(call.caller.account_id),
        "CenStatus": "Detached",
        "DnsHostnameStatus": "DISABLED",
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "Available",
    }


def _route_table(call: Call, view: VpcView) -> dict[str, Any]:
    vpc = view.vpc
    return {
        "RouteTableId": vpc.route_table_id,
        "RouteTableName": "",
        "RouteTableType": "System",
        "RouterId": vpc.router_id,
        "RouterType": "VRouter",
        "VpcId": vpc.vpc_id,
        "Description": "",
        "Status": "Available" if view.available else "Pending",
        "AssociateType": "VSwitch",
        "CreationTime": utc_text(vpc.created_at),
        "ResourceGroupId": vpc.resource_group_id,
        "OwnerId": int(call.caller.account_id),
        "RoutePropagationEnable": True,
        "VSwitchIds": {"VSwitchId": list(view.subnet_ids)},
        "GatewayIds": {"GatewayIds": []},
        "Tags": {"Tag": []},
    }
