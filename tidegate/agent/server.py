"""Applies a whole HostConfig through the four drivers, in the order in which one needs the other.

::

    regions -> databases -> gateways, consumers, routes -> networks -> resolvers, names -> dropped networks, regions

A gateway knows a consumer before the consumer's first packet can come, and ends a dropped one's sessions while the
kernel still carries its reset.
The data plane works in one thread of its own: netlink and nft calls of two applies never interleave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import structlog

from tidegate.agent.child import Child
from tidegate.agent.config import Delta, HostConfig, HostStatus
from tidegate.dataplane.config import DataPlane, DataPlaneError, NetworkConfig
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.traffic import NetworkTraffic
from tidegate.domain.usage import Consumption
from tidegate.engine.config import DatabaseStatus, Engine
from tidegate.gateway.config import Route

log = structlog.get_logger("agent")

DRIFT_LOOK_S = 2.0
QUESTIONS_AT_ONCE = 16
"""each may wait for its database to start"""
NETWORKS_PER_LOOK = 32
"""each is one run of `nft`"""
LOOK_FOR_S = 3.0
"""so long, then what was read is told: the asker waits for 5 s (app/serve.py), and looks must not queue up here"""
OF_RESOLVERS = ("resolvers", "names")
SWEPT = "networks/"
"""the part that stands for what a predecessor left behind"""


class Agent:
    """The :class:`~tidegate.agent.channel.Applier` of a host.

    ``make_gateway(region_id, on_status)`` and ``resolvers`` are the children; ``push`` tells the controller.
    """

    def __init__(
        self,
        dataplane: DataPlane,
        engine: Engine,
        make_gateway: Callable[[str, Callable[[HostStatus, bool], None]], Child],
        resolvers: Child,
        push: Callable[[HostStatus], None],
        identify_namespace: Callable[[str], object],
        meter_s: float = 10.0,
    ) -> None:
        self._dataplane, self._engine = dataplane, engine
        self._make_gateway, self._resolvers = make_gateway, resolvers
        self._push, self._identify = push, identify_namespace
        self._remade: set[str] = set()
        self._gateways: dict[str, Child] = {}
        self._regional: dict[str, HostConfig] = {}
        self._errors: dict[str, str] = {}
        self._gone: set[str] = set()
        self._swept = False
        self._applying = False
        self._config = HostConfig()
        self._watching: list[asyncio.Task[None]] = []
        self._meter_s = meter_s
        self._told: dict[str, Consumption] = {}
        self._kernel = ThreadPoolExecutor(1, thread_name_prefix="dataplane")
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="looks")
        self._questions = ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="questions")

    def start(self) -> None:
        """Start the resolvers (gateways start with their region's first configuration) and what goes by the clock."""
        self._resolvers.start()
        loop = asyncio.get_running_loop()
        self._watching = [loop.create_task(self._watch_drift()), loop.create_task(self._tell_usages())]

    # the Applier

    def status(self) -> HostStatus:
        statuses, usages = self._engine.statuses(), self._engine.consumptions()
        return HostStatus(statuses, tuple(sorted(self._gone)), dict(self._errors), usages=usages)

    async def _tell_usages(self) -> None:
        """What has changed since the last time, of all clusters in one push."""
        while True:
            await asyncio.sleep(self._meter_s)
            seen = self._engine.consumptions()
            changed = {key: usage for key, usage in seen.items() if self._told.get(key) != usage}
            self._told = seen
            if changed:
                self._push(HostStatus(usages=changed))

    async def _watch_drift(self) -> None:
        """Look at one region and one network every few seconds, in turn: somebody may have deleted a link or a rule."""
        region_id = vpc_id = ""
        while True:
            await asyncio.sleep(DRIFT_LOOK_S)
            region_id = await self._apply_again("regions", region_id, self._dataplane.apply_region)
            vpc_id = await self._apply_again("networks", vpc_id, self._dataplane.apply_network)
            if self._remade and not self._applying:
                await self._move_children()

    async def _apply_again(self, section: str, before: str, apply_part: Callable[[Any], bool]) -> str:
        """Apply the part whose turn it is, unchanged; returns its key.

        Not during an apply: what we have then is no longer wanted, and would bring back what was just dropped.
        """
        parts: Mapping[str, Any] = getattr(self._config, section)
        key = min((key for key in parts if key > before), default=min(parts, default=""))
        if key and not self._applying:
            part = f"{section}/{key}"
            known = self._errors.get(part, "")
            await self._in_kernel(self._apply_in_namespace, part, apply_part, parts[key])
            if self._errors.get(part, "") != known:
                self._push(HostStatus(errors={part: self._errors.get(part, "")}))
        return key

    def _apply_in_namespace(self, part: str, apply_part: Callable[[Any], bool], config: Any) -> None:
        """Apply, and notice a namespace that had to be made anew: whoever listened in the old one hears nothing now."""
        before = self._identify(config.namespace)
        self._try(part, apply_part, config)
        if before is not None and before != self._identify(config.namespace):
            self._remade.add(part)

    async def _move_children(self) -> None:
        """Resolvers open their sockets again, gateways and databases start again, in the namespaces that are new."""
        remade, self._remade = self._remade, set()
        log.warning("namespaces.remade", parts=sorted(remade))
        vpc_ids = {part.partition("/")[2] for part in remade if part.startswith("networks/")}
        region_ids = {part.partition("/")[2] for part in remade if part.startswith("regions/")}
        if vpc_ids:
            resolvers = {k: v for k, v in self._config.resolvers.items() if k not in vpc_ids}
            await self._resolvers.apply(HostConfig(resolvers=resolvers, names=self._config.names))
            await self._tell_resolvers(self._config)
        for region_id in region_ids & set(self._gateways):
            self._gateways[region_id].restart()
        for cluster_id, database in self._config.databases.items():
            if database.region_id in region_ids and not database.deleted:
                self._try(f"databases/{cluster_id}", self._engine.set_database, cluster_id, database)

    async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        """Everything is tried; one part's failure is that part's error, and is tried again by the next apply."""
        self._applying = True
        try:
            return await self._apply(old, new, delta)
        finally:
            self._applying = False

    async def _apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        delta = _with_failed_parts(delta, new, self._errors)
        await self._in_kernel(self._put_regions, delta)
        self._put_databases(old, delta)
        await self._tell_gateways(old, new, delta)
        await self._in_kernel(self._put_networks, delta)
        if _touches(delta, OF_RESOLVERS) or any(part.startswith("resolvers/") for part in self._errors):
            await self._tell_resolvers(new)
        await self._in_kernel(self._drop_networks, delta)
        self._config = new
        if not self._swept:
            await self._in_kernel(self._sweep, new)
            await asyncio.to_thread(self._sweep_databases, new)
            self._swept = SWEPT not in self._errors
        return dict(self._errors)

    async def ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        """Carried out by the cluster's own server; waits for one that is starting."""
        return await asyncio.get_running_loop().run_in_executor(self._questions, self._engine.ask, cluster_id, task)

    async def look(self, vpc_ids: tuple[str, ...]) -> dict[str, NetworkTraffic]:
        """What the packets of these VPCs did, read now: nothing is kept here, and nobody asks unless somebody looks.

        At most NETWORKS_PER_LOOK, and as many as can be read in LOOK_FOR_S; one VPC after the other, in a thread beside
        the one that applies.
        """
        wanted = [self._config.networks[v] for v in vpc_ids[:NETWORKS_PER_LOOK] if v in self._config.networks]
        loop, seen = asyncio.get_running_loop(), dict[str, NetworkTraffic]()
        ends_s = loop.time() + LOOK_FOR_S
        for network in wanted:
            seen[network.vpc_id] = await loop.run_in_executor(self._looks, self._observe, network)
            if loop.time() > ends_s:
                break
        return seen

    def _observe(self, network: NetworkConfig) -> NetworkTraffic:
        try:
            return self._dataplane.observe_network(network)
        except (DataPlaneError, OSError) as error:
            return NetworkTraffic(problem=str(error))

    def leave(self) -> None:
        """We end; whatever runs goes on."""
        for task in self._watching:
            task.cancel()
        for child in (*self._gateways.values(), self._resolvers):
            child.leave()
        self._looks.shutdown(wait=False, cancel_futures=True)
        self._questions.shutdown(wait=False, cancel_futures=True)
        self._kernel.shutdown(wait=True)

    # what the drivers report, on the event loop

    def database_changed(self, status: DatabaseStatus) -> None:
        """The gateways learn at once whether a cluster can be dialled; the controller learns it too."""
        self._push(HostStatus(databases={status.cluster_id: status}))
        for region_id, regional in self._regional.items():
            for prefix, route in regional.routes.items():
                if route.cluster_id == status.cluster_id:
                    routes = {**regional.routes, prefix: overlay(route, status)}
                    self._regional[region_id] = replace(regional, routes=routes)
                    self._tell_later(region_id)
                    return

    def database_gone(self, cluster_id: str) -> None:
        """Kept until the controller no longer names it: it may be away now, and must be told when it comes."""
        self._gone.add(cluster_id)
        self._push(HostStatus(removed_databases=(cluster_id,)))

    def gateway_spoke(self, status: HostStatus, first: bool) -> None:
        """A gateway waits for clusters to wake."""
        if status.wakes:
            self._push(HostStatus(wakes=status.wakes))

    # parts

    def _put_regions(self, delta: Delta) -> None:
        for region_id, region in delta.put.regions.items():
            self._apply_in_namespace(f"regions/{region_id}", self._dataplane.apply_region, region)

    def _put_networks(self, delta: Delta) -> None:
        for vpc_id, network in delta.put.networks.items():
            self._apply_in_namespace(f"networks/{vpc_id}", self._dataplane.apply_network, network)

    def _drop_networks(self, delta: Delta) -> None:
        for vpc_id in delta.drop.get("networks", ()):
            self._try(f"networks/{vpc_id}", self._dataplane.remove_network, vpc_id)
        for region_id in delta.drop.get("regions", ()):
            self._try(f"regions/{region_id}", self._dataplane.remove_region, region_id)

    def _sweep(self, config: HostConfig) -> None:
        self._try(SWEPT, self._dataplane.sweep, frozenset(config.networks), frozenset(config.regions))

    def _sweep_databases(self, config: HostConfig) -> None:
        unused = self._engine.sweep(config.databases)
        if unused:
            log.warning("databases.unknown", clusters=unused, reason="Their data is kept, their servers are stopped.")

    def _put_databases(self, old: HostConfig, delta: Delta) -> None:
        for cluster_id, database in delta.put.databases.items():
            wish = None if database.deleted else database
            self._try(f"databases/{cluster_id}", self._engine.set_database, cluster_id, wish)
        for cluster_id in delta.drop.get("databases", ()):
            self._gone.discard(cluster_id)
            self._note(f"databases/{cluster_id}", None)
            if not old.databases[cluster_id].deleted:
                forgotten = replace(old.databases[cluster_id], running=False)
                self._try(f"databases/{cluster_id}", self._engine.set_database, cluster_id, forgotten)

    async def _tell_resolvers(self, new: HostConfig) -> None:
        errors = await self._resolvers.apply(HostConfig(resolvers=new.resolvers, names=new.names))
        self._exchange_errors("resolvers/", errors)

    async def _tell_gateways(self, old: HostConfig, new: HostConfig, delta: Delta) -> None:
        regions = _regions_of(delta, old) & (set(new.gateways) | set(self._gateways))
        for region_id in sorted(regions):
            if region_id not in new.gateways:
                await self._gateways.pop(region_id).stop()
                self._regional.pop(region_id, None)
                continue
            if region_id not in self._gateways:
                self._gateways[region_id] = self._make_gateway(region_id, self.gateway_spoke)
                self._gateways[region_id].start()
            self._regional[region_id] = self._of_region(self._regional.get(region_id), new, delta, old, region_id)
            errors = await self._gateways[region_id].apply(self._regional[region_id])
            self._exchange_errors(f"gateways/{region_id}", errors)

    def _of_region(
        self, before: HostConfig | None, new: HostConfig, delta: Delta, old: HostConfig, region_id: str
    ) -> HostConfig:
        """What one gateway must know, changed by what the delta has of its region."""
        before = before or HostConfig()
        consumers, routes = dict(before.consumers), dict(before.routes)
        for address in delta.drop.get("consumers", ()):
            consumers.pop(address, None)
        for prefix in delta.drop.get("routes", ()):
            routes.pop(prefix, None)
        consumers |= {a: c for a, c in delta.put.consumers.items() if c.region_id == region_id}
        statuses = self._engine.statuses()
        routes |= {
            prefix: overlay(route, statuses.get(route.cluster_id))
            for prefix, route in delta.put.routes.items()
            if route.region_id == region_id
        }
        return HostConfig(gateways={region_id: new.gateways[region_id]}, consumers=consumers, routes=routes)

    def _tell_later(self, region_id: str) -> None:
        async def tell() -> None:
            gateway = self._gateways.get(region_id)
            if gateway is not None:
                errors = await gateway.apply(self._regional[region_id])
                self._exchange_errors(f"gateways/{region_id}", errors)

        task = asyncio.get_running_loop().create_task(tell())
        _KEPT.add(task)
        task.add_done_callback(_KEPT.discard)

    # failures

    async def _in_kernel(self, work: Callable[..., None], *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._kernel, work, *arguments)

    def _try(self, part: str, work: Callable[..., Any], *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            log.exception("apply.failed", part=part)
            self._note(part, str(error) or type(error).__name__)
        else:
            self._note(part, None)

    def _exchange_errors(self, prefix: str, errors: Mapping[str, str]) -> None:
        """A child told everything that is not well with its parts; ``""`` is the child itself."""
        for part in [part for part in self._errors if part.startswith(prefix)]:
            del self._errors[part]
        self._errors |= {part or prefix: error for part, error in errors.items()}

    def _note(self, part: str, error: str | None) -> None:
        if error:
            self._errors[part] = error
        else:
            self._errors.pop(part, None)


_KEPT: set[asyncio.Task[None]] = set()
"""the event loop holds tasks weakly; these must not vanish before they are done"""


def overlay(route: Route, status: DatabaseStatus | None) -> Route:
    """The route as the server's state makes it: only a server that answers may be dialled."""
    if status is None:
        return replace(route, ready=False, failure=None)
    failure = status.reason if status.phase == "failed" else None
    return replace(route, ready=status.phase == "ready", failure=failure, start_seq=status.start_seq)


def _touches(delta: Delta, sections: tuple[str, ...]) -> bool:
    return any(getattr(delta.put, section) or delta.drop.get(section) for section in sections)


def _regions_of(delta: Delta, old: HostConfig) -> set[str]:
    """The regions whose gateway has to be told something."""
    regions = set(delta.put.gateways) | set(delta.drop.get("gateways", ()))
    regions |= {consumer.region_id for consumer in delta.put.consumers.values()}
    regions |= {route.region_id for route in delta.put.routes.values()}
    regions |= {old.consumers[a].region_id for a in delta.drop.get("consumers", ()) if a in old.consumers}
    regions |= {old.routes[p].region_id for p in delta.drop.get("routes", ()) if p in old.routes}
    return regions


def _with_failed_parts(delta: Delta, new: HostConfig, errors: Mapping[str, str]) -> Delta:
    """What failed before is tried again with each apply, although it did not change; so is what would not go."""
    again: dict[str, dict[str, Any]] = {}
    drop = dict(delta.drop)
    for part in errors:
        section, _, key = part.partition("/")
        known = getattr(new, section, {})
        if key in known:
            again.setdefault(section, {})[key] = known[key]
        elif key and section in ("networks", "regions"):
            drop[section] = tuple(dict.fromkeys((*drop.get(section, ()), key)))
    put = {section: {**parts, **getattr(delta.put, section)} for section, parts in again.items()}
    return Delta(replace(delta.put, **put), drop)
