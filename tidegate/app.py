"""The one file that builds concrete parts and hands them on.  Each function here is the body of one process.

    python -m tidegate.app agent | serve | resolvers | gateway REGION | cleanup

People use ``tidegate up`` and ``tidegate down`` (``installation.py``), which run these.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from tidegate.agent.appliers import GatewayApplier, ResolverApplier
from tidegate.agent.channel import ConfigServer
from tidegate.agent.child import Child, child_socket
from tidegate.agent.client import AgentClient
from tidegate.agent.config import HostStatus
from tidegate.agent.server import Agent
from tidegate.agent.world import NamedNamespaces, join_world, open_namespaces
from tidegate.api.alibaba.gateway import AlibabaAdapter
from tidegate.api.certificates import CaFiles, ensure_ca, ensure_certificate
from tidegate.api.chain import build_app
from tidegate.api.listener import Listener, build_ssl_context
from tidegate.api.operator.adapter import OperatorAdapter
from tidegate.api.operator.inventory import AgentHealth
from tidegate.api.operator.token import ensure_token
from tidegate.api.tidbcloud.adapter import TidbCloudAdapter
from tidegate.controller.loop import Controller, ControllerSettings
from tidegate.controller.plan import PlanSettings, gateway_names
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.dns.server import DnsServer
from tidegate.dns.sockets import Kind as SocketKind
from tidegate.dns.sockets import bind_socket
from tidegate.domain.catalogue import REGIONS
from tidegate.domain.status import Kind
from tidegate.engine.binary import require_binary
from tidegate.engine.config import DatabaseStatus
from tidegate.engine.tidb import TidbEngine
from tidegate.gateway.config import GatewayConfig, SessionEvent
from tidegate.gateway.directory import PushedDirectory
from tidegate.gateway.server import Gateway
from tidegate.metrics import FileCollector, ResourceCollector, write_metrics
from tidegate.operations import accounts, clusters, services
from tidegate.operations.context import Context
from tidegate.settings import Settings, load_settings
from tidegate.store.store import Store

log = structlog.get_logger("app")

FLOW_LOG_BYTES = 16 << 20
FLOW_LOG_FILES = 5


# agent


def run_agent(settings: Settings) -> None:
    """The agent of this host, until SIGTERM; what it started runs on."""
    namespaces = join_world(settings)
    _run(_agent(settings, namespaces))


async def _agent(settings: Settings, namespaces: NamedNamespaces) -> None:
    loop = asyncio.get_running_loop()

    def on_loop(method: str) -> Callable[[Any], None]:
        return lambda value: _call(loop, getattr(agent, method), value)

    engine = _engine(settings, namespaces, on_loop("database_changed"), on_loop("database_gone"))
    agent = Agent(
        LinuxDataPlane(namespaces),
        engine,
        make_gateway=lambda region_id, heard: _child(settings, f"gateway-{region_id}", ["gateway", region_id], heard),
        resolvers=_child(settings, "resolvers", ["resolvers"]),
        push=lambda status: server.push(status),  # noqa: PLW0108 - server is made below
    )
    server = ConfigServer(settings.agent_socket, agent)
    engine.adopt()
    agent.start()
    await server.start()
    log.info("agent.ready", rootless=settings.rootless)
    try:
        await _until_told()
    finally:
        await server.close()
        agent.leave()
        engine.close()


def _engine(
    settings: Settings,
    namespaces: NamedNamespaces,
    on_status: Callable[[DatabaseStatus], None] = lambda status: None,
    on_gone: Callable[[str], None] = lambda cluster_id: None,
) -> TidbEngine:
    return TidbEngine(
        settings.clusters,
        lambda: require_binary(settings.tidb_server),
        lambda name: Path(namespaces.path(name)),
        on_status,
        on_gone,
        template_memory_bytes=settings.cluster_memory_mib << 20,
    )


def _child(
    settings: Settings,
    name: str,
    arguments: list[str],
    heard: Callable[[HostStatus, bool], None] = lambda status, first: None,
) -> Child:
    return Child(
        name,
        [sys.executable, "-m", "tidegate.app", *arguments],
        run=settings.run,
        logs=settings.logs,
        environment=settings.environment(),
        on_status=heard,
    )


# children of the agent


def run_gateway(settings: Settings, region_id: str) -> None:
    """The gateway of one region, inside its provider namespace, until SIGTERM."""
    with open_namespaces(settings).inside(region_id):
        _run(_gateway(settings, region_id))


async def _gateway(settings: Settings, region_id: str) -> None:
    registry = CollectorRegistry()
    directory = PushedDirectory(lambda cluster_id: server.push(HostStatus(wakes=(cluster_id,))))
    flow_log = _flow_log(settings, region_id)
    gateways: list[Gateway] = []

    async def start(config: GatewayConfig) -> Gateway:
        gateway = Gateway(config, directory, flow_log, registry=registry)
        await gateway.start(_listening(config))
        gateways.append(gateway)
        return gateway

    name = f"gateway-{region_id}"
    server = ConfigServer(child_socket(settings.run, name), GatewayApplier(region_id, directory, start))
    await server.start()
    writing = asyncio.create_task(write_metrics(registry, settings.run / "metrics" / f"{name}.prom"))
    try:
        await _until_told()
    finally:
        writing.cancel()
        await server.close()
        for gateway in gateways:
            await gateway.stop()


def _listening(config: GatewayConfig) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((config.address, config.port))
    sock.listen(4096)
    return sock


def _flow_log(settings: Settings, region_id: str) -> Callable[[SessionEvent], None]:
    """One JSON line per session event, in files that rotate."""
    path = settings.logs / f"flow-{region_id}.jsonl"
    handler = RotatingFileHandler(path, maxBytes=FLOW_LOG_BYTES, backupCount=FLOW_LOG_FILES, encoding="utf-8")
    lines = logging.Logger(f"flow.{region_id}")
    lines.addHandler(handler)
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def write(event: SessionEvent) -> None:
        line = stamp(None, "", msgspec.to_builtins(event))
        lines.info(json.dumps(line, ensure_ascii=False))

    return write


def run_resolvers(settings: Settings) -> None:
    """The resolvers of every VPC of this host, until SIGTERM."""
    _run(_resolvers(settings))


async def _resolvers(settings: Settings) -> None:
    namespaces = open_namespaces(settings)

    def open_socket(namespace: str, kind: SocketKind, address: str, port: int) -> socket.socket:
        with namespaces.inside(namespace):
            return bind_socket(kind, address, port)

    def identify(namespace: str) -> object:
        try:
            return Path(namespaces.path(namespace)).stat().st_ino
        except OSError:
            return None

    dns = DnsServer(open_socket, asyncio.get_running_loop(), identify_namespace=identify)
    server = ConfigServer(child_socket(settings.run, "resolvers"), ResolverApplier(dns))
    await server.start()
    try:
        await _until_told()
    finally:
        await server.close()
        await dns.close()


# serve


def run_serve(settings: Settings) -> None:
    """APIs, store and controller, until SIGTERM."""
    _run(_serve(settings))


async def _serve(settings: Settings) -> None:
    store = Store(settings.store_url)
    store.migrate()

    def wake(kind: Kind, resource_id: str) -> None:
        controller.wake(kind, resource_id)

    context = Context(store, wake)
    keys = accounts.ensure_first_accounts(context)
    services.ensure_region_services(context)
    ca = ensure_ca(settings.keys)
    write_credentials(settings, keys)

    def heard(status: HostStatus, first: bool) -> None:
        controller.host_changed(status, first=first)
        for cluster_id in status.wakes:
            asyncio.get_running_loop().run_in_executor(None, clusters.wake_cluster, context, cluster_id)

    agent = AgentClient(settings.agent_socket, heard)
    controller = Controller(
        store,
        agent,
        ControllerSettings(_plan_settings(settings, store, ca), settings.resync_s, settings.cluster_idle_s),
        on_idle=lambda cluster_id: clusters.sleep_cluster(context, cluster_id),
    )
    listener = _listener(settings, context, ca, agent, controller)
    host, port = await listener.start()
    tasks = [asyncio.create_task(agent.run()), asyncio.create_task(controller.run())]
    _write_private(settings.run / "serve.address", f"{host}:{port}")
    log.info("serve.ready", address=f"{host}:{port}")
    try:
        await _until_told()
    finally:
        await listener.stop(grace_s=2.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        store.close()


def _listener(
    settings: Settings, context: Context, ca: CaFiles, agent: AgentClient, controller: Controller
) -> Listener:
    def health() -> AgentHealth:
        reason = "" if agent.connected else "The host's agent does not answer; start it again with `tidegate up`."
        return AgentHealth(agent.connected, controller.last_error or reason, controller.errors)

    def readiness() -> tuple[bool, list[str]]:
        state = health()
        return state.connected, [] if state.connected else [state.reason]

    registry = CollectorRegistry()
    registry.register(ResourceCollector(context.store))
    registry.register(FileCollector(settings.run / "metrics"))
    host, _, port = settings.listen.rpartition(":")
    certificate, key = ensure_certificate(settings.keys, ca, "serve", _serve_names(host))
    application = build_app(
        alibaba=AlibabaAdapter(
            context, find_key=lambda key_id: accounts.find_key(context, "alicloud", key_id), clock=context.now
        ),
        tidbcloud=TidbCloudAdapter(context),
        operator=OperatorAdapter(context, token=ensure_token(settings.keys), agent_health=health),
        registry=registry,
        readiness=readiness,
    )
    return Listener(application, host, int(port), build_ssl_context(certificate, key))


def _serve_names(host: str) -> list[str]:
    return sorted({"localhost", "127.0.0.1", "::1", socket.gethostname(), host} - {"", "0.0.0.0", "::"})


def _plan_settings(settings: Settings, store: Store, ca: CaFiles) -> PlanSettings:
    """Each region's gateway gets a certificate for its own name and for every endpoint domain of its services."""
    certificates: dict[str, tuple[str, str]] = {}
    with store.read() as tx:
        for region in REGIONS:
            service_ids = tx.services.values("service_id", region_id=region.region_id)
            names = gateway_names(region.region_id, service_ids)
            paths = ensure_certificate(settings.keys, ca, f"gateway-{region.region_id}", names)
            certificates[region.region_id] = (str(paths[0]), str(paths[1]))
    return PlanSettings(
        resolution=settings.resolution,
        upstreams=tuple(part.strip() for part in settings.dns_upstreams.split(",") if part.strip()),
        tls=settings.tls,
        cluster_memory_bytes=settings.cluster_memory_mib << 20,
        certificates=certificates,
    )


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


# cleanup


def run_cleanup(settings: Settings) -> None:
    """Take everything off the host: servers, children, namespaces.  Idempotent; needs no agent."""
    namespaces = join_world(settings)
    _engine(settings, namespaces).stop_all()
    LinuxDataPlane(namespaces).cleanup()


# processes


def _run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


async def _until_told() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], value: Any) -> None:
    """From any thread; a loop that has ended needs to hear nothing more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, value)


def configure_logging(settings: Settings, process: str) -> None:
    """JSON lines on stderr, each with the process it comes from."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


@contextlib.contextmanager
def _plain_words() -> Iterator[None]:
    """A process that cannot start says one sentence, last on stderr, and ends with 2."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tidegate."):
            raise
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)


def main(arguments: list[str]) -> None:
    """``python -m tidegate.app PROCESS [REGION]``."""
    process, *rest = arguments
    settings = load_settings()
    for folder in (settings.home, settings.run, settings.logs, settings.keys, settings.clusters):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    configure_logging(settings, "-".join(arguments))
    bodies: dict[str, Callable[..., None]] = {
        "agent": run_agent,
        "serve": run_serve,
        "resolvers": run_resolvers,
        "gateway": run_gateway,
        "cleanup": run_cleanup,
    }
    with _plain_words():
        bodies[process](settings, *rest)


if __name__ == "__main__":
    main(sys.argv[1:])
