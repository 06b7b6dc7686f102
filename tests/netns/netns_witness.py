"""What really happens on the wire and in the kernel, seen without a line of Tidegate's own code."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
DROPPED_S = 0.35
"""A packet that takes longer than this on veth was dropped."""

ECHO_REQUEST = bytes.fromhex("0800 f7fe 0000 0001")
"""ICMP type 8, code 0, checksum, identifier 0, sequence 1 (RFC 792)"""


@contextlib.contextmanager
def _standing_in(path: str) -> Iterator[None]:
    here, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(path, os.O_RDONLY)
    try:
        assert _libc.setns(there, CLONE_NEWNET) == 0, f"cannot enter {path}"
        yield
    finally:
        assert _libc.setns(here, CLONE_NEWNET) == 0
        os.close(here)
        os.close(there)


class Place:
    """One namespace.  A socket stays in the namespace in which it was opened."""

    def __init__(self, path: str) -> None:
        self.path = path

    def socket(self, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        with _standing_in(self.path):
            opened = socket.socket(socket.AF_INET, kind, protocol)
        opened.settimeout(DROPPED_S)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return opened

    def connect(self, address: str, port: int, source: tuple[str, int] | None = None) -> socket.socket:
        """A TCP connection, or TimeoutError when the packets are dropped."""
        opened = self.socket()
        try:
            if source:
                opened.bind(source)
            opened.connect((address, port))
        except BaseException:
            opened.close()
            raise
        return opened

    def reaches(self, address: str, port: int, kind: str = "tcp") -> bool:
        """Whether a packet gets through and back: a TCP echo, a UDP echo, an ICMP echo.

        A reset or an ICMP refusal counts as an error of the test: drops must be silent.
        """
        try:
            if kind == "tcp":
                with self.connect(address, port) as s:
                    return talks(s)
            if kind == "udp":
                with self.socket(socket.SOCK_DGRAM) as s:
                    s.sendto(b"anyone?", (address, port))
                    return s.recv(64) == b"anyone?"
            with self.socket(socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
                s.connect((address, 0))
                s.send(ECHO_REQUEST)
                while (answer := s.recv(256))[20] != 0:  # type 0 is the reply; lo shows us our request too
                    assert answer[20] == 8, "refused aloud instead of dropped"
                return True
        except TimeoutError:
            return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        argv = ["nsenter", f"--net={self.path}", *command]
        return subprocess.run(argv, text=True, capture_output=True, check=False)

    def ip(self, *arguments: str) -> Any:
        return json.loads(self.run("ip", "-json", *arguments).stdout or "[]")

    def rules(self) -> list[Any]:
        """The ruleset without counters and handles, and without what packets put into its sets: what it means."""
        listed = json.loads(self.run("nft", "-j", "list", "ruleset").stdout)["nftables"]
        return sorted((_without_numbers(r) for r in listed if "metainfo" not in r), key=json.dumps)

    def state(self) -> dict[str, Any]:
        """Links, addresses, routes, pinned neighbours and rules, fit to be compared."""
        return {
            "links": sorted((i["ifname"], i.get("address"), i["operstate"]) for i in self.ip("link")),
            "addresses": sorted(
                (i["ifname"], a["local"], a["prefixlen"]) for i in self.ip("-4", "addr") for a in i["addr_info"]
            ),
            "routes": sorted((r["dst"], r.get("gateway", ""), r["dev"]) for r in self.ip("-4", "route")),
            "neighbours": sorted(
                (n["dst"], n["dev"], n["lladdr"]) for n in self.ip("neigh") if "PERMANENT" in n["state"]
            ),
            "rules": self.rules(),
            "shaping": self.shaping(),
        }

    def shaping(self) -> list[str]:
        """What traffic control does on each link, without counters; empty where nothing is shaped."""
        queues = self.run("tc", "qdisc", "show").stdout.splitlines()
        shaped = {line.split(" dev ")[1].split()[0] for line in queues if " noqueue " not in line}
        found = [line for line in queues if " noqueue " not in line]
        for link in sorted(shaped):
            for kind in ("class", "filter"):
                listed = self.run("tc", kind, "show", "dev", link).stdout.replace("\n  ", " ")
                found += [f"{link} {line}" for line in listed.splitlines()]
        return sorted(re.sub(r"(refcnt|direct_packets_stat) \d+", "", line) for line in found)

    def dump(self) -> str:
        commands = (
            ("ip", "-d", "link"),
            ("ip", "-4", "addr"),
            ("ip", "route"),
            ("ip", "neigh"),
            ("nft", "list", "ruleset"),
            ("conntrack", "-L"),
            ("tc", "-s", "qdisc"),
        )
        return "\n".join(f"## {self.path}: {' '.join(c)}\n{self.run(*c).stdout}" for c in commands)


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in ("handle", "packets", "bytes")}
        kept = {k: _without_numbers(v) for k, v in kept.items()}
        if "timeout" in kept:  # a set that packets fill, and time empties
            kept.pop("elem", None)
        if isinstance(kept.get("elem"), list):
            kept["elem"] = sorted(kept["elem"], key=json.dumps)
        return kept
    return [_without_numbers(v) for v in value] if isinstance(value, list) else value


class Server:
    """An echo server in a place that remembers who spoke to it."""

    def __init__(self, place: Place, address: str, port: int, kind: int = socket.SOCK_STREAM) -> None:
        self.peers: list[tuple[str, int]] = []
        self._kind = kind
        self._socket = place.socket(kind)
        self._socket.settimeout(None)
        self._socket.bind((address, port))
        if kind == socket.SOCK_STREAM:
            self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                if self._kind == socket.SOCK_DGRAM:
                    data, peer = self._socket.recvfrom(2048)
                    if peer is None:
                        return  # shut down
                    self.peers.append(peer)
                    self._socket.sendto(data, peer)
                else:
                    accepted, peer = self._socket.accept()
                    self.peers.append(peer)
                    threading.Thread(target=_echo, args=(accepted,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(2)


def _echo(accepted: socket.socket) -> None:
    with accepted, contextlib.suppress(OSError):
        while data := accepted.recv(4096):
            accepted.sendall(data)


def talks(connection: socket.socket, word: bytes = b"ping") -> bool:
    """Whether a running connection still carries bytes there and back."""
    try:
        connection.sendall(word)
        return connection.recv(len(word)) == word
    except TimeoutError:
        return False


def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def named_namespaces() -> set[str]:
    folder = Path("/run/netns")
    return {entry.name for entry in folder.iterdir()} if folder.exists() else set()


def root_links() -> set[str]:
    listed = subprocess.run(["ip", "-json", "link"], text=True, capture_output=True, check=True).stdout
    return {link["ifname"] for link in json.loads(listed)}


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()
