"""TiDB Cloud's API served on the loopback along the chain, over a real store; no controller and no database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from tidegate.api.chain import Problem, build_app
from tidegate.api.operator.adapter import OperatorAdapter
from tidegate.api.operator.inventory import AgentHealth
from tidegate.api.operator.token import ensure_token
from tidegate.api.tidbcloud.adapter import TidbCloudAdapter
from tidegate.domain.accounts import AccessKey
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.status import Status
from tidegate.operations.accounts import ensure_first_accounts
from tidegate.operations.context import Context
from tidegate.operations.services import ensure_region_services
from tidegate.store.store import Store

DEADLINE_S = 20.0


class Nobody:
    """In Alibaba's place: no test here goes there."""

    async def handle(self, request: Request, body: bytes) -> Response:
        raise AssertionError("not this product's request")

    def refuse(self, request: Request, problem: Problem) -> Response:
        return Response(status_code=500)


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    key: AccessKey
    context: Context
    token: str

    def settle(self, cluster_id: str) -> None:
        """The controller's part: the server is up."""
        with self.context.store.write() as tx:
            cluster = tx.clusters.get(cluster_id)
            assert cluster is not None
            tx.clusters.put(replace(cluster, ready_generation=cluster.generation))
            tx.statuses.put(Status("cluster", cluster_id, cluster.generation, "ready", "Running."))


@contextmanager
def serve_tidbcloud(
    folder: Path, ask: Callable[[str, SqlTask], SqlReply] = lambda cluster_id, task: SqlReply()
) -> Iterator[Site]:
    """``ask``: in the place of the servers that are told of SQL users."""
    store = Store(f"sqlite:///{folder / 'tidegate.db'}")
    store.migrate()
    context = Context(store, ask=ask)
    key = ensure_first_accounts(context).tidbcloud
    ensure_region_services(context)
    token = ensure_token(folder / "keys")
    app = build_app(
        alibaba=Nobody(),
        tidbcloud=TidbCloudAdapter(context),
        operator=OperatorAdapter(context, token=token, agent_health=lambda: AgentHealth(True, "It answers.", {})),
        registry=CollectorRegistry(),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", key, context, token)
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        store.close()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
