"""Serves every VPC of the host from one event loop: UDP and TCP on each resolver address.

A UDP socket is read straight from the loop, without a transport: nothing is queued, so nothing can grow; a
reply the kernel has no room for is dropped, and the client asks again, as it must over UDP anyway.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.dns.message import (
    FORWARDED_MAX_BYTES,
    SERVFAIL,
    Answer,
    Question,
    build_answer,
    build_truncated,
    parse_query,
    udp_limit,
)
from tidegate.dns.sockets import DNS_KINDS, Kind, OpenSocket, explain, require_files
from tidegate.dns.upstream import Upstreams
from tidegate.dns.zone import NameTable, decide_answer

DNS_PORT = 53
Peer = tuple[Any, ...]
_TCP_MAX_BYTES = 65535
_DATAGRAM_MAX_BYTES = 4096
_DATAGRAMS_PER_TURN = 32
"""Then the next socket has its turn, so that a flooding VPC cannot starve the others."""
_ACCEPT_PAUSE_S = 1.0
_PIPELINED_MAX = 1000
"""Questions on one TCP connection, then it is closed: nobody keeps a place for ever."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients can make us hold.  Times in seconds."""

    tcp_connections: int = 512
    tcp_per_vpc: int = 32
    tcp_idle_s: float = 10.0
    forwarded_udp: int = 512


@dataclass(slots=True)
class Counts:
    """Since start; ``app/metrics.py`` shows them."""

    queries: int = 0
    malformed: int = 0
    forwarded: int = 0
    upstream_failures: int = 0
    dropped: int = 0
    tcp_refused: int = 0


@dataclass(slots=True, eq=False)
class _Resolver:
    """One VPC's open sockets."""

    config: ResolverConfig
    identity: object
    sockets: list[tuple[Kind, socket.socket]] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)
    closed: bool = False


class DnsServer:
    """The :class:`~tidegate.dns.config.Resolvers` driver.

    ``loop`` does all the serving; ``set_resolver`` and ``set_name`` may be called from any thread, sockets are
    opened in the calling thread (which ``open_socket`` moves into the namespace and back) and handed to the loop.
    Call ``set_resolver`` either only on the loop's thread or only from others: one waits for the other.
    ``identify_namespace`` gives a value that changes when a namespace of the same name was made anew (the inode
    of its file): then the sockets are opened again although the configuration is the same.
    """

    def __init__(
        self,
        open_socket: OpenSocket,
        loop: asyncio.AbstractEventLoop,
        *,
        limits: Limits = Limits(),
        upstreams: Upstreams | None = None,
        identify_namespace: Callable[[str], object] = lambda _name: None,
        port: int = DNS_PORT,
    ) -> None:
        self.counts = Counts()
        self._open_socket = open_socket
        self._loop = loop
        self._limits = limits
        self._upstreams = upstreams or Upstreams()
        self._identify = identify_namespace
        self._port = port
        self._lock = threading.Lock()
        self._resolvers: dict[str, _Resolver] = {}
        self._table = NameTable()
        self._turn = 0
        self._connections = 0
        self._forwards: set[asyncio.Task[None]] = set()

    # -- the driver's face -------------------------------------------------------------------------------

    def set_resolver(self, vpc_id: str, config: ResolverConfig | None) -> None:
        """Serve ``config``, or (None) nothing, for this VPC.

        Setting what is set already touches no socket; a change that leaves namespace and addresses alone keeps
        them too.  Raises :class:`DnsError`; then the VPC has no resolver, and the call may simply be repeated.
        """
        with self._lock:
            current = self._resolvers.get(vpc_id)
            identity = self._identify(config.namespace) if config else None
            if current and config and _same_place(current, config, identity):
                current.config = config
                return
            if current:
                del self._resolvers[vpc_id]
                self._close_and_wait(current)
            if config:
                self._resolvers[vpc_id] = self._open(config, identity)

    def set_name(self, name: str, record: NameRecord | None) -> None:
        """Set, replace or (None) remove the record under ``name``; see :class:`NameTable` about shared names."""
        self._loop.call_soon_threadsafe(self._table.put, name, record)

    async def close(self) -> None:
        """Close every socket and connection.  To be awaited on the loop."""
        with self._lock:
            resolvers, self._resolvers = list(self._resolvers.values()), {}
        for resolver in resolvers:
            self._close(resolver)
        tasks = [*self._forwards, *(task for resolver in resolvers for task in resolver.connections)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- sockets -----------------------------------------------------------------------------------------

    def _open(self, config: ResolverConfig, identity: object) -> _Resolver:
        per_resolver = len(DNS_KINDS) * len(config.addresses)
        held = sum(len(r.sockets) for r in self._resolvers.values())
        require_files(held + per_resolver + self._limits.tcp_connections + self._limits.forwarded_udp)
        resolver = _Resolver(config, identity)
        try:
            for address in config.addresses:
                for kind in DNS_KINDS:
                    resolver.sockets.append((kind, self._open_one(config.namespace, kind, address)))
        except BaseException:  # whatever open_socket met inside the namespace: no half-open resolver stays
            for _, sock in resolver.sockets:
                sock.close()
            raise
        self._loop.call_soon_threadsafe(self._serve, resolver)
        return resolver

    def _open_one(self, namespace: str, kind: Kind, address: str) -> socket.socket:
        try:
            return self._open_socket(namespace, kind, address, self._port)
        except OSError as error:
            raise explain(error, namespace, kind, address, self._port) from error

    def _serve(self, resolver: _Resolver) -> None:
        for kind, sock in resolver.sockets:
            if not resolver.closed:
                read = self._read_datagrams if kind == "udp" else self._accept
                self._loop.add_reader(sock, read, resolver, sock)

    def _close_and_wait(self, resolver: _Resolver) -> None:
        # The same addresses may be bound again at once, so the old sockets must be gone when this returns; but on
        # the loop's own thread, waiting for the loop would be waiting for ever.
        if _is_running_here(self._loop) or not self._loop.is_running():
            self._close(resolver)
            return
        done = threading.Event()

        def close() -> None:
            self._close(resolver)
            done.set()

        self._loop.call_soon_threadsafe(close)
        done.wait(timeout=5)

    def _close(self, resolver: _Resolver) -> None:
        resolver.closed = True
        for _, sock in resolver.sockets:
            self._loop.remove_reader(sock)
            sock.close()
        resolver.sockets = []
        for task in resolver.connections:
            task.cancel()

    # -- UDP ---------------------------------------------------------------------------------------------

    def _read_datagrams(self, resolver: _Resolver, sock: socket.socket) -> None:
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                wire, peer = sock.recvfrom(_DATAGRAM_MAX_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error about an earlier reply: the next datagram may be fine
                continue
            self._answer_datagram(resolver, sock, wire, peer)

    def _answer_datagram(self, resolver: _Resolver, sock: socket.socket, wire: bytes, peer: Peer) -> None:
        question = self._parse(wire)
        if isinstance(question, Question):
            answer = self._decide(resolver, question)
            if answer is None:
                self._start_forward(resolver, sock, question, peer)
                return
            self._send(sock, build_answer(question, answer, udp_limit(question)), peer)
        elif question is not None:
            self._send(sock, question, peer)

    def _start_forward(self, resolver: _Resolver, sock: socket.socket, question: Question, peer: Peer) -> None:
        if len(self._forwards) >= self._limits.forwarded_udp:
            self._send(sock, build_answer(question, SERVFAIL, udp_limit(question)), peer)
            return
        task = self._loop.create_task(self._forward_datagram(resolver, sock, question, peer))
        self._forwards.add(task)
        task.add_done_callback(self._forwards.discard)

    async def _forward_datagram(self, resolver: _Resolver, sock: socket.socket, question: Question, peer: Peer) -> None:
        response = await self._ask_upstreams(resolver, question, tcp=False)
        if len(response) > min(question.udp_bytes, FORWARDED_MAX_BYTES):
            response = build_truncated(question)
        if not resolver.closed:
            self._send(sock, response, peer)

    def _send(self, sock: socket.socket, wire: bytes, peer: Peer) -> None:
        try:
            sock.sendto(wire, peer)
        except OSError:
            self.counts.dropped += 1

    # -- TCP ---------------------------------------------------------------------------------------------

    def _accept(self, resolver: _Resolver, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._pause_accepting(resolver, listener)
            return
        full = self._connections >= self._limits.tcp_connections
        if full or len(resolver.connections) >= self._limits.tcp_per_vpc:
            self.counts.tcp_refused += 1
            connection.close()
            return
        self._connections += 1
        task = self._loop.create_task(self._serve_connection(resolver, connection))
        resolver.connections.add(task)
        task.add_done_callback(lambda done: self._connection_ended(resolver, done))

    def _connection_ended(self, resolver: _Resolver, task: asyncio.Task[None]) -> None:
        self._connections -= 1
        resolver.connections.discard(task)

    def _pause_accepting(self, resolver: _Resolver, listener: socket.socket) -> None:
        # Without a free descriptor the waiting connection stays readable, and the loop would spin on it.
        self._loop.remove_reader(listener)

        def resume() -> None:
            if not resolver.closed:
                self._loop.add_reader(listener, self._accept, resolver, listener)

        self._loop.call_later(_ACCEPT_PAUSE_S, resume)

    async def _serve_connection(self, resolver: _Resolver, connection: socket.socket) -> None:
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        # drain() then waits until all is sent, so a client that never reads is cut off by the time limit.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            for _ in range(_PIPELINED_MAX):
                async with asyncio.timeout(self._limits.tcp_idle_s):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    wire = await reader.readexactly(length)
                response = await self._respond_tcp(resolver, wire)
                if response is None:
                    return
                writer.write(len(response).to_bytes(2, "big") + response)
                async with asyncio.timeout(self._limits.tcp_idle_s):
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    async def _respond_tcp(self, resolver: _Resolver, wire: bytes) -> bytes | None:
        question = self._parse(wire)
        if not isinstance(question, Question):
            return question
        answer = self._decide(resolver, question)
        if answer is None:
            return await self._ask_upstreams(resolver, question, tcp=True)
        return build_answer(question, answer, _TCP_MAX_BYTES)

    # -- both --------------------------------------------------------------------------------------------

    def _parse(self, wire: bytes) -> Question | bytes | None:
        self.counts.queries += 1
        question = parse_query(wire)
        if not isinstance(question, Question):
            self.counts.malformed += 1
        return question

    def _decide(self, resolver: _Resolver, question: Question) -> Answer | None:
        """The answer, or None when an upstream must be asked."""
        self._turn += 1
        verdict = decide_answer(self._table, resolver.config, question, self._turn)
        return verdict if isinstance(verdict, Answer) else None

    async def _ask_upstreams(self, resolver: _Resolver, question: Question, *, tcp: bool) -> bytes:
        self.counts.forwarded += 1
        config = resolver.config
        response = await self._upstreams.ask(config.vpc_id, config.upstreams, question, tcp=tcp)
        if response is None:
            self.counts.upstream_failures += 1
            return build_answer(question, SERVFAIL, _TCP_MAX_BYTES)
        return response


def _same_place(current: _Resolver, config: ResolverConfig, identity: object) -> bool:
    return (
        current.config.namespace == config.namespace
        and current.config.addresses == config.addresses
        and current.identity == identity
    )


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
