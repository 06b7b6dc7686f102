"""The loop: woken by names, reads all anew, applies the whole, writes the outcome.  Nothing is true only in memory:
killed at any point, the next start plans the same host from the same rows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import structlog

from tidegate.agent.config import Host, HostConfig, HostStatus, HostUnreachable
from tidegate.controller.clusters import Seen, reconcile_cluster
from tidegate.controller.endpoints import reconcile_endpoints
from tidegate.controller.plan import (
    NO_PARTS,
    NetworkParts,
    PlanSettings,
    plan_database,
    plan_gateway,
    plan_host,
    plan_network,
    plan_region,
    plan_route,
)
from tidegate.controller.rounds import Look, count_per_look, look
from tidegate.controller.services import reconcile_resources
from tidegate.controller.tokens import PURGE_EVERY_S, purge_tokens
from tidegate.controller.usages import load_usage, record_usages
from tidegate.controller.vpcs import reconcile_vpc
from tidegate.controller.world import Network, World, load_network, load_world
from tidegate.domain.clusters import Cluster, decide_may_sleep
from tidegate.domain.status import Kind, Outcome
from tidegate.domain.usage import Consumption, Usage, decide_restricted, month_of, usage_in
from tidegate.engine.config import DatabaseStatus
from tidegate.store.store import Store, Transaction

log = structlog.get_logger("controller")

Key = tuple[Literal["network", "cluster", "host", "usages"], str]
WHOLE_HOST: Key = ("host", "")
USAGES: Key = ("usages", "")
PASSES_AT_ONCE = 8
NETWORKS_PER_WRITE = 20
"""a whole host is settled in slices, so that API calls get the write lock in between"""


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    plan: PlanSettings
    resync_s: float = 30.0
    cluster_idle_s: float = 300.0


class Controller:
    """``wake`` may be called from any thread; everything else runs on the event loop that called ``run``."""

    def __init__(
        self,
        store: Store,
        host: Host,
        settings: ControllerSettings,
        *,
        on_idle: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._host, self._settings = store, host, settings
        self._on_idle, self._clock, self._now = on_idle, clock, now
        self._config = HostConfig()
        self._parts: dict[str, NetworkParts] = {}
        self._planned = False
        self._databases: dict[str, DatabaseStatus] = {}
        self._gone: set[str] = set()
        self._uncounted: dict[str, Consumption] = {}
        self._idle_since: dict[str, float] = {}
        self._waiting: set[Key] = {WHOLE_HOST}
        self._running: set[Key] = set()
        self._work = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._retries: dict[Key, asyncio.TimerHandle] = {}
        self._round_began, self._looked_to = clock(), ""
        self._purge_at_s = 0.0
        self.settled = False
        """the agent that is connected now has been told the whole host"""
        self.last_error = ""
        self.errors: Mapping[str, str] = {}
        """the parts of the host that are not well, as the last apply told"""

    # being woken

    def wake(self, kind: Kind, resource_id: str) -> None:
        """Something of this name changed; what, is read from the store."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._resolve, kind, resource_id)

    def replan(self, plan: PlanSettings) -> None:
        """Other settings, or renewed certificates: plan everything anew."""
        self._settings = replace(self._settings, plan=plan)
        self._enqueue(WHOLE_HOST)

    def host_changed(self, status: HostStatus, *, first: bool) -> None:
        """The agent's push.  ``first``: a new agent, which knows nothing and has told everything."""
        if first:
            self._databases = dict(status.databases)
            self._gone = set()
            self.settled = False
            self._enqueue(WHOLE_HOST)
        for cluster_id, database in status.databases.items():
            self._databases[cluster_id] = database
            self._enqueue(("cluster", cluster_id))
        for cluster_id in status.removed_databases:
            self._databases.pop(cluster_id, None)
            self._gone.add(cluster_id)
            self._enqueue(("cluster", cluster_id))
        if status.usages:
            self._uncounted |= status.usages
            self._enqueue(USAGES)
        for part in status.errors:
            section, _, key = part.partition("/")
            if section in ("networks", "databases"):
                self._enqueue(("network" if section == "networks" else "cluster", key))

    def sessions_of(self, cluster_id: str) -> int | None:
        """How many sessions its server has open; None while nobody knows.  From any thread."""
        database = self._databases.get(cluster_id)
        return database.sessions if database is not None and database.phase == "ready" else None

    def _resolve(self, kind: Kind, resource_id: str) -> None:
        if kind in ("cluster", "vpc"):
            self._enqueue(("cluster" if kind == "cluster" else "network", resource_id))
            return
        vpc_id = self._vpc_of(kind, resource_id)
        if vpc_id:
            self._enqueue(("network", vpc_id))

    def _vpc_of(self, kind: Kind, resource_id: str) -> str | None:
        with self._store.read() as tx:
            rows: dict[str, Any] = {
                "subnet": tx.subnets,
                "security_group": tx.security_groups,
                "interface": tx.interfaces,
                "endpoint": tx.endpoints,
            }
            row = rows[kind].get(resource_id) if kind in rows else None
        return row.vpc_id if row else None

    def _enqueue(self, key: Key) -> None:
        self._waiting.add(key)
        self._work.set()

    # the loop

    async def run(self) -> None:
        """Until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._work.set()
        timer = asyncio.create_task(self._tick())
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                self._start_passes()
        finally:
            timer.cancel()
            for retry in self._retries.values():
                retry.cancel()
            for task in self._tasks:
                task.cancel()

    def _start_passes(self) -> None:
        """Each waiting name that is not being worked on gets a task; the whole host is planned alone."""
        if WHOLE_HOST in self._waiting:
            if not self._running:
                self._begin(WHOLE_HOST)
            return
        if WHOLE_HOST in self._running or not self._planned:
            return  # before the first plan, its own retry comes
        for key in sorted(self._waiting - self._running):
            if len(self._running) >= PASSES_AT_ONCE:
                return
            self._begin(key)

    def _begin(self, key: Key) -> None:
        self._waiting.discard(key)
        self._running.add(key)
        task = asyncio.create_task(self._pass(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, key: Key) -> None:
        """One pass over one name; whatever goes wrong is said, and tried again."""
        try:
            outcome = await self._reconcile(key)
            self.last_error = ""
        except HostUnreachable as error:
            outcome = Outcome("failed", str(error), retry_s=1.0)
            self.last_error = outcome.reason
        except Exception as error:
            log.exception("pass.failed", key="/".join(key))
            outcome = Outcome("failed", f"{type(error).__name__}: {error}", retry_s=5.0)
            self.last_error = outcome.reason
        finally:
            self._running.discard(key)
            self._work.set()
        level = log.debug if key == USAGES else log.info  # by the clock, and mostly nothing but numbers
        level = log.warning if outcome.phase == "failed" else level
        level("pass", key="/".join(key), phase=outcome.phase, reason=outcome.reason)
        self._retry(key, outcome.retry_s)

    def _retry(self, key: Key, after_s: float | None) -> None:
        """One timer per name: were each pass to add its own, a long failure would be tried ever more often."""
        if (before := self._retries.pop(key, None)) is not None:
            before.cancel()
        if after_s is not None:
            self._retries[key] = asyncio.get_running_loop().call_later(after_s, self._enqueue, key)

    async def _reconcile(self, key: Key) -> Outcome:
        what, name = key
        if what == "host":
            return await self._reconcile_host()
        if what == "network":
            return await self._reconcile_network(name)
        if what == "usages":
            return await self._count_usages()
        return await self._reconcile_cluster(name)

    async def _reconcile_host(self) -> Outcome:
        """Plan everything from the store; what was planned before, and is no longer, disappears from the host."""
        world = await asyncio.to_thread(self._read, load_world)
        self._parts = {n.vpc.vpc_id: plan_network(n, self._settings.plan) for n in world.networks}
        self._config = plan_host(world, self._parts, self._settings.plan, self._restricted(world))
        self._planned = True
        errors = self.errors = await self._host.apply(self._config)
        await asyncio.to_thread(self._settle_networks, list(world.networks), errors)
        self.settled = True
        for cluster in world.clusters:
            self._enqueue(("cluster", cluster.cluster_id))
        return Outcome("ready", f"The host has {len(world.networks)} VPCs and {len(world.clusters)} clusters.")

    def _restricted(self, world: World) -> set[str]:
        month, free, usages = month_of(self._now()), self._settings.plan.free, world.usages
        used = {cluster_id: usage_in(month, usage) for cluster_id, usage in usages.items()}
        return {c.cluster_id for c in world.clusters if decide_restricted(c, used.get(c.cluster_id), free)}

    async def _reconcile_network(self, vpc_id: str) -> Outcome:
        network = await asyncio.to_thread(self._read, lambda tx: load_network(tx, vpc_id))
        if network is None:
            if self._parts.get(vpc_id) == NO_PARTS:
                del self._parts[vpc_id]
            return Outcome("ready", "It is gone.")
        self._put_network(network, plan_network(network, self._settings.plan))
        errors = self.errors = await self._host.apply(self._config)
        outcomes = await asyncio.to_thread(self._settle_networks, [network], errors)
        if network.vpc.deleting:
            self._leave_region(network.vpc.region_id)
        return outcomes[0]

    async def _reconcile_cluster(self, cluster_id: str) -> Outcome:
        cluster, neighbours, usage = await asyncio.to_thread(self._load_cluster, cluster_id)
        if cluster is None:
            self._drop_database(cluster_id)
            return Outcome("ready", "It is gone.")
        restricted = decide_restricted(cluster, usage, self._settings.plan.free)
        self._put_cluster(cluster, neighbours, restricted)
        errors = self.errors = await self._host.apply(self._config)
        error = errors.get(f"databases/{cluster_id}") or errors.get(f"regions/{cluster.region_id}")
        database = self._databases.get(cluster_id)
        gone = cluster_id in self._gone
        seen = Seen(database, error, gone, self._config.databases[cluster_id].cpu_most, restricted)
        outcome = await asyncio.to_thread(self._settle_cluster, cluster, seen)
        if cluster.deleting and gone and not error:
            self._drop_database(cluster_id)
            self._leave_region(cluster.region_id)
        self._watch_idle(cluster, database)
        return outcome

    async def _count_usages(self) -> Outcome:
        """One transaction for all that was told; who has come to the end of a quota, or back from it, gets its pass."""
        seen, self._uncounted = self._uncounted, {}
        try:
            usages = await asyncio.to_thread(self._record_usages, seen)
        except Exception:
            self._uncounted = seen | self._uncounted
            raise
        for cluster, usage in usages:
            route = self._config.routes.get(cluster.prefix)
            if route and route.restricted != decide_restricted(cluster, usage, self._settings.plan.free):
                self._enqueue(("cluster", cluster.cluster_id))
        return Outcome("ready", f"The usage of {len(usages)} clusters was counted.")

    # parts

    def _put_network(self, network: Network, parts: NetworkParts) -> None:
        """Replace this VPC's parts, and only them."""
        vpc_id, region_id = network.vpc.vpc_id, network.vpc.region_id
        config = self._config
        before = self._parts.get(vpc_id, NO_PARTS)
        self._parts[vpc_id] = parts
        self._config = replace(
            config,
            networks=_with(config.networks, vpc_id, parts.network),
            resolvers=_with(config.resolvers, vpc_id, parts.resolver),
            names=_exchange(config.names, before.names, parts.names),
            consumers=_exchange(config.consumers, before.consumers, parts.consumers),
        )
        if parts.network and region_id not in self._config.regions:
            self._put_region(region_id, [])

    def _put_cluster(self, cluster: Cluster, neighbours: list[Cluster], restricted: bool) -> None:
        plan = self._settings.plan
        database = plan_database(cluster, plan, neighbours, restricted)
        route = None if cluster.deleting else plan_route(cluster, restricted)
        self._put_region(cluster.region_id, neighbours)
        self._config = replace(
            self._config,
            databases=_with(self._config.databases, cluster.cluster_id, database),
            routes=_with(self._config.routes, cluster.prefix, route),
        )

    def _drop_database(self, cluster_id: str) -> None:
        """Its data is gone and so is its row: nothing of it need be said any more."""
        self._gone.discard(cluster_id)
        self._config = replace(self._config, databases=_with(self._config.databases, cluster_id, None))

    def _put_region(self, region_id: str, clusters: list[Cluster]) -> None:
        self._config = replace(
            self._config,
            regions=_with(self._config.regions, region_id, plan_region(region_id, clusters)),
            gateways=_with(self._config.gateways, region_id, plan_gateway(region_id, self._settings.plan)),
        )

    def _leave_region(self, region_id: str) -> None:
        """The last one out takes the provider namespace and the gateway along: a plan of the whole host drops them."""
        config = self._config
        used = any(network.provider_namespace == region_id for network in config.networks.values())
        used = used or any(database.region_id == region_id for database in config.databases.values())
        if region_id in config.regions and not used:
            self._enqueue(WHOLE_HOST)

    # the store

    def _read(self, load: Callable[[Transaction], Any]) -> Any:
        with self._store.read() as tx:
            return load(tx)

    def _load_cluster(self, cluster_id: str) -> tuple[Cluster | None, list[Cluster], Usage | None]:
        """The cluster, all clusters of its region, whose addresses its provider namespace must have, and its usage."""
        with self._store.read() as tx:
            cluster = tx.clusters.get(cluster_id)
            if cluster is None:
                return None, [], None
            neighbours = tx.clusters.find(region_id=cluster.region_id)
            return cluster, neighbours, load_usage(tx, cluster_id, month_of(self._now()))

    def _record_usages(self, seen: Mapping[str, Consumption]) -> list[tuple[Cluster, Usage]]:
        with self._store.write() as tx:
            return record_usages(tx, month_of(self._now()), seen)

    def _settle_networks(self, networks: list[Network], errors: Mapping[str, str]) -> list[Outcome]:
        outcomes = []
        for start in range(0, len(networks), NETWORKS_PER_WRITE):
            with self._store.write() as tx:
                for network in networks[start : start + NETWORKS_PER_WRITE]:
                    vpc_id, region_id = network.vpc.vpc_id, network.vpc.region_id
                    error = errors.get(f"networks/{vpc_id}") or errors.get(f"regions/{region_id}")
                    error = error or errors.get(f"resolvers/{vpc_id}") or errors.get("resolvers/")
                    reconcile_endpoints(tx, network, error or errors.get(f"gateways/{region_id}"), self._now())
                    reconcile_resources(tx, network, error)
                    outcomes.append(reconcile_vpc(tx, network, error))
        return outcomes

    def _settle_cluster(self, cluster: Cluster, seen: Seen) -> Outcome:
        with self._store.write() as tx:
            return reconcile_cluster(tx, cluster, seen)

    # time

    async def _tick(self) -> None:
        """Statuses that failed are retried by their own timers; this is the net below them."""
        step_s = min(1.0, self._settings.resync_s)
        while True:
            await asyncio.sleep(step_s)
            for work in (self._let_sleep, partial(self._look_around, step_s), self._purge):
                try:
                    await work()
                except Exception:
                    log.exception("tick.failed")  # a store that cannot be written now must not end the resyncs

    async def _look_around(self, step_s: float) -> None:
        """The next few VPCs; a round over all of them begins every ``resync_s``.  See ``rounds.py``."""
        resync_s, now = self._settings.resync_s, self._clock()
        if not self.settled or (not self._looked_to and now - self._round_began < resync_s):
            return
        self._round_began = self._round_began if self._looked_to else now
        planned, plan, after = self._parts, self._settings.plan, self._looked_to
        limit = count_per_look(len(planned), step_s, resync_s)
        seen: Look = await asyncio.to_thread(self._read, lambda tx: look(tx, after, limit, planned, plan))
        self._looked_to = seen.cursor
        for vpc_id in seen.networks:
            self._enqueue(("network", vpc_id))
        for cluster_id in seen.clusters:
            self._enqueue(("cluster", cluster_id))
        if seen.stray:
            self._enqueue(WHOLE_HOST)

    async def _purge(self) -> None:
        """Client tokens of yesterday; what is left of many, with the next tick."""
        if self._clock() < self._purge_at_s:
            return
        more = await asyncio.to_thread(purge_tokens, self._store, self._now())
        self._purge_at_s = self._clock() + (0.0 if more else PURGE_EVERY_S)

    def _watch_idle(self, cluster: Cluster, database: DatabaseStatus | None) -> None:
        idle = database is not None and database.phase == "ready" and database.sessions == 0 and cluster.awake
        if not idle:
            self._idle_since.pop(cluster.cluster_id, None)
        else:
            self._idle_since.setdefault(cluster.cluster_id, self._clock())

    async def _let_sleep(self) -> None:
        now, limit_s = self._clock(), self._settings.cluster_idle_s
        for cluster_id, since in list(self._idle_since.items()):
            if now - since < limit_s:
                continue
            cluster, _, _ = await asyncio.to_thread(self._load_cluster, cluster_id)
            database = self._databases.get(cluster_id)
            sessions = database.sessions if database else None
            if cluster and decide_may_sleep(cluster, sessions, now - since, limit_s):
                await asyncio.to_thread(self._on_idle, cluster_id)
            self._idle_since.pop(cluster_id, None)


def _with(parts: Mapping[str, Any], key: str, part: Any) -> Mapping[str, Any]:
    """``parts`` with ``key`` replaced, or without it for None; the same object when that changes nothing."""
    if parts.get(key) == part:
        return parts
    changed = dict(parts)
    if part is None:
        del changed[key]
    else:
        changed[key] = part
    return changed


def _exchange(parts: Mapping[str, Any], before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """``parts`` where one VPC's parts ``before`` give way to ``wanted``; those that are equal stay the same object."""
    if before == wanted:
        return parts
    kept = {key: part for key, part in parts.items() if key not in before}
    return kept | {key: before[key] if before.get(key) == part else part for key, part in wanted.items()}
