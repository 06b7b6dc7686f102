"""The API of ``tidegate serve``, put together as ``app/serve.py`` does and logging as it does, without the controller.

Without a host's agent the controller would plan the whole host again each second, and with one it would measure that.

python -m benchmarks.api_serve      reads TIDEGATE_HOME and so on, as every process of Tidegate
"""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from tidegate.api.alibaba.gateway import AlibabaAdapter
from tidegate.api.certificates import ensure_ca, ensure_certificate
from tidegate.api.chain import build_app
from tidegate.api.listener import Listener, build_ssl_context
from tidegate.app.process import configure_logging, make_folders, until_told
from tidegate.operations.accounts import find_key
from tidegate.operations.context import Context
from tidegate.operations.sealing import load_sealer
from tidegate.settings import Settings, load_settings
from tidegate.store.store import Store


async def serve(settings: Settings) -> None:
    context = Context(Store(settings.store_url), sealer=load_sealer(settings.keys / "store-key"))
    adapter = AlibabaAdapter(context, find_key=lambda key_id: find_key(context, "alicloud", key_id), clock=context.now)
    certificate = ensure_certificate(settings.keys, ensure_ca(settings.keys), "serve", ["127.0.0.1"])
    app = build_app(alibaba=adapter, registry=CollectorRegistry())
    listener = Listener(app, "127.0.0.1", 0, build_ssl_context(*certificate))
    host, port = await listener.start()
    told = settings.run / "serve.address"
    told.with_suffix(".draft").write_text(f"{host}:{port}")
    told.with_suffix(".draft").replace(told)
    await until_told()
    await listener.stop(grace_s=1.0)
    context.store.close()


if __name__ == "__main__":
    known = load_settings()
    make_folders(known)
    configure_logging(known, "serve")
    asyncio.run(serve(known))
