"""The gateway's sockets, with a scripted database on loopback: who is let in, what is told, what is left over."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tidegate.gateway.config import Consumer, GatewayConfig, Route, SessionEvent, WakeError
from tidegate.gateway.door import ACCEPT_PAUSE_S
from tidegate.gateway.framing import Packet, PacketBuffer, build_packet
from tidegate.gateway.handover import Joined
from tidegate.gateway.handshake import TIDB_CAPABILITIES
from tidegate.gateway.packets import (
    AuthSwitch,
    Greeting,
    HandshakeResponse,
    build_auth_switch,
    build_greeting,
    build_handshake_response,
    build_ok,
    parse_err,
)
from tidegate.gateway.proxy_protocol import parse_proxy_header
from tidegate.gateway.server import Gateway, GatewayError

REGION = "ap-southeast-1"
CONFIG = GatewayConfig(REGION, "", "127.0.0.1", 0, tls="not_offered")


class Database:
    """Greets, asks for the password, takes any, then echoes."""

    def __init__(self) -> None:
        self.headers: list[Any] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(16)
        body = await reader.readexactly(int.from_bytes(head[14:], "big"))
        self.headers.append(parse_proxy_header(head + body)[0])
        writer.write(build_packet(0, build_greeting(Greeting("8", 1, b"b" * 20, TIDB_CAPABILITIES))))
        await read_packet(reader)
        writer.write(build_packet(2, build_auth_switch(AuthSwitch("mysql_native_password", b"b" * 20))))
        await read_packet(reader)
        writer.write(build_packet(4, build_ok()))
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def stop(self) -> None:
        self._server.close()


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    buffer = PacketBuffer()
    while buffer.missing_bytes:
        buffer.feed(await reader.readexactly(buffer.missing_bytes))
    packet = buffer.next_packet()
    assert packet is not None
    return packet


class Directory:
    """Everybody on loopback is one endpoint; ``p1`` is ready, ``p2`` sleeps for good."""

    def __init__(self, port: int) -> None:
        self.known: Consumer | None = Consumer("127.0.0.1", REGION, "ep-1", "vpc-1", "100")
        self.ready = Route("p1", REGION, "10001", "127.0.0.1", port, ready=True)
        self.wake: Callable[[Route, float], Coroutine[Any, Any, Route]] = self._sleep_on
        self.waking = 0

    def consumer(self, peer_address: str) -> Consumer | None:
        return self.known

    def route(self, prefix: str) -> Route | None:
        if prefix == "bug":
            raise KeyError("a mistake of ours")
        return {"p1": self.ready, "p2": dataclasses.replace(self.ready, ready=False)}.get(prefix)

    async def _sleep_on(self, route: Route, timeout_s: float) -> Route:
        self.waking += 1
        try:
            await asyncio.sleep(timeout_s)
        finally:
            self.waking -= 1
        raise WakeError("late")


class World:
    """A gateway, its database, and what it told."""

    def __init__(self, gateway: Gateway, directory: Directory, database: Database, port: int) -> None:
        self.gateway, self.directory, self.database, self.port = gateway, directory, database, port
        self.events: list[SessionEvent] = []
        self.registry = CollectorRegistry()

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def log_in(self, user: bytes) -> tuple[Packet, asyncio.StreamReader, asyncio.StreamWriter]:
        """As a client does: the last packet of the login, and the connection."""
        reader, writer = await self.dial()
        await read_packet(reader)
        flags = TIDB_CAPABILITIES
        writer.write(build_packet(1, build_handshake_response(HandshakeResponse(flags, 1, 45, user, b"x" * 20))))
        packet = await read_packet(reader)
        if packet.payload[0] == 0xFE:
            writer.write(build_packet(packet.seq + 1, b"answer"))
            packet = await read_packet(reader)
        return packet, reader, writer

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def with_world(test: Callable[[World], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            database = Database()
            directory = Directory(await database.start())
            events: list[SessionEvent] = []
            registry = CollectorRegistry()
            handover = settings.pop("handover", None)
            config = dataclasses.replace(CONFIG, **settings)
            gateway = Gateway(config, directory, events.append, registry=registry, handover=handover)
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            await gateway.start(listener)
            world = World(gateway, directory, database, port)
            world.events, world.registry = events, registry
            try:
                await test(world)
            finally:
                await gateway.stop()
                await database.stop()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_a_session_from_login_to_end() -> None:
    async def test(world: World) -> None:
        packet, reader, writer = await world.log_in(b"p1.root")
        assert packet == Packet(4, build_ok())
        writer.write(b"a query")
        assert await reader.readexactly(7) == b"a query"
        [view] = world.gateway.sessions()
        assert (view.user, view.cluster_id, view.consumer.endpoint_id) == ("p1.root", "10001", "ep-1")
        assert world.metric("tidegate_gateway_sessions") == 1
        writer.close()
        await until(lambda: not world.gateway.sessions())
        assert [event.event for event in world.events] == ["opened", "closed"]
        assert world.events[-1].bytes_to_server == 7
        assert world.events[-1].bytes_to_client == 7 + len(build_packet(4, build_ok()))
        assert world.metric("tidegate_gateway_bytes_total", direction="to_server") == 7
        assert world.metric("tidegate_gateway_logins_total", outcome="ok") == 1
        assert world.metric("tidegate_gateway_pending_logins") == 0
        assert world.database.headers[0].endpoint_id == "ep-1"

    with_world(test)


@pytest.mark.parametrize("region", [None, "elsewhere"])
def test_who_is_not_known_here_hears_nothing(region: str | None) -> None:
    """Deny by default; an endpoint of another region is nobody here."""

    async def test(world: World) -> None:
        known = world.directory.known
        assert known is not None
        world.directory.known = None if region is None else dataclasses.replace(known, region_id=region)
        reader, _ = await world.dial()
        assert await reader.read() == b""
        assert world.events == []

    with_world(test)


def test_a_client_that_leaves_while_its_cluster_wakes_is_not_waited_for() -> None:
    """A pool that retries each second would fill all pending logins during one slow start."""

    async def test(world: World) -> None:
        reader, writer = await world.dial()
        await read_packet(reader)
        writer.write(build_packet(1, build_handshake_response(HandshakeResponse(TIDB_CAPABILITIES, 1, 45, b"p2.root"))))
        await until(lambda: world.directory.waking == 1)
        writer.close()
        await until(lambda: world.directory.waking == 0)
        await until(lambda: bool(world.events))
        assert world.events[0].close_reason is not None
        assert "client closed" in world.events[0].close_reason

    with_world(test)


def test_an_error_of_ours_is_named_ours() -> None:
    async def test(world: World) -> None:
        packet, _, _ = await world.log_in(b"bug.root")
        message = parse_err(packet.payload)
        assert (message.code, "(gateway side)" in message.text) == (1105, True)

    with_world(test)


def test_refusals_leave_no_file_descriptor() -> None:
    """A gateway runs for months."""

    async def test(world: World) -> None:
        await world.log_in(b"root")
        await until(lambda: len(world.events) == 1)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for number in range(30):
            packet, _, writer = await world.log_in((b"root", b"xx.root", b"p1.root")[number % 3])
            writer.close()
        assert packet.payload
        await until(lambda: len(world.events) == 1 + 20 + 2 * 10)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208

    with_world(test)


def test_no_file_descriptor_left_is_a_pause_not_an_end() -> None:
    """accept fails and the listener stays readable: the loop must neither spin nor lose the waiting client."""

    async def test(world: World) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        client = socket.socket()
        client.setblocking(False)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            door = world.gateway._private
            assert door is not None
            accepts = Counted(door._accept)
            asyncio.get_running_loop().add_reader(door._listener, accepts)  # type: ignore[arg-type]
            client.connect_ex(("127.0.0.1", world.port))
            await until(lambda: accepts.calls == 1)
            await asyncio.sleep(ACCEPT_PAUSE_S / 4)
            assert accepts.calls == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await asyncio.get_running_loop().sock_recv(client, 1)
        client.close()

    with_world(test)


class Counted:
    """A callback that counts its calls."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call, self.calls = call, 0

    def __call__(self) -> None:
        self.calls += 1
        self._call()


def test_stop_ends_sessions_and_logins() -> None:
    async def test(world: World) -> None:
        _, open_reader, _ = await world.log_in(b"p1.root")
        pending_reader, _ = await world.dial()
        await read_packet(pending_reader)
        await world.gateway.stop()
        assert await open_reader.read() == b""
        assert await pending_reader.read() == b""
        assert world.events[-1].close_reason == "gateway stopped"
        with pytest.raises(ConnectionRefusedError):
            await world.dial()

    with_world(test)


def test_the_sessions_of_a_deleted_endpoint_are_ended() -> None:
    """Its packets stop anyway; without this the database would keep the session until keepalive gives up."""

    async def test(world: World) -> None:
        _, reader, _ = await world.log_in(b"p1.root")
        assert world.gateway.end_sessions("100.64.9.9", "endpoint deleted") == 0
        assert world.gateway.end_sessions("127.0.0.1", "endpoint deleted") == 1
        assert await reader.read() == b""
        assert world.events[-1].close_reason == "endpoint deleted"

    with_world(test)


def test_a_flow_log_that_fails_takes_no_session_with_it() -> None:
    async def test(world: World) -> None:
        def full(event: SessionEvent) -> None:
            raise OSError("No space left on device")

        world.gateway._on_event = full
        packet, reader, writer = await world.log_in(b"p1.root")
        assert packet == Packet(4, build_ok())
        writer.write(b"a query")
        assert await reader.readexactly(7) == b"a query"

    with_world(test)


def test_stop_may_wait_for_sessions_to_end() -> None:
    async def test(world: World) -> None:
        _, reader, writer = await world.log_in(b"p1.root")
        stopping = asyncio.ensure_future(world.gateway.stop(drain_s=10))
        await until(lambda: world.gateway._private.address is None)
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.close()
        await stopping
        assert world.events[-1].close_reason in ("client closed", "server closed")

    with_world(test)


class TakesAll:
    """A hand-over that takes every session, as the kernel's would: the OK is its to send."""

    def __init__(self) -> None:
        self.taken: list[Joined] = []

    def prepare(self, client: socket.socket, server: socket.socket) -> None:
        assert server.getsockname()[0] == "127.0.0.1"

    def take(self, joined: Joined) -> bool:
        self.taken.append(joined)
        joined.client.send(joined.ok)
        return True


def test_a_handed_over_session_is_not_relayed() -> None:
    handover = TakesAll()

    async def test(world: World) -> None:
        packet, _, _ = await world.log_in(b"p1.root")
        assert packet == Packet(4, build_ok())
        assert world.gateway.sessions() == []
        assert [event.path for event in world.events] == ["handover"]
        for sock in (handover.taken[0].client, handover.taken[0].server):
            sock.close()

    with_world(test, handover=handover)


def test_a_certificate_that_cannot_be_used_is_named() -> None:
    """Falling back to no TLS in silence would send passwords in clear."""
    config = dataclasses.replace(CONFIG, tls="offered", certificate_path="/nowhere.crt", key_path="/nowhere.key")
    with pytest.raises(GatewayError, match=r"/nowhere\.crt"):
        Gateway(config, Directory(0), lambda event: None)
