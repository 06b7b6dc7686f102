"""Links, addresses and routes of the calling thread's network namespace, by rtnetlink.

pyroute2 makes and removes.  What is only looked at is read here directly: the kernel filters dumps that grow with
the number of endpoints (NETLINK_GET_STRICT_CHK), they need no object per message (21 ms became 1 for one VPC's
routes beside 1,000 others), and a pass that finds everything in place needs no pyroute2 at all (2 ms to open, 2 more
for each link looked up).  Everything tolerates being done twice.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

SENDING_LIMIT_S = 1.0

LOOPBACK = 1
"""lo is the first link of every namespace."""

_DONE, _ERROR = 3, 2
_NEW_LINK, _GET_LINK = 16, 18
_NEW_ADDRESS, _GET_ADDRESS, _NEW_ROUTE, _GET_ROUTE, _NEW_NEIGHBOUR, _GET_NEIGHBOUR = 20, 22, 24, 26, 28, 30
_REQUEST, _REQUEST_DUMP = 0x1, 0x301
_SOL_NETLINK, _STRICT_CHECK = 270, 12
_MAIN_TABLE, _UNICAST, _PERMANENT = 254, 1, 0x80
_IFF_UP, _IFF_RUNNING = 0x1, 0x40


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    index: int
    up: bool
    mac: str
    peer_index: int
    alias: str
    sending: bool
    """False while the kernel throws away what the link should send; see :meth:`Links.await_sending`."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the main table: ``network`` in CIDR form, ``via`` empty when the target is on the link."""

    network: str
    via: str
    index: int


class Links:
    """The calling thread's namespace; it must not leave it before the end, nor have a running loop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if "_ip" in self.__dict__:
            self._ip.close()

    @cached_property
    def _ip(self) -> Any:
        return IPRoute()

    def link(self, name: str) -> Link | None:
        return read_link(name)

    def links(self) -> dict[str, Link]:
        return read_links()

    def add_veth(self, name: str, mac: str, peer: str, peer_mac: str, peer_namespace: int) -> None:
        """Both ends at once, each in its place: there is no half-made pair to clean up."""
        there = {"ifname": peer, "address": peer_mac, "net_ns_fd": peer_namespace}
        self._ip.link("add", ifname=name, kind="veth", address=mac, peer=there)

    def delete_link(self, name: str) -> bool:
        link = self.link(name)
        if link is not None:
            with _tolerating(errno.ENODEV):
                self._ip.link("del", index=link.index)
        return link is not None

    def set_up(self, link: Link) -> bool:
        if not link.up:
            self._ip.link("set", index=link.index, state="up")
        return not link.up

    def set_alias(self, link: Link, alias: str) -> bool:
        if link.alias != alias:
            self._ip.link("set", index=link.index, ifalias=alias)
        return link.alias != alias

    def await_sending(self, name: str) -> None:
        """Return when what this link sends is sent.

        A link that was up before its peer drops all until the kernel's link watch has run, some time after the peer
        came up: an ARP answer lost in between costs a connection one second.  Asking for one link makes the link
        watch run for it (rtnl_getlink, since Linux 6.8); older kernels are asked again.
        A link whose peer is down or gone never sends: after SENDING_LIMIT_S that is for a later pass to mend.
        """
        end = time.monotonic() + SENDING_LIMIT_S
        while (link := self.link(name)) is not None and not link.sending and time.monotonic() < end:
            time.sleep(0.002)

    def add_address(self, index: int, address: str, prefix_length: int = 32) -> None:
        with _tolerating(errno.EEXIST):
            self._ip.addr("add", index=index, address=address, prefixlen=prefix_length)

    def delete_address(self, index: int, address: str, prefix_length: int = 32) -> None:
        with _tolerating(errno.EADDRNOTAVAIL, errno.ENODEV):
            self._ip.addr("del", index=index, address=address, prefixlen=prefix_length)

    def add_route(self, route: Route) -> None:
        # onlink: the next hop is an address of no subnet; its link-layer address is a permanent neighbour.
        more: dict[str, Any] = {"gateway": route.via, "flags": ["onlink"]} if route.via else {}
        self._ip.route("replace", dst=route.network, oif=route.index, **more)

    def delete_route(self, route: Route) -> None:
        with _tolerating(errno.ESRCH, errno.ENODEV):
            self._ip.route("del", dst=route.network, oif=route.index)

    def pin_neighbour(self, index: int, address: str, mac: str) -> None:
        self._ip.neigh("replace", dst=address, lladdr=mac, ifindex=index, state="permanent")


@contextlib.contextmanager
def _tolerating(*codes: int) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise


_NO_STATISTICS = struct.pack("=HHI", 8, 29, 8)
"""IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS (linux/rtnetlink.h)"""
_ANY_LINK = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, 0, 0, 0)
_LINK_HEADER_BYTES = 16


def read_link(name: str) -> Link | None:
    text = name.encode() + b"\0"
    asked = struct.pack("=HH", 4 + len(text), 3) + text + bytes(-len(text) % 4)  # IFLA_IFNAME
    try:
        found = list(_ask(_GET_LINK, _REQUEST, _NEW_LINK, _ANY_LINK, _NO_STATISTICS + asked, _LINK_HEADER_BYTES))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    return _build_link(*found[0])


def read_links() -> dict[str, Link]:
    found = _dump(_GET_LINK, _NEW_LINK, _ANY_LINK, _NO_STATISTICS, _LINK_HEADER_BYTES)
    return {link.name: link for link in (_build_link(*message) for message in found)}


def _build_link(body: bytes, attributes: dict[int, bytes]) -> Link:
    """ifinfomsg: family, type, index, flags; IFLA_ADDRESS 1, IFNAME 3, LINK 5, IFALIAS 20 (linux/if_link.h)."""
    index, flags = struct.unpack_from("=iI", body, 4)
    return Link(
        _text(attributes[3]),
        index,
        bool(flags & _IFF_UP),
        attributes.get(1, b"").hex(":"),
        int.from_bytes(attributes.get(5, b""), sys.byteorder),
        _text(attributes.get(20, b"")),
        bool(flags & _IFF_RUNNING),
    )


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="replace")


def read_addresses(index: int) -> set[tuple[str, int]]:
    """(IPv4 address, prefix length) on a link; 127/8 left out."""
    header = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, index)
    found = set()
    for body, attributes in _dump(_GET_ADDRESS, _NEW_ADDRESS, header, b"", 8):
        local = attributes.get(2) or attributes.get(1)  # IFA_LOCAL, IFA_ADDRESS
        if local is not None and local[0] != 127:
            found.add((socket.inet_ntoa(local), body[1]))
    return found


def read_routes(index: int = 0) -> set[Route]:
    """Unicast IPv4 routes of the main table, of one link or of all."""
    header = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _MAIN_TABLE, 0, 0, 0, 0)
    link = struct.pack("=HHI", 8, 4, index) if index else b""  # RTA_OIF
    found = set()
    for body, attributes in _dump(_GET_ROUTE, _NEW_ROUTE, header, link, 12):
        if body[4] != _MAIN_TABLE or body[7] != _UNICAST or 4 not in attributes:
            continue
        network = f"{socket.inet_ntoa(attributes.get(1, bytes(4)))}/{body[1]}"
        via = socket.inet_ntoa(attributes[5]) if 5 in attributes else ""
        found.add(Route(network, via, int(struct.unpack("=I", attributes[4])[0])))
    return found


def read_pinned(index: int) -> dict[str, str]:
    """Permanent IPv4 neighbours on a link: address to MAC."""
    header = struct.pack("=BBHiHBB", socket.AF_INET, 0, 0, 0, 0, 0, 0)
    link = struct.pack("=HHI", 8, 8, index)  # NDA_IFINDEX
    found = {}
    for body, attributes in _dump(_GET_NEIGHBOUR, _NEW_NEIGHBOUR, header, link, 12):
        where, state = struct.unpack_from("=iH", body, 4)
        if where == index and state == _PERMANENT and 1 in attributes and 2 in attributes:
            found[socket.inet_ntoa(attributes[1])] = attributes[2].hex(":")  # NDA_DST, NDA_LLADDR
    return found


def _dump(
    kind: int, answer: int, header: bytes, attributes: bytes, header_bytes: int
) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    return _ask(kind, _REQUEST_DUMP, answer, header, attributes, header_bytes)


def _ask(
    kind: int, flags: int, answer: int, header: bytes, attributes: bytes, header_bytes: int
) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """The answers as (fixed header, attributes by number); see netlink(7) and rtnetlink(7)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as s:
        s.bind((0, 0))
        s.settimeout(10.0)
        s.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        length = 16 + len(header) + len(attributes)
        s.send(struct.pack("=IHHII", length, kind, flags, 1, 0) + header + attributes)
        while True:
            data = s.recv(1 << 18)
            at = 0
            while at < len(data):
                size, found = struct.unpack_from("=IH", data, at)
                if found == _DONE:
                    return
                if found == _ERROR:
                    code = -struct.unpack_from("=i", data, at + 16)[0]
                    raise OSError(code, f"rtnetlink: {os.strerror(code)}")
                if found == answer:
                    start = at + 16
                    body = data[start : start + header_bytes]
                    yield body, _attributes(data[start + header_bytes : at + size])
                at += (size + 3) & ~3
            if flags == _REQUEST:
                return


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at + 4 <= len(data):
        size, number = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[number & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def set_kernel(name: str, value: str) -> bool:
    """Write a setting under /proc/sys/net if it differs.  False also when the kernel has no such setting."""
    file = Path("/proc/sys/net") / name
    try:
        if file.read_text().split() == value.split():
            return False
        file.write_text(value)
    except FileNotFoundError:
        return False
    return True
