"""VPCs, subnets, security groups and host interfaces, through Alibaba's VPC and ECS APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

from tidegate.cli.clients import AlibabaClient, ApiError, CliError, Json

DEFAULT_REGION = "ap-southeast-1"
DEFAULT_CIDR = "10.0.0.0/16"
EXEC_NAME = "tidegate-exec"
"""of the interface and the security group that ``vpc exec`` makes when none is named"""
RESOLVERS = ("100.100.2.136", "100.100.2.138")
PAGE_SIZE = 50


def list_regions(api: AlibabaClient) -> list[str]:
    reply = api.call("vpc", "DescribeRegions", DEFAULT_REGION)
    return [region["RegionId"] for region in reply["Regions"]["Region"]]


def list_zones(api: AlibabaClient, region: str) -> list[str]:
    reply = api.call("vpc", "DescribeZones", region)
    return [zone["ZoneId"] for zone in reply["Zones"]["Zone"]]


def pages(call: Callable[[int], Json], outer: str, inner: str) -> Iterator[Json]:
    """Every item of a paged list that is wrapped as ``{"Vpcs": {"Vpc": [...]}}``."""
    number = 0
    while True:
        number += 1
        items = call(number)[outer][inner]
        yield from items
        if len(items) < PAGE_SIZE:
            return


def list_vpcs(api: AlibabaClient, region: str | None = None) -> list[Json]:
    """Of one region, or of all."""
    found: list[Json] = []
    for here in [region] if region else list_regions(api):
        found += pages(
            lambda n, here=here: api.call("vpc", "DescribeVpcs", here, PageNumber=n, PageSize=PAGE_SIZE),  # type: ignore[misc]
            "Vpcs",
            "Vpc",
        )
    return found


def find_vpc(api: AlibabaClient, name_or_id: str, region: str | None = None) -> Json:
    """Raises :class:`CliError` for none, and for several of one name."""
    found = [vpc for vpc in list_vpcs(api, region) if name_or_id in (vpc["VpcId"], vpc["VpcName"])]
    if not found:
        raise CliError(f"There is no VPC {name_or_id}. See what there is: tidegate vpc list.")
    if len(found) > 1:
        ids = ", ".join(vpc["VpcId"] for vpc in found)
        raise CliError(f"{len(found)} VPCs are named {name_or_id}. Give the id: {ids}.")
    return found[0]


def create_vpc(api: AlibabaClient, region: str, name: str, cidr: str, zones: list[str]) -> Json:
    """A VPC with one subnet per zone.  Nothing is left behind when a subnet is refused."""
    subnets = plan_subnets(cidr, len(zones))
    vpc_id = api.call("vpc", "CreateVpc", region, VpcName=name, CidrBlock=cidr)["VpcId"]
    made: list[str] = []
    try:
        for zone, subnet in zip(zones, subnets, strict=True):
            reply = api.call("vpc", "CreateVSwitch", region, VpcId=vpc_id, ZoneId=zone, CidrBlock=subnet)
            made.append(reply["VSwitchId"])
    except ApiError:
        for subnet_id in made:
            api.call("vpc", "DeleteVSwitch", region, VSwitchId=subnet_id)
        api.call("vpc", "DeleteVpc", region, VpcId=vpc_id)
        raise
    return {"VpcId": vpc_id, "VpcName": name, "RegionId": region, "CidrBlock": cidr, "VSwitchIds": made}


def plan_subnets(cidr: str, count: int) -> list[str]:
    """The first ``count`` /24 of a VPC's range, or smaller ones when it has not so many.  Raises CliError."""
    try:
        network = ip_network(cidr)
    except ValueError as error:
        raise CliError(f"{cidr} is no network ({error}). Give one as in 10.0.0.0/16.") from error
    for length in range(max(24, network.prefixlen), 30):
        if 2 ** (length - network.prefixlen) >= count:
            subnets = network.subnets(new_prefix=length)
            return [str(next(subnets)) for _ in range(count)]
    raise CliError(f"{cidr} has no room for {count} subnets (at least /29 each). Give a larger range.")


def list_subnets(api: AlibabaClient, vpc: Json) -> list[Json]:
    region, vpc_id = vpc["RegionId"], vpc["VpcId"]
    return list(
        pages(
            lambda n: api.call("vpc", "DescribeVSwitches", region, VpcId=vpc_id, PageNumber=n, PageSize=PAGE_SIZE),
            "VSwitches",
            "VSwitch",
        )
    )


def find_subnet(api: AlibabaClient, vpc: Json, subnet_id: str | None = None) -> Json:
    """The one asked for (by id or name), else the VPC's first.  Raises :class:`CliError`."""
    subnets = list_subnets(api, vpc)
    for subnet in subnets:
        if not subnet_id or subnet_id in (subnet["VSwitchId"], subnet["VSwitchName"]):
            return subnet
    asked = f"no vSwitch {subnet_id}" if subnet_id else "no vSwitch yet"
    raise CliError(f"{vpc['VpcId']} has {asked}. Create one with CreateVSwitch (aliyun CLI, SDK, Terraform).")


# -- security groups ---------------------------------------------------------------------------------------------


def list_groups(api: AlibabaClient, vpc: Json) -> list[Json]:
    region, vpc_id = vpc["RegionId"], vpc["VpcId"]
    return list(
        pages(
            lambda n: api.call("ecs", "DescribeSecurityGroups", region, VpcId=vpc_id, PageNumber=n, PageSize=PAGE_SIZE),
            "SecurityGroups",
            "SecurityGroup",
        )
    )


def create_group(api: AlibabaClient, vpc: Json, name: str) -> str:
    reply = api.call("ecs", "CreateSecurityGroup", vpc["RegionId"], VpcId=vpc["VpcId"], SecurityGroupName=name)
    return str(reply["SecurityGroupId"])


def allow_ingress(api: AlibabaClient, region: str, group_id: str, ports: str, cidr: str) -> None:
    rule = {"IpProtocol": "tcp", "PortRange": ports, "SourceCidrIp": cidr, "Policy": "accept", "Priority": 1}
    api.call("ecs", "AuthorizeSecurityGroup", region, SecurityGroupId=group_id, Permissions=[rule])


def ensure_group(api: AlibabaClient, vpc: Json, name: str, ports: str | None = None) -> str:
    """The VPC's group of this name, made when absent; ``ports`` are then open to the VPC's own range."""
    for group in list_groups(api, vpc):
        if group["SecurityGroupName"] == name:
            return str(group["SecurityGroupId"])
    group_id = create_group(api, vpc, name)
    if ports:
        allow_ingress(api, vpc["RegionId"], group_id, ports, vpc["CidrBlock"])
    return group_id


# -- host interfaces -----------------------------------------------------------------------------------------------


def list_interfaces(api: AlibabaClient, vpc: Json) -> list[Json]:
    region, vpc_id = vpc["RegionId"], vpc["VpcId"]
    return list(
        pages(
            lambda n: api.call(
                "ecs", "DescribeNetworkInterfaces", region, VpcId=vpc_id, PageNumber=n, PageSize=PAGE_SIZE
            ),
            "NetworkInterfaceSets",
            "NetworkInterfaceSet",
        )
    )


def find_interface(api: AlibabaClient, vpc: Json, name: str) -> Json | None:
    for interface in list_interfaces(api, vpc):
        if name in (interface["NetworkInterfaceName"], interface["NetworkInterfaceId"]):
            return interface
    return None


def ensure_interface(
    api: AlibabaClient, vpc: Json, name: str, subnet_id: str | None = None, group_id: str | None = None
) -> str:
    """The id of the VPC's host interface that has this name, place and group; made when absent, ready or not."""
    for interface in list_interfaces(api, vpc):
        if interface["NetworkInterfaceName"] == name and fits(interface, subnet_id, group_id):
            return str(interface["NetworkInterfaceId"])
    subnet = find_subnet(api, vpc, subnet_id)
    group_id = group_id or ensure_group(api, vpc, EXEC_NAME)
    reply = api.call(
        "ecs",
        "CreateNetworkInterface",
        vpc["RegionId"],
        VSwitchId=subnet["VSwitchId"],
        SecurityGroupId=group_id,
        NetworkInterfaceName=name,
    )
    return str(reply["NetworkInterfaceId"])


def fits(interface: Json, subnet_id: str | None, group_id: str | None) -> bool:
    groups = interface["SecurityGroupIds"]["SecurityGroupId"]
    here = subnet_id in (None, interface["VSwitchId"])
    return here and (group_id is None or groups == [group_id]) and interface["Status"] != "Deleting"


def look_interface(api: AlibabaClient, region: str, interface_id: str) -> Json | None:
    """The interface when the kernel has it, else None."""
    reply = api.call("ecs", "DescribeNetworkInterfaces", region, NetworkInterfaceId=[interface_id])
    for interface in reply["NetworkInterfaceSets"]["NetworkInterfaceSet"]:
        if interface["Status"] in ("Available", "InUse"):
            return dict(interface)
    return None


def delete_interface(api: AlibabaClient, region: str, interface_id: str) -> None:
    api.call("ecs", "DeleteNetworkInterface", region, NetworkInterfaceId=interface_id)


# -- the end of a VPC ------------------------------------------------------------------------------------------------


def host_interfaces(api: AlibabaClient, vpc: Json) -> list[Json]:
    """Those of programs; an endpoint's are its own affair (ServiceManaged)."""
    return [interface for interface in list_interfaces(api, vpc) if not interface.get("ServiceManaged")]


def delete_vpc(api: AlibabaClient, vpc: Json, wait: Callable[[Callable[[], Any], str], Any]) -> None:
    """Host interfaces, groups, subnets, then the VPC itself.  Its endpoints must be gone."""
    region = vpc["RegionId"]
    for interface in host_interfaces(api, vpc):
        if interface["Status"] != "Deleting":
            delete_interface(api, region, interface["NetworkInterfaceId"])
    wait(lambda: True if not list_interfaces(api, vpc) else None, f"the interfaces of {vpc['VpcId']} to go")
    for group in list_groups(api, vpc):
        api.call("ecs", "DeleteSecurityGroup", region, SecurityGroupId=group["SecurityGroupId"])
    for subnet in list_subnets(api, vpc):
        api.call("vpc", "DeleteVSwitch", region, VSwitchId=subnet["VSwitchId"])
    api.call("vpc", "DeleteVpc", region, VpcId=vpc["VpcId"])
