"""The children's ends of their channels: a HostConfig of a few sections, told to one driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from tidegate.agent.config import Delta, HostConfig, HostStatus
from tidegate.dns.config import ResolverConfig, Resolvers
from tidegate.gateway.config import GatewayConfig
from tidegate.gateway.directory import PushedDirectory

log = structlog.get_logger("child")


class ResolverApplier:
    """Sections ``resolvers`` and ``names``."""

    def __init__(self, resolvers: Resolvers) -> None:
        self._resolvers = resolvers
        self._errors: dict[str, str] = {}

    def status(self) -> HostStatus:
        return HostStatus()

    async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        for name, record in delta.put.names.items():
            self._resolvers.set_name(name, record)
        for name in delta.drop.get("names", ()):
            self._resolvers.set_name(name, None)
        for vpc_id in delta.drop.get("resolvers", ()):
            self._set(vpc_id, None)
        failed = {part.partition("/")[2] for part in self._errors}
        for vpc_id in {*delta.put.resolvers, *failed} & set(new.resolvers):
            self._set(vpc_id, new.resolvers[vpc_id])
        return dict(self._errors)

    def _set(self, vpc_id: str, config: ResolverConfig | None) -> None:
        self._errors.pop(f"resolvers/{vpc_id}", None)
        try:
            self._resolvers.set_resolver(vpc_id, config)
        except Exception as error:
            log.exception("resolver.failed", vpc=vpc_id)
            self._errors[f"resolvers/{vpc_id}"] = str(error)


class GatewayDriver(Protocol):
    """What the applier sees of :class:`tidegate.gateway.server.Gateway`."""

    def update(self, config: GatewayConfig) -> None: ...
    def end_sessions(self, fabric_address: str, reason: str) -> int: ...


class GatewayApplier:
    """Sections ``gateways`` (one entry), ``consumers`` and ``routes``.

    ``start`` opens the listening socket and serves; it is called at the first configuration, and again if it failed.
    """

    def __init__(
        self,
        region_id: str,
        directory: PushedDirectory,
        start: Callable[[GatewayConfig], Awaitable[GatewayDriver]],
    ) -> None:
        self._region_id, self._directory, self._start = region_id, directory, start
        self._gateway: GatewayDriver | None = None

    def status(self) -> HostStatus:
        return HostStatus()

    async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        self._directory.change(
            {**dict.fromkeys(delta.drop.get("consumers", ())), **delta.put.consumers},
            {**dict.fromkeys(delta.drop.get("routes", ())), **delta.put.routes},
        )
        for address in delta.drop.get("consumers", ()):
            if self._gateway is not None:
                self._gateway.end_sessions(address, "its endpoint is no longer connected")
        config = new.gateways.get(self._region_id)
        if config is None:
            return {}
        try:
            if self._gateway is None:
                self._gateway = await self._start(config)
            elif self._region_id in delta.put.gateways:
                self._gateway.update(config)
        except Exception as error:
            log.exception("gateway.failed", region=self._region_id)
            return {f"gateways/{self._region_id}": str(error)}
        return {}
