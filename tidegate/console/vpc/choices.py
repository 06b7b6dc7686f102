"""What forms offer to choose from: (value, label) of VPCs, vSwitches and security groups."""

from __future__ import annotations

from tidegate.console.visit import Visit
from tidegate.console.words import _
from tidegate.operations import vpcs
from tidegate.operations.interfaces import InterfaceView
from tidegate.operations.security_groups import SecurityGroupView
from tidegate.operations.subnets import SubnetView
from tidegate.operations.vpcs import VpcView

VPCS_OFFERED = 500
"""a form weighs 40 KB then; a VPC's own page leads to forms that have it chosen, wherever it stands in the list"""


def load_vpcs(visit: Visit, region_id: str, chosen: str) -> list[VpcView]:
    """The region's VPCs to choose from: the first ones of a great many, and in any case the ``chosen`` one."""
    found, _total = vpcs.page_vpcs(visit.context, visit.alicloud, region_id, start=0, limit=VPCS_OFFERED)
    if chosen and all(view.vpc.vpc_id != chosen for view in found):
        found += vpcs.find_vpcs(visit.context, visit.alicloud, region_id, [chosen])
    return found


def vpc_option(view: VpcView) -> tuple[str, str]:
    return view.vpc.vpc_id, " · ".join(filter(None, (view.vpc.name, view.vpc.vpc_id, view.vpc.cidr)))


def subnet_option(view: SubnetView) -> tuple[str, str]:
    subnet = view.subnet
    free = _("{count} free addresses").format(count=view.free_addresses)
    return subnet.subnet_id, f"{subnet.name or subnet.subnet_id} · {subnet.cidr} · {free}"


def group_option(view: SecurityGroupView) -> tuple[str, str]:
    group = view.group
    return group.group_id, f"{group.name} · {group.group_id}" if group.name else group.group_id


def host_option(view: InterfaceView) -> tuple[str, str]:
    host = view.interface
    return host.interface_id, f"{host.name or host.interface_id} · {host.address} · {host.zone_id} · {host.vpc_id}"
