"""The relay between socket pairs: every byte, both ways at once, half-close, slow readers, TLS."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tidegate.gateway.channel import prepare_socket, start_tls
from tidegate.gateway.password_key import PasswordKey
from tidegate.gateway.relay import BUFFER_BYTES, Relay

MEGABYTE = 1 << 20


class Ends:
    """A running relay and the two outer ends of its connections, blocking, for threads."""

    def __init__(self, relay: Relay, client: socket.socket, server: socket.socket, reasons: list[str]) -> None:
        self.relay, self.client, self.server, self.reasons = relay, client, server, reasons


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outer = socket.create_connection(listener.getsockname())
        inner, _ = listener.accept()
    outer.settimeout(20)
    prepare_socket(inner)
    return outer, inner


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def relayed(**options: Any) -> Ends:
    client, client_inner = tcp_pair()
    server, server_inner = tcp_pair()
    reasons: list[str] = []
    relay = Relay(client_inner, server_inner, reasons.append, **options)
    return Ends(relay, client, server, reasons)


async def in_thread(call: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, *args)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def receive_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(MEGABYTE), b""))


def test_fifty_megabytes_both_ways_at_once() -> None:
    """Both directions share one buffer and one thread, and must not mix or lose a byte."""

    async def test() -> None:
        ends = relayed()
        ends.relay.start()
        up, down = random.Random(1).randbytes(50 * MEGABYTE), random.Random(2).randbytes(50 * MEGABYTE)

        def send(sock: socket.socket, data: bytes) -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        with ThreadPoolExecutor(4) as pool:
            loop = asyncio.get_running_loop()
            jobs = (
                loop.run_in_executor(pool, send, ends.client, up),
                loop.run_in_executor(pool, send, ends.server, down),
                loop.run_in_executor(pool, receive_all, ends.server),
                loop.run_in_executor(pool, receive_all, ends.client),
            )
            _, _, got_up, got_down = await asyncio.gather(*jobs)
        assert hashlib.sha256(got_up).digest() == hashlib.sha256(up).digest()
        assert hashlib.sha256(got_down).digest() == hashlib.sha256(down).digest()
        await until(lambda: bool(ends.reasons))
        assert (ends.relay.bytes_to_server, ends.relay.bytes_to_client) == (len(up), len(down))
        ends.client.close()
        ends.server.close()

    run(test)


def test_half_close_lets_the_answer_through() -> None:
    async def test() -> None:
        ends = relayed()
        ends.relay.start()
        ends.client.sendall(b"question")
        ends.client.shutdown(socket.SHUT_WR)
        assert await in_thread(receive_all, ends.server) == b"question"
        ends.server.sendall(b"answer")
        ends.server.close()
        assert await in_thread(receive_all, ends.client) == b"answer"
        await until(lambda: ends.reasons == ["client closed"])
        ends.client.close()

    run(test)


def test_a_half_closed_session_does_not_stay_for_ever() -> None:
    """A client that never looks at its socket again would hold a dead session."""

    async def test() -> None:
        ends = relayed(half_closed_s=0.05)
        ends.relay.start()
        ends.server.close()
        await until(lambda: ends.reasons == ["server closed"])
        ends.client.close()

    run(test)


def test_a_slow_reader_slows_the_writer_and_costs_one_buffer() -> None:
    """Backpressure: what nobody reads stays with the sender, not in our memory."""

    async def test() -> None:
        ends = relayed()
        ends.relay.start()
        ends.client.setblocking(False)
        sent = 0
        block = bytes(MEGABYTE)
        stalled = 0
        while stalled < 20:
            try:
                sent += ends.client.send(block)
                stalled = 0
            except BlockingIOError:
                stalled += 1
                await asyncio.sleep(0.005)
        assert len(ends.relay._up.waiting) <= BUFFER_BYTES
        assert not ends.relay._up.reading
        ends.client.shutdown(socket.SHUT_WR)
        got = await in_thread(receive_all, ends.server)
        assert len(got) == sent
        ends.server.close()
        await until(lambda: bool(ends.reasons))
        ends.client.close()

    run(test)


def test_leftovers_go_first() -> None:
    async def test() -> None:
        ends = relayed()
        ends.client.sendall(b" query")
        ends.relay.start(to_client=b"OK", to_server=b"early")
        ends.client.shutdown(socket.SHUT_WR)
        assert await in_thread(receive_all, ends.server) == b"early query"
        ends.server.close()
        assert await in_thread(receive_all, ends.client) == b"OK"
        await until(lambda: bool(ends.reasons))
        ends.client.close()

    run(test)


def test_a_reset_ends_both_sides_and_names_where() -> None:
    async def test() -> None:
        ends = relayed()
        ends.relay.start()
        ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ends.server.close()
        assert await in_thread(receive_all, ends.client) == b""
        await until(lambda: bool(ends.reasons))
        assert ends.reasons[0].startswith("server to client: ")
        ends.client.close()

    run(test)


def test_close_tells_once() -> None:
    async def test() -> None:
        ends = relayed()
        ends.relay.start()
        ends.relay.close("gateway stopped")
        ends.relay.close("again")
        assert ends.reasons == ["gateway stopped"]
        assert await in_thread(receive_all, ends.client) == b""
        ends.client.close()
        ends.server.close()

    run(test)


@pytest.fixture
def server_context(tmp_path: Path) -> ssl.SSLContext:
    """A TLS context whose certificate nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    begin = datetime.datetime(2020, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2099))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    return context


def tls_client(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


def test_ten_megabytes_both_ways_over_tls(server_context: ssl.SSLContext) -> None:
    """Records that were decrypted but announced by no readiness event must not get stuck."""

    async def test() -> None:
        outer, inner = tcp_pair()
        server, server_inner = tcp_pair()
        secured, client = await asyncio.gather(start_tls(inner, server_context), in_thread(tls_client, outer))
        reasons: list[str] = []
        relay = Relay(secured, server_inner, reasons.append)
        relay.start()
        data = random.Random(3).randbytes(10 * MEGABYTE)

        def echo() -> None:
            while piece := server.recv(MEGABYTE):
                server.sendall(piece)
            server.close()

        def talk() -> bytes:
            # One thread writes, one reads: OpenSSL's object is only used by both through Python's lock.
            writer = threading.Thread(target=client.sendall, args=(data,))
            writer.start()
            got = bytearray()
            while len(got) < len(data):
                got += client.recv(MEGABYTE)
            writer.join()
            return bytes(got)

        echoing = asyncio.ensure_future(in_thread(echo))
        assert hashlib.sha256(await in_thread(talk)).digest() == hashlib.sha256(data).digest()
        client.close()
        await echoing
        await until(lambda: bool(reasons))
        assert relay.bytes_to_client == relay.bytes_to_server == len(data)

    run(test)


def test_the_end_of_the_database_says_goodbye_in_tls(server_context: ssl.SSLContext) -> None:
    """A TLS client takes an end without close_notify for an attack, and some say so loudly."""

    async def test() -> None:
        outer, inner = tcp_pair()
        server, server_inner = tcp_pair()
        secured, client = await asyncio.gather(start_tls(inner, server_context), in_thread(tls_client, outer))
        client.suppress_ragged_eofs = False
        reasons: list[str] = []
        Relay(secured, server_inner, reasons.append).start()
        server.sendall(b"bye")
        server.close()
        assert await in_thread(receive_all, client) == b"bye"
        assert reasons == ["server closed"]
        client.close()

    run(test)


def test_the_password_key_opens_what_a_client_seals() -> None:
    """Sealed as PyMySQL does it: XOR with the salt, then RSA-OAEP with SHA-1."""
    from pymysql._auth import sha2_rsa_encrypt

    key, salt = PasswordKey(), bytes(range(1, 21))
    assert key.open(sha2_rsa_encrypt(b"s3cret", salt, key.pem), salt) == b"s3cret\0"
    assert key.open(b"rubbish", salt) is None
