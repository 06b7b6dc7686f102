"""The channel over a real socket: the whole once, then differences, and the whole again after any loss."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from tidegate.agent import channel as module
from tidegate.agent.channel import ChannelError, ConfigClient, ConfigServer
from tidegate.agent.config import Delta, HostConfig, HostStatus
from tidegate.dns.config import NameRecord
from tidegate.domain.traffic import NetworkTraffic, Passed, Refused


def names(*keys: str) -> dict[str, NameRecord]:
    return {key: NameRecord(key, "vpc-1", ("10.0.0.1",)) for key in keys}


class Remembering:
    def __init__(self, errors: dict[str, str] | None = None) -> None:
        self.seen: list[tuple[HostConfig, Delta]] = []
        self.errors = errors or {}

    async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        self.seen.append((new, delta))
        return self.errors

    def status(self) -> HostStatus:
        return HostStatus(errors={"networks/vpc-1": "as it is"})


async def connected(path: Path, applier: Any, heard: list[Any]) -> tuple[ConfigServer, ConfigClient, Any]:
    server = ConfigServer(path, applier)
    await server.start()
    client = ConfigClient(path, lambda status, first: heard.append((status, first)))
    task = asyncio.create_task(client.run(0.01))
    await until(lambda: client.connected and heard)
    return server, client, task


async def until(condition: Any) -> None:
    deadline = asyncio.get_running_loop().time() + 5
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


def test_the_whole_once_then_differences(tmp_path: Path) -> None:
    async def scene() -> None:
        applier, heard = Remembering({"names/x": "bad"}), []
        server, client, task = await connected(tmp_path / "s", applier, heard)
        assert heard[0][1] is True and heard[0][0].errors == {"networks/vpc-1": "as it is"}
        first = HostConfig(names=names("a", "b"))
        assert await client.apply(first) == {"names/x": "bad"}
        await client.apply(HostConfig(names={**first.names, **names("c")}))
        new, delta = applier.seen[-1]
        assert set(new.names) == {"a", "b", "c"}
        assert set(delta.put.names) == {"c"}
        await client.apply(HostConfig(names=names("c")))
        assert set(applier.seen[-1][1].drop["names"]) == {"a", "b"}
        server.push(HostStatus(wakes=("1",)))
        await until(lambda: len(heard) == 2)
        assert heard[1] == (HostStatus(wakes=("1",)), False)
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_a_restarted_server_gets_the_whole_again(tmp_path: Path) -> None:
    """An agent that was killed knows nothing; the delta of the next pass alone would leave the rest unmade."""

    async def scene() -> None:
        heard: list[Any] = []
        server, client, task = await connected(tmp_path / "s", Remembering(), heard)
        await client.apply(HostConfig(names=names("a")))
        await server.close()
        await until(lambda: not client.connected)
        again = Remembering()
        second = ConfigServer(tmp_path / "s", again)
        await second.start()
        await until(lambda: client.connected)
        await client.apply(HostConfig(names=names("a", "b")))
        assert set(again.seen[-1][1].put.names) == {"a", "b"}
        task.cancel()
        await second.close()

    asyncio.run(scene())


def test_a_second_client_takes_over_with_the_whole(tmp_path: Path) -> None:
    """A new serve beside a server that still has the old one's configuration: what the new one does not want goes."""

    async def scene() -> None:
        applier, heard = Remembering(), []
        server, client, task = await connected(tmp_path / "s", applier, heard)
        await client.apply(HostConfig(names=names("a")))
        task.cancel()
        fresh = ConfigClient(tmp_path / "s", lambda status, first: None)
        other = asyncio.create_task(fresh.run(0.01))
        await until(lambda: fresh.connected)
        await fresh.apply(HostConfig(names=names("b")))
        new, delta = applier.seen[-1]
        assert set(new.names) == {"b"}
        assert delta.drop["names"] == ("a",)
        other.cancel()
        await server.close()

    asyncio.run(scene())


def test_waiting_applies_are_carried_out_together(tmp_path: Path) -> None:
    async def scene() -> None:
        applier, heard = Remembering(), []
        server, client, task = await connected(tmp_path / "s", applier, heard)
        await asyncio.gather(*(client.apply(HostConfig(names=names(*"abcdefgh"[: n + 1]))) for n in range(8)))
        assert set(applier.seen[-1][0].names) == set("abcdefgh")
        assert len(applier.seen) < 8
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_garbage_and_giants_end_the_connection_only(tmp_path: Path) -> None:
    async def scene() -> None:
        server = ConfigServer(tmp_path / "s", Remembering())
        await server.start()
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        for bytes_ in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x02{}"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(bytes_)
            await reader.read()
            writer.close()
        heard: list[Any] = []
        client = ConfigClient(tmp_path / "s", lambda status, first: heard.append(first))
        task = asyncio.create_task(client.run(0.01))
        await until(lambda: client.connected)
        assert await client.apply(HostConfig(names=names("a"))) == {}
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_parts_that_failed_are_tried_again_although_nothing_changed(tmp_path: Path) -> None:
    """A VPC whose rules the kernel refused for a moment stayed failed until somebody changed something else."""

    async def scene() -> None:
        applier, heard = Remembering({"networks/vpc-1": "busy"}), []
        server, client, task = await connected(tmp_path / "s", applier, heard)
        config = HostConfig(names=names("a"))
        assert await client.apply(config) == {"networks/vpc-1": "busy"}
        applier.errors = {}
        assert await client.apply(config) == {}
        assert len(applier.seen) == 2 and applier.seen[-1][1].empty
        assert await client.apply(config) == {}  # all is well: nothing is sent
        assert len(applier.seen) == 2
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_nothing_is_well_while_nobody_answers(tmp_path: Path) -> None:
    """A pass that changed nothing took the last answer of an agent that was dead by then for a success."""

    async def scene() -> None:
        server, client, task = await connected(tmp_path / "s", Remembering(), [])
        config = HostConfig(names=names("a"))
        await client.apply(config)
        await server.close()
        await until(lambda: not client.connected)
        with pytest.raises(ChannelError):
            await client.apply(config)
        task.cancel()

    asyncio.run(scene())


def test_a_server_that_speaks_otherwise_is_asked_again(tmp_path: Path) -> None:
    """An agent of another version: the client's task ended on the first word, and nobody connected any more."""

    async def scene() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x00\x00\x00\x02{}")

        stranger = await asyncio.start_unix_server(speak, tmp_path / "s")
        states: list[str] = []
        client = ConfigClient(tmp_path / "s", lambda status, first: None, on_state=states.append)
        task = asyncio.create_task(client.run(0.01))
        await until(lambda: states.count("lost") > 1)
        stranger.close()
        server = ConfigServer(tmp_path / "s", Remembering())
        await server.start()
        await until(lambda: server._writer is not None and client.connected)
        assert await client.apply(HostConfig(names=names("a"))) == {}
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_who_only_accepts_is_not_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel accepts for a process that stands still; its client took that for an answer, and waited for ever."""
    monkeypatch.setattr(module, "FIRST_WORD_LIMIT_S", 0.05)
    monkeypatch.setattr(module, "STOPPED_LIMIT_S", 0.1)

    async def scene() -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        still = await asyncio.start_unix_server(accept, tmp_path / "s")
        client = ConfigClient(tmp_path / "s", lambda status, first: None, is_stopped=lambda: True)
        task = asyncio.create_task(client.run(0.01))
        await until(lambda: client.silent)
        assert not client.connected
        still.close()
        server = ConfigServer(tmp_path / "s", Remembering())
        await server.start()
        await until(lambda: client.connected)
        assert not client.silent
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_an_answer_that_does_not_come_is_given_up_when_pings_are_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frozen gateway held every later change of the host up; a slow one, which answers pings, may take its time."""
    monkeypatch.setattr(module, "PING_EVERY_S", 0.02)
    monkeypatch.setattr(module, "SILENT_LIMIT_S", 0.1)

    class Slow(Remembering):
        async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
            await asyncio.sleep(0.4)
            return await super().apply(old, new, delta)

    async def scene() -> None:
        server, client, task = await connected(tmp_path / "s", Slow({"names/a": "slow"}), [])
        assert await client.apply(HostConfig(names=names("a"))) == {"names/a": "slow"}
        monkeypatch.setattr(server, "_serve_one", lambda *_: None)  # as if it stood still from now on
        with pytest.raises(ChannelError):
            await client.apply(HostConfig(names=names("b")))
        task.cancel()
        await server.close()

    asyncio.run(scene())


def test_who_lost_its_place_knows_it(tmp_path: Path) -> None:
    """A gateway that goes on after it was replaced must not serve by what it knew; nor take its successor's socket."""

    async def scene() -> None:
        first, second = ConfigServer(tmp_path / "s", Remembering()), ConfigServer(tmp_path / "s", Remembering())
        await first.start()
        assert not first.deposed
        await second.start()
        assert first.deposed and not second.deposed
        await first.close()
        assert (tmp_path / "s").exists()
        await second.close()
        assert not (tmp_path / "s").exists()

    asyncio.run(scene())


def test_a_look_is_answered_beside_an_apply(tmp_path: Path) -> None:
    """Packets can be watched while a long pass runs, and many looks at once do not mix up."""

    async def scene() -> None:
        release = asyncio.Event()

        class Slow(Remembering):
            async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
                await release.wait()
                return {}

        async def look(vpc_ids: tuple[str, ...]) -> dict[str, NetworkTraffic]:
            return {v: NetworkTraffic({"10.0.0.1": Passed(1, 2, 3)}, (FLOW,), problem=v) for v in vpc_ids}

        server = ConfigServer(tmp_path / "s", Slow(), look=look)
        await server.start()
        client = ConfigClient(tmp_path / "s", lambda status, first: None)
        task = asyncio.create_task(client.run(0.01))
        await until(lambda: client.connected)
        applying = asyncio.create_task(client.apply(HostConfig(names=names("a"))))
        one, two = await asyncio.gather(client.look(("vpc-1",)), client.look(("vpc-2", "vpc-3")))
        assert [seen.problem for seen in (*one.values(), *two.values())] == ["vpc-1", "vpc-2", "vpc-3"]
        assert one["vpc-1"].refused == (FLOW,) and one["vpc-1"].passed["10.0.0.1"].connections == 3
        assert not applying.done()
        release.set()
        await applying
        await server.close()
        await until(lambda: not client.connected)
        with pytest.raises(ChannelError):
            await client.look(("vpc-1",))
        task.cancel()

    asyncio.run(scene())


FLOW = Refused("ingress", "sgr-1", "tcp", "10.0.1.2", "10.0.2.5", 4000, 7, 1.5)


def test_what_is_made_meanwhile_has_its_own_mode(tmp_path: Path) -> None:
    """The socket's mode came by umask: a child that was started at that moment inherited it, made a folder that its own
    user could not enter, and `scripts/demo` could not clean up after itself.
    """

    async def scene() -> None:
        async def make() -> None:
            (tmp_path / "folder").mkdir(mode=0o700)

        server = ConfigServer(tmp_path / "s", Remembering())
        await asyncio.gather(server.start(), make())
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
        await server.close()

    asyncio.run(scene())
