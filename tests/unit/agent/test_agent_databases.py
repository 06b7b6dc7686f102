"""What the agent makes of the databases in its configuration: run, delete, and never forget a delete."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from tidegate.agent.config import HostConfig, HostStatus, diff
from tidegate.agent.server import Agent
from tidegate.engine.config import DatabaseConfig


class Recorder:
    """In the place of data plane, engine and children: notes the wishes for databases and the failing of networks."""

    def __init__(self) -> None:
        self.wishes: list[tuple[str, DatabaseConfig | None]] = []
        self.removed: list[str] = []
        self.stuck = False

    def set_database(self, cluster_id: str, config: DatabaseConfig | None) -> None:
        self.wishes.append((cluster_id, config))

    def remove_network(self, vpc_id: str) -> None:
        self.removed.append(vpc_id)
        if self.stuck:
            raise OSError("busy")

    def apply_network(self, config: Any) -> bool:
        return True

    def sweep(self, *keep: Any) -> list[str]:
        return []

    def statuses(self) -> dict[str, Any]:
        return {}

    def consumptions(self) -> dict[str, Any]:
        return {}


def database(cluster_id: str, **more: Any) -> DatabaseConfig:
    return DatabaseConfig(cluster_id, "r", "r", "100.104.0.1", 4000, "p.root", None, ("100.112.0.1/32",), **more)


def build_agent(recorder: Recorder, pushed: list[HostStatus]) -> Agent:
    return Agent(recorder, recorder, lambda *_: recorder, recorder, pushed.append, lambda name: 1)  # type: ignore[arg-type]


async def move(agent: Agent, old: HostConfig, new: HostConfig) -> dict[str, str]:
    return await agent.apply(old, new, diff(old, new))


def test_a_deleted_database_is_told_to_whoever_asks_until_it_is_no_longer_named() -> None:
    """A controller that was away when the data went must hear of it when it comes."""

    async def scene() -> None:
        recorder, pushed = Recorder(), list[HostStatus]()
        agent = build_agent(recorder, pushed)
        runs = HostConfig(databases={"1": database("1")})
        goes = HostConfig(databases={"1": database("1", deleted=True)})
        await move(agent, HostConfig(), runs)
        await move(agent, runs, goes)
        assert recorder.wishes == [("1", database("1")), ("1", None)]
        agent.database_gone("1")
        assert pushed == [HostStatus(removed_databases=("1",))]
        assert agent.status().removed_databases == ("1",)
        await move(agent, goes, HostConfig())
        assert agent.status().removed_databases == ()
        assert len(recorder.wishes) == 2

    asyncio.run(scene())


def test_a_database_that_is_no_longer_named_keeps_its_data() -> None:
    """A store restored from yesterday's copy does not know today's clusters; their data went with the next pass."""

    async def scene() -> None:
        recorder = Recorder()
        agent = build_agent(recorder, [])
        runs = HostConfig(databases={"1": database("1")})
        await move(agent, HostConfig(), runs)
        await move(agent, runs, HostConfig())
        assert recorder.wishes[-1] == ("1", database("1", running=False))

    asyncio.run(scene())


def test_what_would_not_go_is_tried_again() -> None:
    """A VPC whose removal failed once stayed in the kernel until the agent's next start."""

    async def scene() -> None:
        recorder = Recorder()
        agent = build_agent(recorder, [])
        network: Any = SimpleNamespace(namespace="vpc-1")
        there = HostConfig(networks={"vpc-1": network})
        await move(agent, HostConfig(), there)
        recorder.stuck = True
        assert await move(agent, there, HostConfig()) == {"networks/vpc-1": "busy"}
        recorder.stuck = False
        assert await move(agent, HostConfig(), HostConfig()) == {}
        assert recorder.removed == ["vpc-1", "vpc-1"]

    asyncio.run(scene())
