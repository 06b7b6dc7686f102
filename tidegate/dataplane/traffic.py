"""Traffic control of one link of the calling thread's namespace, by rtnetlink; the objects are shaping.py's.

Beside pyroute2 and not through it: the kernel's answers have to be compared with what is wanted, and its parsers
of u32 turn them into words.  `tc -s class show dev fabric` shows what this made.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from tidegate.dataplane.config import DataPlaneError
from tidegate.dataplane.shaping import (
    AT_ROOT,
    ROOT_TABLE,
    TREE,
    Fork,
    Key,
    Kind,
    Match,
    Queue,
    Rate,
    Shape,
    Shaper,
    Table,
    Tree,
    build_attributes,
    parse_attributes,
    parse_shape,
)

_NEW: dict[Kind, int] = {"qdisc": 36, "class": 40, "filter": 44}
"""RTM_NEWQDISC and so on; RTM_DEL... is one more, RTM_GET... two more (linux/rtnetlink.h)."""

_REQUEST_ACK, _DUMP = 0x5, 0x300
_ECHO = 0x8
"""Without it the answer to RTM_GETQDISC goes to listeners only (net/sched/sch_api.c, qdisc_get_notify)."""
_CREATE, _REPLACE = 0x400, 0x100
_ERROR, _DONE = 2, 3
_FILTER_INFO = 1 << 16 | socket.htons(0x0800)
"""Preference 1, IPv4"""

_MESSAGE = struct.Struct("=IHHIIBxxxiIII")
"""nlmsghdr (length, type, flags, sequence, port), then tcmsg (family, interface, handle, parent, info)"""


_ORDER = (Tree, Rate, Queue, Table, Fork, Match)
"""Each kind may name those before it: made in this order, removed in the opposite one."""


class Traffic:
    """One rtnetlink socket.  Opened inside a namespace, it belongs to it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._socket.settimeout(10.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def converge(self, link: str, have: Shaper | None, want: Shaper) -> bool:
        """Make a link shape as wanted; ``have`` is what to trust as being there, None asks the kernel.

        Only what differs is touched.  A root that is not our tree, or a stranger within it, goes first.
        """
        index = socket.if_nametoindex(link)
        changed = False
        if have is None:
            have = self.read_shaper(index)
        if have is None or (have and not want):
            self._clear(index)
            have, changed = {}, True
        for key in sorted((k for k in have if not _may_stay(have[k], want.get(k))), key=lambda k: -_rank(have[k])):
            self._ask(_NEW[key.kind] + 1, 0, index, key)
        for key in sorted((k for k in want if have.get(k) != want[k]), key=lambda k: _rank(want[k])):
            self._make(index, key, want[key])
        return changed or have != want

    def read_shaper(self, index: int) -> Shaper | None:
        """Our tree on a link, empty where nothing shapes; None when somebody else's is there, or mixed with ours."""
        root = Key("qdisc", TREE, AT_ROOT)
        found = self._read_qdisc(index, root)
        if not isinstance(found.get(root), Tree):
            return None if found else {}
        for key, shape in self._dump("class", index):
            found[key] = shape
            found.update(self._read_qdisc(index, Key("qdisc", (key.handle & 0xFFFF) << 16, key.handle)))
        found.update(self._dump("filter", index))
        ours = {key: shape for key, shape in found.items() if shape is not None}
        return ours if len(ours) == len(found) else None

    def _read_qdisc(self, index: int, key: Key) -> dict[Key, Shape | None]:
        """What hangs at a place; nothing where the kernel's own default does, which has no handle."""
        with _missing_is_nothing():
            for answer in self._ask(_NEW["qdisc"] + 2, _ECHO, index, replace(key, handle=0)):
                handle = struct.unpack_from("=I", answer, 24)[0]
                shape = parse_shape(key, parse_attributes(answer[36:])) if handle == key.handle else None
                return {key: shape} if handle else {}
        return {}

    def _dump(self, kind: Kind, index: int) -> Iterator[tuple[Key, Shape | None]]:
        parent = TREE if kind == "filter" else 0
        for answer in self._ask(_NEW[kind] + 2, _DUMP, index, Key(kind, 0, parent)):
            _, handle, _, info = struct.unpack_from("=iIII", answer, 20)
            key = Key(kind, handle, TREE)
            if kind == "class":
                yield key, parse_shape(key, parse_attributes(answer[36:]))
            elif info != _FILTER_INFO:
                yield key, None
            elif handle not in (0, ROOT_TABLE << 20):  # the kernel's own
                yield key, parse_shape(key, parse_attributes(answer[36:]))

    def _make(self, index: int, key: Key, shape: Shape) -> None:
        """Flags of `replace`: a class or queue that is there keeps its packets, filters and counters."""
        try:
            self._ask(_NEW[key.kind], _CREATE | _REPLACE, index, key, build_attributes(key, shape))
        except FileNotFoundError as error:
            raise DataPlaneError(
                "This kernel cannot limit bandwidth. Load what it takes: sudo modprobe -a sch_htb cls_u32."
            ) from error

    def _clear(self, index: int) -> None:
        """Take away whatever hangs at the root; the link is as it was made."""
        with _missing_is_nothing():
            self._ask(_NEW["qdisc"] + 1, 0, index, Key("qdisc", 0, AT_ROOT))

    def _ask(self, kind: int, flags: int, index: int, key: Key, attributes: bytes = b"") -> list[bytes]:
        """Send one message; the answers up to its acknowledgement, whole.  An error is raised as OSError."""
        info = _FILTER_INFO if key.kind == "filter" and flags != _DUMP else 0  # a dump shows strangers too
        length = _MESSAGE.size + len(attributes)
        head = _MESSAGE.pack(length, kind, _REQUEST_ACK | flags, 1, 0, 0, index, key.handle, key.parent, info)
        self._socket.send(head + attributes)
        answers: list[bytes] = []
        while True:
            data = self._socket.recv(1 << 18)
            at = 0
            while at < len(data):
                size, found = struct.unpack_from("=IH", data, at)
                if found in (_ERROR, _DONE):
                    code = struct.unpack_from("=i", data, at + 16)[0]
                    if code < 0:
                        raise OSError(-code, f"traffic control of {key.kind} {key.handle:x}: {os.strerror(-code)}")
                    return answers
                answers.append(data[at : at + size])
                at += (size + 3) & ~3


def _rank(shape: Shape) -> int:
    return _ORDER.index(type(shape))


def _may_stay(have: Shape, want: Shape | None) -> bool:
    """Rates and queues are changed in place; anything else that differs is made anew."""
    return have == want or (isinstance(have, Rate | Queue) and type(have) is type(want))


@contextlib.contextmanager
def _missing_is_nothing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # no such object, no such parent
            raise
