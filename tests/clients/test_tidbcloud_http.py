"""The TiDB Cloud API over real HTTP on the loopback, along the chain, with the digest clients of others.

ASGI tests cannot see what goes wrong here: how a server splits target and query (they are part of the hash), what a
client does with its cached challenge, and bodies that are sent again after the 401.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import requests
from languages import Client, open_client
from requests.auth import HTTPDigestAuth
from requests.utils import parse_dict_header
from tidbcloud_served import DEADLINE_S, Site, serve_tidbcloud

from tidegate.domain.accounts import AccessKey

BODY = {"displayName": "orders", "region": {"name": "regions/alicloud-ap-southeast-1"}}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serve_tidbcloud(tmp_path) as site:
        yield site


@pytest.fixture
def session(site: Site) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.auth = HTTPDigestAuth(site.key.key_id, site.key.secret)
        yield made


def walk(site: Site, call: Any) -> None:
    """A cluster's whole life, as ``call(method, path, **options)`` of some client lives it."""
    made = call("POST", "/v1beta1/clusters", json=BODY)
    assert made.status_code == 200, made.text
    cluster_id = made.json()["clusterId"]
    url = f"/v1beta1/clusters/{cluster_id}"
    assert call("GET", url, params={"view": "BASIC"}).json()["state"] == "CREATING"
    site.settle(cluster_id)
    assert call("GET", url, params={"view": "FULL"}).json()["state"] == "ACTIVE"
    assert call("PUT", f"{url}/password", json={"password": "battery staple"}).json() == {}
    change = {"cluster": {"displayName": "invoices"}, "updateMask": "displayName"}
    assert call("PATCH", url, json=change).json()["displayName"] == "invoices"
    question = {"filter": 'displayName="invoices" AND region.provider=alicloud', "pageSize": "100"}
    assert call("GET", "/v1beta1/clusters", params=question).json()["totalSize"] == 1
    assert call("DELETE", url).json()["state"] == "DELETING"


def test_requests_walks_the_whole_way(site: Site, session: requests.Session) -> None:
    walk(site, lambda method, path, **options: session.request(method, site.url + path, timeout=DEADLINE_S, **options))


def test_httpx_walks_the_whole_way(site: Site) -> None:
    auth = httpx.DigestAuth(site.key.key_id, site.key.secret)
    with httpx.Client(base_url=site.url, auth=auth, trust_env=False, timeout=DEADLINE_S) as http:
        walk(site, http.request)


class GoDigest:
    """icholy/digest, which TiDB Cloud's own command line uses, called as ``requests`` is."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def request(self, method: str, path: str, *, params: Any = None, json: Any = None) -> Answer:
        target = path + (f"?{urlencode(params)}" if params else "")
        return Answer(self._client.send("digest", f"{method} {target}", json))


class Answer:
    def __init__(self, told: dict[str, Any]) -> None:
        self.status_code, self.headers, self._body = told["status"], told.get("headers", {}), told.get("body")
        self.text = str(self._body)

    def json(self) -> Any:
        return self._body


@contextmanager
def open_go(site: Site, secret: str = "") -> Iterator[GoDigest]:
    host = site.url.removeprefix("http://")
    config = {"Host": host, "Scheme": "http", "Region": "", "Key": site.key.key_id}
    with open_client("go", "digest", {**config, "Secret": secret or site.key.secret}) as client:
        yield GoDigest(client)


def test_go_walks_the_whole_way(site: Site) -> None:
    with open_go(site) as go:
        walk(site, go.request)


def test_go_counts_up_and_reads_refusals(site: Site) -> None:
    """It keeps the challenge and counts ``nc`` up, also after an error; a wrong key ends in 401, not in a loop."""
    with open_go(site) as go:
        for _ in range(5):
            missing = go.request("GET", "/v1beta1/clusters/10000000000000000001")
            assert (missing.status_code, missing.json()["code"]) == (404, 5)
            assert missing.headers["x-ratelimit-limit-minute"] == "6000"
    with open_go(site, "wrong") as go:
        assert go.request("GET", "/v1beta1/clusters").status_code == 401


def test_a_cached_challenge_is_used_again(site: Site, session: requests.Session) -> None:
    """Clients keep the challenge and count up; a 401 for each call would double their requests."""
    asked = [session.get(f"{site.url}/v1beta1/regions", timeout=DEADLINE_S) for _ in range(5)]
    assert [reply.status_code for reply in asked] == [200] * 5
    assert [len(reply.history) for reply in asked] == [1, 0, 0, 0, 0]


def test_a_replayed_request_is_not_carried_out_twice(site: Site, session: requests.Session) -> None:
    """Whoever can record a request must not be able to create a second cluster with it."""
    made = session.post(f"{site.url}/v1beta1/clusters", json=BODY, timeout=DEADLINE_S)
    headers = {"Authorization": made.request.headers["Authorization"]}
    again = requests.post(f"{site.url}/v1beta1/clusters", json=BODY, headers=headers, timeout=DEADLINE_S)
    assert (made.status_code, again.status_code) == (200, 401)
    assert session.get(f"{site.url}/v1beta1/clusters", timeout=DEADLINE_S).json()["totalSize"] == 1


def test_a_signature_is_for_its_own_path_only(site: Site, session: requests.Session) -> None:
    asked = session.get(f"{site.url}/v1beta1/regions?cloudProvider=aws", timeout=DEADLINE_S)
    headers = {"Authorization": asked.request.headers["Authorization"]}
    for path in ("/v1beta1/clusters", "/v1beta1/regions", "/v1beta1/regions?cloudProvider=gcp"):
        assert requests.get(site.url + path, headers=headers, timeout=DEADLINE_S).status_code == 401


class OneNonce(httpx.Auth):
    """As icholy/digest, the official clients' part: one challenge for all threads, counted up under a lock.

    (httpx's own DigestAuth loses count when threads share it.)
    """

    def __init__(self, key: AccessKey, challenge: str) -> None:
        self._key, self._lock, self._count = key, threading.Lock(), 0
        self._nonce = parse_dict_header(challenge.removeprefix("Digest "))["nonce"]

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        with self._lock:
            self._count += 1
            count = f"{self._count:08x}"
        target, user = request.url.raw_path.decode(), self._key.key_id
        secret = md5(f"{user}:tidbcloud:{self._key.secret}")
        response = md5(f"{secret}:{self._nonce}:{count}:c0ffee:auth:" + md5(f"{request.method}:{target}"))
        request.headers["Authorization"] = (
            f'Digest username="{user}", realm="tidbcloud", nonce="{self._nonce}", uri="{target}", cnonce="c0ffee", '
            f'nc={count}, qop=auth, response="{response}", algorithm=MD5'
        )
        yield request


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_many_at_once(site: Site) -> None:
    """Terraform runs ten operations side by side, all with one key and one nonce, and they overtake each other."""
    challenge = requests.get(f"{site.url}/v1beta1/regions", timeout=DEADLINE_S).headers["WWW-Authenticate"]
    auth = OneNonce(site.key, challenge)
    with httpx.Client(base_url=site.url, auth=auth, trust_env=False, timeout=DEADLINE_S) as http:
        names = [f"orders-{n}" for n in range(20)]
        with ThreadPoolExecutor(10) as pool:
            replies = list(pool.map(lambda n: http.post("/v1beta1/clusters", json=BODY | {"displayName": n}), names))
        assert [reply.status_code for reply in replies] == [200] * 20
        listed = http.get("/v1beta1/clusters?pageSize=100").json()["clusters"]
    assert sorted(c["displayName"] for c in listed) == sorted(names)
    assert len({c["userPrefix"] for c in listed}) == 20


def test_a_body_that_is_too_large_is_refused_in_the_clouds_shape(site: Site, session: requests.Session) -> None:
    reply = session.post(f"{site.url}/v1beta1/clusters", data=b"x" * (2 << 20), timeout=DEADLINE_S)
    assert reply.status_code == 413
    assert set(reply.json()) == {"code", "message", "details"}


def test_the_trace_id_and_the_rate_limit_are_in_every_answer(site: Site, session: requests.Session) -> None:
    replies = [
        requests.get(f"{site.url}/v1beta1/clusters", timeout=DEADLINE_S),
        session.get(f"{site.url}/v1beta1/clusters", timeout=DEADLINE_S),
        session.get(f"{site.url}/v1beta1/nothing", timeout=DEADLINE_S),
    ]
    assert [reply.status_code for reply in replies] == [401, 200, 404]
    names = ("X-Debug-Trace-Id", "X-Ratelimit-Limit-Minute", "X-Ratelimit-Remaining-Minute", "X-Ratelimit-Reset")
    assert all(reply.headers.get(name) for reply in replies for name in names)
    assert len({reply.headers["X-Debug-Trace-Id"] for reply in replies}) == 3


def test_a_private_key_of_the_cloud_does_not_open_the_operators_api(site: Site, session: requests.Session) -> None:
    url = f"{site.url}/tidegate/v1/status"
    assert session.get(url, timeout=DEADLINE_S).status_code == 401
    reply = requests.get(url, headers={"Authorization": f"Bearer {site.token}"}, timeout=DEADLINE_S)
    assert reply.status_code == 200
    assert reply.json()["agent"]["connected"] is True
