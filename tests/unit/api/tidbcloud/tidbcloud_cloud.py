"""An installation with the TiDB Cloud API in front, spoken to through ASGI: no socket, no controller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tidegate.api.tidbcloud.adapter import TidbCloudAdapter
from tidegate.domain.accounts import AccessKey, Account
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.status import Status
from tidegate.operations.accounts import ensure_first_accounts
from tidegate.operations.context import Context
from tidegate.operations.services import ensure_region_services
from tidegate.store.store import Store

Json = dict[str, Any]
SINGAPORE = "regions/alicloud-ap-southeast-1"


@dataclass
class Clock:
    """Moves only when told; each look is a millisecond later, so that creations have an order."""

    now: datetime = datetime(2026, 11, 23, 8, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


class Cloud:
    """One organization's view; the test plays the controller by writing rows."""

    def __init__(self, store: Store, **options: Any) -> None:
        self.clock = Clock()
        self.context = Context(store, now=self.clock, ask=self._ask)
        self.asked: list[SqlTask] = []
        self.reply = SqlReply()
        self.key = ensure_first_accounts(self.context).tidbcloud
        ensure_region_services(self.context)
        self.adapter = TidbCloudAdapter(self.context, clock_s=self.clock.seconds, **options)

    def _ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        """In the server's place: what it was asked, and what the test says it answers."""
        self.asked.append(task)
        return self.reply

    def call(self, method: str, path: str, *, key: AccessKey | None = None, **options: Any) -> httpx.Response:
        """One call with HTTP digest, challenge and all."""
        key = key or self.key
        return self.send(method, path, auth=httpx.DigestAuth(key.key_id, key.secret), **options)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://serverless.tidbapi.com") as http:
                return await http.request(method, f"/v1beta1{path}", **options)

        return asyncio.run(go())

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self.adapter.handle(request, await request.body())
        await response(scope, receive, send)

    def create(self, name: str = "orders", region: str = SINGAPORE, **more: Any) -> Json:
        reply = self.call("POST", "/clusters", json={"displayName": name, "region": {"name": region}, **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def get(self, cluster_id: str) -> Json:
        return self.call("GET", f"/clusters/{cluster_id}").json()

    def settle(self, cluster_id: str, phase: str = "ready", reason: str = "Running.") -> None:
        """What the controller writes when a cluster's server is up (or is not)."""
        with self.context.store.write() as tx:
            cluster = tx.clusters.get(cluster_id)
            assert cluster is not None
            ready = cluster.generation if phase == "ready" else cluster.ready_generation
            copied = cluster.copy_seq if phase == "ready" else cluster.ready_copy_seq
            tx.clusters.put(replace(cluster, ready_generation=ready, ready_copy_seq=copied))
            tx.statuses.put(Status("cluster", cluster_id, cluster.generation, phase, reason))

    def remove(self, cluster_id: str) -> None:
        """What the controller does once server and data are gone."""
        with self.context.store.write() as tx:
            tx.clusters.remove(cluster_id)

    def spare_key(self) -> AccessKey:
        """A key that is not in the store yet."""
        return AccessKey("Retired1", self.key.account_id, "tidbcloud", "r" * 36)

    def stranger(self) -> AccessKey:
        """The key of another organization."""
        with self.context.store.write() as tx:
            if (known := tx.access_keys.get("Stranger")) is None:
                tx.accounts.add(Account("39999999", "tidbcloud", "other", self.clock(), project_id="169999999"))
                known = tx.access_keys.add(AccessKey("Stranger", "39999999", "tidbcloud", "s" * 36))
        return known
