"""VPCs, vSwitches, security groups and interfaces on the wire, each documented refusal that can be provoked."""

from __future__ import annotations

from typing import Any

import pytest
from alibaba_world import ECS, REGION, VPC, Cloud, Network, make_endpoint, make_network, play_controller, zone_of

from tidegate.store.store import Store

NO_VPC = (404, "InvalidVpcId.NotFound", "Specified VPC does not exist.")
NO_VSWITCH = (404, "InvalidVSwitchId.NotFound", "VSwitch not exist.")
NO_GROUP = (404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist.")


def test_the_life_of_a_vpc(cloud: Cloud, store: Store) -> None:
    made = cloud.ok(VPC, "CreateVpc", VpcName="first", Description="of many")
    vpc = made["VpcId"]
    assert cloud.ok(VPC, "DescribeVpcAttribute", VpcId=vpc)["Status"] == "Pending"
    play_controller(store)
    found = cloud.ok(VPC, "DescribeVpcs", VpcId=vpc)
    assert (found["TotalCount"], found["PageNumber"], found["PageSize"]) == (1, 1, 10)
    row = found["Vpcs"]["Vpc"][0]
    assert row | {"CreationTime": ""} == {
        "VpcId": vpc,
        "VpcName": "first",
        "Description": "of many",
        "CidrBlock": "172.16.0.0/12",
        "Status": "Available",
        "RegionId": REGION,
        "CreationTime": "",
        "IsDefault": False,
        "VRouterId": made["VRouterId"],
        "VSwitchIds": {"VSwitchId": []},
        "RouterTableIds": {"RouterTableIds": [made["RouteTableId"]]},
        "NatGatewayIds": {"NatGatewayIds": []},
        "UserCidrs": {"UserCidr": []},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "EnabledIpv6": False,
        "Ipv6CidrBlock": "",
        "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
        "Tags": {"Tag": []},
        "ResourceGroupId": "",
        "OwnerId": int(cloud.key.account_id),
        "CenStatus": "Detached",
        "DnsHostnameStatus": "DISABLED",
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "Available",
    }
    tables = cloud.ok(VPC, "DescribeRouteTableList", VpcId=vpc)["RouterTableList"]["RouterTableListType"]
    assert [(t["RouteTableType"], t["VpcId"]) for t in tables] == [("System", vpc)]
    cloud.ok(VPC, "ModifyVpcAttribute", VpcId=vpc, VpcName="second")
    assert cloud.ok(VPC, "DescribeVpcAttribute", VpcId=vpc)["VpcName"] == "second"
    assert set(cloud.ok(VPC, "DeleteVpc", VpcId=vpc)) == {"RequestId"}
    assert cloud.refused(VPC, "DescribeVpcAttribute", VpcId=vpc) == NO_VPC
    assert cloud.ok(VPC, "DescribeVpcs", VpcId=vpc)["TotalCount"] == 0


def test_a_vpc_is_of_its_region_and_account(cloud: Cloud, network: Network) -> None:
    for action in ("DescribeVpcAttribute", "DeleteVpc", "ModifyVpcAttribute"):
        assert cloud.refused(VPC, action, VpcId=network.vpc, RegionId="ap-northeast-1") == NO_VPC
    assert cloud.refused(VPC, "DeleteVSwitch", VSwitchId=network.subnet, RegionId="ap-northeast-1") == NO_VSWITCH
    answer = cloud.refused(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group, RegionId="ap-northeast-1")
    assert answer == NO_GROUP


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"CidrBlock": "10.0.0.1/16"}, "InvalidParameter"),
        ({"CidrBlock": "10.0.0.0/7"}, "InvalidParameter"),
        ({"CidrBlock": "100.64.0.0/16"}, "InvalidParameter"),
        ({"CidrBlock": "x"}, "InvalidParameter"),
        ({"VpcName": "1"}, "InvalidVpcName.Malformed"),
        ({"VpcName": "http://a"}, "InvalidVpcName.Malformed"),
        ({"Description": "x"}, "InvalidVpcDiscription.Malformed"),
        ({"ClientToken": "x" * 65}, "InvalidClientToken.Malformed"),
    ],
)
def test_create_vpc_refusals(cloud: Cloud, parameters: dict[str, str], code: str) -> None:
    assert cloud.refused(VPC, "CreateVpc", **parameters)[:2] == (400, code)
    assert cloud.ok(VPC, "DescribeVpcs")["TotalCount"] == 0


def test_client_token_and_dry_run(cloud: Cloud) -> None:
    first = cloud.ok(VPC, "CreateVpc", ClientToken="t-1", VpcName="one")["VpcId"]
    assert cloud.ok(VPC, "CreateVpc", ClientToken="t-1", VpcName="one")["VpcId"] == first
    assert cloud.refused(VPC, "CreateVpc", ClientToken="t-1", VpcName="two")[:2] == (400, "IdempotentParameterMismatch")
    assert cloud.refused(VPC, "CreateVpc", DryRun="true")[:2] == (400, "DryRunOperation")
    assert cloud.ok(VPC, "DescribeVpcs")["TotalCount"] == 1


def test_pages_by_number(cloud: Cloud) -> None:
    ids = sorted(cloud.ok(VPC, "CreateVpc")["VpcId"] for _ in range(5))
    pages = [cloud.ok(VPC, "DescribeVpcs", PageSize=2, PageNumber=n) for n in (1, 2, 3, 4)]
    assert [v["VpcId"] for page in pages for v in page["Vpcs"]["Vpc"]] == ids
    assert all(page["TotalCount"] == 5 for page in pages)
    for bad in ({"PageSize": 0}, {"PageSize": 51}, {"PageNumber": 0}, {"PageNumber": "-1"}, {"PageSize": "²"}):
        assert cloud.refused(VPC, "DescribeVpcs", **bad)[:2] == (400, f"Invalid{next(iter(bad))}.Malformed")


def test_the_life_of_a_vswitch(cloud: Cloud, network: Network) -> None:
    row = cloud.ok(VPC, "DescribeVSwitchAttributes", VSwitchId=network.subnet)
    assert (row["Status"], row["AvailableIpAddressCount"], row["CidrBlock"]) == ("Available", 252, "10.0.0.0/24")
    assert row["RouteTable"]["RouteTableType"] == "System" and row["VpcId"] == network.vpc
    cloud.ok(VPC, "ModifyVSwitchAttribute", VSwitchId=network.subnet, VSwitchName="named")
    for query in ({"VpcId": network.vpc}, {"VSwitchName": "named"}, {"ZoneId": f"{REGION}a"}, {"RegionId": REGION}):
        assert cloud.ok(VPC, "DescribeVSwitches", **query)["TotalCount"] == 1
    assert cloud.ok(VPC, "DescribeVSwitches", ZoneId=f"{REGION}b")["TotalCount"] == 0
    assert cloud.refused(VPC, "DescribeVSwitches", RegionId=None)[1] == "MissingParameter"
    assert cloud.refused(VPC, "DeleteVpc", VpcId=network.vpc)[:2] == (400, "DependencyViolation.VSwitch")
    cloud.ok(VPC, "DeleteVSwitch", VSwitchId=network.subnet)
    assert cloud.refused(VPC, "DeleteVSwitch", VSwitchId=network.subnet) == NO_VSWITCH
    assert cloud.refused(VPC, "DeleteVpc", VpcId=network.vpc)[:2] == (400, "DependencyViolation.SecurityGroup")
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group)
    cloud.ok(VPC, "DeleteVpc", VpcId=network.vpc)


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"VpcId": "vpc-no"}, NO_VPC),
        ({"ZoneId": "ap-southeast-1z"}, (404, "InvalidZoneId.NotFound", "The specified ZoneId does not exist.")),
        ({"CidrBlock": "nonsense"}, (400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")),
        (
            {"CidrBlock": "10.0.1.0/30"},
            (400, "InvalidCirdrBlock.MaskLength", "The mask length of the specified CIDR block is not valid."),
        ),
        ({"CidrBlock": "10.1.0.0/24"}, (400, "InvalidParameter", "Specified CIDR block is not valid in VPC.")),
        (
            {"CidrBlock": "10.0.0.128/25"},
            (400, "InvalidCidrBlock.Overlapped", "Specified CIDR block overlapped with other subnets."),
        ),
        ({"VSwitchName": "_"}, (400, "InvalidVSwitchName.Malformed", "The specified VSwitchName is not valid.")),
    ],
)
def test_create_vswitch_refusals(
    cloud: Cloud, network: Network, parameters: dict[str, str], answer: tuple[int, str, str]
) -> None:
    asked = {"VpcId": network.vpc, "ZoneId": f"{REGION}a", "CidrBlock": "10.0.1.0/24"} | parameters
    assert cloud.refused(VPC, "CreateVSwitch", **asked) == answer


def test_a_vswitch_in_use_stays(cloud: Cloud, network: Network) -> None:
    make_endpoint(cloud, network, **zone_of(network))
    assert cloud.refused(VPC, "DeleteVSwitch", VSwitchId=network.subnet)[:2] == (400, "DependencyViolation")


def test_a_vpc_with_an_endpoint_stays(cloud: Cloud, network: Network) -> None:
    make_endpoint(cloud, network)
    cloud.ok(VPC, "DeleteVSwitch", VSwitchId=network.subnet)
    assert cloud.refused(VPC, "DeleteVpc", VpcId=network.vpc)[:2] == (400, "DependencyViolation")


def _rules(cloud: Cloud, group: str, **more: str) -> list[dict[str, Any]]:
    answer = cloud.ok(ECS, "DescribeSecurityGroupAttribute", SecurityGroupId=group, **more)
    rules = answer["Permissions"]["Permission"]
    assert isinstance(rules, list)
    return rules


def test_rules_both_ways(cloud: Cloud, network: Network) -> None:
    """The whole of one permission, and that an equal rule again changes nothing (Terraform sends it twice)."""
    rule = {
        "Permissions.1.IpProtocol": "TCP",
        "Permissions.1.PortRange": "4000/4000",
        "Permissions.1.SourceCidrIp": "10.0.0.0/8",
        "Permissions.1.Description": "the database",
    }
    for _ in range(2):
        cloud.ok(ECS, "AuthorizeSecurityGroup", SecurityGroupId=network.group, **rule)
    (row,) = _rules(cloud, network.group)
    assert row | {"CreateTime": "", "SecurityGroupRuleId": ""} == {
        "SecurityGroupRuleId": "",
        "Direction": "ingress",
        "IpProtocol": "TCP",
        "PortRange": "4000/4000",
        "SourcePortRange": "",
        "Policy": "Accept",
        "Priority": 1,
        "NicType": "intranet",
        "SourceCidrIp": "10.0.0.0/8",
        "DestCidrIp": "",
        "Ipv6SourceCidrIp": "",
        "Ipv6DestCidrIp": "",
        "SourceGroupId": "",
        "SourceGroupName": "",
        "SourceGroupOwnerAccount": "",
        "DestGroupId": "",
        "DestGroupName": "",
        "DestGroupOwnerAccount": "",
        "SourcePrefixListId": "",
        "SourcePrefixListName": "",
        "DestPrefixListId": "",
        "DestPrefixListName": "",
        "Description": "the database",
        "CreateTime": "",
    }
    flat = {"IpProtocol": "all", "PortRange": "-1/-1", "DestCidrIp": "0.0.0.0/0", "Policy": "drop", "Priority": "100"}
    cloud.ok(ECS, "AuthorizeSecurityGroupEgress", SecurityGroupId=network.group, **flat)
    (row,) = _rules(cloud, network.group, Direction="egress")
    assert (row["IpProtocol"], row["Policy"], row["Priority"], row["DestCidrIp"]) == ("ALL", "Drop", 100, "0.0.0.0/0")
    cloud.ok(ECS, "RevokeSecurityGroupEgress", SecurityGroupId=network.group, **flat)
    cloud.ok(ECS, "RevokeSecurityGroupEgress", SecurityGroupId=network.group, **flat)
    (row,) = _rules(cloud, network.group)
    rule_id = row["SecurityGroupRuleId"]
    cloud.ok(ECS, "RevokeSecurityGroup", SecurityGroupId=network.group, **{"SecurityGroupRuleId.1": rule_id})
    assert _rules(cloud, network.group) == []


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"SecurityGroupId": "sg-no"}, NO_GROUP),
        ({"IpProtocol": "sctp"}, (400, "InvalidIpProtocol.ValueNotSupported")),
        ({"PortRange": "4000"}, (400, "InvalidIpPortRange.Malformed")),
        ({"PortRange": "-1/-1"}, (400, "OperationDenied")),
        ({"PortRange": "9/8"}, (400, "OperationDenied")),
        ({"IpProtocol": "icmp"}, (400, "OperationDenied")),
        ({"Policy": "maybe"}, (400, "InvalidPolicy.Malformed")),
        ({"Priority": "0"}, (400, "InvalidPriority.Malformed")),
        ({"Priority": "101"}, (400, "InvalidPriority.Malformed")),
        ({"SourceCidrIp": "10.0.0.300"}, (400, "InvalidSourceCidrIp.Malformed")),
        ({"SourceCidrIp": None}, (400, "MissingParameter.Source")),
        ({"SourceCidrIp": None, "SourceGroupId": "sg-no"}, (404, "InvalidSourceGroupId.NotFound")),
        ({"NicType": "internet"}, (400, "InvalidNicType.ValueNotSupported")),
        ({"Description": "x" * 513}, (400, "InvalidSecurityGroupDiscription.Malformed")),
        ({"PortRange": None}, (400, "MissingParameter")),
        ({"IpProtocol": None}, (400, "MissingParameter")),
        ({"Ipv6SourceCidrIp": "::/0"}, (400, "UnsupportedParameter")),
        ({"Permissions.1.SourcePortRange": "1/2"}, (400, "InvalidSourcePortRange.Malformed")),
    ],
)  # fmt: skip
def test_authorize_refusals(
    cloud: Cloud, network: Network, parameters: dict[str, str | None], answer: tuple[int | str, ...]
) -> None:
    asked: dict[str, str | None] = {
        "SecurityGroupId": network.group,
        "IpProtocol": "tcp",
        "PortRange": "4000/4000",
        "SourceCidrIp": "10.0.0.0/8",
    }
    assert cloud.refused(ECS, "AuthorizeSecurityGroup", **asked | parameters)[: len(answer)] == answer
    assert _rules(cloud, network.group) == []


def test_many_rules_all_or_none(cloud: Cloud, network: Network) -> None:
    def permissions(count: int, first: int = 1) -> dict[str, str]:
        rows = {}
        for n in range(1, count + 1):
            port = first + n
            rows |= {
                f"Permissions.{n}.IpProtocol": "tcp",
                f"Permissions.{n}.PortRange": f"{port}/{port}",
                f"Permissions.{n}.SourceCidrIp": "0.0.0.0/0",
            }
        return rows

    group = {"SecurityGroupId": network.group}
    assert (
        cloud.refused(ECS, "AuthorizeSecurityGroup", **group, **permissions(101))[1] == "InvalidPermissions.Malformed"
    )
    broken = permissions(3) | {"Permissions.3.PortRange": "x"}
    assert cloud.refused(ECS, "AuthorizeSecurityGroup", **group, **broken)[1] == "InvalidIpPortRange.Malformed"
    assert _rules(cloud, network.group) == []
    for first in (0, 100):
        cloud.ok(ECS, "AuthorizeSecurityGroup", **group, **permissions(100, first))
    answer = cloud.refused(ECS, "AuthorizeSecurityGroup", **group, **permissions(1, 900))
    assert answer[:2] == (403, "AuthorizationLimitExceed")
    page = cloud.ok(ECS, "DescribeSecurityGroupAttribute", **group, MaxResults=150)
    rest = cloud.ok(ECS, "DescribeSecurityGroupAttribute", **group, MaxResults=150, NextToken=page["NextToken"])
    ids = [r["SecurityGroupRuleId"] for p in (page, rest) for r in p["Permissions"]["Permission"]]
    assert len(ids) == len(set(ids)) == 200 and rest["NextToken"] == ""


def test_groups(cloud: Cloud, network: Network) -> None:
    advanced = cloud.ok(
        ECS, "CreateSecurityGroup", VpcId=network.vpc, SecurityGroupType="enterprise", SecurityGroupName="adv"
    )["SecurityGroupId"]
    rows = cloud.ok(ECS, "DescribeSecurityGroups", VpcId=network.vpc)["SecurityGroups"]["SecurityGroup"]
    assert {row["SecurityGroupId"]: row["SecurityGroupType"] for row in rows} == {
        network.group: "normal",
        advanced: "enterprise",
    }
    assert cloud.ok(ECS, "DescribeSecurityGroups", SecurityGroupIds=f'["{advanced}","sg-no"]')["TotalCount"] == 1
    assert cloud.ok(ECS, "DescribeSecurityGroups", SecurityGroupName="ad", FuzzyQuery="True")["TotalCount"] == 1
    assert cloud.ok(ECS, "DescribeSecurityGroups", SecurityGroupName="ad")["TotalCount"] == 0
    one = cloud.ok(ECS, "DescribeSecurityGroups", MaxResults=1)
    two = cloud.ok(ECS, "DescribeSecurityGroups", MaxResults=1, NextToken=one["NextToken"])
    assert "TotalCount" not in one and two["NextToken"] == ""
    cloud.ok(ECS, "ModifySecurityGroupAttribute", SecurityGroupId=advanced, Description="words")
    cloud.ok(ECS, "ModifySecurityGroupPolicy", SecurityGroupId=network.group, InnerAccessPolicy="drop")
    shown = cloud.ok(ECS, "DescribeSecurityGroupAttribute", SecurityGroupId=network.group)
    assert shown["InnerAccessPolicy"] == "Drop"
    policy = {"SecurityGroupId": advanced, "InnerAccessPolicy": "Accept"}
    assert cloud.refused(ECS, "ModifySecurityGroupPolicy", **policy)[:2] == (403, "InvalidOperation.SecurityGroupType")
    policy["InnerAccessPolicy"] = "Perhaps"
    assert cloud.refused(ECS, "ModifySecurityGroupPolicy", **policy)[1] == "InvalidInnerAccessPolicy.Malformed"
    assert cloud.refused(ECS, "CreateSecurityGroup")[1] == "MissingParameter"
    answer = cloud.refused(ECS, "CreateSecurityGroup", VpcId=network.vpc, SecurityGroupType="x")
    assert answer[1] == "InvalidSecurityGroupType.Malformed"


def test_groups_in_use_stay(cloud: Cloud, network: Network) -> None:
    other = cloud.ok(ECS, "CreateSecurityGroup", VpcId=network.vpc)["SecurityGroupId"]
    rule = {"IpProtocol": "tcp", "PortRange": "1/1", "SourceGroupId": network.group}
    cloud.ok(ECS, "AuthorizeSecurityGroup", SecurityGroupId=other, **rule)
    assert cloud.refused(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group) == (
        403,
        "DependencyViolation",
        "The specified security group has been authorized in another one.",
    )
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=other)
    cloud.ok(ECS, "CreateNetworkInterface", VSwitchId=network.subnet, SecurityGroupId=network.group)
    assert cloud.refused(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group) == (
        403,
        "DependencyViolation",
        "There is still instance(s) in the specified security group.",
    )


def test_the_life_of_an_interface(cloud: Cloud, network: Network, store: Store) -> None:
    """``tidegate vpc exec`` gives a program its place in a VPC with this call."""
    made = cloud.ok(
        ECS,
        "CreateNetworkInterface",
        VSwitchId=network.subnet,
        PrimaryIpAddress="10.0.0.9",
        NetworkInterfaceName="app",
        **{"SecurityGroupIds.1": network.group},
    )
    assert (made["Status"], made["PrivateIpAddress"], made["Type"]) == ("Creating", "10.0.0.9", "Secondary")
    play_controller(store)
    eni = made["NetworkInterfaceId"]
    for query in (
        {"NetworkInterfaceId.1": eni},
        {"PrivateIpAddress.1": "10.0.0.9"},
        {"SecurityGroupId": network.group},
    ):
        found = cloud.ok(ECS, "DescribeNetworkInterfaces", **query)
        (row,) = found["NetworkInterfaceSets"]["NetworkInterfaceSet"]
        assert (row["NetworkInterfaceId"], row["Status"]) == (eni, "Available")
    again = {"VSwitchId": network.subnet, "SecurityGroupId": network.group, "PrimaryIpAddress": "10.0.0.9"}
    assert cloud.refused(ECS, "CreateNetworkInterface", **again)[:2] == (400, "InvalidIp.IpAssigned")
    assert cloud.refused(ECS, "CreateNetworkInterface", VSwitchId=network.subnet)[1] == "MissingParameter"
    cloud.ok(ECS, "DeleteNetworkInterface", NetworkInterfaceId=eni)
    play_controller(store)
    assert cloud.refused(ECS, "DeleteNetworkInterface", NetworkInterfaceId=eni)[:2] == (404, "InvalidEniId.NotFound")


def test_an_endpoints_interface_is_not_the_users(cloud: Cloud, network: Network) -> None:
    make_endpoint(cloud, network, **zone_of(network))
    found = cloud.ok(ECS, "DescribeNetworkInterfaces", ServiceManaged="true")
    (row,) = found["NetworkInterfaceSets"]["NetworkInterfaceSet"]
    assert (row["Status"], row["SecurityGroupIds"]) == ("InUse", {"SecurityGroupId": [network.group]})
    answer = cloud.refused(ECS, "DeleteNetworkInterface", NetworkInterfaceId=row["NetworkInterfaceId"])
    assert answer[:2] == (403, "InvalidOperation.EniServiceManaged")


def test_a_group_of_another_vpc(cloud: Cloud, network: Network) -> None:
    other = make_network(cloud)
    answer = cloud.refused(ECS, "CreateNetworkInterface", VSwitchId=network.subnet, SecurityGroupId=other.group)
    assert answer[:2] == (400, "InvalidSecurityGroupId.VPCMismatch")
