"""Changing rules and memberships, and doing each write once: what comes after a group and its interfaces are made."""

from __future__ import annotations

from typing import Any

import pytest
from alibaba_world import ECS, REGION, VPC, Cloud, Network, make_endpoint, make_network, play_controller, zone_of

from tidegate.operations import subnets, vpcs
from tidegate.store.store import Store

RULE = {"IpProtocol": "tcp", "PortRange": "4000/4000", "SourceCidrIp": "10.0.0.0/8"}


def rules(cloud: Cloud, group: str, **more: str) -> list[dict[str, Any]]:
    answer = cloud.ok(ECS, "DescribeSecurityGroupAttribute", SecurityGroupId=group, **more)
    found = answer["Permissions"]["Permission"]
    assert isinstance(found, list)
    return found


def authorize(cloud: Cloud, group: str, **rule: str) -> dict[str, Any]:
    """The rule made, as Describe shows it."""
    before = {row["SecurityGroupRuleId"] for row in rules(cloud, group)}
    cloud.ok(ECS, "AuthorizeSecurityGroup", SecurityGroupId=group, **{**RULE, **rule})
    (made,) = (row for row in rules(cloud, group) if row["SecurityGroupRuleId"] not in before)
    return made


def interface(cloud: Cloud, network: Network, *groups: str) -> str:
    ids = {f"SecurityGroupIds.{n}": group for n, group in enumerate(groups or (network.group,), 1)}
    made = cloud.ok(ECS, "CreateNetworkInterface", VSwitchId=network.subnet, **ids)
    return str(made["NetworkInterfaceId"])


def groups_of(cloud: Cloud, eni: str) -> list[str]:
    row = cloud.ok(ECS, "DescribeNetworkInterfaceAttribute", NetworkInterfaceId=eni)
    ids = row["SecurityGroupIds"]["SecurityGroupId"]
    assert isinstance(ids, list)
    return ids


def make_group(cloud: Cloud, network: Network, **more: str) -> str:
    return str(cloud.ok(ECS, "CreateSecurityGroup", VpcId=network.vpc, **more)["SecurityGroupId"])


def test_a_rule_is_changed_by_its_id(cloud: Cloud, network: Network) -> None:
    """What is not named stays; the id and the time of its making stay too."""
    made = authorize(cloud, network.group, Description="first")
    of = {"SecurityGroupId": network.group, "SecurityGroupRuleId": made["SecurityGroupRuleId"]}
    cloud.ok(ECS, "ModifySecurityGroupRule", **of, PortRange="4000/4010", Policy="drop", Priority="7")
    (row,) = rules(cloud, network.group)
    assert row == made | {"PortRange": "4000/4010", "Policy": "Drop", "Priority": 7}
    cloud.ok(ECS, "ModifySecurityGroupRule", **of, SourceCidrIp="10.9.0.0/16", Description="second")
    (row,) = rules(cloud, network.group)
    assert (row["SourceCidrIp"], row["Description"], row["Policy"]) == ("10.9.0.0/16", "second", "Drop")


def test_a_rule_is_described_by_its_tuple(cloud: Cloud, network: Network) -> None:
    """The older form, which Terraform sends, and sends twice: the tuple tells the rule, its description changes."""
    authorize(cloud, network.group)
    asked = {"SecurityGroupId": network.group, **RULE, "IpProtocol": "TCP", "Policy": "accept", "Priority": "1"}
    for _ in range(2):
        cloud.ok(ECS, "ModifySecurityGroupRule", **asked, NicType="intranet", Description="the database")
    assert [row["Description"] for row in rules(cloud, network.group)] == ["the database"]
    answer = cloud.refused(ECS, "ModifySecurityGroupRule", **asked | {"Priority": "2"}, Description="another")
    assert answer == (404, "SecurityGroupRule.NotFound", "The target security group rule not exist.")
    answer = cloud.refused(ECS, "ModifySecurityGroupEgressRule", **asked | {"DestCidrIp": "10.0.0.0/8"})
    assert answer[1] == "UnsupportedParameter"  # a source in a rule about destinations


def test_egress_rules_are_changed_too(cloud: Cloud, network: Network) -> None:
    egress = {"IpProtocol": "tcp", "PortRange": "1/2", "DestCidrIp": "0.0.0.0/0"}
    cloud.ok(ECS, "AuthorizeSecurityGroupEgress", SecurityGroupId=network.group, **egress)
    (made,) = rules(cloud, network.group, Direction="egress")
    of = {"SecurityGroupId": network.group, "SecurityGroupRuleId": made["SecurityGroupRuleId"]}
    cloud.ok(ECS, "ModifySecurityGroupEgressRule", **of, DestCidrIp="10.0.0.0/8")
    (row,) = rules(cloud, network.group, Direction="egress")
    assert row == made | {"DestCidrIp": "10.0.0.0/8"}
    answer = cloud.refused(ECS, "ModifySecurityGroupRule", **of, Description="of the other direction")
    assert answer[:2] == (404, "InvalidSecurityGroupRuleId.NotFound")


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"SecurityGroupId": "sg-no"}, (404, "InvalidSecurityGroupId.NotFound")),
        ({"SecurityGroupRuleId": "sgr-no"}, (404, "InvalidSecurityGroupRuleId.NotFound")),
        ({"PortRange": "5000/5000"}, (400, "InvalidOperation.RuleDuplicate")),
        ({"SourceGroupId": "GROUP"}, (400, "InvalidOperation.ModifySgRuleEntityType")),
        ({"PortRange": "-1/-1"}, (400, "OperationDenied")),
        ({"PortRange": "x"}, (400, "InvalidIpPortRange.Malformed")),
        ({"IpProtocol": "sctp"}, (400, "InvalidIpProtocol.ValueNotSupported")),
        ({"IpProtocol": "icmp"}, (400, "OperationDenied")),
        ({"Policy": "perhaps"}, (400, "InvalidPolicy.Malformed")),
        ({"Priority": "101"}, (400, "InvalidPriority.Malformed")),
        ({"NicType": "internet"}, (400, "InvalidNicType.ValueNotSupported")),
        ({"SourceCidrIp": "10.0.0.300"}, (400, "InvalidSourceCidrIp.Malformed")),
        ({"Description": "x" * 513}, (400, "InvalidSecurityGroupDiscription.Malformed")),
        ({"Ipv6SourceCidrIp": "::/0"}, (400, "UnsupportedParameter")),
        ({"SourcePortRange": "1/2"}, (400, "UnsupportedParameter")),
        ({"PortRangeListId": "prl-1"}, (400, "UnsupportedParameter")),
    ],
)
def test_modify_refusals(cloud: Cloud, network: Network, parameters: dict[str, str], answer: tuple[int, str]) -> None:
    made = authorize(cloud, network.group)
    authorize(cloud, network.group, PortRange="5000/5000")
    before = rules(cloud, network.group)
    other = make_group(cloud, network)
    parameters = {name: other if value == "GROUP" else value for name, value in parameters.items()}
    asked = {"SecurityGroupId": network.group, "SecurityGroupRuleId": made["SecurityGroupRuleId"]} | parameters
    assert cloud.refused(ECS, "ModifySecurityGroupRule", **asked)[:2] == answer
    assert rules(cloud, network.group) == before


def test_a_rule_about_a_group_stays_one(cloud: Cloud, network: Network) -> None:
    one, two = make_group(cloud, network), make_group(cloud, network)
    cloud.ok(
        ECS, "AuthorizeSecurityGroup", SecurityGroupId=network.group, **RULE | {"SourceCidrIp": ""}, SourceGroupId=one
    )
    (made,) = rules(cloud, network.group)
    of = {"SecurityGroupId": network.group, "SecurityGroupRuleId": made["SecurityGroupRuleId"]}
    answer = cloud.refused(ECS, "ModifySecurityGroupRule", **of, SourceCidrIp="10.0.0.0/8")
    assert answer[:2] == (400, "InvalidOperation.ModifySgRuleEntityType")
    cloud.ok(ECS, "ModifySecurityGroupRule", **of, SourceGroupId=two)
    assert [row["SourceGroupId"] for row in rules(cloud, network.group)] == [two]
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=one)


def test_who_names_a_group(cloud: Cloud, network: Network) -> None:
    """Its names are why it cannot be deleted; a group that names itself is no reason."""
    one, two = make_group(cloud, network), make_group(cloud, network)
    for group in (one, network.group):
        rule = {**RULE, "SourceCidrIp": "", "SourceGroupId": network.group}
        cloud.ok(ECS, "AuthorizeSecurityGroup", SecurityGroupId=group, **rule)
    ids = {"SecurityGroupId.1": network.group, "SecurityGroupId.2": two}
    found = cloud.ok(ECS, "DescribeSecurityGroupReferences", **ids)
    assert found["SecurityGroupReferences"]["SecurityGroupReference"] == [
        {
            "SecurityGroupId": network.group,
            "ReferencingSecurityGroups": {
                "ReferencingSecurityGroup": [{"AliUid": cloud.key.account_id, "SecurityGroupId": one}]
            },
        }
    ]
    unknown = cloud.refused(ECS, "DescribeSecurityGroupReferences", **{"SecurityGroupId.1": "sg-no"})
    assert unknown[:2] == (404, "InvalidSecurityGroupId.NotFound")
    many = {f"SecurityGroupId.{n}": two for n in range(1, 12)}
    assert cloud.refused(ECS, "DescribeSecurityGroupReferences", **many)[1] == "InvalidSecurityGroupId.Malformed"
    assert cloud.refused(ECS, "DescribeSecurityGroupReferences")[:2] == (400, "MissingParameter")


def test_revoking_an_unknown_id(cloud: Cloud, network: Network) -> None:
    """Since July 2024 an error; a tuple without a match is a success still."""
    made = authorize(cloud, network.group)
    ids = {"SecurityGroupRuleId.1": made["SecurityGroupRuleId"], "SecurityGroupRuleId.2": "sgr-no"}
    answer = cloud.refused(ECS, "RevokeSecurityGroup", SecurityGroupId=network.group, **ids)
    assert answer[:2] == (400, "InvalidParam.SecurityGroupRuleId")
    assert rules(cloud, network.group) == [made]
    cloud.ok(ECS, "RevokeSecurityGroup", SecurityGroupId=network.group, **RULE | {"Priority": "9"})


def test_a_field_of_a_permission_that_is_not_carried_out(cloud: Cloud, network: Network) -> None:
    """What stands in ``Permissions.N`` passed the table of parameters: a port list that was ignored opens all ports."""
    listed = {f"Permissions.1.{name}": value for name, value in (RULE | {"PortRangeListId": "prl-1"}).items()}
    answer = cloud.refused(ECS, "AuthorizeSecurityGroup", SecurityGroupId=network.group, **listed)
    assert answer[:2] == (400, "UnsupportedParameter")
    foreign = RULE | {"SourceCidrIp": "", "SourceGroupId": network.group, "SourceGroupOwnerId": "1999999999999999"}
    answer = cloud.refused(ECS, "AuthorizeSecurityGroup", SecurityGroupId=network.group, **foreign)
    assert answer[:2] == (404, "InvalidSourceGroupId.NotFound")
    own = foreign | {"SourceGroupOwnerId": cloud.key.account_id}
    cloud.ok(ECS, "AuthorizeSecurityGroup", SecurityGroupId=network.group, **own)


def test_enterprise_groups_do_not_name_groups(cloud: Cloud, network: Network) -> None:
    group = make_group(cloud, network, SecurityGroupType="enterprise")
    rule = RULE | {"SourceCidrIp": "", "SourceGroupId": network.group}
    answer = cloud.refused(ECS, "AuthorizeSecurityGroup", SecurityGroupId=group, **rule)
    assert answer[:2] == (403, "InvalidOperation.SecurityGroupType")
    shown = cloud.ok(ECS, "DescribeSecurityGroupAttribute", SecurityGroupId=group)
    assert (shown["InnerAccessPolicy"], shown["Permissions"]) == ("Drop", {"Permission": []})


# -- members


def test_joining_and_leaving(cloud: Cloud, network: Network, store: Store) -> None:
    eni, second = interface(cloud, network), make_group(cloud, network)
    play_controller(store)
    of = {"NetworkInterfaceId": eni, "SecurityGroupId": second}
    cloud.ok(ECS, "JoinSecurityGroup", **of)
    assert groups_of(cloud, eni) == [network.group, second]
    found = cloud.ok(ECS, "DescribeNetworkInterfaces", SecurityGroupId=second)
    (row,) = found["NetworkInterfaceSets"]["NetworkInterfaceSet"]
    assert row["Status"] == "Available"  # a change of groups does not take its place away
    assert cloud.refused(ECS, "JoinSecurityGroup", **of)[:2] == (403, "InvalidInstanceId.AlreadyExists")
    assert cloud.refused(ECS, "DeleteSecurityGroup", SecurityGroupId=second)[1] == "DependencyViolation"
    cloud.ok(ECS, "LeaveSecurityGroup", **of)
    assert groups_of(cloud, eni) == [network.group]
    assert cloud.refused(ECS, "LeaveSecurityGroup", **of)[:2] == (400, "InvalidSecurityGroupAssociation.NotFound")
    last = cloud.refused(ECS, "LeaveSecurityGroup", NetworkInterfaceId=eni, SecurityGroupId=network.group)
    assert last[:2] == (403, "InvalidOperation.AtLeastInOneGroup")
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=second)


@pytest.mark.parametrize("verb", ["Join", "Leave"])
@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"NetworkInterfaceId": None}, (400, "MissingParameter")),
        ({"NetworkInterfaceId": None, "InstanceId": "i-1"}, (404, "InvalidInstanceId.NotFound")),
        ({"InstanceId": "i-1"}, (403, "InvalidParam.EniIdAndInstanceId.Conflict")),
        ({"NetworkInterfaceId": "eni-no"}, (404, "InvalidEniId.NotFound")),
        ({"RegionId": None}, (400, "MissingParameter.RegionId")),
        ({"RegionId": "ap-northeast-1"}, (404, "InvalidEniId.NotFound")),
        ({"SecurityGroupId": "sg-no"}, (404, "InvalidSecurityGroupId.NotFound")),
    ],
)
def test_membership_refusals(
    cloud: Cloud, network: Network, verb: str, parameters: dict[str, str | None], answer: tuple[int, str]
) -> None:
    asked = {"NetworkInterfaceId": interface(cloud, network), "SecurityGroupId": network.group} | parameters
    assert cloud.refused(ECS, f"{verb}SecurityGroup", **asked)[:2] == answer


def test_which_groups_go_together(cloud: Cloud, network: Network) -> None:
    eni, other = interface(cloud, network), make_network(cloud)
    of = {"NetworkInterfaceId": eni}
    answer = cloud.refused(ECS, "JoinSecurityGroup", **of, SecurityGroupId=other.group)
    assert answer[:2] == (403, "InvalidOperation.VpcMismatch")
    advanced = make_group(cloud, network, SecurityGroupType="enterprise")
    answer = cloud.refused(ECS, "JoinSecurityGroup", **of, SecurityGroupId=advanced)
    assert answer[:2] == (400, "InvalidOperation.SecurityGroupType")
    for _ in range(4):
        cloud.ok(ECS, "JoinSecurityGroup", **of, SecurityGroupId=make_group(cloud, network))
    sixth = make_group(cloud, network)
    answer = cloud.refused(ECS, "JoinSecurityGroup", **of, SecurityGroupId=sixth)
    assert answer[:2] == (403, "InstanceSecurityGroupLimitExceeded")
    cloud.ok(ECS, "ModifyNetworkInterfaceAttribute", **of, **{"SecurityGroupId.1": advanced})
    assert groups_of(cloud, eni) == [advanced]


def test_an_interface_is_modified(cloud: Cloud, network: Network) -> None:
    eni, second = interface(cloud, network), make_group(cloud, network)
    of = {"NetworkInterfaceId": eni}
    cloud.ok(ECS, "ModifyNetworkInterfaceAttribute", **of, NetworkInterfaceName="app", Description="of the shop")
    row = cloud.ok(ECS, "DescribeNetworkInterfaceAttribute", **of)
    assert (row["NetworkInterfaceName"], row["Description"]) == ("app", "of the shop")
    cloud.ok(ECS, "ModifyNetworkInterfaceAttribute", **of, **{"SecurityGroupId.1": second})
    assert groups_of(cloud, eni) == [second]
    for given, code in (
        ({"NetworkInterfaceName": "1"}, "InvalidNetworkInterfaceName.Malformed"),
        ({"Description": "x"}, "InvalidDescription.Malformed"),
        ({"QueueNumber": "2"}, "UnsupportedParameter"),
        ({"SecurityGroupId.1": "sg-no"}, "InvalidSecurityGroupId.NotFound"),
        ({f"SecurityGroupId.{n}": f"sg-{n}" for n in range(1, 7)}, "InstanceSecurityGroupLimitExceeded"),
    ):
        assert cloud.refused(ECS, "ModifyNetworkInterfaceAttribute", **of, **given)[1] == code
    assert groups_of(cloud, eni) == [second]


@pytest.mark.parametrize("action", ["JoinSecurityGroup", "LeaveSecurityGroup", "ModifyNetworkInterfaceAttribute"])
def test_an_endpoints_interface_has_its_endpoints_groups(cloud: Cloud, network: Network, action: str) -> None:
    """Its groups are changed at the endpoint; two truths about who may reach it would be one too many."""
    make_endpoint(cloud, network, **zone_of(network))
    found = cloud.ok(ECS, "DescribeNetworkInterfaces", ServiceManaged="true")
    (row,) = found["NetworkInterfaceSets"]["NetworkInterfaceSet"]
    of = {"NetworkInterfaceId": row["NetworkInterfaceId"]}
    key = "SecurityGroupId.1" if action.startswith("Modify") else "SecurityGroupId"
    answer = cloud.refused(ECS, action, **of, **{key: make_group(cloud, network)})
    assert answer[:2] == (403, "InvalidOperation.EniServiceManaged")


# -- quotas, once, dry


def test_a_hundred_groups(cloud: Cloud, network: Network) -> None:
    for _ in range(99):
        make_group(cloud, network)
    answer = cloud.refused(ECS, "CreateSecurityGroup", VpcId=network.vpc)
    assert answer[:2] == (403, "QuotaExceed.SecurityGroup")


def test_quotas_of_networks(cloud: Cloud, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subnets, "SUBNETS_PER_VPC", 1)
    monkeypatch.setattr(vpcs, "VPCS_PER_REGION", 1)
    asked = {"VpcId": network.vpc, "ZoneId": f"{REGION}a", "CidrBlock": "10.0.1.0/24"}
    assert cloud.refused(VPC, "CreateVSwitch", **asked)[:2] == (400, "QuotaExceeded.VSwitch")
    assert cloud.refused(VPC, "CreateVpc")[:2] == (400, "QuotaExceeded.Vpc")


def test_a_groups_words(cloud: Cloud, network: Network) -> None:
    for given, code in (
        ({"SecurityGroupName": "1"}, "InvalidSecurityGroupName.Malformed"),
        ({"Description": "http://x"}, "InvalidSecurityGroupDiscription.Malformed"),
    ):
        assert cloud.refused(ECS, "CreateSecurityGroup", VpcId=network.vpc, **given)[:2] == (400, code)
        answer = cloud.refused(ECS, "ModifySecurityGroupAttribute", SecurityGroupId=network.group, **given)
        assert answer[:2] == (400, code)
    no_vpc = cloud.refused(ECS, "CreateSecurityGroup", VpcId="vpc-no")
    assert no_vpc[:2] == (404, "InvalidVpcId.NotFound")


def test_a_repeated_write_is_done_once(cloud: Cloud, network: Network) -> None:
    """A client that lost the answer asks again, when others have gone on: the rule must not come back."""
    once = {"SecurityGroupId": network.group, **RULE, "ClientToken": "t-1"}
    cloud.ok(ECS, "AuthorizeSecurityGroup", **once)
    cloud.ok(ECS, "RevokeSecurityGroup", SecurityGroupId=network.group, **RULE)
    assert set(cloud.ok(ECS, "AuthorizeSecurityGroup", **once)) == {"RequestId"}
    assert rules(cloud, network.group) == []
    answer = cloud.refused(ECS, "AuthorizeSecurityGroup", **once | {"PortRange": "1/1"})
    assert answer[:2] == (400, "IdempotentParameterMismatch")
    # The same text in another action is another token.
    cloud.ok(
        ECS, "ModifySecurityGroupPolicy", SecurityGroupId=network.group, InnerAccessPolicy="Drop", ClientToken="t-1"
    )


def test_a_repeated_delete_is_a_success(cloud: Cloud) -> None:
    """The thing is gone, and that is what was asked for; without the token it is not found."""
    vpc = cloud.ok(VPC, "CreateVpc")["VpcId"]
    for _ in range(2):
        cloud.ok(VPC, "DeleteVpc", VpcId=vpc, ClientToken="t-2")
    assert cloud.refused(VPC, "DeleteVpc", VpcId=vpc)[:2] == (404, "InvalidVpcId.NotFound")


def test_a_refused_write_may_be_tried_again_with_its_token(cloud: Cloud, network: Network) -> None:
    asked = {"VpcId": network.vpc, "ClientToken": "t-3"}
    assert cloud.refused(VPC, "DeleteVpc", **asked)[1] == "DependencyViolation.VSwitch"
    cloud.ok(VPC, "DeleteVSwitch", VSwitchId=network.subnet)
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group)
    cloud.ok(VPC, "DeleteVpc", **asked)


@pytest.mark.parametrize(
    ("version", "action", "parameters"),
    [
        (VPC, "DescribeVpcs", {}),
        (VPC, "DescribeVpcAttribute", {"VpcId": "VPC"}),
        (VPC, "DescribeVSwitches", {}),
        (VPC, "DeleteVSwitch", {"VSwitchId": "VSWITCH"}),
        (ECS, "DescribeSecurityGroups", {}),
    ],
)
def test_dry_runs(cloud: Cloud, network: Network, version: str, action: str, parameters: dict[str, str]) -> None:
    ids = {"VPC": network.vpc, "VSWITCH": network.subnet}
    asked = {name: ids[value] for name, value in parameters.items()}
    assert cloud.refused(version, action, **asked, DryRun="true")[:2] == (400, "DryRunOperation")
    assert cloud.ok(VPC, "DescribeVSwitches")["TotalCount"] == 1


# -- route tables, places, billing


def test_a_route_table_is_named(cloud: Cloud, network: Network) -> None:
    table = cloud.ok(VPC, "DescribeRouteTableList", VpcId=network.vpc)["RouterTableList"]["RouterTableListType"][0]
    of = {"RouteTableId": table["RouteTableId"]}
    cloud.ok(VPC, "ModifyRouteTableAttributes", **of, RouteTableName="main", Description="of the shop")
    found = cloud.ok(VPC, "DescribeRouteTableList", RouteTableName="main")
    (row,) = found["RouterTableList"]["RouterTableListType"]
    assert row == table | {"RouteTableName": "main", "Description": "of the shop"}
    for asked, answer in (
        ({"RouteTableId": "vtb-no"}, (404, "InvalidRouteTableId.NotFound")),
        ({"RegionId": "ap-northeast-1"}, (404, "InvalidRouteTableId.NotFound")),
        ({"RouteTableName": "1"}, (400, "InvalidRouteTableName.Malformed")),
        ({"Description": "x"}, (400, "InvalidDescription.Malformed")),
        ({"RoutePropagationEnable": "true"}, (400, "UnsupportedParameter")),
    ):
        assert cloud.refused(VPC, "ModifyRouteTableAttributes", **of | asked)[:2] == answer


def test_a_vpcs_range_stays(cloud: Cloud, network: Network) -> None:
    cloud.ok(VPC, "ModifyVpcAttribute", VpcId=network.vpc, CidrBlock="10.0.0.0/16")
    answer = cloud.refused(VPC, "ModifyVpcAttribute", VpcId=network.vpc, CidrBlock="10.0.0.0/15")
    assert answer[:2] == (400, "InvalidCidrBlock.Malformed")


def test_zones_as_terraform_picks_them(cloud: Cloud) -> None:
    """``alicloud_zones``: DescribeAvailableResource, then DescribeZones; it drops zones with empty lists."""
    found = cloud.ok(ECS, "DescribeAvailableResource", DestinationResource="Zone", InstanceChargeType="PostPaid")
    offered = [zone["ZoneId"] for zone in found["AvailableZones"]["AvailableZone"] if zone["Status"] != "SoldOut"]
    assert offered == [f"{REGION}{letter}" for letter in "abc"]
    zones = cloud.ok(ECS, "DescribeZones", InstanceChargeType="PostPaid", SpotStrategy="NoSpot")["Zones"]["Zone"]
    for zone in zones:
        assert zone["AvailableInstanceTypes"]["InstanceTypes"] and zone["AvailableDiskCategories"]["DiskCategories"]
        assert zone["AvailableResourceCreation"]["ResourceTypes"] == ["VSwitch"]
    one = cloud.ok(ECS, "DescribeAvailableResource", DestinationResource="InstanceType", ZoneId=f"{REGION}b")
    assert [zone["ZoneId"] for zone in one["AvailableZones"]["AvailableZone"]] == [f"{REGION}b"]
    none = cloud.ok(ECS, "DescribeAvailableResource", DestinationResource="InstanceType", InstanceType="ecs.moon")
    assert none["AvailableZones"]["AvailableZone"] == []
    answer = cloud.refused(ECS, "DescribeAvailableResource", DestinationResource="Moon")
    assert answer[:2] == (400, "InvalidDestinationResource.Malformed")


def test_what_terraform_asks_of_billing_and_location(cloud: Cloud) -> None:
    answer = cloud.ok("2017-12-14", "QueryAvailableInstances", PageNum=1, PageSize=20)
    assert (answer["Code"], answer["Data"]["TotalCount"], answer["Data"]["InstanceList"]) == ("Success", 0, [])
    for code in ("vpc", "ecs", "privatelink", "sts", "bssopenapi"):
        found = cloud.ok("2015-06-12", "DescribeEndpoints", Id=REGION, ServiceCode=code)
        assert [row["SerivceCode"] for row in found["Endpoints"]["Endpoint"]] == [code]
