"""The public door: a socket that was passed in, TLS demanded, and the cluster's own word on who may come in."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.public_endpoints import ALLOW_ALL, Network, decide_authorized
from tidegate.gateway.config import Consumer, GatewayConfig, Route, SessionEvent
from tidegate.gateway.framing import Packet, PacketBuffer, build_packet
from tidegate.gateway.handshake import TIDB_CAPABILITIES
from tidegate.gateway.packets import Capability, HandshakeResponse, build_handshake_response, parse_err
from tidegate.gateway.passing import Recipient, SocketReceiver
from tidegate.gateway.server import Gateway, decide_private, decide_public

REGION = "ap-southeast-1"
OFFICE: Network = ("192.0.2.10", "192.0.2.20", "office")
ROUTE = Route("p1", REGION, "10001", "127.0.0.1", 1, ready=True)
ROWS: list[tuple[tuple[Network, ...] | None, str, int | None]] = [
    (None, "192.0.2.10", 1105),
    ((), "192.0.2.10", 1130),
    ((OFFICE,), "192.0.2.9", 1130),
    ((OFFICE,), "192.0.2.10", None),
    ((OFFICE,), "192.0.2.20", None),
    ((OFFICE,), "192.0.2.21", 1130),
    ((OFFICE, ("10.0.0.1", "10.0.0.1", "one")), "10.0.0.1", None),
    ((OFFICE,), "::1", 1130),
    ((OFFICE,), "100.64.0.1", 1130),
    ((ALLOW_ALL,), "100.64.0.1", None),
]


@pytest.mark.parametrize(("networks", "host", "code"), ROWS)
def test_verdicts(networks: tuple[Network, ...] | None, host: str, code: int | None) -> None:
    refusal = decide_public(Route("p1", REGION, "10001", "127.0.0.1", 1, public=networks), host)
    assert (refusal.message.code if refusal and refusal.message else None) == code


def test_a_used_up_quota_is_told_in_the_clouds_words_through_both_doors() -> None:
    """Programs match on this text; and who may not come in at all is not told of anybody's quota."""
    route = replace(ROUTE, restricted=True, public=(ALLOW_ALL,))
    for refusal in (decide_private(route), decide_public(route, "192.0.2.1")):
        assert refusal is not None and refusal.message is not None
        assert (refusal.message.code, refusal.message.state) == (1105, "HY000")
        assert refusal.message.text == (
            "Due to the usage quota being exhausted, access to the cluster '10001' has been restricted. "
            "Try increasing spending limits to gain full access. For more information, see "
            "https://docs.pingcap.com/tidbcloud/serverless-limitations#usage-quota"
        )
    shut = decide_public(replace(route, public=(OFFICE,)), "192.0.2.1")
    assert shut is not None and shut.outcome == "not_authorized"
    assert decide_private(ROUTE) is None


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_a_range_has_its_ends_and_all_between(a: object, b: object, c: object) -> None:
    low, mid, high = sorted((a, b, c), key=int)  # type: ignore[call-overload]
    assert decide_authorized([(str(low), str(high), "x")], str(mid))
    assert decide_authorized([(str(mid), str(mid), "x")], str(low)) is (low == mid)


class Directory:
    """Whoever speaks from loopback is a private consumer: the public door must not take them for one."""

    def __init__(self) -> None:
        self.public: tuple[Network, ...] | None = None

    def consumer(self, peer_address: str) -> Consumer | None:
        return Consumer(peer_address, REGION, "ep-1", "vpc-1", "100")

    def route(self, prefix: str) -> Route | None:
        return Route("p1", REGION, "10001", "127.0.0.1", 1, ready=True, public=self.public) if prefix == "p1" else None

    async def wake(self, route: Route, timeout_s: float) -> Route:
        raise AssertionError("nobody is let in that far")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "c.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(tmp_path / "c.pem"), str(tmp_path / "k.pem")


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    buffer = PacketBuffer()
    while buffer.missing_bytes:
        buffer.feed(await reader.readexactly(buffer.missing_bytes))
    packet = buffer.next_packet()
    assert packet is not None
    return packet


async def log_in(port: int, *, tls: bool) -> int:
    """The number of the error that a login to ``p1`` ends with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await read_packet(reader)
    flags, seq = TIDB_CAPABILITIES, 1
    if tls:
        flags |= Capability.SSL
        writer.write(build_packet(1, build_handshake_response(HandshakeResponse(flags, 1, 45, b"", b""))[:32]))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await writer.start_tls(context)
        seq = 2
    writer.write(build_packet(seq, build_handshake_response(HandshakeResponse(flags, 1, 45, b"p1.root", b"x" * 20))))
    code = parse_err((await read_packet(reader)).payload).code
    writer.close()
    return code


def test_the_public_door_demands_tls_and_asks_the_cluster(certificate: tuple[str, str]) -> None:
    """Also where private endpoints offer no TLS at all; and a known consumer's address opens nothing here."""

    async def scene() -> None:
        directory, events = Directory(), list[SessionEvent]()
        config = GatewayConfig(REGION, "", "127.0.0.1", 0, "not_offered", *certificate)
        gateway = Gateway(config, directory, events.append)
        await gateway.start(socket.create_server(("127.0.0.1", 0)))
        gateway.open_public(socket.create_server(("127.0.0.1", 0)))
        assert gateway.public_address is not None
        port = gateway.public_address[1]
        assert await log_in(port, tls=False) == 3159
        assert await log_in(port, tls=True) == 1105
        directory.public = (OFFICE,)
        assert await log_in(port, tls=True) == 1130
        assert {event.endpoint_id for event in events} == {"public"}
        assert gateway.end_sessions("127.0.0.1", "its endpoint is gone") == 0
        gateway.open_public(socket.create_server(("127.0.0.1", 0)))
        assert gateway.public_address[1] != port
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        await gateway.stop()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_public_door_without_a_certificate_lets_nobody_speak() -> None:
    async def scene() -> None:
        gateway = Gateway(GatewayConfig(REGION, "", "127.0.0.1", 0, "not_offered"), Directory(), lambda event: None)
        await gateway.start(socket.create_server(("127.0.0.1", 0)))
        gateway.open_public(socket.create_server(("127.0.0.1", 0)))
        assert gateway.public_address is not None
        reader, _ = await asyncio.open_connection(*gateway.public_address)
        assert await reader.read() == b""
        await gateway.stop()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_listening_socket_is_passed_and_known_again(tmp_path: Path) -> None:
    """A new giver must learn what its predecessor gave, or it would open the port twice."""

    async def scene() -> None:
        taken: list[socket.socket] = []
        receiver = SocketReceiver(tmp_path / "s", lambda: taken[0].getsockname() if taken else None, taken.append)
        receiver.start()
        giver = await asyncio.to_thread(Recipient, tmp_path / "s")
        assert (giver.held, giver.alive) == ("", True)
        with socket.socket() as idle, socket.create_server(("127.0.0.1", 0)) as listener:
            giver.give(listener)
            host, port = listener.getsockname()
            idle.bind(("127.0.0.1", 0))
            giver.give(idle)  # not listening: refused
        while not taken:
            await asyncio.sleep(0.001)
        await asyncio.open_connection(host, port)
        another = await asyncio.to_thread(Recipient, tmp_path / "s")
        assert another.held == f"{host}:{port}"
        assert len(taken) == 1
        receiver.close()
        while giver.alive:
            await asyncio.sleep(0.001)
        with pytest.raises(OSError):
            Recipient(tmp_path / "s")
        for held in (*taken, giver, another):
            held.close()

    asyncio.run(asyncio.wait_for(scene(), 20))
