"""Our own client signs as Alibaba's SDK does, and words errors for people."""

from __future__ import annotations

import httpx
import pytest

from tidegate.cli.clients import (
    EMPTY_BODY,
    AlibabaClient,
    ApiError,
    CliError,
    Server,
    TidbCloudClient,
    canonical_query,
    flatten,
    sign_acs3,
)

SERVER = Server("http", "127.0.0.1:8090")


def test_acs3_signature_is_the_sdks() -> None:
    """The vector is the output of alibabacloud-tea-openapi 0.4.6 for these values."""
    query = canonical_query({"RegionId": "cn-hangzhou", "MaxResults": "50", "EndpointName": "a b*~"})
    headers = {
        "host": "privatelink.cn-hangzhou.aliyuncs.com",
        "x-acs-action": "ListVpcEndpoints",
        "x-acs-content-sha256": EMPTY_BODY,
        "x-acs-date": "2026-11-23T01:14:54Z",
        "x-acs-signature-nonce": "459d093fc9612e631193f15a8cf21c42",
        "x-acs-version": "2020-04-15",
    }
    assert query == "EndpointName=a%20b%2A~&MaxResults=50&RegionId=cn-hangzhou"
    assert sign_acs3("testid", "testsecret", "POST", query, headers, EMPTY_BODY) == (
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=b92fd0d1a34ed61fcf1fcc9abf13dfc95e9b82bac1370ca6cb58b00f47b32616"
    )


def test_lists_count_from_one() -> None:
    """``Zone.1.ZoneId`` as the RPC style wants it; what is not given is not sent."""
    assert flatten({"Zone": [{"ZoneId": "a", "ip": None}], "SecurityGroupId": ["sg-1", "sg-2"], "DryRun": True}) == {
        "Zone.1.ZoneId": "a",
        "SecurityGroupId.1": "sg-1",
        "SecurityGroupId.2": "sg-2",
        "DryRun": "true",
    }


def answering(client: AlibabaClient | TidbCloudClient, status: int, body: object) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body)

    client._http = httpx.Client(base_url="http://127.0.0.1:8090", transport=httpx.MockTransport(answer))


def test_refusal_keeps_the_clouds_code() -> None:
    """Handlers compare codes; people read the message, and see whose side it was."""
    client = AlibabaClient(SERVER, "id", "secret")
    answering(client, 400, {"Code": "EndpointNotFound", "Message": "The specified Endpoint does not exist."})
    with pytest.raises(ApiError) as raised:
        client.call("privatelink", "GetVpcEndpointAttribute", "cn-hangzhou", EndpointId="ep-1")
    assert raised.value.code == "EndpointNotFound"
    assert str(raised.value) == "The specified Endpoint does not exist (EndpointNotFound, refused)."


def test_numbers_are_not_shown_as_codes() -> None:
    """google.rpc's 5 says nothing to a person."""
    client = TidbCloudClient(SERVER, "public", "private")
    answering(client, 404, {"code": 5, "message": "cluster 1 does not exist.", "details": []})
    with pytest.raises(ApiError, match=r"^cluster 1 does not exist \(refused\)\.$") as raised:
        client.call("GET", "/v1beta1/clusters/1")
    assert (raised.value.code, raised.value.status) == ("5", 404)


def test_another_program_on_the_port_is_recognised() -> None:
    """A web server's page must not become a traceback about JSON."""
    client = AlibabaClient(SERVER, "id", "secret")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>hello</html>"))
    client._http = httpx.Client(base_url="http://127.0.0.1:8090", transport=transport)
    with pytest.raises(CliError, match="another program"):
        client.call("vpc", "DescribeVpcs", "cn-hangzhou")


def test_nobody_there_says_what_to_do() -> None:
    """Port 1 of the loopback: refused at once."""
    client = TidbCloudClient(Server("http", "127.0.0.1:1"), "public", "private")
    with pytest.raises(CliError, match="tidegate up"):
        client.call("GET", "/v1beta1/clusters")


def test_secrets_stay_out_of_representations() -> None:
    """A client in a traceback or log must not show its key."""
    assert "hidden" not in repr(AlibabaClient(SERVER, "id", "hidden"))
    assert "hidden" not in repr(TidbCloudClient(SERVER, "public", "hidden"))
