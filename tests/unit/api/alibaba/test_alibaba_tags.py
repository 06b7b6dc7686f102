"""Tags and resource groups in each product's own words, each documented refusal provoked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alibaba_world import ECS, PRIVATELINK, REGION, VPC, Cloud, Network, make_endpoint, make_network

from tidegate.domain.accounts import AccessKey, Account
from tidegate.operations.context import Caller
from tidegate.operations.tags import tag_resources
from tidegate.store.store import Store

UNTAG = {VPC: "UnTagResources", ECS: "UntagResources", PRIVATELINK: "UntagResources"}


def tagged(**tags: str) -> dict[str, str]:
    pairs = enumerate(tags.items(), 1)
    return {k: v for n, (key, value) in pairs for k, v in ((f"Tag.{n}.Key", key), (f"Tag.{n}.Value", value))}


def pages(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """PrivateLink's list is flat, the others wrap theirs."""
    rows = answer["TagResources"]
    rows = rows if isinstance(rows, list) else rows["TagResource"]
    return [(row["ResourceId"], row["ResourceType"], row["TagKey"], row["TagValue"]) for row in rows]


@pytest.fixture
def places(cloud: Cloud, network: Network) -> dict[str, tuple[str, str, str]]:
    """(version, the type as Terraform writes it, id) of one resource of each type."""
    eni = cloud.ok(ECS, "CreateNetworkInterface", VSwitchId=network.subnet, SecurityGroupId=network.group)
    table = cloud.ok(VPC, "DescribeVpcAttribute", VpcId=network.vpc)["RouterTableIds"]["RouterTableIds"][0]
    return {
        "vpc": (VPC, "VPC", network.vpc),
        "subnet": (VPC, "VSWITCH", network.subnet),
        "route_table": (VPC, "RouteTable", table),
        "group": (ECS, "securitygroup", network.group),
        "interface": (ECS, "eni", eni["NetworkInterfaceId"]),
        "endpoint": (PRIVATELINK, "VpcEndpoint", make_endpoint(cloud, network)["EndpointId"]),
    }


@pytest.mark.parametrize("what", ["vpc", "subnet", "route_table", "group", "interface", "endpoint"])
def test_the_life_of_tags(cloud: Cloud, places: dict[str, tuple[str, str, str]], what: str) -> None:
    """As Terraform does: tag, read, tag anew, take one away, take all; a type in any case of letters."""
    version, word, name = places[what]
    of = {"ResourceType": word, "ResourceId.1": name}
    assert set(cloud.ok(version, "TagResources", **of, **tagged(env="ci", team="中 a"))) == {"RequestId"}
    cloud.ok(version, "TagResources", **{**of, "ResourceType": word.upper()}, **tagged(env="prod", empty=""))
    listed = cloud.ok(version, "ListTagResources", **of)
    assert [(row[0], *row[2:]) for row in pages(listed)] == [
        (name, "empty", ""),
        (name, "env", "prod"),
        (name, "team", "中 a"),
    ]
    assert listed["NextToken"] == ""
    by_tag = cloud.ok(version, "ListTagResources", ResourceType=word, **tagged(env="prod"))
    assert pages(by_tag) == pages(listed)
    assert pages(cloud.ok(version, "ListTagResources", ResourceType=word, **tagged(env="ci"))) == []
    cloud.ok(version, UNTAG[version], **of, **{"TagKey.1": "env", "TagKey.2": "never-there"})
    assert [row[2] for row in pages(cloud.ok(version, "ListTagResources", **of))] == ["empty", "team"]
    cloud.ok(version, UNTAG[version], **of, All="True")
    assert pages(cloud.ok(version, "ListTagResources", **of)) == []


def test_tags_at_the_making_and_in_every_answer(cloud: Cloud) -> None:
    tags = tagged(a="1", b="2")
    vpc = cloud.ok(VPC, "CreateVpc", CidrBlock="10.0.0.0/16", **tags)["VpcId"]
    zone = {"ZoneId": f"{REGION}a", "CidrBlock": "10.0.0.0/24"}
    subnet = cloud.ok(VPC, "CreateVSwitch", VpcId=vpc, **zone, **tags)["VSwitchId"]
    group = cloud.ok(ECS, "CreateSecurityGroup", VpcId=vpc, **tags)["SecurityGroupId"]
    made = cloud.ok(ECS, "CreateNetworkInterface", VSwitchId=subnet, SecurityGroupId=group, **tags)
    of_vpc = {"Tag": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    of_ecs = {"Tag": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}]}
    assert cloud.ok(VPC, "DescribeVpcAttribute", VpcId=vpc)["Tags"] == of_vpc
    assert cloud.ok(VPC, "DescribeVSwitchAttributes", VSwitchId=subnet)["Tags"] == of_vpc
    assert made["Tags"] == of_ecs
    of = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    assert cloud.ok(ECS, "DescribeNetworkInterfaceAttribute", **of)["Tags"] == of_ecs
    lists = {
        (VPC, "DescribeVpcs"): ("Vpcs", "Vpc", of_vpc),
        (VPC, "DescribeVSwitches"): ("VSwitches", "VSwitch", of_vpc),
        (ECS, "DescribeSecurityGroups"): ("SecurityGroups", "SecurityGroup", of_ecs),
        (ECS, "DescribeNetworkInterfaces"): ("NetworkInterfaceSets", "NetworkInterfaceSet", of_ecs),
    }
    make_network(cloud)
    for (version, action), (outer, inner, shown) in lists.items():
        for wanted in (tagged(a="1"), tagged(a="1", b="2"), {"Tag.1.Key": "b"}):
            rows = cloud.ok(version, action, **wanted)[outer][inner]
            assert [row["Tags"] for row in rows] == [shown], action
        for other in (tagged(a="2"), tagged(a="1", c="3"), {"Tag.1.Key": "c"}):
            assert cloud.ok(version, action, **other)[outer][inner] == [], action
        assert cloud.ok(version, action, **tagged(a="1")).get("TotalCount") == 1


def test_a_refused_tag_leaves_nothing_made(cloud: Cloud) -> None:
    assert cloud.refused(VPC, "CreateVpc", **tagged(aliyun="x"))[:2] == (400, "InvalidTagKey")
    assert cloud.ok(VPC, "DescribeVpcs")["TotalCount"] == 0


def test_deleting_takes_the_tags_along(cloud: Cloud, network: Network, store: Store) -> None:
    cloud.ok(VPC, "TagResources", ResourceType="VSWITCH", **{"ResourceId.1": network.subnet}, **tagged(a="1"))
    cloud.ok(ECS, "TagResources", ResourceType="securitygroup", **{"ResourceId.1": network.group}, **tagged(a="1"))
    cloud.ok(VPC, "DeleteVSwitch", VSwitchId=network.subnet)
    cloud.ok(ECS, "DeleteSecurityGroup", SecurityGroupId=network.group)
    with store.read() as tx:
        assert tx.tags.count() == 0
    assert pages(cloud.ok(VPC, "ListTagResources", ResourceType="VSWITCH", **tagged(a="1"))) == []


DOUBLE = {"Tag.1.Key": "a", "Tag.2.Key": "a", "Tag.1.Value": "", "Tag.2.Value": ""}
LONG_KEY, LONG_VALUE = tagged(**{"k" * 129: "v"}), tagged(k="v" * 129)
LINK, OURS = tagged(k="see http://x"), tagged(**{"ACS:k": "v"})
NO_KEY = {"Tag.1.Value": "v"}
MANY = tagged(**{f"k{n}": "v" for n in range(21)})
REFUSED: list[tuple[dict[str, str], dict[str, tuple[int, str]]]] = [
    (
        LONG_KEY,
        {
            VPC: (400, "InvalidTagKey"),
            ECS: (400, "InvalidTagKey.Malformed"),
            PRIVATELINK: (400, "IllegalTagKeyParam"),
        },
    ),
    (
        LONG_VALUE,
        {
            VPC: (400, "InvalidTagValue"),
            ECS: (400, "InvalidTagValue.Malformed"),
            PRIVATELINK: (400, "IllegalTagValueParam"),
        },
    ),
    (
        LINK,
        {
            VPC: (400, "InvalidTagValue"),
            ECS: (400, "InvalidTagValue.Malformed"),
            PRIVATELINK: (400, "IllegalTagValueParam"),
        },
    ),
    (
        OURS,
        {
            VPC: (400, "InvalidTagKey"),
            ECS: (400, "InvalidTagKey.Malformed"),
            PRIVATELINK: (400, "IllegalTagKeyParam"),
        },
    ),
    (
        NO_KEY,
        {
            VPC: (400, "InvalidTagKey"),
            ECS: (400, "InvalidTagKey.Malformed"),
            PRIVATELINK: (400, "MissingTagKeyParam"),
        },
    ),
    ({"Tag.1.Key": "k"}, {PRIVATELINK: (400, "MissingTagValueParam")}),
    (
        DOUBLE,
        {
            VPC: (400, "Forbidden.TagKey.Duplicated"),
            ECS: (400, "Duplicate.TagKey"),
            PRIVATELINK: (400, "DuplicatedTagKey"),
        },
    ),
    (MANY, {VPC: (400, "SizeLimitExceeded.TagNum"), ECS: (400, "NumberExceed.Tags")}),
    (
        {"ResourceId.1": "x-no", **tagged(k="v")},
        {
            VPC: (400, "InvalidInstanceIds.NotFound"),
            ECS: (404, "InvalidResourceId.NotFound"),
            PRIVATELINK: (400, "InvalidResourceId.NotFound"),
        },
    ),
    (
        {"ResourceType": "moon", **tagged(k="v")},
        {
            VPC: (400, "InvalidInstanceType.NotFound"),
            ECS: (404, "InvalidResourceType.NotFound"),
            PRIVATELINK: (400, "IllegalParamFormat.ResourceType"),
        },
    ),
    (
        {f"ResourceId.{n}": f"x-{n}" for n in range(1, 52)} | tagged(k="v"),
        {VPC: (400, "SizeLimitExceeded.ResourceId"), ECS: (400, "NumberExceed.ResourceIds")},
    ),
]


@pytest.mark.parametrize(
    ("parameters", "version", "answer"),
    [(given, version, answer) for given, answers in REFUSED for version, answer in answers.items()],
)
def test_refusals(
    cloud: Cloud,
    places: dict[str, tuple[str, str, str]],
    parameters: dict[str, str],
    version: str,
    answer: tuple[int, str],
) -> None:
    what = {VPC: "vpc", ECS: "group", PRIVATELINK: "endpoint"}[version]
    _, word, name = places[what]
    asked = {"ResourceType": word, "ResourceId.1": name} | parameters
    assert cloud.refused(version, "TagResources", **asked)[:2] == answer
    assert pages(cloud.ok(version, "ListTagResources", **{"ResourceType": word, "ResourceId.1": name})) == []


@pytest.mark.parametrize(
    ("version", "what", "quota", "nothing"),
    [
        (VPC, "vpc", (400, "QuotaExceeded.TagNum"), (403, "BothEmpty.TagsAndResources")),
        (ECS, "group", (400, "OperationDenied.QuotaExceed"), (400, "MissingParameter")),
        (PRIVATELINK, "endpoint", (400, "QuotaExceed.TagsPerResource"), (400, "MissingResourceIdOrTagParam")),
    ],
)
def test_quota_and_empty_lists(
    cloud: Cloud,
    places: dict[str, tuple[str, str, str]],
    version: str,
    what: str,
    quota: tuple[int, str],
    nothing: tuple[int, str],
) -> None:
    _, word, name = places[what]
    of = {"ResourceType": word, "ResourceId.1": name}
    cloud.ok(version, "TagResources", **of, **tagged(**{f"k{n:02}": "v" for n in range(20)}))
    cloud.ok(version, "TagResources", **of, **tagged(k00="another value is no other tag"))
    assert cloud.refused(version, "TagResources", **of, **tagged(one_more=""))[:2] == quota
    assert cloud.refused(version, "ListTagResources", ResourceType=word)[:2] == nothing


def test_tags_in_pages(cloud: Cloud) -> None:
    """Nothing twice and nothing left out, also where a page ends between two tags of one resource."""
    vpcs = [cloud.ok(VPC, "CreateVpc", **tagged(**{f"k{n}": "v" for n in range(7)}))["VpcId"] for _ in range(3)]
    seen, token = [], None
    while token != "":
        page = cloud.ok(
            VPC, "ListTagResources", ResourceType="VPC", MaxResults=4, NextToken=token, **{"Tag.1.Key": "k1"}
        )
        assert len(pages(page)) <= 4
        seen += pages(page)
        token = page["NextToken"]
    assert seen == [(vpc, "VPC", f"k{n}", "v") for vpc in sorted(vpcs) for n in range(7)]


def test_an_endpoints_interface_cannot_be_tagged(cloud: Cloud, network: Network) -> None:
    zone = {"Zone.1.ZoneId": f"{REGION}a", "Zone.1.VSwitchId": network.subnet}
    make_endpoint(cloud, network, **zone)
    (row,) = cloud.ok(ECS, "DescribeNetworkInterfaces")["NetworkInterfaceSets"]["NetworkInterfaceSet"]
    of = {"ResourceType": "eni", "ResourceId.1": row["NetworkInterfaceId"]}
    assert cloud.refused(ECS, "TagResources", **of, **tagged(a="1"))[:2] == (403, "InvalidOperation.EniServiceManaged")


@pytest.fixture
def stranger(cloud: Cloud, store: Store) -> Cloud:
    """Another account's caller to the same API."""
    with store.write() as tx:
        tx.accounts.add(Account("1999999999999999", "alicloud", "other", cloud.clock.now))
        key = tx.access_keys.add(AccessKey("LTAIother", "1999999999999999", "alicloud", "s" * 30))
    return replace(cloud, key=key)


def test_another_accounts_tags_are_not_there(
    cloud: Cloud, stranger: Cloud, places: dict[str, tuple[str, str, str]]
) -> None:
    for version, word, name in places.values():
        of = {"ResourceType": word, "ResourceId.1": name}
        cloud.ok(version, "TagResources", **of, **tagged(env="mine"))
        assert pages(stranger.ok(version, "ListTagResources", **of)) == []
        assert pages(stranger.ok(version, "ListTagResources", ResourceType=word, **tagged(env="mine"))) == []
        assert stranger.refused(version, "TagResources", **of, **tagged(env="yours"))[1].endswith("NotFound")
        assert stranger.refused(version, UNTAG[version], **of, All="true")[1].endswith("NotFound")
        assert cloud.refused(version, "TagResources", RegionId="ap-northeast-1", **of, **tagged(a=""))[1].endswith(
            "NotFound"
        )
        assert [row[3] for row in pages(cloud.ok(version, "ListTagResources", **of))] == ["mine"]


@pytest.mark.parametrize(
    ("version", "action", "name", "word", "what", "bad_group", "bad_id", "bad_type"),
    [
        (
            VPC,
            "MoveResourceGroup",
            "NewResourceGroupId",
            "vpc",
            "vpc",
            (400, "InvalidResourceGroupId"),
            (400, "InvalidResourceId.NotFound"),
            (400, "IllegalParam.ResourceType"),
        ),
        (
            ECS,
            "JoinResourceGroup",
            "ResourceGroupId",
            "SecurityGroup",
            "group",
            (404, "InvalidResourceGroup.NotFound"),
            (404, "InvalidResourceId.NotFound"),
            (404, "InvalidResourceType.NotFound"),
        ),
        (
            ECS,
            "JoinResourceGroup",
            "ResourceGroupId",
            "eni",
            "interface",
            (404, "InvalidResourceGroup.NotFound"),
            (404, "InvalidResourceId.NotFound"),
            (404, "InvalidResourceType.NotFound"),
        ),
        (
            PRIVATELINK,
            "ChangeResourceGroup",
            "ResourceGroupId",
            "VpcEndpoint",
            "endpoint",
            (400, "InvalidResourceGroup"),
            (400, "ResourceNotFound"),
            (400, "IllegalParamFormat.ResourceType"),
        ),
    ],
)
def test_resource_groups(
    cloud: Cloud,
    places: dict[str, tuple[str, str, str]],
    version: str,
    action: str,
    name: str,
    word: str,
    what: str,
    bad_group: tuple[int, str],
    bad_id: tuple[int, str],
    bad_type: tuple[int, str],
) -> None:
    lists = {
        "vpc": ("DescribeVpcs", "Vpcs", "Vpc"),
        "group": ("DescribeSecurityGroups", "SecurityGroups", "SecurityGroup"),
        "interface": ("DescribeNetworkInterfaces", "NetworkInterfaceSets", "NetworkInterfaceSet"),
        "endpoint": ("ListVpcEndpoints", "Endpoints", ""),
    }
    asked = {"ResourceType": word, "ResourceId": places[what][2], name: "rg-acfmxyz"}
    cloud.ok(version, action, **asked)
    listing, outer, inner = lists[what]
    found = cloud.ok(version, listing, ResourceGroupId="rg-acfmxyz")[outer]
    rows = found[inner] if inner else found
    assert [row["ResourceGroupId"] for row in rows] == ["rg-acfmxyz"]
    assert cloud.refused(version, action, **asked | {name: "group"})[:2] == bad_group
    assert cloud.refused(version, action, **asked | {"ResourceId": "x-no"})[:2] == bad_id
    assert cloud.refused(version, action, **asked | {"ResourceType": "moon"})[:2] == bad_type


def test_a_vpc_takes_its_vswitches_along(cloud: Cloud, network: Network) -> None:
    cloud.ok(VPC, "MoveResourceGroup", ResourceType="vpc", ResourceId=network.vpc, NewResourceGroupId="rg-1")
    assert cloud.ok(VPC, "DescribeVSwitchAttributes", VSwitchId=network.subnet)["ResourceGroupId"] == "rg-1"
    assert cloud.refused(VPC, "CreateVpc", ResourceGroupId="nonsense")[:2] == (400, "InvalidResourceGroupId")


def test_all_or_none(cloud: Cloud, network: Network) -> None:
    ids = {"ResourceId.1": network.vpc, "ResourceId.2": "vpc-no"}
    cloud.refused(VPC, "TagResources", ResourceType="VPC", **ids, **tagged(a="1"))
    assert cloud.ok(VPC, "DescribeVpcAttribute", VpcId=network.vpc)["Tags"] == {"Tag": []}
    # The operation itself has no region to hold against: an operator's call may span them.
    tag_resources(cloud.context, Caller(cloud.key.account_id), "vpc", [network.vpc], [("a", "1")])
    assert cloud.ok(VPC, "DescribeVpcs", **tagged(a="1"))["TotalCount"] == 1
