"""The whole API in one process: a real store, the real chain and adapter, requests signed by Alibaba's own signer.

Nobody converges anything here, so ``play_controller`` writes what the controller would have found.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
from alibabacloud_tea_openapi.utils import Utils
from prometheus_client import CollectorRegistry

from tidegate.api.alibaba.gateway import AlibabaAdapter
from tidegate.api.chain import build_app
from tidegate.controller.endpoints import reconcile_endpoints
from tidegate.controller.services import reconcile_resources
from tidegate.controller.vpcs import reconcile_vpc
from tidegate.controller.world import load_world
from tidegate.domain.accounts import AccessKey
from tidegate.operations.accounts import create_account, ensure_first_accounts, find_key
from tidegate.operations.context import Context
from tidegate.operations.sealing import Sealer
from tidegate.operations.services import ensure_region_services, region_service
from tidegate.store.store import Store

VPC, ECS, PRIVATELINK, STS, LOCATION = "2016-04-28", "2014-05-26", "2020-04-15", "2015-04-01", "2015-06-12"
HOST = "127.0.0.1:8090"
REGION = "ap-southeast-1"
SEALER = Sealer.ephemeral()
"""one for all tests: they copy one store"""


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Cloud:
    """A caller with a key.  ``call`` answers (HTTP status, parsed JSON)."""

    context: Context
    app: Any
    key: AccessKey
    clock: Clock
    registry: CollectorRegistry

    def call(self, version: str, action: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
        response = self.send(self.acs3(version, action, {"RegionId": REGION, **parameters}))
        return response.status_code, response.json()

    def ok(self, version: str, action: str, **parameters: Any) -> dict[str, Any]:
        status, answer = self.call(version, action, **parameters)
        assert status == 200, answer
        return answer

    def refused(self, version: str, action: str, **parameters: Any) -> tuple[int, str, str]:
        status, answer = self.call(version, action, **parameters)
        assert status >= 400, answer
        assert set(answer) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
        assert answer["HostId"] == HOST and uuid.UUID(answer["RequestId"]) and answer["RequestId"].isupper()
        return status, answer["Code"], answer["Message"]

    def acs3(
        self, version: str, action: str, parameters: dict[str, Any], *, method: str = "POST", form: bool = False
    ) -> httpx.Request:
        """A request as today's SDKs sign it, parameters in the query or in a form body."""
        query = {name: str(value) for name, value in parameters.items() if value is not None}
        body = encode(query).encode() if form else b""
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "host": HOST,
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": self.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": digest,
            "accept": "application/json",
        }
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        signed = SimpleNamespace(method=method, pathname="/", query={} if form else query, headers=headers)
        headers["Authorization"] = Utils.get_authorization(
            signed, "ACS3-HMAC-SHA256", digest, self.key.key_id, self.key.secret
        )
        url = f"http://{HOST}/" + ("" if form else "?" + encode(query))
        return httpx.Request(method, url, headers=headers, content=body)

    def v1(
        self,
        version: str,
        action: str,
        parameters: dict[str, Any],
        *,
        method: str = "GET",
        form: bool = False,
        **common: str,
    ) -> httpx.Request:
        """A request as the CLI signs it; with ``form`` as Terraform does: its own parameters in the body."""
        query = {
            "Action": action,
            "Version": version,
            "Format": "JSON",
            "AccessKeyId": self.key.key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": self.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **{name: str(value) for name, value in parameters.items()},
            **common,
        }
        query["Signature"] = Utils.get_rpcsignature(query, method, self.key.secret)
        if not form:
            return httpx.Request(method, f"http://{HOST}/?{encode(query)}", headers={"host": HOST})
        rest = {name: value for name, value in query.items() if name not in parameters}
        headers = {"host": HOST, "content-type": "application/x-www-form-urlencoded"}
        body = encode({name: str(value) for name, value in parameters.items()}).encode()
        return httpx.Request(method, f"http://{HOST}/?{encode(rest)}", headers=headers, content=body)

    def send(self, request: httpx.Request) -> httpx.Response:
        return self.send_all([request])[0]

    def send_all(self, requests: list[httpx.Request]) -> list[httpx.Response]:
        """All at once."""

        async def all_at_once() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), timeout=30) as client:
                return await asyncio.gather(*(client.send(request) for request in requests))

        return asyncio.run(all_at_once())


def encode(parameters: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in parameters.items())


def make_cloud(store: Store) -> Cloud:
    context = Context(store, sealer=SEALER)
    ensure_region_services(context)
    key = ensure_first_accounts(context).alicloud
    clock, registry = Clock(), CollectorRegistry()
    adapter = AlibabaAdapter(context, find_key=lambda key_id: find_key(context, "alicloud", key_id), clock=clock)
    return Cloud(context, build_app(alibaba=adapter, registry=registry), key, clock, registry)


def other_account(cloud: Cloud) -> Cloud:
    """The same API, called by somebody else."""
    _, key = create_account(cloud.context, "alicloud", "other")
    return replace(cloud, key=key)


def play_controller(store: Store) -> None:
    """Every wish fulfilled, by the controller's own hand: as after an apply of each network without errors."""
    with store.write() as tx:
        for network in load_world(tx).networks:
            reconcile_endpoints(tx, network, None, datetime.now(UTC))
            reconcile_resources(tx, network, None)
            reconcile_vpc(tx, network, None)


@dataclass
class Network:
    """A VPC with a subnet, a group that lets port 4000 in, and the region's service."""

    vpc: str
    subnet: str
    group: str
    service: str
    service_id: str


def make_network(cloud: Cloud, cidr: str = "10.0.0.0/16") -> Network:
    vpc = cloud.ok(VPC, "CreateVpc", CidrBlock=cidr)["VpcId"]
    subnet = cloud.ok(VPC, "CreateVSwitch", VpcId=vpc, ZoneId=f"{REGION}a", CidrBlock=cidr.replace("/16", "/24"))
    group = cloud.ok(ECS, "CreateSecurityGroup", VpcId=vpc)["SecurityGroupId"]
    service = region_service(cloud.context, f"alicloud-{REGION}")
    assert service is not None
    return Network(vpc, subnet["VSwitchId"], group, service.name, service.service_id)


def make_endpoint(cloud: Cloud, network: Network, **more: Any) -> dict[str, Any]:
    return cloud.ok(
        PRIVATELINK,
        "CreateVpcEndpoint",
        **{"VpcId": network.vpc, "ServiceName": network.service, "SecurityGroupId.1": network.group, **more},
    )


def zone_of(network: Network, number: int = 1) -> dict[str, str]:
    return {f"Zone.{number}.ZoneId": f"{REGION}a", f"Zone.{number}.VSwitchId": network.subnet}
