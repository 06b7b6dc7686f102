"""PROXY protocol v2: tells the database who the client is and through which endpoint it came.

::

    signature 12 | 0x21 | family | length 2 | source, destination addresses and ports | TLVs

Layout: haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.2 (seen 2026-11).  The endpoint id travels in
TLV 0xE0, the first of the range that the specification leaves to applications (PP2_TYPE_MIN_CUSTOM); TiDB's
reader takes the addresses and skips every TLV.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_COMMAND = 0x21
TCP4, TCP6 = 0x11, 0x21
ENDPOINT_ID_TLV = 0xE0
HEAD_BYTES = len(SIGNATURE) + 4


class ProxyHeaderError(Exception):
    """The bytes are no PROXY v2 header for a TCP connection; the message says why."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """Who speaks (``source``) to whom; addresses of one family.  ``endpoint_id`` is ASCII, or None."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    endpoint_id: str | None = None


def build_proxy_header(header: ProxyHeader) -> bytes:
    """The bytes to send first.  Raises ValueError when the two addresses are of different families."""
    source, destination = ip_address(header.source), ip_address(header.destination)
    if source.version != destination.version:
        raise ValueError(f"{source} and {destination} are of different families")
    body = source.packed + destination.packed
    body += struct.pack(">HH", header.source_port, header.destination_port)
    if header.endpoint_id is not None:
        value = header.endpoint_id.encode("ascii")
        body += struct.pack(">BH", ENDPOINT_ID_TLV, len(value)) + value
    family = TCP4 if source.version == 4 else TCP6
    return SIGNATURE + struct.pack(">BBH", PROXY_COMMAND, family, len(body)) + body


def parse_proxy_header(data: bytes) -> tuple[ProxyHeader, bytes]:
    """The header and the bytes behind it.  Raises :class:`ProxyHeaderError`, also when bytes are missing."""
    if len(data) < HEAD_BYTES or not data.startswith(SIGNATURE):
        raise ProxyHeaderError("no PROXY v2 signature")
    command, family, length = struct.unpack_from(">BBH", data, len(SIGNATURE))
    if command != PROXY_COMMAND or family not in (TCP4, TCP6):
        raise ProxyHeaderError(f"command 0x{command:02x}, family 0x{family:02x}: not a proxied TCP connection")
    body, rest = data[HEAD_BYTES : HEAD_BYTES + length], data[HEAD_BYTES + length :]
    size = 4 if family == TCP4 else 16
    if len(body) < length or length < 2 * size + 4:
        raise ProxyHeaderError(f"{len(body)} bytes of a body of {length}")
    source, destination = (_address(body[at : at + size]) for at in (0, size))
    source_port, destination_port = struct.unpack_from(">HH", body, 2 * size)
    endpoint_id = _endpoint_id(body[2 * size + 4 :])
    return ProxyHeader(source, source_port, destination, destination_port, endpoint_id), rest


def _address(packed: bytes) -> str:
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))


def _endpoint_id(tlvs: bytes) -> str | None:
    found = None
    while tlvs:
        if len(tlvs) < 3:
            raise ProxyHeaderError("a TLV is cut off")
        kind, length = struct.unpack_from(">BH", tlvs)
        value, tlvs = tlvs[3 : 3 + length], tlvs[3 + length :]
        if len(value) < length:
            raise ProxyHeaderError("a TLV is cut off")
        if kind == ENDPOINT_ID_TLV:
            found = value.decode("ascii", "replace")
    return found
