"""The process of APIs, store and controller."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from tidegate.agent.client import AgentClient
from tidegate.agent.config import HostStatus
from tidegate.api.alibaba.gateway import AlibabaAdapter
from tidegate.api.certificates import CaFiles, ensure_ca, ensure_certificate
from tidegate.api.chain import build_app
from tidegate.api.listener import Listener, build_ssl_context
from tidegate.api.operator.adapter import OperatorAdapter
from tidegate.api.operator.inventory import AgentHealth
from tidegate.api.operator.token import ensure_token
from tidegate.api.tidbcloud.adapter import TidbCloudAdapter
from tidegate.app.gateway import public_socket
from tidegate.app.metrics import FileCollector, ResourceCollector
from tidegate.app.process import keep_loaded, run, until_told
from tidegate.app.public import PublicListeners, shown_host
from tidegate.app.traffic import TrafficBoard
from tidegate.console.app import build_console
from tidegate.console.guard import Cookies
from tidegate.console.live import Live
from tidegate.console.visit import Parts
from tidegate.controller.loop import Controller, ControllerSettings
from tidegate.controller.plan import PlanSettings, gateway_names
from tidegate.domain.catalogue import REGIONS, Region
from tidegate.domain.clusters import public_host
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.status import Kind
from tidegate.domain.usage import GIB, Allowance
from tidegate.operations import accounts, clusters, services, users
from tidegate.operations.context import Context
from tidegate.operations.sealing import load_sealer
from tidegate.settings import Settings, SettingsError
from tidegate.store.store import Store

log = structlog.get_logger("app")

T = TypeVar("T")

ASK_LIMIT_S = 30.0
LOOK_LIMIT_S = 5.0
BEAT_S = 2.0
"""between two looks of a page that shows traffic"""
DAY_S = 86_400.0


def run_serve(settings: Settings) -> None:
    """APIs, store and controller, until SIGTERM."""
    run(_serve(settings))


async def _serve(settings: Settings) -> None:
    store = Store(settings.store_url)
    store.migrate()

    def wake(kind: Kind, resource_id: str) -> None:
        controller.wake(kind, resource_id)
        if kind == "cluster":
            public.wake()

    public = PublicListeners(store, settings.public_listen, lambda region_id: public_socket(settings.run, region_id))
    loop = asyncio.get_running_loop()

    def ask(cluster_id: str, task: SqlTask) -> SqlReply:
        late = SqlReply(problem="not_ready", detail=f"Its server did not answer within {ASK_LIMIT_S:g} s.")
        return _wait_for(loop, agent.ask(cluster_id, task), ASK_LIMIT_S, late)

    board = TrafficBoard(lambda vpc_ids: _wait_for(loop, agent.look(vpc_ids), LOOK_LIMIT_S, {}))
    sealer, free = load_sealer(settings.keys / "store-key"), free_allowance(settings)
    context = Context(store, wake, ask=ask, observe=board.observe, sealer=sealer, free=free)
    keys = accounts.ensure_first_accounts(context)
    services.ensure_region_services(context)
    users.ensure_first_user(context)
    ca = ensure_ca(settings.keys)
    write_credentials(settings, keys)

    def heard(status: HostStatus, first: bool) -> None:
        controller.host_changed(status, first=first)
        live.notify(("cluster", cluster_id) for cluster_id in status.databases)  # their open sessions are in no store
        for cluster_id in status.wakes:
            asyncio.get_running_loop().run_in_executor(None, clusters.wake_cluster, context, cluster_id)

    live = Live()
    agent = AgentClient(settings.agent_socket, settings.run / "agent.json", heard)
    controller = Controller(
        store,
        agent,
        ControllerSettings(_plan_settings(settings, store, ca), settings.resync_s, settings.cluster_idle_s),
        on_idle=lambda cluster_id: clusters.sleep_cluster(context, cluster_id),
    )
    listener = _listener(settings, context, ca, agent, controller, public, live)
    keep_loaded()
    host, port = await listener.start()

    def renew() -> None:
        controller.replan(_plan_settings(settings, store, ca))
        listener.ssl_context = build_ssl_context(*_serve_certificate(settings, ca))

    parts = (agent.run(), controller.run(), public.run(), _each_day(renew), _beat(live))
    tasks = [asyncio.create_task(part) for part in parts]
    _write_private(settings.run / "serve.address", f"{host}:{port}")
    log.info("serve.ready", address=f"{host}:{port}")
    try:
        await _until_told_or_broken(tasks)
    finally:
        live.close()
        await listener.stop(grace_s=2.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        public.close()
        store.close()


def _wait_for(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], limit_s: float, late: T) -> T:
    """In the threads that answer requests: what the agent says, or ``late`` when it says nothing in time."""
    asking = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return asking.result(limit_s)
    except TimeoutError:
        asking.cancel()
        return late


def _listener(
    settings: Settings,
    context: Context,
    ca: CaFiles,
    agent: AgentClient,
    controller: Controller,
    public: PublicListeners,
    live: Live,
) -> Listener:
    def health() -> AgentHealth:
        errors = {**controller.errors, **{f"public/{region}": why for region, why in public.errors.items()}}
        return AgentHealth(agent.connected, agent.reason or controller.last_error, errors)

    def readiness() -> tuple[bool, list[str]]:
        state = health()
        if not state.connected:
            return False, [state.reason]
        return controller.settled, [] if controller.settled else ["The host is being made as the store wishes it."]

    registry = CollectorRegistry()
    registry.register(ResourceCollector(context.store))
    registry.register(FileCollector(settings.run / "metrics"))
    host, _, port = settings.listen.rpartition(":")
    application = build_app(
        alibaba=AlibabaAdapter(
            context, find_key=lambda key_id: accounts.find_key(context, "alicloud", key_id), clock=context.now
        ),
        tidbcloud=TidbCloudAdapter(context, requests_per_minute=settings.tidbcloud_requests_per_minute),
        operator=OperatorAdapter(context, token=ensure_token(settings.keys), agent_health=health),
        registry=registry,
        readiness=readiness,
        fallback=build_console(
            Parts(
                context,
                live,
                Cookies(settings.instance),
                registry,
                sessions_of=controller.sessions_of,
                ca_pem=ca.certificate_path.read_text(),
            )
        ),
    )
    return Listener(application, host, int(port), build_ssl_context(*_serve_certificate(settings, ca)))


async def _each_day(work: Callable[[], None]) -> None:
    """Certificates are renewed in the last third of their year; a day is soon enough to notice."""
    while True:
        await asyncio.sleep(DAY_S)
        try:
            work()
        except Exception:
            log.exception("certificates.not_renewed")


async def _beat(live: Live) -> None:
    """Packets are in no store: pages that show them look again by the clock.  Without such a page nothing happens."""
    while True:
        await asyncio.sleep(BEAT_S)
        live.beat("traffic")


async def _until_told_or_broken(tasks: list[asyncio.Task[None]]) -> None:
    """Whose controller ended would answer calls that nobody carries out: then serve ends too, and is started anew."""
    told = asyncio.create_task(until_told())
    await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _serve_certificate(settings: Settings, ca: CaFiles) -> tuple[Path, Path]:
    host = settings.listen.rpartition(":")[0]
    return ensure_certificate(settings.keys, ca, "serve", _serve_names(host))


def _serve_names(host: str) -> list[str]:
    return sorted({"localhost", "127.0.0.1", "::1", socket.gethostname(), host} - {"", "0.0.0.0", "::"})


def _public_names(settings: Settings, region: Region) -> list[str]:
    host = settings.public_listen.rpartition(":")[0]
    return list(dict.fromkeys((public_host(region), shown_host(host), "localhost")))


def _plan_settings(settings: Settings, store: Store, ca: CaFiles) -> PlanSettings:
    """Each region's gateway gets a certificate for its own name and for every endpoint domain of its services."""
    certificates: dict[str, tuple[str, str, str]] = {}
    with store.read() as tx:
        for region in REGIONS:
            service_ids = tx.services.values("service_id", region_id=region.region_id)
            names = gateway_names(region.region_id, service_ids, _public_names(settings, region))
            paths = ensure_certificate(settings.keys, ca, f"gateway-{region.region_id}", names)
            digest = hashlib.sha256(paths[0].read_bytes()).hexdigest()
            certificates[region.region_id] = (str(paths[0]), str(paths[1]), digest)
    return PlanSettings(
        resolution=settings.resolution,
        upstreams=require_upstreams(settings.dns_upstreams, settings.rootless),
        tls=settings.tls,
        cluster_memory_bytes=settings.cluster_memory_mib << 20,
        rcu_per_cpu=settings.rcu_per_cpu,
        free=free_allowance(settings),
        certificates=certificates,
    )


def free_allowance(settings: Settings) -> Allowance:
    return Allowance(settings.free_request_units, settings.free_storage_gib * GIB)


def require_upstreams(text: str, rootless: bool) -> tuple[str, ...]:
    """Raises :class:`SettingsError` for a name (to resolve it, the resolvers' loop would stand still), and rootless:
    the resolvers live in the world then, which has no way out.
    """
    from tidegate.dns.upstream import parse_upstream  # here: serve needs the resolvers' parts for nothing else

    upstreams = tuple(part.strip() for part in text.split(",") if part.strip())
    if upstreams and rootless:
        raise SettingsError(
            "TIDEGATE_DNS_UPSTREAMS cannot be kept without root: the world of namespaces has no way out. Unset it, or "
            "run Tidegate as root."
        )
    for upstream in upstreams:
        try:
            ip_address(parse_upstream(upstream)[0])
        except ValueError as error:
            raise SettingsError(
                f"TIDEGATE_DNS_UPSTREAMS={text!r}: {upstream} is no address. Use one, as in 10.0.0.2,10.0.0.3:5353."
            ) from error
    return upstreams


def write_credentials(settings: Settings, keys: accounts.FirstKeys) -> None:
    """What ``tidegate env`` prints, readable by the owner only."""
    credentials = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": keys.alicloud.key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": keys.alicloud.secret,
        "TIDBCLOUD_PUBLIC_KEY": keys.tidbcloud.key_id,
        "TIDBCLOUD_PRIVATE_KEY": keys.tidbcloud.secret,
    }
    _write_private(settings.keys / "credentials.json", json.dumps(credentials))


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
