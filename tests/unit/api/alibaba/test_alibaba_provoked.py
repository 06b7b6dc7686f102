"""Refusals that no other test of this folder meets; and that, with these, every row of the table was met.

The audit of ``errors.py``: ``conftest.py`` notes each row that answered a request while the folder's tests ran, and
the last test compares.  So a new row needs a test that provokes it, or a sentence below of why nothing can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest
from alibaba_world import ECS, HOST, PRIVATELINK, REGION, VPC, Cloud, Network, make_endpoint, play_controller, zone_of

from tidegate.api import chain
from tidegate.api.alibaba import errors
from tidegate.api.alibaba.signature import NonceMemory
from tidegate.operations import endpoints
from tidegate.store.store import Store

ZONE = f"{REGION}a"
OTHER_PRODUCT = "an action of another product never raises it; the row keeps the table total"
OTHER_CLOUD = "only TiDB Cloud's calls raise it"
NEVER_BUSY = "a VPC or subnet that goes away is 'not found' at once, and one that is being made can be used"

UNMET = {
    ("NotFound", "ResourceNotFound.{kind}"): OTHER_PRODUCT,
    ("InUse", "DependencyViolation"): OTHER_PRODUCT,
    ("RuleRepeats", "OperationDenied"): OTHER_PRODUCT,
    ("PeerKindFixed", "OperationDenied"): OTHER_PRODUCT,
    ("GroupJoined", "OperationDenied"): OTHER_PRODUCT,
    ("GroupNotJoined", "OperationDenied"): OTHER_PRODUCT,
    ("LastGroup", "OperationDenied"): OTHER_PRODUCT,
    ("EndpointProtected", "OperationDenied"): OTHER_PRODUCT,
    ("WrongState", "IncorrectStatus.{kind}"): OTHER_PRODUCT,
    ("Busy", "OperationConflict"): OTHER_PRODUCT,
    ("Conflict", "ResourceAlreadyExist"): OTHER_PRODUCT,
    ("Busy", "IncorrectVpcStatus"): NEVER_BUSY,
    ("Busy", "IncorrectVSwitchStatus"): NEVER_BUSY,
    ("NotOffered", "InvalidApi.NotFound"): OTHER_CLOUD,
    ("NoPrivateEndpoint", "OperationDenied"): OTHER_CLOUD,
    ("PlanConflict", "OperationDenied"): OTHER_CLOUD,
    ("ClusterUnavailable", "OperationDenied"): OTHER_CLOUD,
    ("RootUserKept", "OperationDenied"): OTHER_CLOUD,
    ("NotUpdatable", "OperationDenied"): OTHER_CLOUD,
}


@pytest.mark.parametrize("verb", ["Enable", "Disable"])
def test_zone_connections_that_are_not_there(cloud: Cloud, store: Store, network: Network, verb: str) -> None:
    """These two actions answer 404 and name what is missing; all others of PrivateLink answer 400."""
    service = cloud.ok(PRIVATELINK, "CreateVpcEndpointService")["ServiceId"]
    action, asked = f"{verb}VpcEndpointZoneConnection", {"ServiceId": service, "ZoneId": ZONE}
    assert cloud.refused(PRIVATELINK, action, **asked, EndpointId="ep-none") == (
        404,
        "ResourceNotFound.VpcEndpointConnection",
        "The specified resource of VpcEndpointConnection is not found.",
    )
    cloud.ok(PRIVATELINK, "AddUserToVpcEndpointService", ServiceId=service, UserId=cloud.key.account_id)
    shown = cloud.ok(PRIVATELINK, "GetVpcEndpointServiceAttribute", ServiceId=service)
    endpoint = make_endpoint(cloud, replace(network, service=shown["ServiceName"]))["EndpointId"]
    play_controller(store)
    assert cloud.refused(PRIVATELINK, action, **asked, EndpointId=endpoint) == (
        404,
        "ResourceNotFound.VpcEndpointZone",
        "The specified resource of VpcEndpointZone is not found.",
    )


def test_an_interface_in_no_subnet_and_in_a_full_one(cloud: Cloud, network: Network) -> None:
    asked = {"SecurityGroupId": network.group}
    assert cloud.refused(ECS, "CreateNetworkInterface", **asked, VSwitchId="vsw-none") == (
        404,
        "InvalidVSwitchId.NotFound",
        "The specified VSwitchId does not exist.",
    )
    small = cloud.ok(VPC, "CreateVSwitch", VpcId=network.vpc, ZoneId=ZONE, CidrBlock="10.0.9.0/29")["VSwitchId"]
    for _ in range(4):
        cloud.ok(ECS, "CreateNetworkInterface", **asked, VSwitchId=small)
    assert cloud.refused(ECS, "CreateNetworkInterface", **asked, VSwitchId=small) == (
        400,
        "InvalidVSwitchId.IpNotEnough",
        "The specified VSwitch has not enough IP.",
    )


def test_egress_rules_are_refused_as_ingress_rules_are(cloud: Cloud, network: Network) -> None:
    rule = {"SecurityGroupId": network.group, "IpProtocol": "tcp", "PortRange": "1/9"}
    assert cloud.refused(ECS, "AuthorizeSecurityGroupEgress", **rule) == (
        400,
        "MissingParameter.Dest",
        "One of DestCidrIp and DestGroupId must be set.",
    )
    there, wrong = {"DestCidrIp": "10.0.0.0/8"}, {"Description": "x" * 513}
    refusal = (400, "InvalidSecurityGroupDiscription.Malformed")  # (sic)
    assert cloud.refused(ECS, "AuthorizeSecurityGroupEgress", **rule, **there, **wrong)[:2] == refusal
    cloud.ok(ECS, "AuthorizeSecurityGroupEgress", **rule, **there)
    assert cloud.refused(ECS, "ModifySecurityGroupEgressRule", **rule, **there, **wrong)[:2] == refusal


def test_quotas_of_endpoints(cloud: Cloud, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones (1,000 in a VPC, 10 zones) are reached by nobody's test."""
    endpoint = make_endpoint(cloud, network, **zone_of(network))["EndpointId"]
    own = cloud.ok(PRIVATELINK, "CreateVpcEndpointService")["ServiceId"]
    monkeypatch.setattr(endpoints, "ENDPOINTS_PER_VPC", 1)
    asked = {"VpcId": network.vpc, "ServiceId": own, "SecurityGroupId.1": network.group}
    assert cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked) == (
        400,
        "QuotaExceeded.totalEpPerVpc",
        "The quota of endpoints per vpc is exceeded, usage 1/1.",
    )
    monkeypatch.setattr(endpoints, "ZONES_PER_ENDPOINT", 1)
    other = {"VpcId": network.vpc, "ZoneId": f"{REGION}b", "CidrBlock": "10.0.7.0/24"}
    there = cloud.ok(VPC, "CreateVSwitch", **other)["VSwitchId"]
    zone = {"EndpointId": endpoint, "ZoneId": f"{REGION}b", "VSwitchId": there}
    assert cloud.refused(PRIVATELINK, "AddZoneToVpcEndpoint", **zone) == (
        400,
        "QuotaExceeded.epZonePerEndpoint",
        "The quota of zones per endpoint is exceeded, usage 1/1.",
    )


# -- the gateway's own refusals


def answer_of(cloud: Cloud, request: httpx.Request) -> tuple[int, str]:
    answer = cloud.send(request)
    assert set(answer.json()) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    return answer.status_code, answer.json()["Code"]


COMMON = [
    ({"SecurityToken": "a-token"}, "InvalidSecurityToken.Malformed"),
    ({"Timestamp": "yesterday"}, "InvalidTimeStamp.Format"),
    ({"Timestamp": "2026-13-45T99:99:99Z"}, "InvalidTimeStamp.Format"),
    ({"SignatureMethod": "HMAC-MD5"}, "InvalidSignatureMethod"),
    ({"SignatureVersion": "2.0"}, "InvalidSignatureMethod"),
    ({"SignatureType": "BEARERTOKEN"}, "InvalidSignatureMethod"),
    ({"SignatureNonce": "n" * 257}, "InvalidSignatureNonce"),
]


@pytest.mark.parametrize(("common", "code"), COMMON, ids=lambda value: str(value)[:40])
def test_what_v1_signs_with(cloud: Cloud, common: dict[str, str], code: str) -> None:
    request = cloud.v1(VPC, "DescribeVpcs", {"RegionId": REGION}, **common)
    assert answer_of(cloud, request) == (400, code)


def test_what_acs3_signs_with(cloud: Cloud) -> None:
    request = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION})
    request.headers["authorization"] = request.headers["authorization"].replace("HMAC-SHA256", "HMAC-SM3")
    assert answer_of(cloud, request) == (400, "InvalidSignatureMethod")
    request = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION})
    request.headers["authorization"] = "ACS3-HMAC-SHA256 Credential=nothing else"
    assert answer_of(cloud, request) == (400, "IncompleteSignature")


def test_more_calls_than_nonces_are_kept(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of nonces is bounded; a key that fills its part waits until its oldest may be forgotten."""
    (route,) = cloud.app.routes
    monkeypatch.setattr(route.app._adapters["alibaba"], "_nonces", NonceMemory(per_key=2))
    for expected in [(200, ""), (200, ""), (400, "Throttling.User")]:
        answer = cloud.send(cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}))
        assert (answer.status_code, answer.json().get("Code", "")) == expected


def test_a_body_that_does_not_arrive(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "READ_LIMIT_S", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x"
        await anyio.sleep_forever()

    request = httpx.Request("POST", f"http://{HOST}/", headers={"host": HOST}, content=stuck())
    assert answer_of(cloud, request) == (400, "RequestTimeout")


def test_whatever_is_wrong_leaves_no_trace(cloud: Cloud, network: Network) -> None:
    """Each refusal rolls back whole: no row, no tag, no status, no address, no token.  Told by the database's bytes."""
    before = rows(cloud)
    token = {"ClientToken": "one", "Tag.1.Key": "a", "Tag.1.Value": "b"}
    vpc = {"VpcId": network.vpc}
    for version, action, parameters in (
        (VPC, "CreateVpc", {"CidrBlock": "10.0.0.0/33", **token}),
        (VPC, "CreateVpc", {"CidrBlock": "10.0.0.0/16", "Tag.1.Key": "aliyun", **token} | {"Tag.1.Key": "aliyun"}),
        (VPC, "CreateVSwitch", {**vpc, "ZoneId": ZONE, "CidrBlock": "10.0.0.0/24", **token}),
        (ECS, "CreateSecurityGroup", {**vpc, "SecurityGroupName": "http://no", **token}),
        (ECS, "AuthorizeSecurityGroup", rules_of(network)),
        (PRIVATELINK, "CreateVpcEndpoint", {**vpc, "ServiceId": network.service_id, **half_made(network), **token}),
        (PRIVATELINK, "CreateVpcEndpoint", {**vpc, "ServiceId": network.service_id, "DryRun": "true"} | group(network)),
    ):
        cloud.refused(version, action, **parameters)
    assert rows(cloud) == before


def rules_of(network: Network) -> dict[str, Any]:
    """The first could be made, the second not: both or none."""
    fine = {"IpProtocol": "tcp", "PortRange": "1/9", "SourceCidrIp": "10.0.0.0/8"}
    rules = (fine, {**fine, "PortRange": "9/1"})
    numbered = {f"Permissions.{n}.{name}": value for n, rule in enumerate(rules, 1) for name, value in rule.items()}
    return {"SecurityGroupId": network.group, **numbered}


def half_made(network: Network) -> dict[str, Any]:
    """The first zone takes an address, the second does not exist."""
    return {**group(network), **zone_of(network), "Zone.2.ZoneId": f"{REGION}b", "Zone.2.VSwitchId": "vsw-none"}


def group(network: Network) -> dict[str, Any]:
    return {"SecurityGroupId.1": network.group}


def rows(cloud: Cloud) -> list[str]:
    with cloud.context.store.read() as tx:
        raw = tx.connection.connection.driver_connection
        assert raw is not None
        return [line for line in raw.iterdump() if line.startswith("INSERT")]


# -- the audit; conftest.py puts it last


def test_every_row_of_the_table_was_met(rows_met: set[int], whole_folder: bool) -> None:
    if not whole_folder:
        pytest.skip("only part of the folder runs: scripts/test unit runs all of it")
    unmet = {(row.refusal.__name__, row.code) for at, row in enumerate(errors.TABLE) if at not in rows_met}
    assert unmet == set(UNMET)


def test_every_code_of_the_gateway_was_met(codes_met: set[str], whole_folder: bool) -> None:
    if not whole_folder:
        pytest.skip("only part of the folder runs: scripts/test unit runs all of it")
    assert set(errors._GATEWAY) - codes_met == set()
