"""The server on loopback, with real sockets: sharing, bounds, churn, upstreams.  Namespaces: tests/netns."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.asyncquery
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.dns.message import parse_query
from tidegate.dns.server import DnsServer, Limits
from tidegate.dns.sockets import DnsError, bind_socket
from tidegate.dns.upstream import Upstreams, parse_upstream

NAME = "ep-a.epsrv-1.cn-hangzhou.privatelink.aliyuncs.com"
A, B = "127.53.0.1", "127.53.0.2"


class Opener:
    """Opens on loopback and remembers each opening."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, str]] = []

    def __call__(self, namespace, kind, address, port):
        self.opened.append((namespace, kind, address))
        return bind_socket(kind, address, port)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((A, 0))
        return sock.getsockname()[1]


def resolver(vpc_id="vpc-a", addresses=(A,), **options) -> ResolverConfig:
    return ResolverConfig(vpc_id, f"ns-{vpc_id}", addresses, **options)


@asynccontextmanager
async def serving(**options) -> AsyncIterator[tuple[DnsServer, Opener, int]]:
    opener, port = Opener(), free_port()
    server = DnsServer(opener, asyncio.get_running_loop(), port=port, **options)
    try:
        yield server, opener, port
    finally:
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def ask(port: int, name: str = NAME, at: str = A, tcp: bool = False) -> dns.message.Message:
    asked = dns.message.make_query(name, "A")
    query = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await query(asked, at, port=port, timeout=5)


def addresses(answer: dns.message.Message) -> list[str]:
    return [rdata.address for rrset in answer.answer for rdata in rrset]


def test_udp_and_tcp_answer_and_each_vpc_sees_its_own():
    async def run():
        async with serving() as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            server.set_resolver("vpc-b", resolver("vpc-b", (B,)))
            server.set_name(NAME, NameRecord(NAME, "vpc-a", ("10.0.0.7",)))
            for tcp in (False, True):
                assert addresses(await ask(port, tcp=tcp)) == ["10.0.0.7"]
                assert (await ask(port, at=B, tcp=tcp)).rcode() == dns.rcode.NXDOMAIN
            server.set_name(NAME, None)
            assert (await ask(port)).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(run())


def test_many_addresses_are_truncated_over_udp_and_whole_over_tcp():
    async def run():
        async with serving() as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            many = tuple(f"10.0.{i}.1" for i in range(100))
            server.set_name(NAME, NameRecord(NAME, "vpc-a", many))
            assert (await ask(port)).flags & dns.flags.TC
            assert sorted(addresses(await ask(port, tcp=True))) == sorted(many)

    asyncio.run(run())


def test_setting_what_is_set_opens_nothing():
    """A level-triggered agent sets every resolver again and again; churn would drop questions each time."""

    async def run():
        async with serving() as (server, opener, port):
            for _ in range(3):
                server.set_resolver("vpc-a", resolver())
            server.set_resolver("vpc-a", resolver(resolution="cloud"))
            assert len(opener.opened) == 2
            server.set_name(NAME, NameRecord(NAME, "vpc-z", ("10.0.0.7",)))
            assert addresses(await ask(port)) == ["10.0.0.7"]  # the new view is served by the old sockets
            server.set_resolver("vpc-a", resolver(addresses=(A, B)))
            assert len(opener.opened) == 6

    asyncio.run(run())


def test_a_namespace_made_anew_gets_new_sockets():
    """A socket stays in the namespace where it was opened, so a rebuilt VPC of the same name would be deaf."""

    async def run():
        made = [1]
        async with serving(identify_namespace=lambda _: made[0]) as (server, opener, _):
            server.set_resolver("vpc-a", resolver())
            server.set_resolver("vpc-a", resolver())
            made[0] = 2
            server.set_resolver("vpc-a", resolver())
            assert len(opener.opened) == 4

    asyncio.run(run())


def test_none_closes_and_the_port_is_free_at_once():
    async def run():
        async with serving() as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            server.set_resolver("vpc-a", None)
            server.set_resolver("vpc-a", None)
            for kind in ("udp", "tcp"):
                bind_socket(kind, A, port).close()

    asyncio.run(run())


def test_a_failed_opening_leaves_nothing_open_and_can_be_repeated():
    async def run():
        async with serving() as (server, _, port):
            holder = bind_socket("tcp", B, port)
            with pytest.raises(DnsError, match="in use"):
                server.set_resolver("vpc-a", resolver(addresses=(A, B)))
            bind_socket("udp", A, port).close()
            holder.close()
            server.set_resolver("vpc-a", resolver(addresses=(A, B)))
            assert (await ask(port, at=B)).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(run())


def test_it_may_be_set_from_another_thread():
    async def run():
        async with serving() as (server, _, port):

            def work():
                for _ in range(5):
                    server.set_resolver("vpc-a", resolver())
                    server.set_resolver("vpc-a", None)
                server.set_resolver("vpc-a", resolver())

            thread = threading.Thread(target=work)
            thread.start()
            await asyncio.to_thread(thread.join)
            assert (await ask(port)).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(run())


def test_tcp_connections_are_bounded_and_idle_ones_closed():
    async def run():
        limits = Limits(tcp_per_vpc=2, tcp_idle_s=0.2)
        async with serving(limits=limits) as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            held = [await asyncio.open_connection(A, port) for _ in range(2)]
            third, writer = await asyncio.open_connection(A, port)
            assert await asyncio.wait_for(third.read(), 5) == b""
            assert server.counts.tcp_refused == 1
            for reader, _ in held:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            for _, w in [*held, (None, writer)]:
                w.close()
            assert (await ask(port, tcp=True)).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(run())


def test_a_client_that_never_reads_is_cut_off():
    """Answers pile up in nobody's memory: the connection waits for its reader, and then ends."""

    async def run():
        async with serving(limits=Limits(tcp_idle_s=0.3)) as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            server.set_name(NAME, NameRecord(NAME, "vpc-a", tuple(f"10.1.{i}.1" for i in range(250))))
            query = dns.message.make_query(NAME, "A").to_wire()
            sock = socket.create_connection((A, port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            with pytest.raises((ConnectionError, TimeoutError)):
                async with asyncio.timeout(10):
                    while True:
                        await loop.sock_sendall(sock, (len(query).to_bytes(2, "big") + query) * 100)
            await until(lambda: server._connections == 0)
            sock.close()

    asyncio.run(run())


class FakeUpstream(asyncio.DatagramProtocol):
    """Answers with a forged packet or three before the true one."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.seen.append(data)
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 5, "IN", "A", "192.0.2.9"))
        true = reply.to_wire()
        self.transport.sendto(b"", addr)
        self.transport.sendto(bytes([true[0] ^ 1]) + true[1:-1] + b"\x66", addr)
        self.transport.sendto(data, addr)
        self.transport.sendto(true, addr)


@asynccontextmanager
async def upstream() -> AsyncIterator[tuple[FakeUpstream, str]]:
    transport, fake = await asyncio.get_running_loop().create_datagram_endpoint(
        FakeUpstream, local_addr=("127.0.0.1", 0)
    )
    try:
        yield fake, "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def test_other_names_are_forwarded_with_a_fresh_id_and_forgeries_ignored():
    async def run():
        async with serving() as (server, _, port), upstream() as (fake, where):
            server.set_resolver("vpc-a", resolver(upstreams=(where,)))
            for _ in range(8):
                assert addresses(await ask(port, "example.com")) == ["192.0.2.9"]
            assert len({wire[:2] for wire in fake.seen}) > 2
            assert (await ask(port)).rcode() == dns.rcode.NXDOMAIN
            assert len(fake.seen) == 8  # our own names never leave

    asyncio.run(run())


def test_a_dead_upstream_is_passed_over_and_all_dead_is_servfail():
    async def run():
        upstreams = Upstreams(timeout_s=0.2)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{silent.getsockname()[1]}"
        async with serving(upstreams=upstreams) as (server, _, port), upstream() as (_, where):
            server.set_resolver("vpc-a", resolver(upstreams=(dead, where)))
            assert addresses(await ask(port, "example.com")) == ["192.0.2.9"]
            server.set_resolver("vpc-a", resolver(upstreams=(dead,)))
            for tcp in (False, True):
                assert (await ask(port, "example.com", tcp=tcp)).rcode() == dns.rcode.SERVFAIL
        silent.close()

    asyncio.run(run())


def test_one_vpc_cannot_use_up_the_forwarding_of_others():
    async def run():
        upstreams = Upstreams(timeout_s=5, per_vpc_max=2)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{silent.getsockname()[1]}"
        async with upstream() as (_, where):
            question = parse_query(dns.message.make_query("example.com", "A").to_wire())
            waiting = [asyncio.create_task(upstreams.ask("noisy", [dead], question, tcp=False)) for _ in range(2)]
            await until(lambda: upstreams._waiting["noisy"] == 2)
            assert await upstreams.ask("noisy", [where], question, tcp=False) is None
            assert await upstreams.ask("quiet", [where], question, tcp=False) is not None
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert not upstreams._waiting
        silent.close()

    asyncio.run(run())


def test_garbage_datagrams_leave_the_server_answering():
    async def run():
        async with serving() as (server, _, port):
            server.set_resolver("vpc-a", resolver())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for size in range(600):
                    sock.sendto(bytes([size & 0xFF]) * size, (A, port))
            assert (await ask(port)).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.1.1.1", ("1.1.1.1", 53)),
        ("1.1.1.1:5353", ("1.1.1.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_upstream_addresses(text, address):
    assert parse_upstream(text) == address
