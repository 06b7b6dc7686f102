"""The agent's own look at what it made: everything in turn, and never against an apply that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.agent import server
from tidegate.agent.config import HostConfig, HostStatus, diff
from tidegate.dataplane.config import DataPlaneError
from tidegate.domain.traffic import NetworkTraffic


class Recorder:
    """In the place of data plane, engine and children: notes what it is asked."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.heard: list[list[str]] = []
        self.trouble = ""
        self.told = asyncio.Event()
        self.answer = asyncio.Event()
        self.answer.set()

    def apply_region(self, config: Any) -> bool:
        self.applied.append(f"region {config}")
        return False

    def apply_network(self, config: Any) -> bool:
        self.applied.append(f"network {config}")
        if self.trouble:
            raise RuntimeError(self.trouble)
        return False

    def remove_network(self, vpc_id: str) -> None:
        self.applied.append(f"remove {vpc_id}")

    def sweep(self, *keep: Any) -> None: ...
    def start(self) -> None: ...
    def leave(self) -> None: ...

    def statuses(self) -> dict[str, Any]:
        return {}

    async def apply(self, config: HostConfig) -> dict[str, str]:
        self.heard.append(sorted(config.resolvers))
        self.told.set()
        await self.answer.wait()
        return {}


class Part(str):
    """A configuration that is only its name, which is its namespace's too."""

    __slots__ = ()

    @property
    def namespace(self) -> str:
        return str(self)

    vpc_id = namespace


def config(*vpc_ids: str, regions: tuple[str, ...] = ()) -> HostConfig:
    networks: dict[str, Any] = {vpc_id: Part(vpc_id) for vpc_id in vpc_ids}
    resolvers: dict[str, Any] = dict(networks)
    return HostConfig(networks=networks, resolvers=resolvers, regions={region: Part(region) for region in regions})  # type: ignore[misc]


def build_agent(
    recorder: Recorder,
    push: Callable[[HostStatus], None] = lambda status: None,
    identify: Callable[[str], object] = lambda name: 1,
) -> server.Agent:
    return server.Agent(recorder, recorder, lambda *_: recorder, recorder, push, identify)  # type: ignore[arg-type]


async def until(recorder: Recorder, *wanted: str) -> None:
    async with asyncio.timeout(5):
        while not set(wanted) <= set(recorder.applied):
            await asyncio.sleep(0.001)


def test_regions_and_networks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's rules, flushed by hand, stayed away for good: only VPCs were looked at."""
    monkeypatch.setattr(server, "DRIFT_LOOK_S", 0.001)

    async def scene() -> None:
        recorder = Recorder()
        agent = build_agent(recorder)
        wanted = config("vpc-1", "vpc-2", regions=("east", "west"))
        agent.start()
        await agent.apply(HostConfig(), wanted, diff(HostConfig(), wanted))
        recorder.applied.clear()
        await until(recorder, "region east", "region west", "network vpc-1", "network vpc-2")
        agent.leave()

    asyncio.run(scene())


def test_a_network_that_is_being_dropped_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """While an apply waited for a child, a look applied the old configuration again: what was dropped came back."""
    monkeypatch.setattr(server, "DRIFT_LOOK_S", 0.001)

    async def scene() -> None:
        recorder = Recorder()
        agent = build_agent(recorder)
        before, after = config("vpc-1"), config()
        agent.start()
        await agent.apply(HostConfig(), before, diff(HostConfig(), before))
        await until(recorder, "network vpc-1")
        recorder.told.clear()
        recorder.answer.clear()
        dropping = asyncio.create_task(agent.apply(before, after, diff(before, after)))
        await recorder.told.wait()
        recorder.applied.clear()
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert recorder.applied == []
        recorder.answer.set()
        assert await dropping == {}
        assert recorder.applied == ["remove vpc-1"]
        agent.leave()

    asyncio.run(scene())


def test_what_a_look_finds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status said that all is well while a VPC could not be mended."""
    monkeypatch.setattr(server, "DRIFT_LOOK_S", 0.001)

    async def scene() -> None:
        recorder, pushed = Recorder(), asyncio.Queue[HostStatus]()
        agent = build_agent(recorder, pushed.put_nowait)
        wanted = config("vpc-1")
        agent.start()
        await agent.apply(HostConfig(), wanted, diff(HostConfig(), wanted))
        recorder.trouble = "nft said no"
        assert (await asyncio.wait_for(pushed.get(), 5)).errors == {"networks/vpc-1": "nft said no"}
        recorder.trouble = ""
        assert (await asyncio.wait_for(pushed.get(), 5)).errors == {"networks/vpc-1": ""}
        agent.leave()

    asyncio.run(scene())


def test_resolvers_move_to_a_namespace_that_was_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drift mended the rules of a deleted VPC, but its resolver went on listening in the dead namespace."""
    monkeypatch.setattr(server, "DRIFT_LOOK_S", 0.001)

    async def scene() -> None:
        recorder = Recorder()
        inodes = iter(range(10_000))
        agent = build_agent(recorder, identify=lambda name: next(inodes))
        wanted = config("vpc-1", "vpc-2")
        agent.start()
        await agent.apply(HostConfig(), wanted, diff(HostConfig(), wanted))
        recorder.heard.clear()
        async with asyncio.timeout(5):
            while ["vpc-2"] not in recorder.heard or recorder.heard[-1] != ["vpc-1", "vpc-2"]:
                await asyncio.sleep(0.001)
        agent.leave()

    asyncio.run(scene())


def look_at(*vpc_ids: str) -> dict[str, str]:
    """What an agent with four VPCs says of these: the problem of each."""

    async def scene() -> dict[str, NetworkTraffic]:
        agent = build_agent(Looker())
        wanted = config("vpc-1", "vpc-2", "vpc-3", "vpc-4")
        await agent.apply(HostConfig(), wanted, diff(HostConfig(), wanted))
        seen = await agent.look(vpc_ids)
        agent.leave()
        return seen

    return {vpc_id: traffic.problem for vpc_id, traffic in asyncio.run(scene()).items()}


def test_a_look_reads_what_there_is_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded per look; a VPC that is not ours is left out; one that cannot be read says why, and others are read."""
    monkeypatch.setattr(server, "NETWORKS_PER_LOOK", 3)
    seen = look_at("vpc-2", "vpc-of-another-host", "vpc-3", "vpc-4")
    assert seen == {"vpc-2": "", "vpc-3": "it is gone"}


def test_a_look_that_takes_long_tells_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading is slow nobody was told anything: the asker had gone, and its next look waited behind this one."""
    monkeypatch.setattr(server, "LOOK_FOR_S", 0.0)
    assert look_at("vpc-1", "vpc-2") == {"vpc-1": ""}


class Looker(Recorder):
    def observe_network(self, config: Any) -> NetworkTraffic:
        if config == "vpc-3":
            raise DataPlaneError("it is gone")
        return NetworkTraffic()
