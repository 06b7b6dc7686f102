"""A gateway's process: inside one region's provider namespace, told by the agent who may go where."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
from collections.abc import Callable, Coroutine
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from tidegate.agent.appliers import GatewayApplier
from tidegate.agent.channel import ConfigServer
from tidegate.agent.child import child_socket
from tidegate.agent.config import HostStatus
from tidegate.agent.world import open_namespaces
from tidegate.app.metrics import write_metrics
from tidegate.app.process import run, until_told
from tidegate.app.succession import take_listeners
from tidegate.gateway.config import GatewayConfig, SessionEvent
from tidegate.gateway.directory import PushedDirectory
from tidegate.gateway.passing import SocketReceiver
from tidegate.gateway.server import Gateway
from tidegate.settings import Settings

log = structlog.get_logger("app")


FLOW_LOG_BYTES = 16 << 20
FLOW_LOG_FILES = 5
DEPOSED_LOOK_S = 1.0


def run_gateway(settings: Settings, region_id: str) -> None:
    """The gateway of one region, inside its provider namespace, until SIGTERM."""
    with open_namespaces(settings).inside(region_id):
        run(_gateway(settings, region_id))


async def _gateway(settings: Settings, region_id: str) -> None:
    registry = CollectorRegistry()
    directory = PushedDirectory(lambda cluster_id: server.push(HostStatus(wakes=(cluster_id,))))
    flow_log = _flow_log(settings, region_id)
    gateways: list[Gateway] = []
    waiting: list[socket.socket] = []

    def open_public(listener: socket.socket) -> None:
        """A socket may come before the first configuration; it waits for it."""
        if gateways:
            gateways[0].open_public(listener)
            return
        for earlier in waiting:
            earlier.close()
        waiting[:] = [listener]

    async def start(config: GatewayConfig) -> Gateway:
        # First: a gateway that cannot listen must leave nothing in the registry.
        listener = _listening(config, settings, open_public)
        try:
            gateway = Gateway(config, directory, flow_log, registry=registry)
        except BaseException:
            listener.close()
            raise
        await gateway.start(listener)
        gateways.append(gateway)
        if waiting:
            gateway.open_public(waiting.pop())
        return gateway

    name = f"gateway-{region_id}"
    server = ConfigServer(child_socket(settings.run, name), GatewayApplier(region_id, directory, start))
    await server.start()
    receiver = SocketReceiver(
        public_socket(settings.run, region_id), lambda: gateways[0].public_address if gateways else None, open_public
    )
    receiver.start()
    writing = asyncio.create_task(write_metrics(registry, settings.run / "metrics" / f"{name}.prom"))
    try:
        await _until_told_or_deposed(server)
        if server.deposed:
            writing.cancel()
            log.warning("gateway.retires", region=region_id, reason="A successor listens. Sessions go on to their end.")
            await _first(until_told(), _retire(gateways))
    finally:
        writing.cancel()
        receiver.close()
        await server.close()
        for gateway in gateways:
            await gateway.stop()


def public_socket(run: Path, region_id: str) -> Path:
    """Where the gateway of a region takes its public listening socket from ``serve``."""
    return run / f"public-{region_id}.sock"


async def _until_told_or_deposed(server: ConfigServer) -> None:
    async def until_deposed() -> None:
        while not server.deposed:  # noqa: ASYNC110 - a file's inode, which nobody announces
            await asyncio.sleep(DEPOSED_LOOK_S)

    await _first(until_told(), until_deposed())


async def _retire(gateways: list[Gateway]) -> None:
    for gateway in gateways:
        await gateway.retire()


async def _first(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them is done; the others are given up."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _listening(
    config: GatewayConfig, settings: Settings, open_public: Callable[[socket.socket], None]
) -> socket.socket:
    """A new socket; or, where a predecessor that stands still has it, the predecessor's, the public one included."""
    try:
        return _new_listener(config)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        ours: socket.socket | None = None
        for sock in take_listeners(settings):
            if ours is None and sock.getsockname() == (config.address, config.port):
                ours = sock
            elif sock.getsockname() != (config.address, config.port):
                open_public(sock)
            else:
                sock.close()
        if ours is None:
            raise
        log.warning("gateway.succeeds", region=config.region_id, address=config.address)
        return ours


def _new_listener(config: GatewayConfig) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((config.address, config.port))
        sock.listen(4096)
    except BaseException:
        sock.close()
        raise
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
