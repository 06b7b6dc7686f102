"""Every refusal in the cloud's shape: code, status, text; and nothing half made."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tidbcloud_cloud import SINGAPORE, Cloud

from tidegate.api.tidbcloud.errors import HTTP_STATUS, TABLE, Code, describe_refusal
from tidegate.api.tidbcloud.limits import RateLimit
from tidegate.domain import refusals
from tidegate.store.store import Store, StoreError

GOOD = {"displayName": "orders", "region": {"name": SINGAPORE}}


def subclasses(kind: type[refusals.Refusal]) -> list[type[refusals.Refusal]]:
    return [found for sub in kind.__subclasses__() for found in (sub, *subclasses(sub))]


def test_the_table_is_total() -> None:
    """A refusal without a row would be a 500 at the worst moment."""
    assert set(TABLE) == set(subclasses(refusals.Refusal))
    assert set(HTTP_STATUS) == set(Code)


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_each_row_makes_a_sentence_with_its_facts(kind: type[refusals.Refusal]) -> None:
    facts = [f"<{f.name}>" for f in fields(kind)]
    failure = describe_refusal(kind(*facts))
    assert failure.message.endswith(".")
    assert failure.http_status >= 400
    hidden = {"ServiceUnknown": ()}.get(kind.__name__)
    assert hidden is not None or not facts or any(fact in failure.message for fact in facts)


def test_a_clients_word_is_cut_and_kept_on_one_line() -> None:
    message = describe_refusal(refusals.NotFound("cluster", "1\r\nSet-Cookie: x\ud800" + "z" * 500)).message
    assert "\n" not in message and len(message) < 200
    message.encode()


def check(reply: httpx.Response, status: int, code: int) -> str:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert set(reply.json()) == {"code", "message", "details"}
    assert reply.json()["details"] == []
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-debug-trace-id"]
    return str(reply.json()["message"])


BAD_CREATES: list[tuple[dict[str, Any], int, int, str]] = [
    ({"displayName": None}, 400, 3, "displayName is required"),
    ({"displayName": ""}, 400, 3, "displayName is required"),
    ({"displayName": 7}, 400, 3, "displayName cannot be used: it is not a string"),
    ({"displayName": "abc"}, 400, 3, "displayName cannot be used: abc"),
    ({"displayName": "-abcd"}, 400, 3, "displayName"),
    ({"displayName": "a" * 65}, 400, 3, "displayName"),
    ({"region": None}, 400, 3, "region is required"),
    ({"region": "aws"}, 400, 3, "region cannot be used: it is not an object"),
    ({"region": {}}, 400, 3, "region.name is required"),
    ({"region": {"name": "aws-us-east-1"}}, 400, 3, "region.name"),
    ({"region": {"name": "regions/aws-moon-1"}}, 400, 3, "Region aws-moon-1 is unknown"),
    ({"region": {"name": "regions/alicloud-na-south-1"}}, 400, 3, "does not offer Starter"),
    ({"rootPassword": "short"}, 400, 3, "password cannot be used: (hidden)"),
    ({"rootPassword": "p" * 65}, 400, 3, "password"),
    ({"spendingLimit": {"monthly": -1}}, 400, 3, "spendingLimit.monthly"),
    ({"spendingLimit": {"monthly": 2**31}}, 400, 3, "spendingLimit.monthly"),
    ({"spendingLimit": {"monthly": True}}, 400, 3, "spendingLimit.monthly"),
    ({"autoScaling": {"minRcu": 2000}}, 400, 3, "autoScaling.maxRcu is required"),
    ({"autoScaling": {"minRcu": 1999, "maxRcu": 4000}}, 400, 3, "autoScaling"),
    ({"autoScaling": {"minRcu": 4000, "maxRcu": 2000}}, 400, 3, "autoScaling"),
    ({"autoScaling": {"minRcu": 2000, "maxRcu": 100_001}}, 400, 3, "autoScaling"),
    ({"autoScaling": {"minRcu": 2000.5, "maxRcu": 4000}}, 400, 3, "autoScaling.minRcu"),
    ({"autoScaling": {"minRcu": 2000, "maxRcu": 4000}, "spendingLimit": {"monthly": 1}}, 400, 3, "exclude each other"),
    ({"labels": {"a": 1}}, 400, 3, "labels"),
    ({"labels": False}, 400, 3, "labels"),
    ({"labels": {"a": "x" * 257}}, 400, 3, "more than 64 labels"),
    ({"labels": {f"{n}": "" for n in range(65)}}, 400, 3, "more than 64 labels"),
    ({"labels": {"tidb.cloud/project": "1"}}, 404, 5, "project 1 does not exist"),
    ({"labels": {"tidb.cloud/organization": "1"}}, 404, 5, "organization 1 does not exist"),
    ({"endpoints": {"public": {"disabled": "no"}}}, 400, 3, "endpoints.public.disabled"),
    ({"endpoints": {"public": {"authorizedNetworks": [7]}}}, 400, 3, "it is not a list of objects"),
    ({"endpoints": {"public": {"authorizedNetworks": [{}]}}}, 400, 3, "startIpAddress is required"),
    *(
        ({"endpoints": {"public": {"authorizedNetworks": [network]}}}, 400, 3, words)
        for network, words in (
            ({"startIpAddress": "10.0.0.1", "endIpAddress": "10.0.0.9"}, "displayName is required"),
            ({"startIpAddress": "10.0.0.9", "endIpAddress": "10.0.0.1", "displayName": "a"}, "comes after"),
            ({"startIpAddress": "10.0.0", "endIpAddress": "10.0.0.1", "displayName": "a"}, "startIpAddress"),
            ({"startIpAddress": "::1", "endIpAddress": "::2", "displayName": "a"}, "startIpAddress"),
            ({"startIpAddress": "10.0.0.1", "endIpAddress": "10.0.0.1/8", "displayName": "a"}, "endIpAddress"),
            ({"startIpAddress": "10.0.0.1", "endIpAddress": "10.0.0.1", "displayName": "a" * 257}, "displayName"),
        )
    ),
    (
        {
            "endpoints": {
                "public": {
                    "authorizedNetworks": [
                        {"startIpAddress": "10.0.0.1", "endIpAddress": "10.0.0.1", "displayName": "a"}
                    ]
                    * 201
                }
            }
        },
        400,
        3,
        "at most 200",
    ),
    ({"encryptionConfig": {"enhancedEncryptionEnabled": True}}, 501, 12, "encryption"),
    ({"auditLogConfig": {"enabled": True}}, 501, 12, "audit"),
    ({"automatedBackupPolicy": {"startTime": "08:00"}}, 501, 12, "automatedBackupPolicy"),
    ({"highAvailabilityType": "REGIONAL"}, 501, 12, "Regional"),
    ({"highAvailabilityType": "GLOBAL"}, 400, 3, "highAvailabilityType"),
]


@pytest.mark.parametrize(("change", "status", "code", "words"), BAD_CREATES)
def test_creates_that_are_refused(cloud: Cloud, change: dict[str, Any], status: int, code: int, words: str) -> None:
    """What would silently be another cluster than asked for is an error; and none of them leaves anything behind."""
    assert words in check(cloud.call("POST", "/clusters", json=GOOD | change), status, code)
    assert cloud.call("GET", "/clusters").json()["totalSize"] == 0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"displayName":"\\ud800"}', b"[" * 9999]
)
def test_bodies_that_are_no_json_object(cloud: Cloud, body: bytes) -> None:
    assert "body" in check(cloud.call("POST", "/clusters", content=body), 400, 3)


def test_passwords_never_come_back_in_an_error(cloud: Cloud) -> None:
    secret = "hunter2-" * 20
    for body in ({"rootPassword": secret}, {"rootPassword": [secret]}, {"spendingLimit": secret}, {"labels": [secret]}):
        assert secret[:9] not in cloud.call("POST", "/clusters", json=GOOD | body).text
    cluster_id = cloud.create()["clusterId"]
    assert secret[:9] not in cloud.call("PUT", f"/clusters/{cluster_id}/password", json={"password": secret}).text


BAD_CHANGES: list[tuple[Any, int, int, str]] = [
    ({"cluster": {"displayName": "invoices"}}, 400, 3, "updateMask is required"),
    ({"updateMask": "displayName"}, 400, 3, "cluster is required"),
    ({"updateMask": "displayName", "cluster": {}}, 400, 3, "cluster.displayName is required"),
    ({"updateMask": "displayName", "cluster": {"displayName": "x"}}, 400, 3, "displayName"),
    ({"updateMask": ["displayName"], "cluster": {}}, 400, 3, "updateMask"),
    ({"updateMask": "colour", "cluster": {}}, 400, 3, "updateMask cannot be used: colour"),
    ({"updateMask": "*", "cluster": {}}, 400, 3, "updateMask"),
    ({"updateMask": "displayName,", "cluster": {"displayName": "invoices"}}, 400, 3, "updateMask"),
    ({"updateMask": "region.name", "cluster": {}}, 400, 3, "region.name cannot be updated"),
    ({"updateMask": "encryptionConfig", "cluster": {}}, 400, 3, "cannot be updated"),
    *(
        ({"updateMask": path, "cluster": {"displayName": "invoices"}}, 400, 3, "is required")
        for path in (
            "labels",
            "endpoints.public.disabled",
            "endpoints.public.authorizedNetworks",
            "spendingLimit",
            "spendingLimit.monthly",
            "autoScaling",
            "automatedBackupPolicy",
            "auditLogConfig",
        )
    ),
    (
        {"updateMask": "displayName,labels", "cluster": {"displayName": "invoices"}},
        400,
        3,
        "cluster.labels is required",
    ),
    ({"updateMask": "endpoints.public.host", "cluster": {}}, 400, 3, "endpoints.public.host cannot be updated"),
    ({"updateMask": "endpoints.private", "cluster": {}}, 400, 3, "endpoints.private cannot be updated"),
    ({"updateMask": "labels.a", "cluster": {"labels": {"a": "1"}}}, 400, 3, "updateMask cannot be used: labels.a"),
    ({"updateMask": "labels", "cluster": {"labels": {"tidb.cloud/project": "1"}}}, 404, 5, "project 1"),
    ({"updateMask": "spendingLimit", "cluster": {"spendingLimit": {"monthly": -1}}}, 400, 3, "spendingLimit.monthly"),
    ({"updateMask": "autoScaling", "cluster": {"autoScaling": {"minRcu": 2000, "maxRcu": 1}}}, 400, 3, "autoScaling"),
    (
        {"updateMask": "autoScaling", "cluster": {"autoScaling": {"minRcu": 2000, "maxRcu": 4000}}},
        400,
        3,
        "exclude each other",
    ),
    (
        {"updateMask": "automatedBackupPolicy", "cluster": {"automatedBackupPolicy": {"startTime": "08:00"}}},
        501,
        12,
        "automatedBackupPolicy",
    ),
    ({"updateMask": "auditLogConfig", "cluster": {"auditLogConfig": {"enabled": True}}}, 501, 12, "audit"),
]


@pytest.mark.parametrize(("body", "status", "code", "words"), BAD_CHANGES)
def test_changes_that_are_refused(cloud: Cloud, body: Any, status: int, code: int, words: str) -> None:
    made = cloud.create()
    assert words in check(cloud.call("PATCH", f"/clusters/{made['clusterId']}", json=body), status, code)
    assert cloud.get(made["clusterId"]) == made


def test_what_belongs_to_another_does_not_exist(cloud: Cloud) -> None:
    """The same words for another's cluster and for none, or ids could be tried out."""
    mine, other = cloud.create()["clusterId"], cloud.stranger()
    calls = (
        ("GET", "", None),
        ("PATCH", "", {"updateMask": "displayName", "cluster": {"displayName": "stolen"}}),
        ("DELETE", "", None),
        ("PUT", "/password", {"password": "battery staple"}),
    )
    for method, path, body in calls:
        theirs = check(cloud.call(method, f"/clusters/{mine}{path}", key=other, json=body), 404, 5)
        nobodys = check(cloud.call(method, f"/clusters/1{path}", key=other, json=body), 404, 5)
        assert theirs.replace(mine, "") == nobodys.replace(" 1 ", "  ")
    check(cloud.call("GET", f"/clusters:batchGet?clusterIds={mine}", key=other), 404, 5)
    after = cloud.get(mine)
    assert (after["displayName"], after["state"]) == ("orders", "CREATING")
    assert after["annotations"]["tidb.cloud/has-set-password"] == "false"


def test_a_cluster_that_is_being_deleted_does_not_change(cloud: Cloud) -> None:
    cluster_id = cloud.create()["clusterId"]
    cloud.call("DELETE", f"/clusters/{cluster_id}")
    body = {"updateMask": "displayName", "cluster": {"displayName": "invoices"}}
    check(cloud.call("PATCH", f"/clusters/{cluster_id}", json=body), 409, 10)
    check(cloud.call("PUT", f"/clusters/{cluster_id}/password", json={"password": "battery staple"}), 409, 10)


def test_the_hundred_and_first_cluster(cloud: Cloud) -> None:
    """The cloud's limit per organization; its rows are written directly, because a hundred calls say no more."""
    cluster_id = cloud.create()["clusterId"]
    with cloud.context.store.write() as tx:
        first = tx.clusters.get(cluster_id)
        assert first is not None
        for n in range(1, 100):
            tx.clusters.add(replace(first, cluster_id=f"{n}", prefix=f"p{n}", address=f"100.104.1.{n}"))
    assert "100" in check(cloud.call("POST", "/clusters", json=GOOD), 429, 8)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/clusters/1?view=ALL"),
        ("GET", "/clusters:batchGet"),
        ("GET", "/clusters:batchGet?" + "&".join(["clusterIds=1"] * 1001)),
        ("GET", "/regions?cloudProvider=moon"),
        ("GET", "/regions?servicePlan=Free"),
    ],
)
def test_parameters_that_are_refused(cloud: Cloud, method: str, path: str) -> None:
    check(cloud.call(method, path), 400, 3)


@pytest.mark.parametrize(
    "body", [{}, {"password": ""}, {"password": "short"}, {"password": 12345678}, {"password": "p" * 65}]
)
def test_passwords_that_are_refused(cloud: Cloud, body: dict[str, Any]) -> None:
    cluster_id = cloud.create()["clusterId"]
    check(cloud.call("PUT", f"/clusters/{cluster_id}/password", json=body), 400, 3)


NOT_OFFERED = (
    ("POST", "/clusters:restore"),
    ("GET", "/backups?clusterId=1"),
    ("DELETE", "/backups/b1"),
    ("POST", "/clusters/1/exports/e1:cancel"),
    ("POST", "/clusters/1/imports:startUpload"),
    ("GET", "/clusters/1/auditLog/filterRules"),
    ("POST", "/clusters/1/changefeeds:test"),
    ("POST", "/clusters/1/migrations/m1:pause"),
    ("GET", "/clusters/1/migrationPrechecks/p1"),
    ("GET", "/clusters/1/privateLinkConnections:getAvailabilityZones"),
)


@pytest.mark.parametrize(("method", "path"), NOT_OFFERED)
def test_the_rest_of_the_cloud_says_that_it_is_not_here(cloud: Cloud, method: str, path: str) -> None:
    """Never a made-up success, never a 500."""
    assert "is not offered by this version of Tidegate" in check(cloud.call(method, path, json={}), 501, 12)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/members"),
        ("GET", "/clusters/1/dbuser"),
        ("GET", "/mspCustomers"),
        ("POST", "/customerSignupUrl"),
    ],
)
def test_iam_has_an_error_shape_of_its_own(cloud: Cloud, method: str, path: str) -> None:
    """``code`` is a string there: a number makes the official client report a decode error instead."""
    reply = cloud.call(method, path, json={})
    assert reply.status_code == 501
    assert reply.json() == {"code": "12", "status": 501, "msgPrefix": reply.json()["msgPrefix"], "error": {}}
    assert "is not offered" in reply.json()["msgPrefix"]
    assert cloud.send(method, path).json()["code"] == "16"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("GET", ""), ("GET", "/clusters/"), ("GET", "/clusters/1:x")]
)
def test_paths_that_do_not_exist(cloud: Cloud, method: str, path: str) -> None:
    assert check(cloud.call(method, path), 404, 5) == "Not Found"


@pytest.mark.parametrize(("method", "path"), [("POST", "/regions"), ("PUT", "/clusters/1"), ("DELETE", "/clusters")])
def test_methods_that_a_path_has_not(cloud: Cloud, method: str, path: str) -> None:
    """As grpc-gateway answers."""
    assert check(cloud.call(method, path), 501, 12) == "Method Not Allowed"


# -- who may ask


@pytest.mark.parametrize("path", ["/clusters", "/regions", "/nothing", "/clusters/1/branches"])
def test_without_a_key_there_is_only_the_challenge(cloud: Cloud, path: str) -> None:
    reply = cloud.send("GET", path)
    check(reply, 401, 16)
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith("Digest ")
    assert 'qop="auth"' in challenge, "the Go client splits the list without trimming blanks"


def test_wrong_unknown_foreign_and_switched_off_keys_look_the_same(cloud: Cloud) -> None:
    with cloud.context.store.write() as tx:
        (foreign,) = tx.access_keys.find(realm="alicloud")
        off = tx.access_keys.add(replace(cloud.spare_key(), active=False))
    keys = (replace(cloud.key, secret="wrong"), replace(cloud.key, key_id="Nobody"), foreign, off)
    replies = [cloud.call("GET", "/clusters", key=key) for key in keys]
    assert {check(reply, 401, 16) for reply in replies} == {check(cloud.send("GET", "/clusters"), 401, 16)}


def test_a_basic_password_is_not_looked_at(cloud: Cloud) -> None:
    check(cloud.send("GET", "/clusters", auth=httpx.BasicAuth(cloud.key.key_id, cloud.key.secret)), 401, 16)


# -- how often


def test_each_answer_says_how_many_requests_are_left(store: Store) -> None:
    cloud = Cloud(store, requests_per_minute=3)
    left = [cloud.call("GET", "/regions").headers["x-ratelimit-remaining-minute"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    reply = cloud.call("GET", "/regions")
    assert "exceeded the limit of 3 times per apikey per minute" in check(reply, 429, 49900007)
    assert reply.headers["x-ratelimit-limit-minute"] == "3"
    assert 0 < int(reply.headers["x-ratelimit-reset"]) <= 60
    assert cloud.call("GET", "/regions", key=cloud.stranger()).status_code == 200, "the limit is per key"


def test_the_count_begins_again_each_minute_and_forgets() -> None:
    now = [60.0]
    limit = RateLimit(1, lambda: now[0])
    assert [limit.take("a").allowed, limit.take("a").allowed, limit.take("b").allowed] == [True, False, True]
    now[0] = 119.0
    assert (limit.take("a").allowed, limit.take("a").reset_s) == (False, 1)
    now[0] = 120.0
    assert limit.take("a").allowed
    assert limit.peek().remaining == 1


# -- anything at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
NAMES = [
    "displayName",
    "region",
    "name",
    "rootPassword",
    "password",
    "spendingLimit",
    "monthly",
    "autoScaling",
    "minRcu",
    "maxRcu",
    "labels",
    "endpoints",
    "public",
    "disabled",
    "authorizedNetworks",
    "encryptionConfig",
    "updateMask",
    "cluster",
    "highAvailabilityType",
]
FIELD = st.sampled_from(NAMES) | st.text(max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELD, inner, max_size=6))
OBJECTS = st.dictionaries(FIELD, JSON, max_size=8)
CALLS = st.sampled_from([("POST", "/clusters"), ("PATCH", "/clusters/{id}"), ("PUT", "/clusters/{id}/password")])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=CALLS, body=OBJECTS | JSON | OBJECTS.map(lambda more: GOOD | more))
def test_any_json_gets_an_answer_of_the_right_shape(cloud: Cloud, call: tuple[str, str], body: Any) -> None:
    with cloud.context.store.read() as tx:
        known = tx.clusters.values("cluster_id")
    cluster_id = known[0] if known else cloud.create()["clusterId"]
    content = json.dumps(body).encode()
    reply = cloud.call(call[0], call[1].replace("{id}", cluster_id), content=content)
    if reply.status_code == 200:
        assert call[0] == "PUT" or reply.json()["clusterId"]
    else:
        assert reply.status_code in (400, 404, 409, 429, 501)
        check(reply, reply.status_code, reply.json()["code"])


def test_a_store_that_cannot_be_written_is_our_side_and_nothing_of_it_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk was answered as a fault of the program, with a traceback in the log and no remedy."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreError("The store /somewhere/tidegate.db cannot be written.")

    monkeypatch.setattr("tidegate.operations.clusters.create_clusters", refuse)
    message = check(cloud.call("POST", "/clusters", json=GOOD), 503, 14)
    assert "/somewhere" not in message and "our side" in message
