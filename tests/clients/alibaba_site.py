"""The API served on the loopback, http and https on one port, over a real store; and Alibaba's own clients to it.

There is no agent and no controller here: ``Site.converge`` writes the status rows that the controller would write.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_privatelink20200415.client import Client as PrivateLink
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428.client import Client as Vpc
from prometheus_client import CollectorRegistry

from tidegate.api.alibaba.gateway import AlibabaAdapter
from tidegate.api.certificates import ensure_ca, ensure_certificate
from tidegate.api.chain import build_app
from tidegate.api.listener import Listener, build_ssl_context
from tidegate.controller.endpoints import reconcile_endpoints
from tidegate.controller.services import reconcile_resources
from tidegate.controller.vpcs import reconcile_vpc
from tidegate.controller.world import load_world
from tidegate.domain.accounts import AccessKey
from tidegate.operations.accounts import create_account, ensure_first_accounts, find_key
from tidegate.operations.context import Context, utc_now
from tidegate.operations.services import ensure_region_services
from tidegate.store.store import Store

START_S = 20.0


@dataclass
class Clients:
    vpc: Vpc
    ecs: Ecs
    privatelink: PrivateLink


@dataclass
class Site:
    host: str
    ca: Path
    key: AccessKey
    context: Context

    def clients(self, region: str = "ap-southeast-1", **config: Any) -> Clients:
        """``signature_algorithm="v2"`` makes them sign V1; ``protocol="https"`` speaks TLS."""
        values = {
            "access_key_id": self.key.key_id,
            "access_key_secret": self.key.secret,
            "endpoint": self.host,
            "protocol": "http",
            "region_id": region,
            "read_timeout": 30_000,
            "connect_timeout": 5_000,
        } | config
        if values["protocol"] == "https":
            values.setdefault("ca", str(self.ca))
        return Clients(Vpc(Config(**values)), Ecs(Config(**values)), PrivateLink(Config(**values)))

    def converge(self) -> None:
        """Every wish fulfilled, by the controller's own hand: as after an apply of each network without errors."""
        with self.context.store.write() as tx:
            for network in load_world(tx).networks:
                reconcile_endpoints(tx, network, None, self.context.now())
                reconcile_resources(tx, network, None)
                reconcile_vpc(tx, network, None)

    def other_account(self) -> Site:
        """The same API, called by somebody else."""
        _, key = create_account(self.context, "alicloud", "other")
        return replace(self, key=key)


@contextmanager
def serve_site(folder: Path) -> Iterator[Site]:
    store = Store(f"sqlite:///{folder / 'tidegate.db'}")
    store.migrate()
    context = Context(store)
    key = ensure_first_accounts(context).alicloud
    ensure_region_services(context)
    ca = ensure_ca(folder / "keys")
    certificate, private = ensure_certificate(folder / "keys", ca, "server", ["127.0.0.1", "localhost"])
    adapter = AlibabaAdapter(context, find_key=lambda key_id: find_key(context, "alicloud", key_id), clock=utc_now)
    app = build_app(alibaba=adapter, registry=CollectorRegistry())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[Listener, str]:
        listener = Listener(app, "127.0.0.1", 0, build_ssl_context(certificate, private))
        host, port = await listener.start()
        return listener, f"{host}:{port}"

    listener, host = asyncio.run_coroutine_threadsafe(start(), loop).result(START_S)
    try:
        yield Site(host, ca.certificate_path, key, context)
    finally:
        asyncio.run_coroutine_threadsafe(listener.stop(grace_s=1.0), loop).result(START_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_S)
        store.close()
