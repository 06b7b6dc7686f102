"""The MySQL front door of one region: accepts, lets in whom the directory knows, logs in, relays.

::

    accept -> consumer(peer)? -> room? -> Login (handshake.py on sockets) -> Handover, else Relay
                 | no: closed           | no: 1040          | refused: ERR packet
    accept on the public door ---^          TLS required, and the cluster's authorized networks

The process runs inside the provider namespace, so dialling needs no more than our own address as the source.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry

from tidegate.domain.public_endpoints import decide_authorized
from tidegate.gateway import refusals
from tidegate.gateway.channel import prepare_socket
from tidegate.gateway.commands import Done, LoginTerms, Refuse
from tidegate.gateway.config import Consumer, Directory, GatewayConfig, Route, SessionEvent
from tidegate.gateway.door import Door
from tidegate.gateway.framing import build_packet
from tidegate.gateway.handover import Handover, Joined, RelayAlways
from tidegate.gateway.handshake import Handshake
from tidegate.gateway.login import Login, LoginWorld
from tidegate.gateway.packets import SALT_BYTES, build_err
from tidegate.gateway.password_key import PasswordKey
from tidegate.gateway.refusals import Refusal
from tidegate.gateway.relay import Relay
from tidegate.gateway.sessions import Session, SessionTable, SessionView

PUBLIC = "public"
"""in the place of an endpoint's id: came in through the public endpoint"""
ENDPOINT_SHARE = 4
"""One endpoint may have a fourth of all pending logins, so that one bad neighbour leaves room for the others."""
RETIRE_LOOK_S = 0.5

log = structlog.get_logger(__name__)


class GatewayError(Exception):
    """The gateway cannot run as configured; the message says what to mend."""


class Gateway:
    """One region's gateway.  Not thread-safe: everything happens on the loop that called ``start``.

    ``on_event`` is called on that loop for each line of the flow log and must return at once.  Raises
    :class:`GatewayError` when the certificate cannot be used.
    """

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        on_event: Callable[[SessionEvent], None],
        *,
        registry: CollectorRegistry | None = None,
        handover: Handover | None = None,
    ) -> None:
        self._config = config
        self._directory = directory
        self._on_event = on_event
        self._handover = handover or RelayAlways()
        self._context = build_tls_context(config)
        self._public_context = build_public_context(config)
        self._table = SessionTable()
        if registry is not None:
            registry.register(self._table)
        self._ids = itertools.count(1)
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._private: Door | None = None
        self._public: Door | None = None
        self._password_key: PasswordKey | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve a listening socket, which is ours from here on."""
        self._password_key = await asyncio.to_thread(PasswordKey)
        self._private = Door(listener, self._receive_private)

    def open_public(self, listener: socket.socket) -> None:
        """Serve the region's public endpoints on this listening socket of the host, instead of any earlier one."""
        before, self._public = self._public, Door(listener, self._receive_public)
        if before is not None:
            before.close()

    @property
    def public_address(self) -> tuple[str, int] | None:
        """Where the public endpoints listen."""
        return self._public.address if self._public else None

    async def stop(self, drain_s: float = 0.0) -> None:
        """Accept no more, give open sessions ``drain_s`` to end by themselves, then close them."""
        for door in (self._private, self._public):
            if door is not None:
                door.close()
        if drain_s and self._table.open:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in tuple(self._table.open.values()):
            if session.relay is not None:
                session.relay.close("gateway stopped")

    async def retire(self) -> None:
        """A successor has taken over the listening sockets: serve those who are here to their end."""
        for door in (self._private, self._public):
            if door is not None:
                door.leave()
        while self._tasks or self._table.open:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), RETIRE_LOOK_S)

    def update(self, config: GatewayConfig) -> None:
        """Take new settings and re-read the certificate; logins from now on follow them.

        Raises :class:`GatewayError` and keeps the old ones when the certificate cannot be used.
        """
        private, public = build_tls_context(config), build_public_context(config)
        self._context, self._public_context = private, public
        self._config = config

    def sessions(self) -> list[SessionView]:
        """The sessions that this process relays now."""
        now = asyncio.get_running_loop().time()
        return [session.view(now) for session in self._table.open.values()]

    def end_sessions(self, fabric_address: str, reason: str) -> int:
        """Close the sessions of an endpoint that is gone or no longer allowed; how many there were."""
        doomed = [s for s in self._table.open.values() if s.consumer.fabric_address == fabric_address]
        for session in doomed:
            if session.relay is not None:
                session.relay.close(reason)
        return len(doomed)

    # ---- accepting

    def _receive_private(self, client: socket.socket, host: str, port: int) -> None:
        """Deny by default: who is not in the directory, or of another region, hears nothing."""
        consumer = self._directory.consumer(host)
        if consumer is None or consumer.region_id != self._config.region_id:
            client.close()
            self._table.count_login("unknown_consumer")
            return
        self._receive_client(client, consumer, host, port)

    def _receive_public(self, client: socket.socket, host: str, port: int) -> None:
        """Nobody is known by address here, also not one that looks like a consumer's: the cluster decides."""
        if self._public_context is None:
            client.close()
            return
        self._receive_client(client, Consumer("", self._config.region_id, PUBLIC, "", ""), host, port)

    def _receive_client(self, client: socket.socket, consumer: Consumer, host: str, port: int) -> None:
        try:
            prepare_socket(client)
        except OSError:
            client.close()
            return
        if not self._has_room(consumer):
            self._turn_away(client, consumer, f"{host}:{port}")
            return
        self._table.begin_login(consumer.endpoint_id)
        task = asyncio.get_running_loop().create_task(self._serve(client, consumer, host, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _has_room(self, consumer: Consumer) -> bool:
        limit = self._config.max_pending_logins
        share = max(1, limit // ENDPOINT_SHARE)
        return self._table.pending_total < limit and self._table.pending[consumer.endpoint_id] < share

    def _turn_away(self, client: socket.socket, consumer: Consumer, address: str) -> None:
        refusal = refusals.too_many_pending(self._table.pending_total)
        assert refusal.message is not None
        with contextlib.suppress(OSError):
            client.send(build_packet(0, build_err(refusal.message)))
        client.close()
        self._report_refusal(next(self._ids), consumer, address, None, refusal, 0.0)

    # ---- one client

    async def _serve(self, client: socket.socket, consumer: Consumer, host: str, port: int) -> None:
        session_id, begun = next(self._ids), asyncio.get_running_loop().time()
        login: Login | None = None
        carried = False  # by somebody else, who closes the sockets
        try:
            handshake = self._new_handshake(session_id, client, consumer, (host, port))
            login = Login(self._world(consumer), handshake, client)
            outcome = await self._run_login(login, handshake)
            if isinstance(outcome, Done):
                session = self._new_session(session_id, consumer, f"{host}:{port}", login, handshake)
                self._carry(session, login, outcome)
                carried = True
                return
            duration = asyncio.get_running_loop().time() - begun
            self._report_refusal(session_id, consumer, f"{host}:{port}", handshake, outcome.refusal, duration)
            await login.refuse(outcome)
        except Exception:
            log.exception("gateway session failed on our side", session_id=session_id)
        except asyncio.CancelledError:
            pass  # by ``stop``
        finally:
            if not carried:
                client.close() if login is None else login.close()
            self._table.end_login(consumer.endpoint_id)

    def _world(self, consumer: Consumer) -> LoginWorld:
        context = self._public_context if consumer.endpoint_id == PUBLIC else self._context
        return LoginWorld(self._config, self._directory, context, self._handover)

    async def _run_login(self, login: Login, handshake: Handshake) -> Done | Refuse:
        try:
            return await login.run()
        except Exception:
            log.exception("gateway login failed on our side")
            refuse = handshake.failed()[-1]
            assert isinstance(refuse, Refuse)
            return refuse

    def _new_handshake(
        self, session_id: int, client: socket.socket, consumer: Consumer, peer: tuple[str, int]
    ) -> Handshake:
        assert self._password_key is not None
        local = client.getsockname()
        public = consumer.endpoint_id == PUBLIC
        terms = LoginTerms(
            # Plaintext is forbidden on public endpoints, whatever private ones offer (reference/tidbcloud.md 4.2).
            tls="required" if public else self._config.tls,
            server_version=self._config.server_version,
            connection_id=session_id,
            salt=new_salt(),
            client=peer,
            local=(local[0], local[1]),
            endpoint_id=consumer.endpoint_id,
            find_route=self._find_route,
            password_key=self._password_key,
            admit=partial(decide_public, host=peer[0]) if public else decide_private,
        )
        return Handshake(terms)

    def _find_route(self, prefix: str) -> Route | None:
        """A cluster of another region does not exist here."""
        route = self._directory.route(prefix)
        return route if route is not None and route.region_id == self._config.region_id else None

    # ---- after the login

    def _new_session(
        self, session_id: int, consumer: Consumer, address: str, login: Login, handshake: Handshake
    ) -> Session:
        assert handshake.route is not None
        return Session(
            session_id=session_id,
            consumer=consumer,
            client_address=address,
            user=handshake.user or "",
            cluster_id=handshake.route.cluster_id,
            since_s=asyncio.get_running_loop().time(),
            tls=isinstance(login.client, ssl.SSLSocket),
        )

    def _carry(self, session: Session, login: Login, done: Done) -> None:
        """To the kernel if it takes the session, else through the relay."""
        assert login.server is not None
        self._table.count_login("ok")
        joined = Joined(login.client, login.server, done.ok, done.to_client, done.to_server)
        if not session.tls and self._handover.take(joined):
            self._report("opened", session, "handover")
            return

        def on_end(reason: str) -> None:
            self._table.end(session)
            if not self._table.open:
                self._idle.set()
            self._report("closed", session, "relay", reason)

        session.relay = Relay(login.client, login.server, on_end)
        self._table.open[session.session_id] = session
        self._report("opened", session, "relay")
        session.relay.start(done.ok + done.to_client, done.to_server)

    def _tell(self, event: SessionEvent) -> None:
        """A flow log that fails must not take sessions with it."""
        try:
            self._on_event(event)
        except Exception:
            log.exception("gateway cannot write its flow log", session_id=event.session_id)

    def _report(
        self,
        event: Literal["opened", "closed"],
        session: Session,
        path: Literal["relay", "handover"],
        reason: str | None = None,
    ) -> None:
        view, consumer = session.view(asyncio.get_running_loop().time()), session.consumer
        self._tell(
            SessionEvent(
                event,
                session.session_id,
                consumer.endpoint_id,
                consumer.vpc_id,
                consumer.account_id,
                session.client_address,
                session.cluster_id,
                session.user,
                path,
                reason,
                view.bytes_to_server,
                view.bytes_to_client,
                view.duration_s,
            )
        )

    def _report_refusal(
        self,
        session_id: int,
        consumer: Consumer,
        address: str,
        handshake: Handshake | None,
        refusal: Refusal,
        duration_s: float,
    ) -> None:
        self._table.count_login(refusal.outcome)
        route = handshake.route if handshake else None
        self._tell(
            SessionEvent(
                "refused",
                session_id,
                consumer.endpoint_id,
                consumer.vpc_id,
                consumer.account_id,
                address,
                route.cluster_id if route else None,
                handshake.user if handshake else None,
                "none",
                refusal.text,
                duration_s=duration_s,
            )
        )


def decide_private(route: Route) -> Refusal | None:
    """Whoever the directory knows may ask for any cluster of the region, unless its quota is used up."""
    return refusals.quota_exhausted(route.cluster_id) if route.restricted else None


def decide_public(route: Route, host: str) -> Refusal | None:
    """May a client at ``host`` use this cluster's public endpoint?"""
    if route.public is None:
        return refusals.public_disabled(route.cluster_id)
    if not decide_authorized(route.public, host):
        return refusals.not_authorized(host, route.cluster_id)
    return decide_private(route)


def new_salt() -> bytes:
    """20 random bytes without NUL, which ends the salt for many clients, and ``$``, which some choke on."""
    return bytes(secrets.choice(_SALT_ALPHABET) for _ in range(SALT_BYTES))


_SALT_ALPHABET = bytes(byte for byte in range(1, 128) if byte != ord("$"))


def build_tls_context(config: GatewayConfig) -> ssl.SSLContext | None:
    """TLS 1.2 and 1.3 with the configured certificate; None when none is offered."""
    if config.tls == "not_offered":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(config.certificate_path, config.key_path)
    except OSError as error:
        raise GatewayError(
            f"The gateway of {config.region_id} cannot use the certificate {config.certificate_path!r} with the "
            f"key {config.key_path!r}: {error}. Renew them, or set tls to not_offered."
        ) from error
    return context


def build_public_context(config: GatewayConfig) -> ssl.SSLContext | None:
    """TLS for the public endpoints, also where private ones offer none; None without a certificate."""
    return build_tls_context(replace(config, tls="required")) if config.certificate_path else None
