"""VPCs and their one route table on the wire (``reference/alibaba.md`` 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import VPC
from tidegate.api.alibaba.paging import page_by_number, read_page
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_tags
from tidegate.domain.catalogue import require_region
from tidegate.domain.refusals import Malformed
from tidegate.operations import vpcs
from tidegate.operations.vpcs import VpcView

_MOST_IDS = 20


@action(VPC, "CreateVpc", "RegionId", "CidrBlock VpcName Description ResourceGroupId Tag.N ClientToken DryRun")
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
        tags=read_tags(p),
    )
    return {
        "VpcId": vpc.vpc_id,
        "VRouterId": vpc.router_id,
        "RouteTableId": vpc.route_table_id,
        "ResourceGroupId": vpc.resource_group_id,
    }


@action(
    VPC,
    "DescribeVpcs",
    "RegionId",
    "VpcId VpcName VpcOwnerId IsDefault EnableIpv6 ResourceGroupId Tag.N PageNumber PageSize DryRun",
)
def describe_vpcs(call: Call) -> dict[str, Any]:
    """``VpcId`` is a comma list of up to 20."""
    p = call.parameters
    ids = [part.strip() for part in p["VpcId"].split(",")] if p.text("VpcId") else None
    if ids is not None and len(ids) > _MOST_IDS:
        raise Malformed("VpcId", f"{len(ids)} ids")
    equal = {"name": p.text("VpcName"), "resource_group_id": p.text("ResourceGroupId")}
    wanted = {field: value for field, value in equal.items() if value}
    if p.flag("IsDefault") or p.flag("EnableIpv6") or p.text("VpcOwnerId") not in (None, call.caller.account_id):
        ids = []  # there are no default VPCs here, none with IPv6, and none that others share
    page: Sequence[VpcView]
    if ids is None and not p.structs("Tag"):
        start, size, counts = read_page(p, most=50)
        page, total = vpcs.page_vpcs(
            call.context, call.caller, call.region.region_id, start=start, limit=size, **wanted
        )
        counts |= {"TotalCount": total}
    else:
        found = vpcs.find_vpcs(call.context, call.caller, call.region.region_id, ids)
        found = [view for view in found if all(getattr(view.vpc, field) == value for field, value in wanted.items())]
        page, counts = page_by_number(p, only_tagged(call, "vpc", found, lambda view: view.vpc.vpc_id), most=50)
    tags = show_tags(call, "vpc", [view.vpc.vpc_id for view in page])
    return {**counts, "Vpcs": {"Vpc": [_fields(call, view, tags[view.vpc.vpc_id]) for view in page]}}


@action(VPC, "DescribeVpcAttribute", "RegionId VpcId", "DryRun")
def describe_vpc_attribute(call: Call) -> dict[str, Any]:
    view = _here(call)
    count = len(view.subnet_ids)
    return {
        **_fields(call, view, show_tags(call, "vpc", [view.vpc.vpc_id])[view.vpc.vpc_id]),
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


@action(VPC, "DeleteVpc", "VpcId", "RegionId ForceDelete ClientToken DryRun")
def delete_vpc(call: Call) -> dict[str, Any]:
    """``ForceDelete`` is about gateways and their routes, which no VPC has here; all else must go first, as ever."""
    vpcs.delete_vpc(call.context, call.caller, _here(call).vpc.vpc_id)
    return {}


@action(
    VPC,
    "DescribeRouteTableList",
    "RegionId",
    "VpcId RouteTableId RouteTableName RouteTableType RouterId RouterType ResourceGroupId Tag.N PageNumber PageSize",
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
    if name := p.text("RouteTableName"):
        found = [view for view in found if view.vpc.route_table_name == name]
    if group := p.text("ResourceGroupId"):
        found = [view for view in found if view.vpc.resource_group_id == group]
    if (p.text("RouteTableType") or "System") != "System" or (p.text("RouterType") or "VRouter") != "VRouter":
        found = []
    tagged = only_tagged(call, "route_table", found, lambda view: view.vpc.route_table_id)
    page, counts = page_by_number(p, tagged, most=50)
    tags = show_tags(call, "route_table", [view.vpc.route_table_id for view in page])
    rows = [_route_table(call, view, tags[view.vpc.route_table_id]) for view in page]
    return {**counts, "RouterTableList": {"RouterTableListType": rows}}


@action(VPC, "ModifyRouteTableAttributes", "RegionId RouteTableId", "RouteTableName Description")
def modify_route_table_attributes(call: Call) -> dict[str, Any]:
    p = call.parameters
    vpcs.modify_route_table(
        call.context,
        call.caller,
        p.require("RouteTableId"),
        region_id=call.region.region_id,
        name=p.get("RouteTableName"),
        description=p.get("Description"),
    )
    return {}


def _here(call: Call) -> VpcView:
    view = vpcs.get_vpc(call.context, call.caller, call.parameters.require("VpcId"))
    call.require_here("vpc", view.vpc.vpc_id, view.vpc.region_id)
    return view


def _fields(call: Call, view: VpcView, tags: list[dict[str, str]]) -> dict[str, Any]:
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
        "Tags": {"Tag": tags},
        "ResourceGroupId": vpc.resource_group_id,
        "OwnerId": int(call.caller.account_id),
        "CenStatus": "Detached",
        "DnsHostnameStatus": "DISABLED",
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "Available",
    }


def _route_table(call: Call, view: VpcView, tags: list[dict[str, str]]) -> dict[str, Any]:
    vpc = view.vpc
    return {
        "RouteTableId": vpc.route_table_id,
        "RouteTableName": vpc.route_table_name,
        "RouteTableType": "System",
        "RouterId": vpc.router_id,
        "RouterType": "VRouter",
        "VpcId": vpc.vpc_id,
        "Description": vpc.route_table_description,
        "Status": "Available" if view.available else "Pending",
        "AssociateType": "VSwitch",
        "CreationTime": utc_text(vpc.created_at),
        "ResourceGroupId": vpc.resource_group_id,
        "OwnerId": int(call.caller.account_id),
        "RoutePropagationEnable": True,
        "VSwitchIds": {"VSwitchId": list(view.subnet_ids)},
        "GatewayIds": {"GatewayIds": []},
        "Tags": {"Tag": tags},
    }
