"""Who may call, what is named, and what happens to requests that are not as they should be."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import httpx
import pytest
from alibaba_world import ECS, HOST, LOCATION, PRIVATELINK, REGION, STS, VPC, Cloud, encode

from tidegate.api.alibaba.actions import ACTIONS, NOT_YET
from tidegate.store.store import Store, StoreError


def test_acs3_in_query_and_in_form(cloud: Cloud) -> None:
    """Clients put parameters into the query or a form body, as they like; names and values may need encoding."""
    for form in (False, True):
        request = cloud.acs3(VPC, "CreateVpc", {"RegionId": REGION, "VpcName": "a*~ 中"}, form=form)
        response = cloud.send(request)
        assert response.headers["content-type"] == "application/json;charset=utf-8"
        assert response.json()["Code"] == "InvalidVpcName.Malformed"  # read, and not the signature's fault
    request = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}, method="GET")
    assert cloud.send(request).json()["TotalCount"] == 0


def test_v1_json_and_xml(cloud: Cloud) -> None:
    response = cloud.send(cloud.v1(STS, "GetCallerIdentity", {}))
    account = cloud.key.account_id
    assert response.json() | {"RequestId": ""} == {
        "RequestId": "",
        "IdentityType": "Account",
        "AccountId": account,
        "PrincipalId": account,
        "UserId": account,
        "Arn": f"acs:ram::{account}:root",
        "RoleId": "",
    }
    response = cloud.send(cloud.v1(VPC, "DescribeZones", {"RegionId": REGION}, Format="XML", method="POST"))
    assert response.headers["content-type"] == "text/xml;charset=utf-8"
    root = ElementTree.fromstring(response.content)
    assert root.tag == "DescribeZonesResponse"
    assert [zone.findtext("ZoneId") for zone in root.iterfind("Zones/Zone")] == [f"{REGION}{z}" for z in "abc"]
    response = cloud.send(cloud.v1(VPC, "DescribeVpcAttribute", {"RegionId": REGION, "VpcId": "v<&"}, Format="XML"))
    root = ElementTree.fromstring(response.content)
    assert (root.tag, root.findtext("Code"), response.status_code) == ("Error", "InvalidVpcId.NotFound", 404)


def test_v1_as_terraform_sends_it(cloud: Cloud) -> None:
    """Its common parameters travel in the query and its own in the body, all under one signature."""
    request = cloud.v1(VPC, "CreateVpc", {"RegionId": REGION, "VpcName": "tf-example"}, method="POST", form=True)
    assert request.content and b"VpcName" not in request.url.query
    assert cloud.send(request).json()["VpcId"].startswith("vpc-")
    assert cloud.ok(VPC, "DescribeVpcs")["Vpcs"]["Vpc"][0]["VpcName"] == "tf-example"


def test_signature_mismatch_shows_the_string_to_sign(cloud: Cloud) -> None:
    """The Go SDK finds our string to sign in the message and tells whether its own differed."""
    wrong = replace(cloud, key=replace(cloud.key, secret="x" * 30))
    request = wrong.v1(VPC, "DescribeVpcs", {"RegionId": REGION})
    answer = cloud.send(request)
    assert answer.status_code == 400 and answer.json()["Code"] == "SignatureDoesNotMatch"
    text = answer.json()["Message"]
    assert text.startswith("Specified signature is not matched with our calculation. server string to sign is:GET&%2F&")
    answer = cloud.send(wrong.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}))
    assert "server string to sign is:ACS3-HMAC-SHA256\n" in answer.json()["Message"]
    assert cloud.key.secret not in answer.text


def test_replay_clock_and_keys(cloud: Cloud, store: Store) -> None:
    request = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION})
    assert cloud.send(request).status_code == 200
    assert cloud.send(request).json()["Code"] == "SignatureNonceUsed"
    late = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION})
    cloud.clock.now += timedelta(minutes=16)
    assert cloud.send(late).json()["Code"] == "InvalidTimeStamp.Expired"
    stranger = replace(cloud, key=replace(cloud.key, key_id="LTAInobody"))
    answer = cloud.send(stranger.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}))
    assert (answer.status_code, answer.json()["Code"]) == (404, "InvalidAccessKeyId.NotFound")
    with store.write() as tx:
        tx.access_keys.put(replace(cloud.key, active=False))
    assert cloud.refused(VPC, "DescribeVpcs")[:2] == (400, "InvalidAccessKeyId.Inactive")


def test_a_tidbcloud_key_opens_nothing_here(cloud: Cloud, store: Store) -> None:
    with store.read() as tx:
        other = tx.access_keys.find(realm="tidbcloud")[0]
    assert replace(cloud, key=other).refused(VPC, "DescribeVpcs")[1] == "InvalidAccessKeyId.NotFound"


@pytest.mark.parametrize("lacking", ["AccessKeyId", "Signature", "SignatureNonce", "Timestamp", "Action", "Version"])
def test_v1_lacks_a_common_parameter(cloud: Cloud, lacking: str) -> None:
    request = cloud.v1(VPC, "DescribeVpcs", {"RegionId": REGION})
    url = request.url.copy_remove_param(lacking)
    answer = cloud.send(httpx.Request("POST", url, headers={"host": HOST})).json()
    assert (answer["Code"], answer["Message"]) == (f"Missing{lacking}", f"{lacking} is mandatory for this action.")


def test_the_unsigned_headers_of_v1_name_nothing(cloud: Cloud) -> None:
    """V1 does not sign headers: an x-acs-action in them must not turn a Describe into a Delete."""
    request = cloud.v1(VPC, "DescribeVpcs", {"RegionId": REGION})
    request.headers["x-acs-action"] = "DeleteVpc"
    assert "Vpcs" in cloud.send(request).json()


@pytest.mark.parametrize(("version", "name"), sorted(ACTIONS), ids=lambda v: v)
def test_every_mandatory_parameter_is_asked_for(cloud: Cloud, version: str, name: str) -> None:
    """Each alone left out, the rest given: the gateway names the missing one, before any resource is looked up."""
    needs = ACTIONS[version, name].needs
    for lacking in needs:
        rest = dict.fromkeys(needs, "x") | {"RegionId": REGION, lacking: None}
        assert cloud.refused(version, name, **rest) == (
            400,
            f"Missing{lacking}",
            f"{lacking} is mandatory for this action.",
        )


@pytest.mark.parametrize(("version", "name"), [(v, n) for v in NOT_YET for n in NOT_YET[v]], ids=lambda v: v)
def test_what_is_not_done_is_never_a_success(cloud: Cloud, version: str, name: str) -> None:
    assert (version, name) not in ACTIONS
    status, code, message = cloud.refused(version, name)
    assert (status, code) == (404, "InvalidApi.NotFound")
    assert message.startswith("Specified api is not found,please check your url and method.")


def test_unknown_product_and_action(cloud: Cloud) -> None:
    assert cloud.refused("1999-01-01", "DescribeVpcs")[:2] == (404, "InvalidProduct.NotFound")
    assert cloud.refused(VPC, "DescribeAliens")[:2] == (404, "InvalidApi.NotFound")
    assert cloud.refused(ECS, "CreateVpc")[:2] == (404, "InvalidApi.NotFound")


def test_regions(cloud: Cloud) -> None:
    """aws has an ap-southeast-1 as well, and us-east-1 is aws's alone."""
    assert cloud.refused(VPC, "DescribeVpcs", RegionId="us-east-1") == (
        404,
        "InvalidRegionId.NotFound",
        "The specified RegionId does not exist.",
    )
    for version in (VPC, ECS, PRIVATELINK):
        regions = cloud.ok(version, "DescribeRegions", RegionId=None, AcceptLanguage="en-US")["Regions"]["Region"]
        assert regions[0]["RegionId"] == REGION and regions[0]["LocalName"] == "Singapore"
        assert all(region["RegionEndpoint"] == HOST for region in regions)
        zones = cloud.ok(version, "DescribeZones")["Zones"]["Zone"]
        assert [zone["ZoneId"] for zone in zones] == [f"{REGION}{letter}" for letter in "abc"]


def test_location_points_here(cloud: Cloud) -> None:
    found = cloud.ok(LOCATION, "DescribeEndpoints", Id=REGION, ServiceCode="vpc")["Endpoints"]["Endpoint"]
    assert [endpoint["Endpoint"] for endpoint in found] == [HOST]
    assert cloud.ok(LOCATION, "DescribeEndpoints", Id=REGION, ServiceCode="oss")["Endpoints"]["Endpoint"] == []


def test_a_parameter_without_effect_is_refused(cloud: Cloud) -> None:
    """Whoever asks for IPv6 and gets a success must have IPv6; empty and false ask for nothing."""
    assert cloud.refused(VPC, "CreateVpc", EnableIpv6="true")[1] == "UnsupportedParameter"
    assert cloud.refused(VPC, "CreateVpc", UserCidr="10.0.0.0/8")[1] == "UnsupportedParameter"
    cloud.ok(VPC, "CreateVpc", EnableIpv6="False", UserCidr="")


@pytest.mark.parametrize("stray", ["Tag", "Tag.1", "Tag.0.Key", "Tag.x.Key", "Tag.99999.Key", "Tag."])
def test_a_list_that_is_none_is_refused(cloud: Cloud, stray: str) -> None:
    """A VPC asked for with a tag must not come without it because its number did not count."""
    assert cloud.refused(VPC, "CreateVpc", **{stray: "k"})[:2] == (400, "InvalidTag.Malformed")
    assert cloud.ok(VPC, "DescribeVpcs", **{stray: ""})["TotalCount"] == 0


# -- bad input: an answer in the cloud's shape, small, and soon


def _shape(response: httpx.Response) -> tuple[int, str]:
    assert response.status_code < 500 and len(response.content) < 5000
    assert {"Code", "Message", "RequestId", "HostId", "Recommend"} == set(response.json())
    return response.status_code, response.json()["Code"]


def test_a_body_over_the_limit(cloud: Cloud) -> None:
    request = cloud.acs3(VPC, "CreateVpc", {"RegionId": REGION, "Description": "x" * 1_100_000}, form=True)
    assert _shape(cloud.send(request)) == (400, "RequestBodyTooLarge")


def test_a_megabyte_in_one_parameter(cloud: Cloud) -> None:
    request = cloud.acs3(VPC, "CreateVpc", {"RegionId": REGION, "Description": "x" * 1_000_000}, form=True)
    assert _shape(cloud.send(request)) == (400, "InvalidVpcDiscription.Malformed")
    request = cloud.acs3(PRIVATELINK, "ListVpcEndpoints", {"RegionId": REGION, "NextToken": "x" * 900_000}, form=True)
    assert _shape(cloud.send(request)) == (400, "IllegalParamFormat.NextToken")


@pytest.mark.parametrize("text", [b"RegionId=%FF%FE", b"RegionId=\xff", b"%C0%AF=1"])
def test_broken_utf8(cloud: Cloud, text: bytes) -> None:
    headers = {"host": HOST, "content-type": "application/x-www-form-urlencoded", "x-acs-action": "DescribeVpcs"}
    request = httpx.Request("POST", f"http://{HOST}/", headers=headers, content=text)
    assert _shape(cloud.send(request)) == (400, "InvalidParameter.Format")


def test_duplicate_keys(cloud: Cloud) -> None:
    """Two values for one name: whichever we took, the client might have meant the other."""
    request = cloud.v1(VPC, "DescribeVpcs", {"RegionId": REGION})
    twice = httpx.Request("GET", f"{request.url}&RegionId=ap-northeast-1", headers={"host": HOST})
    assert _shape(cloud.send(twice)) == (400, "InvalidParameter.Format")


def test_ten_thousand_list_items(cloud: Cloud) -> None:
    many = {f"SecurityGroupId.{n}": f"sg-{n}" for n in range(1, 10_001)}
    request = cloud.acs3(PRIVATELINK, "CreateVpcEndpoint", {"RegionId": REGION, "VpcId": "v", **many}, form=True)
    assert _shape(cloud.send(request)) == (400, "InvalidParameter.Format")
    some = {f"SecurityGroupId.{n}": f"sg-{n}" for n in range(1, 1001)}
    request = cloud.acs3(
        PRIVATELINK, "CreateVpcEndpoint", {"RegionId": REGION, "VpcId": "v", "ServiceName": "s", **some}, form=True
    )
    assert _shape(cloud.send(request)) == (400, "IllegalParamFormat.SecurityGroupId")
    long = '["' + '","'.join(["sg"] * 10_000) + '"]'
    request = cloud.acs3(ECS, "DescribeSecurityGroups", {"RegionId": REGION, "SecurityGroupIds": long}, form=True)
    assert _shape(cloud.send(request)) == (400, "InvalidSecurityGroupIds.Malformed")
    deep = "[" * 100_000
    request = cloud.acs3(ECS, "DescribeSecurityGroups", {"RegionId": REGION, "SecurityGroupIds": deep}, form=True)
    assert _shape(cloud.send(request)) == (400, "InvalidSecurityGroupIds.Malformed")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(cloud: Cloud, method: str) -> None:
    request = cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}, method=method)
    assert _shape(cloud.send(request)) == (400, "UnsupportedHTTPMethod")


def test_half_characters(cloud: Cloud) -> None:
    """JSON can spell half a character; it once got as far as the database and came back as a fault of ours."""
    assert cloud.refused(ECS, "DescribeSecurityGroups", SecurityGroupIds='["\\ud800"]')[0] == 400


# -- our own faults


def test_a_fault_of_ours_shows_no_stack(
    cloud: Cloud, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception text may hold anything: the client gets the cloud's InternalError and a request id.

    The log gets the traceback, without local variables: a renderer once drew them, and the caller's secret was one.
    """

    def fail(*_: object) -> None:
        raise RuntimeError("secret in the text")

    monkeypatch.setattr(type(store), "read", fail)
    response = cloud.send(cloud.acs3(VPC, "DescribeVpcs", {"RegionId": REGION}))
    assert response.status_code == 500 and response.json()["Code"] == "InternalError"
    assert "secret in the text" not in response.text and "Traceback" not in response.text
    logged = capsys.readouterr().out
    assert response.json()["RequestId"].lower() in logged and "RuntimeError: secret in the text" in logged
    assert cloud.key.secret not in logged


def test_a_store_that_cannot_write(cloud: Cloud, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disk full is a 503: clients retry it, and the reason with its remedy is in our log, not in the answer."""

    def full(*_: object) -> None:
        raise StoreError("The store /somewhere cannot be written.")

    monkeypatch.setattr(type(store), "write", full)
    status, code, message = cloud.refused(VPC, "CreateVpc")
    assert (status, code) == (503, "ServiceUnavailable") and "/somewhere" not in message


def test_each_request_is_counted_by_known_names_only(cloud: Cloud) -> None:
    """Clients must not be able to make metrics labels: an unknown action is counted as unknown."""
    cloud.ok(VPC, "DescribeVpcs")
    cloud.refused(VPC, "Describe" + "X" * 50)

    def count(**labels: str) -> float | None:
        return cloud.registry.get_sample_value("tidegate_api_requests_total", {"product": "alibaba", **labels})

    assert count(action="DescribeVpcs", code="OK") == 1
    assert count(action="unknown", code="InvalidApi.NotFound") == 1


def test_encode_is_what_the_wire_needs() -> None:
    assert encode({"a b": "ü*~"}) == "a%20b=%C3%BC%2A~"


@pytest.mark.parametrize("sign", ["acs3", "v1"])
def test_a_call_that_waits_to_write_holds_up_none_that_reads(cloud: Cloud, store: Store, sign: str) -> None:
    """The store has one writer at a time; each of the adapter's two threads has its own queue."""
    create = cloud.acs3(VPC, "CreateVpc", {"RegionId": REGION})
    describe = getattr(cloud, sign)(VPC, "DescribeVpcs", {"RegionId": REGION})
    foreign_write = ExitStack()

    async def write_then_read() -> tuple[int, int]:
        transport = httpx.ASGITransport(app=cloud.app)
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            writing = asyncio.create_task(client.send(create))
            await asyncio.sleep(0)  # the writer is under way first
            read = await client.send(describe)
            assert not writing.done()
            foreign_write.close()
            return read.json()["TotalCount"], (await writing).status_code

    with foreign_write:
        foreign_write.enter_context(store.write())
        assert asyncio.run(write_then_read()) == (0, 200)
