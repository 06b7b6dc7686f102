"""The resolver inside real namespaces, asked by programs that know nothing of it: dnspython and the C library."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.dns.server import DnsServer
from tidegate.dns.sockets import bind_socket

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces")

ADDRESSES = ("100.100.2.136", "100.100.2.138")
NAME = "ep-a.epsrv-1.cn-hangzhou.privatelink.aliyuncs.com"
_CLONE_NEWNET = 0x40000000


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


class Spaces:
    """Fresh namespaces, gone after the test."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def make(self, *addresses: str) -> str:
        name = f"tgdns-{secrets.token_hex(4)}"
        run("ip", "netns", "add", name)
        self.names.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        for address in addresses:
            run("ip", "-n", name, "address", "add", f"{address}/32", "dev", "lo")
        return name

    def delete(self, name: str) -> None:
        run("ip", "netns", "delete", name)
        self.names.remove(name)


@pytest.fixture
def spaces() -> Iterator[Spaces]:
    made = Spaces()
    yield made
    for name in list(made.names):
        made.delete(name)


@contextmanager
def inside(name: str) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        assert libc.setns(there, _CLONE_NEWNET) == 0
        yield
    finally:
        assert libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


def open_socket(namespace, kind, address, port):
    with inside(namespace):
        return bind_socket(kind, address, port)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    """The real server on a loop in a thread of its own, in the host's namespace."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = DnsServer(open_socket, loop, identify_namespace=lambda name: Path(f"/run/netns/{name}").stat().st_ino)
    yield made
    asyncio.run_coroutine_threadsafe(made.close(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


ASK = """
import sys, dns.message, dns.query
query = getattr(dns.query, sys.argv[3])
answer = query(dns.message.make_query(sys.argv[1], "A"), sys.argv[2], timeout=5)
print(answer.rcode().name, *(r.address for s in answer.answer for r in s))
"""


def ask(namespace: str, name: str, at: str = ADDRESSES[0], how: str = "udp") -> list[str]:
    out = run("nsenter", f"--net=/run/netns/{namespace}", sys.executable, "-c", ASK, name, at, how)
    return out.split()


def test_two_vpcs_with_the_same_resolver_addresses_see_their_own_names(server, spaces):
    a, b = spaces.make(*ADDRESSES), spaces.make(*ADDRESSES)
    server.set_resolver("vpc-a", ResolverConfig("vpc-a", a, ADDRESSES))
    server.set_resolver("vpc-b", ResolverConfig("vpc-b", b, ADDRESSES))
    server.set_name(NAME, NameRecord(NAME, "vpc-a", ("10.0.0.7",)))
    for at in ADDRESSES:
        for how in ("udp", "tcp"):
            assert ask(a, NAME, at, how)[1:] == ["10.0.0.7"]
            assert ask(b, NAME, at, how)[1:] == []
    server.set_resolver("vpc-b", ResolverConfig("vpc-b", b, ADDRESSES, "cloud"))
    assert ask(b, NAME)[1:] == ["10.0.0.7"]


def test_nothing_is_bound_on_the_host(server, spaces):
    a = spaces.make(*ADDRESSES)
    before = run("ss", "-Hlnut") if shutil.which("ss") else ""
    server.set_resolver("vpc-a", ResolverConfig("vpc-a", a, ADDRESSES))
    assert not any(address in before for address in ADDRESSES)
    if shutil.which("ss"):
        assert ADDRESSES[0] not in run("ss", "-Hlnut")
        listening = run("nsenter", f"--net=/run/netns/{a}", "ss", "-Hlnut")
        assert listening.count(":53 ") == 4


@pytest.mark.parametrize("tool", ["getent", "dig"])
def test_ordinary_programs_resolve(server, spaces, tool, tmp_path):
    """The C library's resolver is what applications use; it asks A and AAAA at once over one socket."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    a = spaces.make(*ADDRESSES)
    server.set_resolver("vpc-a", ResolverConfig("vpc-a", a, ADDRESSES))
    server.set_name(NAME, NameRecord(NAME, "vpc-a", ("10.0.0.7",)))
    (tmp_path / "resolv.conf").write_text("".join(f"nameserver {address}\n" for address in ADDRESSES))
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    binds = "".join(
        f"mount --bind {tmp_path / name} $(readlink -f /etc/{name}); "
        for name in ("resolv.conf", "nsswitch.conf")
        if Path(f"/etc/{name}").exists()
    )
    command = f"getent ahosts {NAME}" if tool == "getent" else f"dig +short {NAME}"
    out = run("nsenter", f"--net=/run/netns/{a}", "unshare", "--mount", "sh", "-c", binds + command)
    assert out.split()[0] == "10.0.0.7"


def test_the_addresses_may_come_after_the_resolver(server, spaces):
    """Router and resolver are converged independently; neither order may fail."""
    a = spaces.make()
    server.set_resolver("vpc-a", ResolverConfig("vpc-a", a, ADDRESSES))
    for address in ADDRESSES:
        run("ip", "-n", a, "address", "add", f"{address}/32", "dev", "lo")
    assert ask(a, NAME) == ["NXDOMAIN"]


def test_a_rebuilt_namespace_is_served_again(server, spaces):
    """Deleting a namespace leaves our sockets alive in the nameless old one."""
    a = spaces.make(*ADDRESSES)
    config = ResolverConfig("vpc-a", a, ADDRESSES)
    server.set_resolver("vpc-a", config)
    run("ip", "netns", "delete", a)
    run("ip", "netns", "add", a)
    run("ip", "-n", a, "link", "set", "lo", "up")
    run("ip", "-n", a, "address", "add", f"{ADDRESSES[0]}/32", "dev", "lo")
    server.set_resolver("vpc-a", config)
    assert ask(a, NAME) == ["NXDOMAIN"]


def test_a_thousand_resolvers_and_a_low_soft_limit(server, spaces):
    """Four sockets each, and most systems start a process with 1,024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip(f"the hard limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        a = spaces.make(*(f"10.53.{i // 250}.{i % 250}" for i in range(4)))
        for i in range(1000):
            pair = (f"127.1.{i // 250}.{i % 250 + 1}", f"127.2.{i // 250}.{i % 250 + 1}")
            server.set_resolver(f"vpc-{i}", ResolverConfig(f"vpc-{i}", a, pair))
        server.set_name(NAME, NameRecord(NAME, "vpc-999", ("10.0.0.7",)))
        assert ask(a, NAME, "127.2.3.250")[1:] == ["10.0.0.7"]
        assert ask(a, NAME, "127.2.3.249") == ["NXDOMAIN"]
    finally:
        for i in range(1000):
            server.set_resolver(f"vpc-{i}", None)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
