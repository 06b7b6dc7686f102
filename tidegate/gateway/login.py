"""Carries out the commands of one :class:`~tidegate.gateway.handshake.Handshake` on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from functools import cache

from tidegate.gateway import channel
from tidegate.gateway.commands import (
    Command,
    Dial,
    Done,
    Refuse,
    SendClient,
    SendServer,
    StartServerTls,
    StartTls,
    Wake,
)
from tidegate.gateway.config import Directory, GatewayConfig, Route, WakeError
from tidegate.gateway.handover import Handover
from tidegate.gateway.handshake import READ_BYTES, Handshake

DIAL_TIMEOUT_S = 5.0
GOODBYE_TIMEOUT_S = 1.0
REDIAL_PAUSE_S = 0.2
"""before a cluster that is called ready but refused the connection is asked for again: the news travels"""


@dataclass(frozen=True, slots=True)
class LoginWorld:
    """What every login of a gateway shares."""

    config: GatewayConfig
    directory: Directory
    context: ssl.SSLContext | None
    handover: Handover


class Login:
    """One login.  ``client`` and ``server`` are whatever the sockets are at that moment, also after the end."""

    def __init__(self, world: LoginWorld, handshake: Handshake, client: socket.socket) -> None:
        self._world = world
        self._handshake = handshake
        self._deadline = asyncio.timeout(world.config.login_timeout_s)
        self.client: socket.socket = client
        self.server: socket.socket | None = None

    async def run(self) -> Done | Refuse:
        """Until logged in or refused; never longer than ``login_timeout_s`` and, if need be, ``wake_timeout_s``."""
        try:
            async with self._deadline:
                return await self._drive()
        except TimeoutError:
            return _require_refusal(self._handshake.expired(self._world.config.login_timeout_s))

    async def refuse(self, refuse: Refuse) -> None:
        """Say why and close; a client that does not listen is not waited for."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await channel.send_all(self.client, refuse.data)
                if refuse.data and not isinstance(self.client, ssl.SSLSocket):
                    self.client.shutdown(socket.SHUT_WR)
                    await channel.drain(self.client)
        self.close()

    def close(self) -> None:
        channel.close_socket(self.client)
        if self.server is not None:
            self.server.close()

    async def _drive(self) -> Done | Refuse:
        commands = deque(self._handshake.start())
        while True:
            while commands:
                command = commands.popleft()
                if isinstance(command, Done | Refuse):
                    return command
                commands.extend(await self._carry_out(command))
            commands.extend(await self._listen())

    async def _carry_out(self, command: Command) -> list[Command]:
        match command:
            case SendClient(data):
                return await self._send_client(data)
            case SendServer(data):
                return await self._send_server(data)
            case StartTls():
                return await self._start_tls()
            case StartServerTls():
                return await self._start_server_tls()
            case Wake(route):
                return await self._wake(route)
            case Dial(route):
                return await self._dial(route)
        raise AssertionError(f"no login command: {command}")

    async def _listen(self) -> list[Command]:
        if self._handshake.turn == "server":
            return await self._listen_server()
        try:
            data = await channel.receive(self.client, self._handshake.client_read_bytes)
        except OSError:
            data = b""
        return self._handshake.receive_client(data) if data else self._handshake.client_closed()

    async def _listen_server(self) -> list[Command]:
        assert self.server is not None
        try:
            data = await channel.receive(self.server, READ_BYTES)
        except OSError:
            data = b""
        return self._handshake.receive_server(data) if data else self._handshake.server_closed()

    async def _send_client(self, data: bytes) -> list[Command]:
        try:
            await channel.send_all(self.client, data)
        except OSError:
            return self._handshake.client_closed()
        return []

    async def _send_server(self, data: bytes) -> list[Command]:
        assert self.server is not None
        try:
            await channel.send_all(self.server, data)
        except OSError:
            return self._handshake.server_closed()
        return []

    async def _start_tls(self) -> list[Command]:
        assert self._world.context is not None
        try:
            self.client = await channel.start_tls(self.client, self._world.context)
        except OSError as error:
            return self._handshake.tls_failed(str(error))
        return self._handshake.tls_started()

    async def _start_server_tls(self) -> list[Command]:
        assert self.server is not None
        try:
            self.server = await channel.start_tls(self.server, build_inner_context(), server_side=False)
        except OSError as error:
            return self._handshake.server_tls_failed(str(error))
        return self._handshake.server_tls_started()

    async def _wake(self, route: Route) -> list[Command]:
        """Wait for the cluster, as long as the client does."""
        if route.ready:
            await asyncio.sleep(REDIAL_PAUSE_S)
        config, now = self._world.config, asyncio.get_running_loop().time()
        self._deadline.reschedule(now + config.wake_timeout_s + config.login_timeout_s)
        waking = asyncio.ensure_future(self._world.directory.wake(route, config.wake_timeout_s))
        gone = asyncio.ensure_future(channel.until_gone(self.client))
        try:
            await asyncio.wait((waking, gone), timeout=config.wake_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not waking.done():
                return self._not_woken(client_gone=gone.done())
            ready = waking.result()
        except WakeError as error:
            return self._handshake.wake_failed(str(error))
        except TimeoutError:
            return self._not_woken(client_gone=False)
        finally:
            waking.cancel()
            gone.cancel()
        self._deadline.reschedule(asyncio.get_running_loop().time() + config.login_timeout_s)
        return self._handshake.woken(ready)

    def _not_woken(self, *, client_gone: bool) -> list[Command]:
        if client_gone:
            return self._handshake.client_closed()
        timeout_s = self._world.config.wake_timeout_s
        return self._handshake.wake_failed(f"it did not come up within {timeout_s:g} s. Try again.")

    async def _dial(self, route: Route) -> list[Command]:
        if self.server is not None:
            self.server.close()
        try:
            self.server = channel.open_towards(self._world.config.address, route.address)
            self._world.handover.prepare(self.client, self.server)
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                await channel.connect(self.server, (route.address, route.port))
        except TimeoutError:
            return self._handshake.dial_failed(f"no answer within {DIAL_TIMEOUT_S:g} s")
        except OSError as error:
            return self._handshake.dial_failed(error.strerror or str(error))
        return self._handshake.connected()


@cache
def build_inner_context() -> ssl.SSLContext:
    """For the leg to a database.  Nobody else can be at its address: the provider's rules see to that, for plain
    sessions too.  So its certificate is taken as it is (docs/security.md).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _require_refusal(commands: list[Command]) -> Refuse:
    command = commands[-1]
    assert isinstance(command, Refuse)
    return command
