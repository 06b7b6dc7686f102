"""A real tidb-server and a real gateway, on loopback inside a network namespace of this test process.

Needs a tidb-server (env TIDEGATE_TIDB_SERVER, or one in ~/.cache/tidegate/tidb/*/) and the right to make a network
namespace: run as root, or as ``unshare -rn pytest tests/gateway``.  Takes about 10 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import datetime
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pymysql
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tidegate.gateway.config import Consumer, GatewayConfig, Route, SessionEvent, WakeError
from tidegate.gateway.server import Gateway

CLONE_NEWNET = 0x40000000
REGION = "ap-southeast-1"
DATABASE = ("127.0.0.3", 4000)
GATEWAY = "127.0.0.2"
KNOWN_CLIENT, UNKNOWN_CLIENT = "127.0.0.5", "127.0.0.6"
PASSWORD = "s3cret & long"


def make_certificate(folder: Path) -> tuple[str, str]:
    """A certificate for the gateway's address, signed by its own key: the paths of both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    begin = datetime.datetime(2020, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2099))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(GATEWAY))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "gateway.crt", folder / "gateway.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(paths[0]), str(paths[1])


def find_tidb_server() -> Path | None:
    named = os.environ.get("TIDEGATE_TIDB_SERVER")
    if named:
        return Path(named)
    found = sorted(Path.home().glob(".cache/tidegate/tidb/*/tidb-server"))
    return found[-1] if found else None


@pytest.fixture(scope="package")
def namespace() -> Iterator[None]:
    """This process, and all it starts, in a fresh network namespace with nothing but loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        pytest.skip("needs root, or `unshare -rn pytest tests/gateway`, to make a network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    yield
    libc.setns(before, CLONE_NEWNET)
    os.close(before)


@pytest.fixture(scope="package")
def database(namespace: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A real TiDB that takes PROXY headers from the gateway's address, with the users of the tests."""
    binary = find_tidb_server()
    if binary is None or not binary.exists():
        pytest.skip("needs a tidb-server: set TIDEGATE_TIDB_SERVER to one")
    folder = tmp_path_factory.mktemp("tidb")
    process = start_tidb(binary, folder)
    try:
        wait_until(lambda: _answers(DATABASE), 60, f"TiDB did not start, see {folder}/tidb.log")
        _create_users()
        yield DATABASE
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_tidb(binary: Path, folder: Path) -> subprocess.Popen[bytes]:
    config = folder / "tidb.toml"
    config.write_text(
        f'''
host = "{DATABASE[0]}"
port = {DATABASE[1]}
path = "{folder}/data"
socket = ""
tmp-storage-path = "{folder}/tmp"
temp-dir = "{folder}/tmp"
[log]
level = "warn"
slow-query-file = "{folder}/slow.log"
[log.file]
filename = "{folder}/tidb.log"
[status]
report-status = false
[proxy-protocol]
networks = "{GATEWAY}/32"
[security]
auto-tls = false
'''
    )
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(
            [str(binary), f"--config={config}", "--store=unistore"],
            stdout=out,
            stderr=out,
            cwd=folder,
            env={**os.environ, "GOMEMLIMIT": "1500MiB"},
        )


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, 1) as sock:
            return bool(sock.recv(1))
    except OSError:
        return False


def _create_users() -> None:
    with (
        pymysql.connect(host=DATABASE[0], port=DATABASE[1], user="root") as connection,
        connection.cursor() as cursor,
    ):
        for user, plugin, password in (
            ("p1.root", "mysql_native_password", PASSWORD),
            ("p1.sha2", "caching_sha2_password", PASSWORD),
            ("p1.empty", "mysql_native_password", ""),
            ("p1.empty2", "caching_sha2_password", ""),
            ("p2.root", "mysql_native_password", PASSWORD),
        ):
            by = f" BY '{password}'" if password else ""
            cursor.execute(f"CREATE USER '{user}'@'%' IDENTIFIED WITH '{plugin}'{by}")
            cursor.execute(f"GRANT ALL ON *.* TO '{user}'@'%'")
        cursor.execute("SET GLOBAL max_allowed_packet = 67108864")
        cursor.execute("SET GLOBAL local_infile = ON")


def wait_until(condition: Callable[[], bool], timeout_s: float, message: str) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, message
        time.sleep(0.02)


class FakeDirectory:
    """Knows one client address and two clusters; the second sleeps until it is woken."""

    def __init__(self) -> None:
        self.wakes = 0
        self.wake_error: str | None = None
        self.wake_delay_s = 0.05
        self.routes = {
            "p1": Route("p1", REGION, "10001", *DATABASE, ready=True),
            "p2": Route("p2", REGION, "10002", *DATABASE),
            "far": Route("far", "elsewhere", "10003", *DATABASE, ready=True),
            "dead": Route("dead", REGION, "10004", DATABASE[0], 4999, ready=True),
        }

    def consumer(self, peer_address: str) -> Consumer | None:
        if peer_address != KNOWN_CLIENT:
            return None
        return Consumer(peer_address, REGION, "ep-0123456789abcdef0123", "vpc-1", "100")

    def route(self, prefix: str) -> Route | None:
        return self.routes.get(prefix)

    async def wake(self, route: Route, timeout_s: float) -> Route:
        self.wakes += 1
        await asyncio.sleep(self.wake_delay_s)
        if self.wake_error:
            raise WakeError(self.wake_error)
        return dataclasses.replace(route, ready=True)


class RunningGateway:
    """A gateway on a loop in a thread of its own, and PyMySQL clients of it."""

    make_certificate = staticmethod(make_certificate)
    wait_until = staticmethod(wait_until)

    def __init__(self, config: GatewayConfig) -> None:
        self.directory = FakeDirectory()
        self.events: list[SessionEvent] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        listener = socket.create_server((config.address, 0), backlog=1024)
        self.port = listener.getsockname()[1]
        self.gateway = self.call(self._start(config, listener))

    async def _start(self, config: GatewayConfig, listener: socket.socket) -> Gateway:
        gateway = Gateway(config, self.directory, self.events.append)
        await gateway.start(listener)
        return gateway

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def connect(self, user: str = "p1.root", password: str = PASSWORD, **options: Any) -> Any:
        """Without TLS unless ``ssl`` is given: PyMySQL would otherwise take it wherever it is offered."""
        options = {"bind_address": KNOWN_CLIENT, "connect_timeout": 15, **options}
        options.setdefault("ssl_disabled", "ssl" not in options)
        return pymysql.connect(host=GATEWAY, port=self.port, user=user, password=password, **options)

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.call(self.gateway.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@pytest.fixture
def gateway_factory(database: tuple[str, int], tmp_path: Path) -> Iterator[Callable[..., RunningGateway]]:
    """Starts gateways with the settings a test wants."""
    certificate_path, key_path = make_certificate(tmp_path)
    running: list[RunningGateway] = []

    def start(**settings: Any) -> RunningGateway:
        config = GatewayConfig(
            REGION,
            "",
            GATEWAY,
            0,
            certificate_path=certificate_path,
            key_path=key_path,
        )
        running.append(RunningGateway(dataclasses.replace(config, **settings)))
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(gateway_factory: Callable[..., RunningGateway]) -> RunningGateway:
    return gateway_factory()
