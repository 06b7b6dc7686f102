"""MySQL packets on the wire: three bytes of length, one of sequence number, then the payload.

::

    +--------+-----+---------+
    | length | seq | payload |   length < 2^24 - 1; a longer payload goes on in the next packet
    +--------+-----+---------+

Nothing of a login is near 16 MiB, so here a packet above ``limit_bytes`` is refused when its header is seen,
before one byte of it is kept.  1 MiB is TiProxy's bound as well (pkg/proxy/backend/authenticator.go,
``maxHandshakePacketSize``; seen 2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER_BYTES = 4
LOGIN_LIMIT_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = (1 << 24) - 1


class PacketError(Exception):
    """What arrived is no MySQL packet, or not the one that may stand here; the message says what is wrong."""


class PacketTooLargeError(PacketError):
    """A login packet announced more bytes than any login needs."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: its sequence number (0-255) and its payload without the header."""

    seq: int
    payload: bytes


def build_packet(seq: int, payload: bytes) -> bytes:
    """Frame a payload.  Raises ValueError for 16 MiB and more: no login message is that long."""
    if len(payload) >= MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(payload)} bytes do not fit one packet")
    return len(payload).to_bytes(3, "little") + bytes((seq & 0xFF,)) + payload


class PacketBuffer:
    """Bytes in, whole packets out; what follows a packet stays, and ``take_rest`` gives it back.

    Who calls ``next_packet`` after each ``feed`` holds at most one packet of ``limit_bytes`` and one read beyond
    it.  Bytes that are only kept, for whoever comes after us, are not looked at: they need not be a login's.
    """

    def __init__(self, limit_bytes: int = LOGIN_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def missing_bytes(self) -> int:
        """How many bytes complete the header, or else the packet: who reads only these reads nothing beyond it."""
        if len(self._buffer) < HEADER_BYTES:
            return HEADER_BYTES - len(self._buffer)
        return max(0, HEADER_BYTES + self._payload_bytes() - len(self._buffer))

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, or None while bytes are missing.

        Raises :class:`PacketTooLargeError` as soon as its header announces more than the limit.
        """
        if len(self._buffer) < HEADER_BYTES:
            return None
        self._require_bounded()
        end = HEADER_BYTES + self._payload_bytes()
        if len(self._buffer) < end:
            return None
        packet = Packet(self._buffer[3], bytes(self._buffer[HEADER_BYTES:end]))
        del self._buffer[:end]
        return packet

    def take_rest(self) -> bytes:
        """Everything not yet handed out; the buffer is empty afterwards."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _payload_bytes(self) -> int:
        return int.from_bytes(self._buffer[:3], "little")

    def _require_bounded(self) -> None:
        if self._payload_bytes() > self._limit_bytes:
            raise PacketTooLargeError(
                f"a login packet of {self._payload_bytes()} bytes was announced; {self._limit_bytes} are allowed"
            )
