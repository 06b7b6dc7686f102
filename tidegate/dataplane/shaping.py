"""How fast an endpoint may be, as traffic control objects on one end of a fabric link.  Pure.

Each end has a tree of its own and shapes what it sends: the VPC's end what comes from a fabric address, the
provider's end what goes to it.  Where nobody is limited there is no tree, and a packet pays nothing::

    htb fffe:                                 default: straight out, unshaped
      filter 800:0:1  any packet              -> table 1, bucket by three bits of the address's third byte
      filter 1:2:1    third byte 0x..2        -> table 102, bucket by the fourth byte
      filter 102:7:.. 100.64.2.7              -> class fffe:207
      class fffe:207  at the endpoint's rate  -> bfifo 207:, so many bytes may wait

2,048 buckets: below that many limited endpoints of one VPC a packet is compared with one address or two.  All
numbers follow from the address, so one endpoint's objects are made, changed and removed without looking at the
others', and a person reads the address in `tc -s class`.  The tables stay while the tree does: the kernel lets go of
a table some time after the filter that named it (u32 frees by a work queue), so removing one could fail.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["qdisc", "class", "filter"]

TREE = 0xFFFE << 16
"""Handle of our root qdisc; a class's own queue has the class's number for its handle, so TREE is out of its way."""

AT_ROOT = 0xFFFFFFFF
"""TC_H_ROOT: the place of a link's root qdisc"""

ROOT_TABLE = 0x800
"""The hash table that the kernel makes with the first u32 filter."""

SOURCE_OFFSET, DESTINATION_OFFSET = 12, 16
"""Of the IPv4 header (RFC 791)"""

_THIRD_BYTE_BITS, _FOURTH_BYTE = 0x700, 0xFF
_FIRST_TABLE, _SECOND_TABLES = 0x1, range(0x100, 0x108)
_RESERVED = frozenset((0, 0xFFFE, 0xFFFF))
_BUCKETS = 256
_BYTES_PER_MBIT = 125_000
_WAIT_S = 0.05
_MOST_WAITING_BYTES = 16 * 1024 * 1024
_LARGEST_PACKET_BYTES = 65_536
"""Of a packet that the kernel has not cut yet (GSO)"""


@dataclass(frozen=True, slots=True)
class Key:
    """Which object it is.  Objects are made in the order of :func:`plan_shaper` and removed in the opposite one."""

    kind: Kind
    handle: int
    parent: int


@dataclass(frozen=True, slots=True)
class Rate:
    """An HTB class."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Queue:
    """A bfifo below a class: what does not fit is dropped, and TCP slows down."""

    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """A u32 hash table."""

    buckets: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A u32 filter that sends every packet on to the bucket of ``table`` that one byte of its address names."""

    table: int
    byte_mask: int
    offset: int


@dataclass(frozen=True, slots=True)
class Match:
    """A u32 filter: packets with this address belong to that class."""

    address: str
    offset: int
    class_id: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The root: HTB, and nothing said about packets that no filter takes."""


Shape = Tree | Rate | Queue | Table | Fork | Match
Shaper = dict[Key, Shape]


def plan_shaper(limits: Mapping[str, int], offset: int) -> Shaper:
    """``limits``: fabric address to Mbit/s, all above 0.  ``offset``: where in the header that address stands."""
    if not limits:
        return {}
    minors = _minors(limits)
    shaper: Shaper = {Key("qdisc", TREE, AT_ROOT): Tree()}
    for address, mbit in limits.items():
        class_id = TREE | minors[address]
        shaper[Key("class", class_id, TREE)] = Rate(mbit * _BYTES_PER_MBIT)
        shaper[Key("qdisc", minors[address] << 16, class_id)] = Queue(_queue_bytes(mbit))
    for table in (_FIRST_TABLE, *_SECOND_TABLES):
        shaper[_filter(table, 0, 0)] = Table(_BUCKETS if table != _FIRST_TABLE else len(_SECOND_TABLES))
    shaper[_filter(ROOT_TABLE, 0, 1)] = Fork(_FIRST_TABLE << 20, _THIRD_BYTE_BITS, offset)
    for bucket, table in enumerate(_SECOND_TABLES):
        shaper[_filter(_FIRST_TABLE, bucket, 1)] = Fork(table << 20, _FOURTH_BYTE, offset)
    for address in limits:
        shaper[_place(address)] = Match(address, offset, TREE | minors[address])
    return shaper


def _place(address: str) -> Key:
    """Table and bucket by the bits that the forks look at; the number within the bucket by all others but 100."""
    _, second, third, fourth = _bytes_of(address)
    table = third % len(_SECOND_TABLES)
    rest = (second & 0x3F) << 5 | third // len(_SECOND_TABLES)
    return _filter(_SECOND_TABLES[table], fourth, rest + 1)


def _filter(table: int, bucket: int, node: int) -> Key:
    return Key("filter", table << 20 | bucket << 12 | node, TREE)


def _bytes_of(address: str) -> bytes:
    return socket.inet_aton(address)


def _minors(limits: Mapping[str, int]) -> dict[str, int]:
    """A class number per address: its last two bytes, or the next free number should another have the same two."""
    taken: dict[int, str] = {}
    for address in sorted(limits):
        minor = int.from_bytes(_bytes_of(address)[2:])
        while minor in _RESERVED or minor in taken:
            minor = (minor + 1) % 0x10000
        taken[minor] = address
    return {address: minor for minor, address in taken.items()}


def _queue_bytes(mbit: int) -> int:
    """50 ms of the rate, but room for two of the largest packets, and no more than 16 MiB."""
    return min(max(int(mbit * _BYTES_PER_MBIT * _WAIT_S), 2 * _LARGEST_PACKET_BYTES), _MOST_WAITING_BYTES)


# -- the kernel's words: linux/pkt_sched.h, linux/pkt_cls.h, linux/rtnetlink.h -----------------------------------

_KIND, _OPTIONS = 1, 2
_HTB_PARMS, _HTB_INIT, _HTB_RATE64, _HTB_CEIL64 = 1, 2, 6, 7
_U32_CLASSID, _U32_HASH, _U32_LINK, _U32_DIVISOR, _U32_SEL = 1, 2, 3, 4, 5
_ETHERNET = 1
_TERMINAL = 1
_TICK_NS = 64
_BURST_S = 0.002
_QUANTUM_BYTES = _LARGEST_PACKET_BYTES
_SELECTOR = struct.Struct("=BBBxHHhh4s")
_SELECTOR_KEY = struct.Struct("=4s4sii")


def build_attributes(key: Key, shape: Shape) -> bytes:
    """Kind and options of one object as rtnetlink attributes."""
    if isinstance(shape, Tree):
        return _named("htb", _attribute(_HTB_INIT, struct.pack("=IIIII", 3, 10, 0, 0, 0)))
    if isinstance(shape, Rate):
        return _named("htb", _rate_options(shape.bytes_per_s))
    if isinstance(shape, Queue):
        return _attribute(_KIND, b"bfifo\0") + _attribute(_OPTIONS, struct.pack("=I", shape.limit_bytes))
    if isinstance(shape, Table):
        return _named("u32", _attribute(_U32_DIVISOR, struct.pack("=I", shape.buckets)))
    if isinstance(shape, Fork):
        selector = _selector(0, shape.byte_mask, shape.offset, bytes(4), bytes(4), 0)
        target = _attribute(_U32_LINK, struct.pack("=I", shape.table))
    else:
        selector = _selector(_TERMINAL, 0, 0, b"\xff" * 4, _bytes_of(shape.address), shape.offset)
        target = _attribute(_U32_CLASSID, struct.pack("=I", shape.class_id))
    bucket = _attribute(_U32_HASH, struct.pack("=I", key.handle & 0xFFFFF000))
    return _named("u32", bucket + target + _attribute(_U32_SEL, selector))


def _selector(flags: int, byte_mask: int, hash_offset: int, mask: bytes, value: bytes, offset: int) -> bytes:
    head = _SELECTOR.pack(flags, 0, 1, 0, 0, 0, hash_offset, byte_mask.to_bytes(4, "big"))
    return head + _SELECTOR_KEY.pack(mask, value, offset, 0)


def _rate_options(bytes_per_s: int) -> bytes:
    burst_bytes = max(_LARGEST_PACKET_BYTES, int(bytes_per_s * _BURST_S))
    ticks = burst_bytes * 1_000_000_000 // bytes_per_s // _TICK_NS
    spec = struct.pack("=BBHhHI", 0, _ETHERNET, 0, -1, 0, min(bytes_per_s, 0xFFFFFFFF))
    parms = spec + spec + struct.pack("=IIIII", ticks, ticks, _QUANTUM_BYTES, 0, 0)
    wide = struct.pack("=Q", bytes_per_s)
    more = _attribute(_HTB_RATE64, wide) + _attribute(_HTB_CEIL64, wide) if bytes_per_s > 0xFFFFFFFF else b""
    return _attribute(_HTB_PARMS, parms) + more


def _named(kind: str, options: bytes) -> bytes:
    return _attribute(_KIND, kind.encode() + b"\0") + _attribute(_OPTIONS, options)


def _attribute(number: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), number) + body + bytes(-len(body) % 4)


def parse_shape(key: Key, attributes: Mapping[int, bytes]) -> Shape | None:
    """What the kernel says of one object; None for what is none of ours, and so has to go."""
    kind = attributes.get(_KIND, b"").rstrip(b"\0").decode(errors="replace")
    options = attributes.get(_OPTIONS, b"")
    try:
        if key.kind == "qdisc":
            return _parse_qdisc(key, kind, options)
        inside = parse_attributes(options)
        if key.kind == "class" and kind == "htb":
            wide = inside.get(_HTB_RATE64)
            return Rate(
                int(struct.unpack("=Q", wide)[0] if wide else struct.unpack_from("=I", inside[_HTB_PARMS], 8)[0])
            )
        return _parse_filter(inside) if kind == "u32" else None
    except (KeyError, struct.error):
        return None


def _parse_qdisc(key: Key, kind: str, options: bytes) -> Shape | None:
    if kind == "htb" and key.handle == TREE:
        return Tree()
    return Queue(struct.unpack_from("=I", options)[0]) if kind == "bfifo" else None


def _parse_filter(inside: Mapping[int, bytes]) -> Shape | None:
    if _U32_DIVISOR in inside:
        return Table(struct.unpack("=I", inside[_U32_DIVISOR])[0])
    selector = inside[_U32_SEL]
    flags, _, _, _, _, _, hash_offset, byte_mask = _SELECTOR.unpack_from(selector)
    mask, value, offset, _ = _SELECTOR_KEY.unpack_from(selector, _SELECTOR.size)
    if _U32_LINK in inside:
        return Fork(struct.unpack("=I", inside[_U32_LINK])[0], int.from_bytes(byte_mask), hash_offset)
    if flags & _TERMINAL and mask == b"\xff" * 4:
        return Match(socket.inet_ntoa(value), offset, struct.unpack("=I", inside[_U32_CLASSID])[0])
    return None


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Attributes of netlink(7) by number; what is cut off is left out."""
    found = {}
    at = 0
    while at + 4 <= len(data):
        size, number = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[number & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found
