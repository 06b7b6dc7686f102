"""Signatures against the recorded vectors, and against the vendor's own signers over a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alibabacloud_privatelink20200415 import models as privatelink
from alibabacloud_privatelink20200415.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.alibaba.signature import (
    Fault,
    NonceMemory,
    Presented,
    check_clock,
    mismatch,
    parse_credentials,
    parse_parameters,
    verify,
)
from tidegate.api.listener import Listener

AK, SECRET = "testid", "testsecret"
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NOW = datetime(2026, 11, 23, 1, 14, 54, tzinfo=UTC)

# Both vectors: the project's notes on Alibaba's transport, output of the vendor's signers, 2026-11-23.
V1_QUERY = (
    b"AccessKeyId=testid&Action=ListVpcEndpoints&EndpointName=a+b%2A~&Format=json&MaxResults=50&RegionId=cn-hangzhou"
    b"&SecurityToken=tok&SignatureMethod=HMAC-SHA1&SignatureNonce=ff1cecc63cc1c670434b9cfe320d292c"
    b"&SignatureVersion=1.0&Timestamp=2026-11-23T01%3A14%3A54Z&Version=2020-04-15"
    b"&Signature=Ohp3MEk7QRwPjXU9%2BXHUoTdbjcM%3D"
)
ACS3_QUERY = b"EndpointName=a%20b%2A~&MaxResults=50&RegionId=cn-hangzhou"
ACS3_HEADERS = {
    "host": "privatelink.cn-hangzhou.aliyuncs.com",
    "x-acs-action": "ListVpcEndpoints",
    "x-acs-content-sha256": EMPTY_HASH,
    "x-acs-date": "2026-11-23T01:14:54Z",
    "x-acs-signature-nonce": "459d093fc9612e631193f15a8cf21c42",
    "x-acs-version": "2020-04-15",
}
ACS3_SIGNATURE = "b92fd0d1a34ed61fcf1fcc9abf13dfc95e9b82bac1370ca6cb58b00f47b32616"


def acs3(query=ACS3_QUERY, body=b"", extra=(), method="POST", signature=ACS3_SIGNATURE, signed=None, **changed):
    headers = {**ACS3_HEADERS, **{name.replace("_", "-"): value for name, value in changed.items()}}
    names = signed or ";".join(sorted(ACS3_HEADERS))
    headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={AK},SignedHeaders={names},Signature={signature}"
    pairs = [(name.encode(), value.encode()) for name, value in headers.items() if value is not None]
    return parse_credentials(method, "/", query, [*pairs, *extra], body)


def v1(query=V1_QUERY, method="POST", body=b"", headers=()):
    return parse_credentials(method, "/", query, headers, body)


def good(presented: Presented | Fault) -> bool:
    assert isinstance(presented, Presented), presented
    return verify(presented, SECRET)


def test_v1_vector():
    presented = v1()
    assert good(presented)
    assert (presented.algorithm, presented.access_key_id, presented.security_token) == ("HMAC-SHA1", AK, "tok")
    assert dict(presented.parameters)["EndpointName"] == "a b*~"
    assert not verify(presented, "other")


def test_acs3_vector():
    presented = acs3()
    assert presented.string_to_sign.endswith("2e24a9a811d83f97eb7469f74cbad92f84929575f77a5cc7d90c1a28cc2640c9")
    assert good(presented)
    assert (presented.algorithm, presented.access_key_id) == ("ACS3-HMAC-SHA256", AK)
    assert dict(presented.parameters) == {"EndpointName": "a b*~", "MaxResults": "50", "RegionId": "cn-hangzhou"}
    assert not verify(presented, "other")


@pytest.mark.parametrize("blank", [b"+", b"%20"])
def test_a_blank_is_signed_the_same_however_it_is_sent(blank):
    """The Python SDK sends "+" and signs "%20"."""
    assert good(v1(V1_QUERY.replace(b"a+b", b"a" + blank + b"b")))
    assert good(acs3(ACS3_QUERY.replace(b"%20", blank)))


def test_v1_parameters_may_be_split_over_query_and_form():
    """Terraform: common parameters in the query, business parameters in the body."""
    fields = V1_QUERY.split(b"&")
    form = [(b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")]
    assert good(v1(b"&".join(fields[::2]), body=b"&".join(fields[1::2]), headers=form))
    assert good(v1(b"", body=V1_QUERY, headers=form))
    assert v1(b"", body=V1_QUERY) == Fault("MissingAccessKeyId", "AccessKeyId")


@pytest.mark.parametrize(
    "bent",
    [
        lambda: v1(V1_QUERY.replace(b"MaxResults=50", b"MaxResults=51")),
        lambda: v1(V1_QUERY + b"&Extra="),
        lambda: v1(method="GET"),
        lambda: acs3(b"EndpointName=other"),
        lambda: acs3(body=b"x"),
        lambda: acs3(method="GET"),
        lambda: acs3(x_acs_action="DeleteVpcEndpoint"),
        lambda: acs3(host="elsewhere"),
        lambda: acs3(extra=[(b"X-Acs-Action", b"DeleteVpcEndpoint")]),
        lambda: acs3(x_acs_content_sha256="0" * 64),
    ],
)
def test_any_change_is_noticed_and_our_string_is_told(bent):
    presented = bent()
    assert not good(presented)
    fault = mismatch(presented)
    assert fault.code == "SignatureDoesNotMatch"
    assert fault.string_to_sign == presented.string_to_sign


def test_a_false_body_hash_is_refused_even_if_signed():
    """The last line of the canonical request could be right while the header lies about the body."""
    presented = acs3()
    lying = acs3(x_acs_content_sha256="0" * 64)
    assert presented.body_as_signed
    assert not lying.body_as_signed


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (lambda: v1(b""), "MissingAccessKeyId"),
        (lambda: v1(V1_QUERY.partition(b"&Signature=")[0]), "MissingSignature"),
        (lambda: v1(V1_QUERY.replace(b"Timestamp=", b"Timestump=")), "MissingTimestamp"),
        (lambda: v1(V1_QUERY.replace(b"SignatureNonce=", b"x=")), "MissingSignatureNonce"),
        (lambda: v1(V1_QUERY.replace(b"HMAC-SHA1", b"HMAC-MD5")), "InvalidSignatureMethod"),
        (lambda: v1(V1_QUERY.replace(b"SignatureNonce=", b"SignatureNonce=" + b"n" * 300)), "InvalidSignatureNonce"),
        (lambda: v1(V1_QUERY + b"&SignatureType=BEARERTOKEN&BearerToken=t"), "InvalidSignatureMethod"),
        (lambda: v1(V1_QUERY + b"&x=%ff"), "InvalidParameter.Format"),
        (lambda: v1(b"a=b&" * 3000), "InvalidParameter.Format"),
        (lambda: acs3(x_acs_date=None), "IncompleteSignature"),
        (lambda: acs3(signed="host;x-acs-action"), "IncompleteSignature"),
        (lambda: acs3(extra=[(b"x-acs-security-token", b"t")]), "IncompleteSignature"),
        (lambda: acs3(signature="zz"), "IncompleteSignature"),
        (lambda: acs3(signed=";".join(sorted([*ACS3_HEADERS, "x-gone"]))), "IncompleteSignature"),
        (lambda: v1(b"", headers=[(b"authorization", b"ACS3-RSA-SHA256 Credential=a")]), "InvalidSignatureMethod"),
        (lambda: v1(b"", headers=[(b"authorization", b"ACS3-HMAC-SHA256 nonsense")]), "IncompleteSignature"),
    ],
)
def test_faults(request_, code):
    fault = request_()
    assert isinstance(fault, Fault)
    assert fault.code == code


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        ("2026-11-23T01:14:54Z", None),
        ("2026-11-23T00:59:54Z", None),
        ("2026-11-23T01:29:54Z", None),
        ("2026-11-23T00:59:53Z", "InvalidTimeStamp.Expired"),
        ("2026-11-23T01:29:55Z", "InvalidTimeStamp.Expired"),
        ("2026-11-23 01:14:54", "InvalidTimeStamp.Format"),
        ("2026-13-23T01:14:54Z", "InvalidTimeStamp.Format"),
        ("٢٠٢٦-11-23T01:14:54Z", "InvalidTimeStamp.Format"),
    ],
)
def test_clock(timestamp, code):
    fault = check_clock(timestamp, NOW)
    assert (fault.code if fault else None) == code


def presented(nonce: str, key: str = AK, at: datetime = NOW) -> Presented:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Presented("HMAC-SHA1", key, "s", nonce, stamp, "t", None, ())


def test_a_nonce_is_good_once_per_key_while_its_time_stamp_is():
    memory = NonceMemory()
    assert memory.remember(presented("n"), NOW) is None
    assert memory.remember(presented("n"), NOW) == Fault("SignatureNonceUsed")
    assert memory.remember(presented("n", "other"), NOW) is None
    last_valid = NOW + timedelta(seconds=900)
    assert check_clock(presented("n").timestamp, last_valid) is None
    assert memory.remember(presented("n"), last_valid) == Fault("SignatureNonceUsed")


def test_nonce_memory_is_bounded_and_forgets():
    memory = NonceMemory(per_key=3)
    for i in range(3):
        assert memory.remember(presented(str(i)), NOW) is None
    assert memory.remember(presented("3"), NOW) == Fault("Throttling.User")
    assert memory.remember(presented("3", "other"), NOW) is None
    later = NOW + timedelta(minutes=20)
    assert memory.remember(presented("3", at=later), later) is None
    assert len(memory) == 1


@given(st.binary(max_size=200), st.binary(max_size=200), st.text(max_size=60))
def test_garbage_never_raises(query, body, authorization):
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"authorization", authorization.encode())]
    assert isinstance(parse_credentials("POST", "/", query, headers, body), (Fault, Presented))


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=6))
def test_what_a_form_encoder_writes_is_read_back(values):
    from urllib.parse import urlencode

    encoded = urlencode(values).encode()
    assert dict(parse_parameters(encoded, "", b"")) == values
    assert dict(parse_parameters(b"", "application/x-www-form-urlencoded", encoded)) == values


# -- the vendor's own client ------------------------------------------------------------------------------


class Captured:
    """A loopback API that keeps each request and answers an empty list."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, list[tuple[bytes, bytes]], bytes]] = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.requests.append((scope["method"], scope["path"], scope["query_string"], scope["headers"], body))
        text = b'{"RequestId":"X","Endpoints":[]}'
        headers = [(b"content-type", b"application/json;charset=utf-8"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@pytest.fixture
def cloud() -> Iterator[tuple[Captured, str]]:
    """The real listener on a thread of its own, since the vendor's client blocks."""
    captured = Captured()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    listener = Listener(captured, "127.0.0.1", 0, None)
    host, port = run(listener.start())
    yield captured, f"{host}:{port}"
    run(listener.stop(1))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def client(endpoint: str, algorithm: str | None, token: str | None) -> Client:
    config = Config(
        access_key_id=AK,
        access_key_secret=SECRET,
        security_token=token,
        endpoint=endpoint,
        protocol="http",
        region_id="cn-hangzhou",
        signature_algorithm=algorithm,
    )
    return Client(config)


@pytest.mark.parametrize("token", [None, "tok+/="])
@pytest.mark.parametrize(("algorithm", "expected"), [(None, "ACS3-HMAC-SHA256"), ("v2", "HMAC-SHA1")])
def test_the_vendors_client_is_accepted(cloud, algorithm, expected, token):
    captured, endpoint = cloud
    sdk = client(endpoint, algorithm, token)
    name = "a b*~ 端点/+&=%'\"()"
    sdk.list_vpc_endpoints(
        privatelink.ListVpcEndpointsRequest(region_id="cn-hangzhou", endpoint_name=name, max_results=50)
    )
    sdk.tag_resources(
        privatelink.TagResourcesRequest(
            region_id="cn-hangzhou",
            resource_type="vpcendpoint",
            resource_id=["ep-1", "ep-2"],
            tag=[privatelink.TagResourcesRequestTag(key="k e y", value="")],
        )
    )
    assert len(captured.requests) == 2
    for method, path, query, headers, body in captured.requests:
        shown = parse_credentials(method, path, query, headers, body)
        assert isinstance(shown, Presented), shown
        assert (shown.algorithm, shown.access_key_id, shown.security_token) == (expected, AK, token)
        assert verify(shown, SECRET)
        assert not verify(shown, "wrong")
        assert check_clock(shown.timestamp, datetime.now(UTC)) is None
    first, second = (dict(parse_credentials(*request).parameters) for request in captured.requests)
    assert first["EndpointName"] == name
    assert (second["ResourceId.2"], second["Tag.1.Key"], second["Tag.1.Value"]) == ("ep-2", "k e y", "")
