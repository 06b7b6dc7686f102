"""Logins and sessions through the gateway to a real TiDB, with PyMySQL as the client."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tidegate.gateway.framing import Packet, PacketBuffer, build_packet
from tidegate.gateway.handshake import MAX_REDIALS, TIDB_CAPABILITIES
from tidegate.gateway.packets import (
    Capability,
    HandshakeResponse,
    build_handshake_response,
    parse_greeting,
)

DENIED_SUFFIX = ", see https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix for more details."
PASSWORD = "s3cret & long"
KNOWN_CLIENT = "127.0.0.5"


def scalar(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def trusting_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def refusal(connect: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(pymysql.MySQLError) as caught:
        connect()
    return caught.value.args[0], caught.value.args[1]


def test_the_gateway_offers_what_tidb_offers(database: tuple[str, int]) -> None:
    """A capability that TiDB lacks would fail after the login; one that it gained is a feature withheld."""
    with socket.create_connection(database) as sock:
        buffer = PacketBuffer()
        buffer.feed(sock.recv(4096))
    packet = buffer.next_packet()
    assert packet is not None
    assert parse_greeting(packet.payload).capabilities == TIDB_CAPABILITIES


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("user", "password"),
    [("p1.root", PASSWORD), ("p1.sha2", PASSWORD), ("p1.empty", ""), ("p1.empty2", "")],
    ids=["native", "caching_sha2", "empty", "empty_sha2"],
)
def test_each_plugin_logs_in(gateway: Any, user: str, password: str, tls: bool) -> None:
    """caching_sha2_password without TLS goes through the gateway's RSA key, since TiDB has none."""
    options = {"ssl": trusting_tls()} if tls else {}
    with gateway.connect(user, password, database="test", **options) as connection:
        assert scalar(connection, "SELECT USER()") == f"{user}@{KNOWN_CLIENT}"
        assert scalar(connection, "SELECT DATABASE()") == "test"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("user", ["p1.root", "p1.sha2", "p1.nobody", "xx.root", "xx.nobody", "far.root"])
def test_wrong_password_and_unknown_prefix_look_alike(gateway: Any, user: str, tls: bool) -> None:
    """Whoever guesses prefixes must learn nothing from the answer."""
    options = {"ssl": trusting_tls()} if tls else {}
    code, text = refusal(lambda: gateway.connect(user, "wrong", **options))
    assert code == 1045
    assert text == f"Access denied for user '{user}'@'{KNOWN_CLIENT}' (using password: YES){DENIED_SUFFIX}"


@pytest.mark.parametrize("user", ["p1.root", "p1.nobody", "xx.root", "xx.nobody"])
def test_without_password_they_look_alike_too(gateway: Any, user: str) -> None:
    code, text = refusal(lambda: gateway.connect(user, ""))
    assert (code, text) == (
        1045,
        f"Access denied for user '{user}'@'{KNOWN_CLIENT}' (using password: NO){DENIED_SUFFIX}",
    )


def test_missing_prefix(gateway: Any) -> None:
    page = "https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix"
    code, text = refusal(lambda: gateway.connect("root", PASSWORD))
    assert (code, text) == (1105, f"Missing user name prefix. See {page}")


def test_unknown_client_is_closed_unanswered(gateway: Any) -> None:
    with socket.create_connection(("127.0.0.2", gateway.port), 5, source_address=("127.0.0.6", 0)) as sock:
        assert sock.recv(1) == b""


def test_plaintext_is_refused_where_tls_is_required(gateway_factory: Any) -> None:
    gateway = gateway_factory(tls="required")
    code, text = refusal(gateway.connect)
    assert code == 3159
    assert text.startswith("Connections using insecure transport are prohibited")
    with gateway.connect(ssl=trusting_tls()) as connection:
        assert scalar(connection, "SELECT 1") == 1


def test_tls_is_not_offered(gateway_factory: Any) -> None:
    gateway = gateway_factory(tls="not_offered", certificate_path="", key_path="")
    with gateway.connect() as connection:
        assert scalar(connection, "SELECT 1") == 1
    # PyMySQL's default takes TLS where there is some, and goes on without where there is none.
    with gateway.connect(ssl_disabled=False) as connection:
        assert scalar(connection, "SELECT 1") == 1


def test_a_sleeping_cluster_is_woken(gateway: Any) -> None:
    with gateway.connect("p2.root") as connection:
        assert scalar(connection, "SELECT 1") == 1
    assert gateway.directory.wakes == 1


def test_a_cluster_that_cannot_start(gateway: Any) -> None:
    gateway.directory.wake_error = "the disk is full."
    code, text = refusal(lambda: gateway.connect("p2.root"))
    assert (code, text) == (
        1105,
        "The cluster '10002' could not be started (server side): the disk is full.",
    )


def test_a_cluster_that_starts_too_slowly(gateway_factory: Any) -> None:
    gateway = gateway_factory(wake_timeout_s=0.2)
    gateway.directory.wake_delay_s = 30.0
    code, text = refusal(lambda: gateway.connect("p2.root"))
    assert (code, text) == (
        1105,
        "The cluster '10002' could not be started (server side): it did not come up within 0.2 s. Try again.",
    )


def test_a_database_that_is_gone_is_asked_for_again(gateway: Any) -> None:
    """The directory may think it ready while it was stopped this moment."""
    code, text = refusal(lambda: gateway.connect("dead.root"))
    assert code == 1105
    assert "cannot be reached from the gateway (server side): Connection refused" in text
    assert gateway.directory.wakes == MAX_REDIALS


def test_a_silent_client_is_cut(gateway_factory: Any) -> None:
    gateway = gateway_factory(login_timeout_s=0.2)
    with socket.create_connection(("127.0.0.2", gateway.port), 5, source_address=(KNOWN_CLIENT, 0)) as sock:
        heard = b"".join(iter(lambda: sock.recv(4096), b""))
    assert b"Got timeout reading communication packets" in heard


def test_too_many_pending_logins(gateway_factory: Any) -> None:
    """One endpoint gets a fourth of them: here one."""
    gateway = gateway_factory(max_pending_logins=4)
    with socket.create_connection(("127.0.0.2", gateway.port), 5, source_address=(KNOWN_CLIENT, 0)) as sock:
        assert sock.recv(1)
        code, text = refusal(gateway.connect)
    assert code == 1040
    assert text.startswith("Too many connections")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_twenty_megabytes_both_ways(gateway: Any, tls: bool) -> None:
    """More than one 16 MiB packet, more than every buffer on the way."""
    value = bytes(range(1, 256)) * 82000
    options = {"ssl": trusting_tls()} if tls else {}
    with gateway.connect(max_allowed_packet=1 << 26, **options) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT SHA1(v), v FROM (SELECT _binary %s AS v) AS t", (value,))
            digest, back = cursor.fetchone()
        assert digest == hashlib.sha1(value).hexdigest()
        assert back == value


def test_load_data_local(gateway: Any, tmp_path: Path) -> None:
    """In this statement the client sends packets without being asked in between."""
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{n},{'x' * 100}\n" for n in range(20000)))
    with gateway.connect(database="test", local_infile=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE loaded (id INT PRIMARY KEY, text VARCHAR(100))")
            cursor.execute(f"LOAD DATA LOCAL INFILE '{rows}' INTO TABLE loaded FIELDS TERMINATED BY ','")
        connection.commit()
        assert scalar(connection, "SELECT COUNT(*) FROM loaded") == 20000


def test_a_hundred_sessions_at_once(gateway: Any) -> None:
    everyone = threading.Barrier(100)

    def work(number: int) -> int:
        with gateway.connect() as connection:
            everyone.wait(60)
            return sum(scalar(connection, f"SELECT {number}") for _ in range(20)) // 20

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(work, range(100))) == list(range(100))
    wait_until_closed(gateway, 100)


def wait_until_closed(gateway: Any, count: int) -> None:
    def closed() -> list[Any]:
        return [event for event in gateway.events if event.event == "closed"]

    gateway.wait_until(lambda: len(closed()) == count, 10, "not all sessions ended")


def test_the_flow_log_tells_the_session(gateway: Any) -> None:
    with gateway.connect() as connection:
        assert scalar(connection, "SELECT 1") == 1
    wait_until_closed(gateway, 1)
    opened, closed = gateway.events
    assert (opened.event, closed.event) == ("opened", "closed")
    assert (closed.endpoint_id, closed.vpc_id) == ("ep-0123456789abcdef0123", "vpc-1")
    assert (closed.user, closed.cluster_id, closed.path) == ("p1.root", "10001", "relay")
    assert closed.close_reason in ("client closed", "server closed")  # TiDB closes upon COM_QUIT
    assert closed.bytes_to_server > 10
    assert closed.bytes_to_client > 10


def test_kill_reaches_a_session_through_the_gateway(gateway: Any) -> None:
    """The database's own connection id is what KILL takes, and its end becomes the client's."""
    with gateway.connect() as connection, gateway.connect() as other:
        victim = scalar(connection, "SELECT CONNECTION_ID()")
        with other.cursor() as cursor:
            cursor.execute(f"KILL {victim}")
        with pytest.raises(pymysql.MySQLError):
            for _ in range(100):
                scalar(connection, "SELECT 1")
        assert scalar(other, "SELECT 1") == 1


def test_change_user_goes_straight_to_the_database(gateway: Any) -> None:
    """Connection pools reset sessions with COM_CHANGE_USER; the gateway is no party to it any more."""
    with gateway.connect() as connection:
        connection._execute_command(0x11, b"p1.empty\0\0test\0\x2e\0mysql_native_password\0")
        assert connection._read_packet().is_ok_packet()
        assert scalar(connection, "SELECT USER()") == f"p1.empty@{KNOWN_CLIENT}"


@pytest.mark.parametrize("flag", [Capability.COMPRESS, Capability.ZSTD], ids=["zlib", "zstd"])
def test_compression_begins_behind_the_gateway(gateway: Any, flag: Capability) -> None:
    """The OK is the last packet in clear; from there on client and database compress on their own."""
    with RawClient(gateway.port) as client:
        client.log_in(TIDB_CAPABILITIES & ~(Capability.COMPRESS | Capability.ZSTD) | flag)
        ping = build_packet(0, b"\x0e")
        client.sock.sendall(len(ping).to_bytes(3, "little") + b"\0" + b"\0\0\0" + ping)
        answer = client.exactly(7)
        size = int.from_bytes(answer[:3], "little")
        assert answer[4:] == b"\0\0\0"  # too small to be worth compressing
        assert client.exactly(size)[:5] == build_packet(1, b"\0" * 7)[:5]


class RawClient:
    """A client in so many packets, for what PyMySQL cannot say.  Logs in as the user without password."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.2", port), 10, source_address=(KNOWN_CLIENT, 0))

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.sock.recv(count - len(data)) or pytest.fail("the gateway closed the connection")
        return data

    def packet(self) -> Packet:
        head = self.exactly(4)
        return Packet(head[3], self.exactly(int.from_bytes(head[:3], "little")))

    def log_in(self, flags: Capability) -> None:
        self.packet()
        response = HandshakeResponse(flags, 1 << 24, 45, b"p1.empty", b"", b"test", b"mysql_native_password")
        self.sock.sendall(build_packet(1, build_handshake_response(response)))
        assert self.packet().payload[0] == 0xFE
        self.sock.sendall(build_packet(3, b""))
        assert self.packet().payload[0] == 0


def test_a_new_certificate_is_taken_without_restart(gateway: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    certificate_path, key_path = gateway.make_certificate(folder)
    config = dataclasses.replace(gateway.gateway._config, certificate_path=certificate_path, key_path=key_path)
    gateway.gateway.update(config)
    with gateway.connect(ssl=trusting_tls()) as connection:
        served = connection._sock.getpeercert(binary_form=True)
    assert ssl.DER_cert_to_PEM_cert(served) == Path(certificate_path).read_text()
