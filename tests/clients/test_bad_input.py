"""The worst that can be sent, at a real ``serve`` process: each answer in its cloud's shape, memory bounded, no trace.

Unit tests hold each refusal; only a process of its own shows what a thousand of them leave behind.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth

from tidegate.cli.clients import AlibabaClient, ApiError, Server
from tidegate.settings import Settings
from tidegate.testing import wait_until

REGION = "ap-southeast-1"
FORM = {"content-type": "application/x-www-form-urlencoded"}
GROWTH_LIMIT_MIB = 128
"""over an idle server; seen: 55 after 80 requests, 85 after 600, and level from there"""
TIMEOUT_S = 60.0
ROUNDS, AT_ONCE = 12, 16


@dataclass(frozen=True, slots=True)
class Serving:
    pid: int
    url: str
    credentials: dict[str, str]
    database: Path

    def resident_mib(self, field: str = "VmRSS") -> float:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", text)
        assert found
        return int(found[1]) / 1024

    def rows(self) -> list[str]:
        """What the store holds; not its statuses, which the controller writes while no agent answers."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            lines = list(connection.iterdump())
        return [line for line in lines if line.startswith("INSERT") and 'INTO "statuses"' not in line]

    def alibaba(self) -> AlibabaClient:
        key = self.credentials["ALIBABA_CLOUD_ACCESS_KEY_ID"], self.credentials["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
        return AlibabaClient(Server("http", self.url.removeprefix("http://")), *key)

    def tidbcloud(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        key = self.credentials["TIDBCLOUD_PUBLIC_KEY"], self.credentials["TIDBCLOUD_PRIVATE_KEY"]
        session.auth = HTTPDigestAuth(*key)
        return session


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serve")
    settings = Settings(home=folder / "home", run=folder / "run", rootless=True, listen="127.0.0.1:0")
    environment = {**os.environ, **settings.environment()}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "tidegate.app", "serve"], env=environment, stderr=out)
    try:
        told = settings.run / "serve.address"
        wait_until(told.exists, "serve to listen")
        credentials = json.loads((settings.keys / "credentials.json").read_text())
        yield Serving(process.pid, f"http://{told.read_text()}", credentials, settings.home / "tidegate.db")
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in log.read_text()


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.code


def post(serving: Serving, data: Any, **headers: str) -> tuple[int, str]:
    answer = requests.post(f"{serving.url}/", data=data, headers={**FORM, **headers}, timeout=TIMEOUT_S)
    return answer.status_code, answer.json()["Code"] if answer.text.startswith("{") else code_of(answer.text)


def code_of(xml: str) -> str:
    found = re.search("<Code>(.*?)</Code>", xml)
    return found[1] if found else xml[:200]


BIG = "x" * 1_000_000
DEEP = b"[" * 500_000


def alibaba_asks(serving: Serving) -> list[tuple[Callable[[], tuple[int, str]], tuple[int, str]]]:
    """Signed ones go in the query, as the SDK sends them: a megabyte there is more than a head may be."""
    api = serving.alibaba()
    v1 = "Action=CreateVpc&Version=2016-04-28&Format=JSON&AccessKeyId=none&SignatureMethod=HMAC-SHA1"
    wrong = {"region": REGION, "VpcId": "v", "ServiceName": "s", "SecurityGroupId": ["sg-1"], "Zone": [BIG[:40_000]]}
    return [
        (lambda: refused(lambda: api.call("vpc", "NoSuchAction", REGION)), (404, "InvalidApi.NotFound")),
        (lambda: post(serving, f"{v1}&VpcName={BIG}"), (400, "MissingSignatureVersion")),
        (lambda: post(serving, "x" * 3_000_000), (400, "RequestBodyTooLarge")),
        (lambda: post(serving, b"Action=\xff\xfe&Format=JSON"), (400, "InvalidParameter.Format")),
        (lambda: post(serving, "Action=A&Action=B&Version=2016-04-28"), (400, "InvalidParameter.Format")),
        (lambda: post(serving, "&".join(f"Tag.{n}.Key=x" for n in range(10_000))), (400, "InvalidParameter.Format")),
        (
            lambda: refused(lambda: api.call("privatelink", "CreateVpcEndpoint", **wrong)),
            (400, "IllegalParamFormat.Zone"),
        ),
    ]


def tidbcloud_asks(serving: Serving) -> list[tuple[Callable[[], tuple[int, int]], tuple[int, int]]]:
    def send(method: str, path: str, body: bytes) -> tuple[int, int]:
        with serving.tidbcloud() as session:
            answer = session.request(method, f"{serving.url}/v1beta1{path}", data=body, timeout=TIMEOUT_S)
        shape = answer.json()
        assert set(shape) == {"code", "message", "details"} and len(answer.content) < 2000
        return answer.status_code, shape["code"]

    cluster = {"displayName": BIG, "region": {"name": "regions/alicloud-ap-southeast-1"}}
    fine = {"cluster": {**cluster, "displayName": "orders"}}
    return [
        (lambda: send("POST", "/clusters", json.dumps(cluster).encode()), (400, 3)),
        (lambda: send("POST", "/clusters", b'{"displayName": "\xff"}'), (400, 3)),
        (lambda: send("POST", "/clusters", DEEP), (400, 3)),
        (lambda: send("POST", "/clusters:batchCreate", json.dumps({"requests": [fine] * 9000}).encode()), (400, 3)),
        (lambda: send("POST", "/clusters", b"x" * 1_500_000), (413, 3)),
        (lambda: send("GET", "/nothing", b""), (404, 5)),
        (lambda: send("GET", "/clusters/" + "9" * 5000, b""), (404, 5)),
    ]


def test_each_is_refused_in_its_clouds_shape(serving: Serving) -> None:
    for ask, wanted in [*alibaba_asks(serving), *tidbcloud_asks(serving)]:
        assert ask() == wanted


def test_memory_stays_bounded_and_nothing_is_left(serving: Serving) -> None:
    """All of them, again and again, many at once."""
    before, idle = serving.rows(), serving.resident_mib()
    hammer(serving, ROUNDS)
    peak = serving.resident_mib("VmHWM")
    assert serving.rows() == before
    assert peak - idle < GROWTH_LIMIT_MIB, f"{idle:.0f} MiB before, {peak:.0f} at the worst moment"
    assert serving.alibaba().call("vpc", "DescribeVpcs", REGION)["TotalCount"] == 0
    metrics = requests.get(f"{serving.url}/metrics", timeout=TIMEOUT_S).text
    assert "NoSuchAction" not in metrics  # what clients call themselves must not become a label


def hammer(serving: Serving, rounds: int) -> None:
    asks = [ask for ask, _ in [*alibaba_asks(serving), *tidbcloud_asks(serving)]]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda ask: ask(), asks * rounds):
            pass
