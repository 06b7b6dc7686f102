"""The round over all VPCs: it finds what a lost wake left behind, and leaves everybody else alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tidegate.agent.config import HostConfig
from tidegate.controller.loop import Controller, ControllerSettings
from tidegate.controller.plan import NO_PARTS, NetworkParts, PlanSettings, plan_network
from tidegate.controller.rounds import count_per_look, look
from tidegate.controller.world import load_network, load_networks, load_world
from tidegate.operations import security_groups, subnets, vpcs
from tidegate.operations.context import Caller, Context
from tidegate.store.store import Store

REGION, ZONE = "alicloud-ap-southeast-1", "ap-southeast-1a"
ME = Caller("1000000000000042")
PLAN = PlanSettings()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    made.migrate()
    yield made
    made.close()


def make_vpc(store: Store) -> str:
    """With a subnet and a group; nobody is woken."""
    context = Context(store)
    vpc_id = vpcs.create_vpc(context, ME, region_id=REGION, cidr="10.0.0.0/16").vpc_id
    subnets.create_subnet(context, ME, vpc_id=vpc_id, zone_id=ZONE, cidr="10.0.1.0/24")
    security_groups.create_security_group(context, ME, region_id=REGION, vpc_id=vpc_id)
    return vpc_id


def planned(store: Store) -> dict[str, NetworkParts]:
    with store.read() as tx:
        return {n.vpc.vpc_id: plan_network(n, PLAN) for n in load_world(tx).networks}


def test_three_ways_to_read_a_vpc_agree(store: Store) -> None:
    """Were they to differ, each round would plan again what the passes had planned."""
    ids = [make_vpc(store) for _ in range(3)]
    with store.read() as tx:
        one_by_one = [load_network(tx, vpc_id) for vpc_id in sorted(ids)]
        some, all_of_them = load_networks(tx, tx.vpcs.find()), load_world(tx).networks
    plans = [[plan_network(n, PLAN) for n in networks if n] for networks in (one_by_one, some, all_of_them)]
    assert plans[0] == plans[1] == plans[2] and len(plans[0]) == 3


def test_a_round_comes_by_everybody_once(store: Store) -> None:
    """In slices, and the end of the round is told by an empty cursor."""
    ids = sorted(make_vpc(store) for _ in range(5))
    found, cursor, looks = [], "", 0
    with store.read() as tx:
        while True:
            seen = look(tx, cursor, 2, {}, PLAN)
            found += seen.networks
            cursor, looks = seen.cursor, looks + 1
            if not cursor:
                break
    assert found == ids and looks == 3


def test_a_wish_without_answer_waits_although_it_is_planned(store: Store) -> None:
    """Killed between apply and the status, the next process must not believe that all is said."""
    vpc_id = make_vpc(store)
    with store.read() as tx:
        assert look(tx, "", 9, planned(store), PLAN).networks == (vpc_id,)


def test_parts_without_a_row_are_stray(store: Store) -> None:
    """And those of a VPC that was deleted in the ordinary way are not."""
    make_vpc(store)
    parts = planned(store)
    with store.read() as tx:
        assert look(tx, "", 9, {**parts, "vpc-gone": next(iter(parts.values()))}, PLAN).stray
        assert not look(tx, "", 9, {**parts, "vpc-gone": NO_PARTS}, PLAN).stray


@pytest.mark.parametrize(("known", "count"), [(0, 1), (1, 2), (30, 2), (1000, 35)])
def test_a_round_takes_as_long_as_it_may(known: int, count: int) -> None:
    """A thousand VPCs in 30 s are 35 a second, not a thousand at once."""
    assert count_per_look(known, 1.0, 30.0) == count


class CountingHost:
    def __init__(self) -> None:
        self.config = HostConfig()
        self.applies = 0

    async def apply(self, config: HostConfig) -> dict[str, str]:
        self.config, self.applies = config, self.applies + 1
        return {}


@asynccontextmanager
async def controlled(store: Store) -> AsyncIterator[tuple[Controller, CountingHost]]:
    host = CountingHost()
    settings = ControllerSettings(PLAN, resync_s=0.02)
    controller = Controller(store, host, settings, on_idle=lambda cluster_id: None)
    task = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(10):
            while not controller.settled:
                await asyncio.sleep(0.005)
            yield controller, host
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_nobody_was_woken_for_is_found(store: Store) -> None:
    """A wake is lost when the process dies between commit and wake, or when another process wrote."""

    async def scene() -> None:
        async with controlled(store) as (_, host):
            vpc_id = make_vpc(store)
            while vpc_id not in host.config.networks or not vpcs.get_vpc(Context(store), ME, vpc_id).available:
                await asyncio.sleep(0.01)

    asyncio.run(scene())


def test_a_settled_world_is_left_alone(store: Store) -> None:
    """Each resync planned and settled the whole host, and with 1,000 VPCs every other pass waited for it."""

    async def scene() -> None:
        make_vpc(store)
        async with controlled(store) as (controller, host):
            before, rounds = host.applies, set()
            while len(rounds) < 4:
                rounds.add(controller._round_began)
                await asyncio.sleep(0.005)
            assert host.applies == before

    asyncio.run(scene())
