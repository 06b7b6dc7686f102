"""The agent's process: the four drivers of this host, joined to the controller by a socket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from tidegate.agent.channel import ConfigServer
from tidegate.agent.child import Child
from tidegate.agent.config import HostStatus
from tidegate.agent.server import Agent
from tidegate.agent.world import NamedNamespaces, join_world
from tidegate.app.process import call_on, run, until_told
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.engine.binary import require_binary
from tidegate.engine.config import DatabaseStatus
from tidegate.engine.tidb import TidbEngine
from tidegate.settings import Settings

log = structlog.get_logger("app")


def run_agent(settings: Settings) -> None:
    """The agent of this host, until SIGTERM; what it started runs on."""
    namespaces = join_world(settings)
    run(_agent(settings, namespaces))


async def _agent(settings: Settings, namespaces: NamedNamespaces) -> None:
    loop = asyncio.get_running_loop()

    def on_loop(method: str) -> Callable[[Any], None]:
        return lambda value: call_on(loop, getattr(agent, method), value)

    engine = _engine(settings, namespaces, on_loop("database_changed"), on_loop("database_gone"))
    agent = Agent(
        LinuxDataPlane(namespaces),
        engine,
        make_gateway=lambda region_id, heard: _child(settings, f"gateway-{region_id}", ["gateway", region_id], heard),
        resolvers=_child(settings, "resolvers", ["resolvers"]),
        identify_namespace=namespaces.identify,
        push=lambda status: server.push(status),  # noqa: PLW0108 - server is made below
        meter_s=settings.meter_s,
    )
    server = ConfigServer(settings.agent_socket, agent, agent.ask, agent.look)
    engine.adopt()
    agent.start()
    await server.start()
    log.info("agent.ready", rootless=settings.rootless)
    try:
        await until_told()
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
        meter_s=settings.meter_s,
    )


def _child(
    settings: Settings,
    name: str,
    arguments: list[str],
    heard: Callable[[HostStatus, bool], None] = lambda status, first: None,
) -> Child:
    """A gateway, which holds sessions, or the resolvers, which hold nothing."""
    return Child(
        name,
        [sys.executable, "-m", "tidegate.app", *arguments],
        run=settings.run,
        logs=settings.logs,
        environment=settings.environment(),
        on_status=heard,
        holds_sessions=arguments[0] == "gateway",
    )


def run_cleanup(settings: Settings) -> None:
    """Take everything off the host: servers, children, namespaces.  Idempotent; needs no agent."""
    namespaces = join_world(settings)
    _engine(settings, namespaces).stop_all()
    LinuxDataPlane(namespaces).cleanup()
