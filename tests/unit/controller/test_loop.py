"""The loop with a real store and a host that only remembers: wakes, outcomes, failures, deletions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.agent.config import HostConfig, HostStatus, HostUnreachable
from tidegate.controller.loop import Controller, ControllerSettings
from tidegate.controller.plan import THROTTLED_CPUS, PlanSettings
from tidegate.domain.clusters import ClusterChange
from tidegate.domain.usage import Consumption
from tidegate.engine.config import DatabaseStatus
from tidegate.operations import branches, clusters, endpoints, security_groups, services, subnets, vpcs
from tidegate.operations.context import Caller, Context
from tidegate.operations.endpoints import ZoneSpec
from tidegate.store.store import Store, StoreError

REGION = "alicloud-ap-southeast-1"
ME = Caller("1000000000000042")


class RememberingHost:
    """Takes what it is given; ``errors`` and ``away`` are what the test makes of it."""

    def __init__(self) -> None:
        self.config = HostConfig()
        self.errors: dict[str, str] = {}
        self.away = False
        self.applies = 0

    async def apply(self, config: HostConfig) -> dict[str, str]:
        if self.away:
            raise HostUnreachable("no agent")
        await asyncio.sleep(0)
        self.config, self.applies = config, self.applies + 1
        return self.errors


class Running:
    def __init__(self, store: Store, settings: ControllerSettings) -> None:
        self.host = RememberingHost()
        self.time = datetime(2026, 11, 23, tzinfo=UTC)
        self.controller = Controller(store, self.host, settings, on_idle=self._sleep, now=lambda: self.time)
        self.context = Context(store, wake=self.controller.wake, now=lambda: self.time)
        services.ensure_region_services(self.context)

    def _sleep(self, cluster_id: str) -> None:
        clusters.sleep_cluster(self.context, cluster_id)

    async def until(self, condition: Callable[[], Any], limit_s: float = 5.0) -> Any:
        deadline = asyncio.get_running_loop().time() + limit_s
        while True:
            found = condition()
            if found:
                return found
            assert asyncio.get_running_loop().time() < deadline, "condition not met in time"
            await asyncio.sleep(0.005)

    def endpoint(self) -> tuple[str, str]:
        vpc = vpcs.create_vpc(self.context, ME, region_id=REGION, cidr="10.0.0.0/16").vpc_id
        subnet = subnets.create_subnet(
            self.context, ME, vpc_id=vpc, zone_id="ap-southeast-1a", cidr="10.0.1.0/24"
        ).subnet_id
        group = security_groups.create_security_group(self.context, ME, region_id=REGION, vpc_id=vpc).group_id
        service = services.region_service(self.context, REGION)
        assert service is not None
        made = endpoints.create_endpoint(
            self.context,
            ME,
            region_id=REGION,
            vpc_id=vpc,
            service=service.name,
            group_ids=[group],
            zones=[ZoneSpec("ap-southeast-1a", subnet)],
        )
        return vpc, made.endpoint.endpoint_id

    def usage(self, cluster_id: str) -> float:
        used = clusters.get_cluster(self.context, ME, cluster_id).usage
        return used.request_units if used else 0.0

    def view(self, endpoint_id: str) -> endpoints.EndpointView:
        return endpoints.get_endpoint(self.context, ME, endpoint_id)


@asynccontextmanager
async def running(tmp_path: Path, idle_s: float = 300.0, resync_s: float = 60.0) -> AsyncIterator[Running]:
    store = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    store.migrate()
    made = Running(store, ControllerSettings(PlanSettings(), resync_s=resync_s, cluster_idle_s=idle_s))
    task = asyncio.create_task(made.controller.run())
    try:
        await made.until(lambda: made.controller.settled)
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()


def ready(cluster: Any, **more: Any) -> HostStatus:
    status = DatabaseStatus(
        cluster.cluster_id,
        "ready",
        "It answers.",
        start_seq=cluster.start_seq,
        sessions=0,
        version="v8.5.4",
        root_password_hash=cluster.root_password_hash,
    )
    return HostStatus(databases={cluster.cluster_id: replace(status, **more)})


def run(coroutine: Any) -> None:
    asyncio.run(coroutine)


def test_a_wish_becomes_active_and_connected(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as world:
            vpc, endpoint = world.endpoint()
            await world.until(lambda: world.view(endpoint).connection == "connected")
            assert world.view(endpoint).state == "active"
            assert world.host.config.networks[vpc].endpoints[0].endpoint_id == endpoint

    run(scene())


def test_a_quota_that_is_used_up_shuts_the_gateway_until_it_is_raised_or_the_month_ends(tmp_path: Path) -> None:
    """Counters in, a restricted route out; PATCH opens it at once, and so does the first of the next month."""

    async def scene() -> None:
        async with running(tmp_path, resync_s=0.2) as world:
            made = clusters.create_cluster(world.context, ME, region_id=REGION, display_name="orders").cluster
            key = made.cluster_id

            def told(cpu_s: float) -> HostStatus:
                return HostStatus(usages={key: Consumption(cpu_s), "unknown": Consumption(1)})

            def reason() -> str:
                return clusters.get_cluster(world.context, ME, key).status.reason  # type: ignore[union-attr]

            world.controller.host_changed(ready(made), first=False)
            world.controller.host_changed(told(149_000), first=False)
            await world.until(lambda: world.usage(key) == pytest.approx(149_000 / 0.003))
            assert not world.host.config.routes[made.prefix].restricted
            world.controller.host_changed(told(150_000), first=False)
            await world.until(lambda: world.host.config.routes[made.prefix].restricted)
            assert world.host.config.databases[key].cpu_most == THROTTLED_CPUS
            await world.until(lambda: "quota of this month is used up" in reason())
            clusters.update_cluster(world.context, ME, key, ClusterChange(spending_limit_cents=1))
            await world.until(lambda: not world.host.config.routes[made.prefix].restricted)
            clusters.update_cluster(world.context, ME, key, ClusterChange(spending_limit_cents=0))
            await world.until(lambda: world.host.config.routes[made.prefix].restricted)
            world.controller.host_changed(HostStatus(), first=True)  # a whole new plan knows it too
            await world.until(lambda: world.controller.settled)
            assert world.host.config.routes[made.prefix].restricted
            world.time += timedelta(days=31)
            await world.until(lambda: not world.host.config.routes[made.prefix].restricted)
            assert world.usage(key) == 0
            await world.until(lambda: world.host.config.databases[key].cpu_most == 0)
            clusters.delete_cluster(world.context, ME, key)
            world.controller.host_changed(HostStatus(removed_databases=(key,)), first=False)
            await world.until(lambda: not clusters.list_clusters(world.context, ME))
            with world.context.store.read() as tx:
                assert not tx.usages.count()

    run(scene())


def test_a_branch_is_active_once_its_copy_is_there_and_a_reset_copies_anew(tmp_path: Path) -> None:
    """Its server may answer with the old data: that is not the reset's end."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            parent = clusters.create_cluster(world.context, ME, region_id=REGION, display_name="orders").cluster
            world.controller.host_changed(ready(parent), first=False)
            await world.until(lambda: clusters.get_cluster(world.context, ME, parent.cluster_id).state == "ACTIVE")
            new = branches.NewBranch("feature")
            made = branches.create_branch(world.context, ME, parent.cluster_id, new).branch
            key = made.cluster_id

            def look() -> branches.BranchView:
                return branches.get_branch(world.context, ME, parent.cluster_id, key)

            await world.until(lambda: key in world.host.config.databases)
            asked = world.host.config.databases[key]
            assert (asked.copy_of, asked.copy_prefix, asked.copy_seq) == (parent.cluster_id, parent.prefix, 1)
            world.controller.host_changed(HostStatus(), first=True)  # a whole new plan says the same
            await world.until(lambda: world.controller.settled)
            assert world.host.config.databases[key] == asked
            world.controller.host_changed(ready(made, copy_seq=0), first=False)
            await world.until(lambda: look().cluster_view.status and "copied" in look().cluster_view.status.reason)
            assert look().state == "CREATING"
            world.controller.host_changed(ready(made, copy_seq=1), first=False)
            await world.until(lambda: look().state == "ACTIVE")
            again = branches.reset_branch(world.context, ME, parent.cluster_id, key).branch
            await world.until(lambda: world.host.config.databases[key].copy_seq == 2)
            world.controller.host_changed(ready(again, copy_seq=1), first=False)
            await world.until(lambda: look().cluster_view.status and "copied" in look().cluster_view.status.reason)
            assert look().state == "RESTORING"
            world.controller.host_changed(ready(again, copy_seq=2), first=False)
            await world.until(lambda: look().state == "ACTIVE")

    run(scene())


def test_an_essential_cluster_runs_on_what_its_rcus_are_worth(tmp_path: Path) -> None:
    """maxRcu is the CPU limit, minRcu the weight, PATCH changes both, and the status says what keeps it."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            view = clusters.create_cluster(
                world.context, ME, region_id=REGION, display_name="orders", rcu=(2000, 4000), root_password="Secret-12"
            )
            made, databases = view.cluster, lambda: world.host.config.databases
            await world.until(lambda: made.cluster_id in databases())
            assert (databases()[made.cluster_id].cpu_most, databases()[made.cluster_id].cpu_weight) == (2.0, 200)
            clusters.update_cluster(world.context, ME, made.cluster_id, ClusterChange(rcu=(3000, 10000)))
            await world.until(lambda: databases()[made.cluster_id].cpu_most == 5.0)
            limit = "5 CPUs (maxRcu 10000)"
            for kept, said in (
                ("cgroup", f"Running on {limit} at most."),
                ("affinity", f"Running on {limit} at most, in whole CPUs as no CPU group can be made here."),
                ("none", f"Running, its limit of {limit} not enforced: this host grants it none."),
            ):
                world.controller.host_changed(ready(made, cpu_limited_by=kept), first=False)

                def found(said: str = said) -> bool:
                    status = clusters.get_cluster(world.context, ME, made.cluster_id).status
                    return status is not None and status.reason == said

                await world.until(found)

    run(scene())


def test_a_failure_is_said_and_tried_again(tmp_path: Path) -> None:
    """'Not done yet' and 'failed' never look alike, and neither looks like done."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            world.host.errors = {}
            vpc = vpcs.create_vpc(world.context, ME, region_id=REGION).vpc_id
            await world.until(lambda: vpcs.get_vpc(world.context, ME, vpc).available)
            world.host.errors = {f"networks/{vpc}": "nft said no."}
            subnet = subnets.create_subnet(
                world.context, ME, vpc_id=vpc, zone_id="ap-southeast-1a", cidr="172.16.1.0/24"
            ).subnet_id

            def status() -> Any:
                return subnets.get_subnet(world.context, ME, subnet).status

            await world.until(lambda: status() and status().phase == "failed")
            assert "nft said no." in status().reason
            world.host.errors = {}
            world.controller.wake("vpc", vpc)  # what its own timer does after retry_s
            await world.until(lambda: status().phase == "ready")

    run(scene())


def test_what_became_of_an_endpoint_is_kept_while_it_lives(tmp_path: Path) -> None:
    """Its page shows what failed an hour ago, when the status says ready again; a deleted one leaves no rows."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            vpc, endpoint = world.endpoint()
            await world.until(lambda: world.view(endpoint).state == "active")
            world.host.errors = {f"networks/{vpc}": "nft said no."}
            endpoints.remove_zone(world.context, ME, endpoint, "ap-southeast-1a")

            def told() -> list[tuple[str, str]]:
                return [(e.phase, e.reason) for e in endpoints.list_events(world.context, ME, endpoint)]

            await world.until(lambda: told()[0][0] == "failed")
            assert "nft said no." in told()[0][1] and told()[1][0] == "ready"
            world.host.errors = {}
            world.controller.wake("vpc", vpc)
            await world.until(lambda: told()[0][0] == "ready")
            endpoints.delete_endpoint(world.context, ME, endpoint)
            await world.until(lambda: endpoints.list_endpoints(world.context, ME, region_id=REGION)[1] == 0)
            with world.context.store.read() as tx:
                assert tx.events.count() == 0

    run(scene())


def test_without_an_agent_wishes_wait_and_are_met_when_it_comes(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as world:
            world.host.away = True
            _, endpoint = world.endpoint()
            await world.until(lambda: world.controller.last_error)
            assert world.view(endpoint).state == "creating"
            world.host.away = False
            world.controller.host_changed(HostStatus(), first=True)
            await world.until(lambda: world.view(endpoint).connection == "connected")

    run(scene())


def test_deleted_things_leave_the_host_first_and_the_store_after(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as world:
            vpc, endpoint = world.endpoint()
            await world.until(lambda: world.view(endpoint).state == "active")
            world.host.errors = {f"networks/{vpc}": "busy"}
            endpoints.remove_zone(world.context, ME, endpoint, "ap-southeast-1a")
            await world.until(lambda: not world.host.config.networks[vpc].endpoints)
            # The kernel did not let go, so the address is not free yet.
            assert len(endpoints.list_zones(world.context, ME, endpoint)) == 1
            world.host.errors = {}
            world.controller.wake("vpc", vpc)
            await world.until(lambda: not endpoints.list_zones(world.context, ME, endpoint))
            endpoints.delete_endpoint(world.context, ME, endpoint)
            await world.until(lambda: endpoints.list_endpoints(world.context, ME, region_id=REGION)[1] == 0)

    run(scene())


def test_the_last_one_out_of_a_region_takes_it_along(tmp_path: Path) -> None:
    """A provider namespace and a gateway stayed for up to a resync after the last VPC had gone."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            made = [vpcs.create_vpc(world.context, ME, region_id=REGION, cidr="10.0.0.0/16").vpc_id for _ in range(2)]
            await world.until(lambda: set(world.host.config.networks) == set(made))
            vpcs.delete_vpc(world.context, ME, made[0])
            await world.until(lambda: set(world.host.config.networks) == {made[1]})
            assert REGION in world.host.config.regions and REGION in world.host.config.gateways
            vpcs.delete_vpc(world.context, ME, made[1])
            await world.until(lambda: REGION not in world.host.config.regions)
            assert world.host.config == HostConfig()

    run(scene())


def test_a_cluster_lives_sleeps_wakes_and_goes(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, idle_s=0.05, resync_s=0.05) as world:
            made = clusters.create_cluster(world.context, ME, region_id=REGION, display_name="orders").cluster
            key = made.cluster_id

            def view() -> clusters.ClusterView:
                return clusters.get_cluster(world.context, ME, key)

            await world.until(lambda: key in world.host.config.databases)
            assert view().state == "CREATING"
            world.controller.host_changed(ready(made), first=False)
            await world.until(lambda: view().state == "ACTIVE")
            assert view().cluster.version == "v8.5.4"
            await world.until(lambda: not view().cluster.awake)  # nobody is connected
            await world.until(lambda: not world.host.config.databases[key].running)
            world.controller.host_changed(ready(made, phase="stopped", sessions=None), first=False)
            await world.until(lambda: "Asleep" in (view().status.reason if view().status else ""))
            clusters.wake_cluster(world.context, key)
            await world.until(lambda: world.host.config.databases[key].start_seq == 2)
            clusters.delete_cluster(world.context, ME, key)
            await world.until(lambda: world.host.config.databases[key].deleted)
            assert view().state == "DELETING"  # until the data is gone
            world.controller.host_changed(HostStatus(removed_databases=(key,)), first=False)
            await world.until(lambda: not clusters.list_clusters(world.context, ME))
            world.controller.wake("cluster", key)
            await world.until(lambda: key not in world.host.config.databases)

    run(scene())


def test_a_delete_outlives_the_agent_that_was_told_of_it(tmp_path: Path) -> None:
    """An agent killed before it removed the data was followed by one that knew of no such cluster: the row went, and
    the data of a deleted cluster stayed on the disk for good.
    """

    async def scene() -> None:
        async with running(tmp_path) as world:
            made = clusters.create_cluster(world.context, ME, region_id=REGION, display_name="orders").cluster
            await world.until(lambda: made.cluster_id in world.host.config.databases)
            clusters.delete_cluster(world.context, ME, made.cluster_id)
            await world.until(lambda: world.host.config.databases[made.cluster_id].deleted)
            before = world.host.applies
            world.controller.host_changed(HostStatus(), first=True)  # a new agent; no server of the cluster runs
            await world.until(lambda: world.host.applies > before + 1)
            assert world.host.config.databases[made.cluster_id].deleted
            assert clusters.list_clusters(world.context, ME)
            world.controller.host_changed(HostStatus(removed_databases=(made.cluster_id,)), first=False)
            await world.until(lambda: not clusters.list_clusters(world.context, ME))

    run(scene())


def test_a_pass_over_one_network_leaves_the_other_parts_alone(tmp_path: Path) -> None:
    """The cost of a pass is what changed: unchanged parts stay the very same objects, so nothing is sent."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            first_vpc, first = world.endpoint()
            await world.until(lambda: world.view(first).state == "active")
            before = world.host.config
            _, second = world.endpoint()
            await world.until(lambda: world.view(second).state == "active")
            after = world.host.config
            assert after.networks[first_vpc] is before.networks[first_vpc]
            assert after.gateways is before.gateways
            for name, record in before.names.items():
                assert after.names[name] is record

    run(scene())


@pytest.mark.parametrize("error", ["regions", "gateways"])
def test_an_endpoint_without_its_region_is_not_connected(tmp_path: Path, error: str) -> None:
    async def scene() -> None:
        async with running(tmp_path) as world:
            world.host.errors = {f"{error}/{REGION}": "no such luck"}
            _, endpoint = world.endpoint()

            def status() -> Any:
                return world.view(endpoint).status

            await world.until(lambda: status() and status().phase == "failed")
            assert world.view(endpoint).connection == "connecting"

    run(scene())


def test_a_store_that_cannot_be_written_does_not_end_the_timer(tmp_path: Path) -> None:
    """The disk was full when a cluster should have slept: from then on nothing was resynced, and nothing slept."""

    async def scene() -> None:
        async with running(tmp_path, idle_s=0.05, resync_s=0.05) as world:
            failures: list[str] = []

            def refuse(cluster_id: str) -> None:
                failures.append(cluster_id)
                raise StoreError("database or disk is full")

            world.controller._on_idle = refuse
            made = clusters.create_cluster(world.context, ME, region_id=REGION, display_name="orders").cluster
            world.controller.host_changed(ready(made), first=False)
            await world.until(lambda: failures)
            before = world.host.applies
            await world.until(lambda: world.host.applies > before + 2)

    run(scene())


def test_failures_do_not_gather_timers(tmp_path: Path) -> None:
    """Each wake during an outage added a retry of its own that renewed itself: after an hour, hundreds a second."""

    async def scene() -> None:
        async with running(tmp_path) as world:
            vpc = vpcs.create_vpc(world.context, ME, region_id=REGION).vpc_id
            await world.until(lambda: vpcs.get_vpc(world.context, ME, vpc).available)
            tries: list[HostConfig] = []

            async def refuse(config: HostConfig) -> dict[str, str]:
                tries.append(config)
                raise HostUnreachable("no agent")

            world.host.apply = refuse  # type: ignore[method-assign]
            for number in range(1, 11):
                world.controller.wake("vpc", vpc)
                await world.until(lambda number=number: len(tries) >= number)
            await asyncio.sleep(1.4)  # each failed pass is tried again after a second
            assert len(tries) <= 12

    run(scene())


def test_a_first_plan_that_fails_is_not_tried_without_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that could not be read at the start kept a core busy and filled the log."""
    tries: list[int] = []

    def refuse(tx: Any) -> Any:
        tries.append(1)
        raise StoreError("no such table")

    monkeypatch.setattr("tidegate.controller.loop.load_world", refuse)

    async def scene() -> None:
        store = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
        store.migrate()
        world = Running(store, ControllerSettings(PlanSettings()))
        task = asyncio.create_task(world.controller.run())
        await world.until(lambda: tries)
        world.controller.wake("cluster", "1")
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert len(tries) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()

    run(scene())
