"""The resolvers' process: a socket in each VPC, served by one loop."""

from __future__ import annotations

import asyncio
import socket

from prometheus_client import CollectorRegistry

from tidegate.agent.appliers import ResolverApplier
from tidegate.agent.channel import ConfigServer
from tidegate.agent.child import child_socket
from tidegate.agent.world import open_namespaces
from tidegate.app.metrics import ResolverCollector, write_metrics
from tidegate.app.process import run, until_told
from tidegate.dns.server import DnsServer
from tidegate.dns.sockets import Kind as SocketKind
from tidegate.dns.sockets import bind_socket
from tidegate.settings import Settings


def run_resolvers(settings: Settings) -> None:
    """The resolvers of every VPC of this host, until SIGTERM."""
    run(_resolvers(settings))


async def _resolvers(settings: Settings) -> None:
    namespaces = open_namespaces(settings)

    def open_socket(namespace: str, kind: SocketKind, address: str, port: int) -> socket.socket:
        with namespaces.inside(namespace):
            return bind_socket(kind, address, port)

    dns = DnsServer(open_socket, asyncio.get_running_loop(), identify_namespace=namespaces.identify)
    registry = CollectorRegistry()
    registry.register(ResolverCollector(dns.counts))
    server = ConfigServer(child_socket(settings.run, "resolvers"), ResolverApplier(dns))
    await server.start()
    writing = asyncio.create_task(write_metrics(registry, settings.run / "metrics" / "resolvers.prom"))
    try:
        await until_told()
    finally:
        writing.cancel()
        await server.close()
        await dns.close()
