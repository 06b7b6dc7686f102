"""The three steps on the wire, and every documented refusal of them that can be provoked."""

from __future__ import annotations

from typing import Any

import pytest
from alibaba_world import (
    ECS,
    PRIVATELINK,
    REGION,
    VPC,
    Cloud,
    Network,
    make_endpoint,
    make_network,
    play_controller,
    zone_of,
)

from tidegate.operations.services import region_service
from tidegate.store.store import Store

NO_ENDPOINT = (400, "EndpointNotFound", "The specified Endpoint does not exist.")
NO_SERVICE = (400, "EndpointServiceNotFound", "The specified Service does not exist.")
NO_GROUP = (400, "SecurityGroupNotFound", "The specified security group does not exist.")


def _get(cloud: Cloud, endpoint: str) -> dict[str, Any]:
    return cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)


def _states(cloud: Cloud, endpoint: str) -> tuple[str, str]:
    answer = _get(cloud, endpoint)
    return answer["EndpointStatus"], answer["ConnectionStatus"]


def test_verify(cloud: Cloud, network: Network) -> None:
    """The console's Verify: one row is the green check, an empty list is not."""
    found = cloud.ok(PRIVATELINK, "ListVpcEndpointServicesByEndUser", ServiceName=network.service)
    assert found["TotalCount"] == "1" and found["NextToken"] == ""
    (row,) = found["Services"]
    assert (row["ServiceId"], row["Zones"]) == (network.service_id, [f"{REGION}{letter}" for letter in "abc"])
    other = region_service(cloud.context, "alicloud-ap-northeast-1")
    aws = region_service(cloud.context, "aws-ap-southeast-1")
    assert other is not None and aws is not None
    for name in ("com.aliyuncs.privatelink.ap-southeast-1.epsrv-no", other.name, aws.name):
        found = cloud.ok(PRIVATELINK, "ListVpcEndpointServicesByEndUser", ServiceName=name)
        assert (found["TotalCount"], found["Services"]) == ("0", [])


def test_the_life_of_an_endpoint(cloud: Cloud, network: Network, store: Store) -> None:
    made = make_endpoint(cloud, network, EndpointName="door", EndpointDescription="to TiDB", **zone_of(network))
    endpoint = made["EndpointId"]
    not_shown = {"EndpointType", "Payer", "PolicyDocument", "ProtectedEnabled", "RegionId", "ResourceGroupId"}
    not_shown |= {"ResourceOwner", "ZonePrivateIpAddressCount"}
    assert set(made) == set(_get(cloud, endpoint)) - not_shown
    assert (made["EndpointStatus"], made["ConnectionStatus"]) == ("Creating", "Connecting")
    (zone,) = cloud.ok(PRIVATELINK, "ListVpcEndpointZones", EndpointId=endpoint)["Zones"]
    assert zone["ZoneStatus"] == "Creating"
    play_controller(store)
    shown = _get(cloud, endpoint)
    assert shown | {"RequestId": "", "CreateTime": "", "PolicyDocument": ""} == {
        "EndpointId": endpoint,
        "EndpointName": "door",
        "EndpointDescription": "to TiDB",
        "EndpointType": "Interface",
        "EndpointStatus": "Active",
        "EndpointBusinessStatus": "Normal",
        "ConnectionStatus": "Connected",
        "Bandwidth": 3072,
        "EndpointDomain": f"{endpoint}.{network.service_id}.{REGION}.privatelink.aliyuncs.com",
        "ServiceId": network.service_id,
        "ServiceName": network.service,
        "ServiceRegionId": REGION,
        "RegionId": REGION,
        "VpcId": network.vpc,
        "CreateTime": "",
        "Payer": "Endpoint",
        "ResourceOwner": False,
        "ResourceGroupId": "",
        "ZonePrivateIpAddressCount": 1,
        "ZoneAffinityEnabled": False,
        "ProtectedEnabled": False,
        "PolicyDocument": "",
        "AddressIpVersion": "IPv4",
        "RequestId": "",
    }
    zones = cloud.ok(PRIVATELINK, "ListVpcEndpointZones", EndpointId=endpoint)
    assert (zones["TotalCount"], zones["NextToken"], zones["MaxResults"]) == (1, "", 50)
    (zone,) = zones["Zones"]
    assert zone | {"EniId": ""} == {
        "EniId": "",
        "EniIp": "10.0.0.1",
        "RegionId": REGION,
        "VSwitchId": network.subnet,
        "ZoneDomain": f"{endpoint}-{REGION}a.{network.service_id}.{REGION}.privatelink.aliyuncs.com",
        "ZoneId": f"{REGION}a",
        "ZoneIpv6Address": "",
        "ZoneStatus": "Connected",
    }
    cloud.ok(PRIVATELINK, "UpdateVpcEndpointAttribute", EndpointId=endpoint, EndpointName="gate")
    assert _get(cloud, endpoint)["EndpointName"] == "gate"
    assert cloud.refused(PRIVATELINK, "DeleteVpcEndpoint", EndpointId=endpoint) == (
        400,
        "EndpointDependenceViolation",
        "The specified endpoint has dependent zone(s).",
    )
    cloud.ok(PRIVATELINK, "RemoveZoneFromVpcEndpoint", EndpointId=endpoint, ZoneId=f"{REGION}a")
    assert _states(cloud, endpoint) == ("Pending", "Connected")
    play_controller(store)
    assert cloud.ok(PRIVATELINK, "ListVpcEndpointZones", EndpointId=endpoint)["Zones"] == []
    assert set(cloud.ok(PRIVATELINK, "DeleteVpcEndpoint", EndpointId=endpoint)) == {"RequestId"}
    assert _states(cloud, endpoint)[0] == "Deleting"
    again = cloud.refused(PRIVATELINK, "DeleteVpcEndpoint", EndpointId=endpoint)
    assert again == (400, "EndpointOperationDenied", "The specified operation of endpoint is not allowed.")
    play_controller(store)
    assert cloud.refused(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint) == NO_ENDPOINT


def test_an_endpoint_without_zones_then_one(cloud: Cloud, network: Network, store: Store) -> None:
    """Terraform never names zones when it creates; it adds them one by one."""
    endpoint = make_endpoint(cloud, network)["EndpointId"]
    zone = {"EndpointId": endpoint, "ZoneId": f"{REGION}a", "VSwitchId": network.subnet}
    cloud.ok(PRIVATELINK, "AddZoneToVpcEndpoint", **zone, ip="10.0.0.77")
    (row,) = cloud.ok(PRIVATELINK, "ListVpcEndpointZones", EndpointId=endpoint)["Zones"]
    assert row["EniIp"] == "10.0.0.77"
    play_controller(store)

    def refused(**change: str) -> tuple[int, str, str]:
        return cloud.refused(PRIVATELINK, "AddZoneToVpcEndpoint", **zone | change)

    assert refused() == (400, "EndpointZoneDuplicated", "The zone is duplicated for the Endpoint.")
    assert refused(EndpointId="ep-no") == NO_ENDPOINT
    assert refused(VSwitchId="vsw-no")[:2] == (400, "VSwitchNotFound")
    assert refused(ZoneId=f"{REGION}b")[:2] == (400, "IllegalParamFormat.ZoneId")  # the vSwitch is of another zone
    b = {"VpcId": network.vpc, "ZoneId": f"{REGION}b", "CidrBlock": "10.0.1.0/29"}
    vswitch = cloud.ok(VPC, "CreateVSwitch", **b)["VSwitchId"]
    in_b = {"ZoneId": f"{REGION}b", "VSwitchId": vswitch}
    taken = refused(**in_b, ip="10.0.1.7")
    assert taken == (400, "EniIpUnavailable", "The specified IP address is unavailable.")
    for _ in range(4):
        cloud.ok(ECS, "CreateNetworkInterface", VSwitchId=vswitch, SecurityGroupId=network.group)
    assert refused(**in_b)[:2] == (400, "ResourceNotEnough.VSwitchIp")
    gone = cloud.refused(PRIVATELINK, "RemoveZoneFromVpcEndpoint", EndpointId=endpoint, ZoneId=f"{REGION}c")
    assert gone == (400, "EndpointZoneNotFound", "The specified zone of Endpoint does not exist.")


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"ServiceName": "com.aliyuncs.privatelink.ap-southeast-1.epsrv-no"}, NO_SERVICE),
        ({"ServiceName": None}, (400, "MissingParam.ServiceName", "The param of ServiceName is missing.")),
        ({"ServiceId": "epsrv-no"}, NO_SERVICE),
        ({"ServiceRegionId": "ap-northeast-1"}, NO_SERVICE),
        ({"VpcId": "vpc-no"}, (400, "VpcNotFound", "The specified VPC does not exist.")),
        ({"SecurityGroupId.1": "sg-no"}, NO_GROUP),
        (
            {"SecurityGroupId.1": None},
            (
                400,
                "EndpointMustContainSecurityGroup",
                "The specified endpoint must have at least one security group.",
            ),
        ),
        ({"Zone.1.ZoneId": f"{REGION}a", "Zone.1.VSwitchId": "vsw-no"}, (400, "VSwitchNotFound")),
        ({"Zone.1.ZoneId": f"{REGION}a"}, (400, "MissingParam.Zone.1.VSwitchId")),
        ({"EndpointName": "1x"}, (400, "IllegalParamFormat.EndpointName")),
        ({"EndpointDescription": "https://x"}, (400, "IllegalParamFormat.EndpointDescription")),
        ({"EndpointType": "Reverse"}, (400, "UnsupportedParameter")),
        ({"AddressIpVersion": "DualStack"}, (400, "UnsupportedParameter")),
        ({"ProtectedEnabled": "perhaps"}, (400, "IllegalParamFormat.ProtectedEnabled")),
        ({"PolicyDocument": '{"Version":"1","Statement":[]}'}, (400, "UnsupportedParameter")),
        ({"PolicyDocument": "{"}, (400, "IllegalParamFormat.PolicyDocument")),
        ({"ZoneAffinityEnabled": "perhaps"}, (400, "IllegalParamFormat.ZoneAffinityEnabled")),
        ({"RegionId": "ap-northeast-1"}, NO_SERVICE),  # cross-region: the service lives in another region
        ({"RegionId": "eu-nowhere-1"}, (404, "InvalidRegionId.NotFound")),
        ({"DryRun": "true"}, (400, "DryRunOperation")),
    ],
)  # fmt: skip
def test_create_refusals_leave_nothing(
    cloud: Cloud, network: Network, store: Store, change: dict[str, str | None], answer: tuple[int | str, ...]
) -> None:
    """Whatever is refused, nothing is half made: no endpoint, no zone, no interface, no address taken."""
    asked: dict[str, str | None] = {
        "VpcId": network.vpc,
        "ServiceName": network.service,
        "SecurityGroupId.1": network.group,
    }
    assert cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked | change)[: len(answer)] == answer
    with store.read() as tx:
        assert (tx.endpoints.count(), tx.endpoint_zones.count(), tx.interfaces.count()) == (0, 0, 0)


def test_cross_region_by_another_regions_service(cloud: Cloud, network: Network) -> None:
    for region_id in ("alicloud-ap-northeast-1", "aws-ap-southeast-1"):
        other = region_service(cloud.context, region_id)
        assert other is not None
        for named in ({"ServiceName": other.name}, {"ServiceId": other.service_id}):
            asked = {"VpcId": network.vpc, "SecurityGroupId.1": network.group, **named}
            assert cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked) == NO_SERVICE


def test_one_endpoint_per_vpc_and_service(cloud: Cloud, network: Network) -> None:
    make_endpoint(cloud, network, ClientToken="once")
    asked = {"VpcId": network.vpc, "ServiceId": network.service_id, "SecurityGroupId.1": network.group}
    assert cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked) == (
        400,
        "EndpointDuplicated",
        "The endpoint of the service already exists and cannot be created again.",
    )


def test_a_retried_create_is_one_endpoint(cloud: Cloud, network: Network) -> None:
    """Terraform keeps one token over its retries; without it, a lost answer would end in EndpointDuplicated."""
    first = make_endpoint(cloud, network, ClientToken="once")
    assert make_endpoint(cloud, network, ClientToken="once")["EndpointId"] == first["EndpointId"]


def test_many_at_once_are_one(cloud: Cloud, network: Network) -> None:
    """Retries that overtake each other: with one token all get the same endpoint, with none one is made."""
    asked = {
        "RegionId": REGION,
        "VpcId": network.vpc,
        "ServiceName": network.service,
        "SecurityGroupId.1": network.group,
        **zone_of(network),
    }
    token = {"ClientToken": "same"}
    answers = cloud.send_all([cloud.acs3(PRIVATELINK, "CreateVpcEndpoint", asked | token) for _ in range(20)])
    assert len({answer.json()["EndpointId"] for answer in answers}) == 1
    other = make_network(cloud)
    asked |= {"VpcId": other.vpc, "SecurityGroupId.1": other.group, **zone_of(other)}
    answers = cloud.send_all([cloud.acs3(PRIVATELINK, "CreateVpcEndpoint", asked) for _ in range(20)])
    codes = [answer.json().get("Code", "made") for answer in answers]
    assert sorted(codes) == ["EndpointDuplicated"] * 19 + ["made"]


def test_groups_of_an_endpoint(cloud: Cloud, network: Network, store: Store) -> None:
    endpoint = make_endpoint(cloud, network)["EndpointId"]
    play_controller(store)
    second = cloud.ok(ECS, "CreateSecurityGroup", VpcId=network.vpc)["SecurityGroupId"]
    advanced = cloud.ok(ECS, "CreateSecurityGroup", VpcId=network.vpc, SecurityGroupType="enterprise")
    of = {"EndpointId": endpoint}

    def refused(verb: str, group: str) -> tuple[int, str, str]:
        action = {"attach": "AttachSecurityGroupToVpcEndpoint", "detach": "DetachSecurityGroupFromVpcEndpoint"}[verb]
        return cloud.refused(PRIVATELINK, action, **of, SecurityGroupId=group)

    last = refused("detach", network.group)
    assert last[:2] == (400, "EndpointMustContainSecurityGroup")
    cloud.ok(PRIVATELINK, "AttachSecurityGroupToVpcEndpoint", **of, SecurityGroupId=second)
    shown = cloud.ok(PRIVATELINK, "ListVpcEndpointSecurityGroups", **of)
    assert shown["TotalCount"] == 2 and {row["SecurityGroupStatus"] for row in shown["SecurityGroups"]} == {"Attaching"}
    play_controller(store)
    one = cloud.ok(PRIVATELINK, "ListVpcEndpointSecurityGroups", **of, MaxResults=1)
    two = cloud.ok(PRIVATELINK, "ListVpcEndpointSecurityGroups", **of, MaxResults=1, NextToken=one["NextToken"])
    rows = one["SecurityGroups"] + two["SecurityGroups"]
    assert sorted(row["SecurityGroupId"] for row in rows) == sorted([network.group, second])
    assert {row["SecurityGroupStatus"] for row in rows} == {"Attached"} and two["NextToken"] == ""
    assert refused("attach", second) == (400, "SecurityGroupExist", "The specified security group already exists.")
    assert refused("attach", "sg-no") == NO_GROUP
    assert refused("attach", make_network(cloud).group) == NO_GROUP
    assert refused("attach", advanced["SecurityGroupId"]) == (
        400,
        "SecurityGroupTypeOnlySingleTypeSupporteded",
        "The specified security group only support one type.",
    )
    cloud.ok(PRIVATELINK, "DetachSecurityGroupFromVpcEndpoint", **of, SecurityGroupId=network.group)
    assert refused("detach", network.group) == NO_GROUP


def _list(cloud: Cloud, **filters: Any) -> list[str]:
    rows = cloud.ok(PRIVATELINK, "ListVpcEndpoints", **filters)["Endpoints"]
    return [row["EndpointId"] for row in rows]


def test_lists_and_filters(cloud: Cloud, network: Network, store: Store) -> None:
    networks = [network, make_network(cloud), make_network(cloud)]
    ids = [make_endpoint(cloud, n, EndpointName=f"e{i}")["EndpointId"] for i, n in enumerate(networks)]
    assert sorted(_list(cloud)) == sorted(ids)
    assert _list(cloud, EndpointStatus="Active") == [] and len(_list(cloud, EndpointStatus="Creating")) == 3
    play_controller(store)
    assert len(_list(cloud, ConnectionStatus="Connected")) == 3
    assert _list(cloud, EndpointName="e1") == [ids[1]] == _list(cloud, EndpointId=ids[1])
    assert _list(cloud, VpcId=networks[2].vpc) == [ids[2]]
    assert len(_list(cloud, ServiceName=network.service)) == 3
    assert _list(cloud, ServiceName="no") == [] == _list(cloud, RegionId="ap-northeast-1")
    answer = cloud.ok(PRIVATELINK, "ListVpcEndpoints", EndpointId="ep-no")
    assert (answer["TotalCount"], answer["Endpoints"]) == (0, [])
    assert "Payer" not in cloud.ok(PRIVATELINK, "ListVpcEndpoints")["Endpoints"][0]


@pytest.mark.parametrize("filters", [{}, {"EndpointStatus": "Active"}])
def test_pages_by_token(cloud: Cloud, store: Store, filters: dict[str, str]) -> None:
    ids = [make_endpoint(cloud, make_network(cloud))["EndpointId"] for _ in range(5)]
    play_controller(store)
    seen: list[str] = []
    token = None
    for _ in range(3):
        page = cloud.ok(PRIVATELINK, "ListVpcEndpoints", MaxResults=2, NextToken=token, **filters)
        assert page["TotalCount"] == 5 and page["MaxResults"] == 2
        seen += [row["EndpointId"] for row in page["Endpoints"]]
        token = page["NextToken"]
    assert token == "" and seen == sorted(ids)


def test_tokens_cannot_be_made_up(cloud: Cloud, store: Store) -> None:
    """Altered, of another call, or nonsense: refused, not read as a place in the list."""
    for _ in range(2):
        make_endpoint(cloud, make_network(cloud))
    token = cloud.ok(PRIVATELINK, "ListVpcEndpoints", MaxResults=1)["NextToken"]
    middle = "B" if token[10] != "B" else "C"
    for bad in (token[:10] + middle + token[11:], token[:-4], token + "AAAA", "x", "====", "é", token[:21]):
        answer = cloud.refused(PRIVATELINK, "ListVpcEndpoints", MaxResults=1, NextToken=bad)
        assert answer == (400, "IllegalParamFormat.NextToken", "The param format of NextToken is illegal.")
    other = cloud.refused(PRIVATELINK, "ListVpcEndpointServicesByEndUser", NextToken=token)
    assert other[1] == "IllegalParamFormat.NextToken"
    for bad in ("0", "1001", "x", "-5"):
        assert cloud.refused(PRIVATELINK, "ListVpcEndpoints", MaxResults=bad)[1] == "IllegalParamFormat.MaxResults"


def test_an_endpoint_is_of_its_region(cloud: Cloud, network: Network) -> None:
    endpoint = make_endpoint(cloud, network)["EndpointId"]
    for action in ("GetVpcEndpointAttribute", "DeleteVpcEndpoint", "ListVpcEndpointZones"):
        answer = cloud.refused(PRIVATELINK, action, EndpointId=endpoint, RegionId="ap-northeast-1")
        assert answer == NO_ENDPOINT


def test_the_product_is_open(cloud: Cloud) -> None:
    assert cloud.ok(PRIVATELINK, "CheckProductOpen")["Success"] is True
    assert cloud.refused(PRIVATELINK, "OpenPrivateLinkService")[:2] == (400, "OrderOpend")
