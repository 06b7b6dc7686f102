"""MySQL login messages as values: parse from a payload, build to one.  No I/O.

::

    server  Greeting ------------------------------------------> client        seq 0
    client  SslRequest (only to start TLS), HandshakeResponse --> server        seq 1, 2
    server  AuthSwitch, AuthMoreData <-- answers (any bytes) --> client        as often as the plug-in needs
    server  OK or ERR ------------------------------------------> client

Layouts: dev.mysql.com/doc/dev/mysql-server/latest, "Connection Phase Packets" (seen 2026-11).  Every malformed
payload raises :class:`~tidegate.gateway.framing.PacketError` and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from functools import wraps
from typing import ParamSpec, TypeVar

from tidegate.gateway.framing import PacketError

OK_HEADER, MORE_DATA_HEADER, SWITCH_HEADER, ERR_HEADER = 0x00, 0x01, 0xFE, 0xFF
SALT_BYTES = 20
UTF8MB4_BIN = 46  # TiDB's own greeting names it
AUTOCOMMIT = 0x0002
DEFAULT_ZSTD_LEVEL = 3

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Capability(IntFlag):
    """The flags that change what is said at login or how bytes look after it."""

    LONG_PASSWORD = 1 << 0
    FOUND_ROWS = 1 << 1
    LONG_FLAG = 1 << 2
    CONNECT_WITH_DB = 1 << 3
    COMPRESS = 1 << 5
    LOCAL_FILES = 1 << 7
    PROTOCOL_41 = 1 << 9
    INTERACTIVE = 1 << 10
    SSL = 1 << 11
    TRANSACTIONS = 1 << 13
    SECURE_CONNECTION = 1 << 15
    MULTI_STATEMENTS = 1 << 16
    MULTI_RESULTS = 1 << 17
    PLUGIN_AUTH = 1 << 19
    CONNECT_ATTRS = 1 << 20
    LENENC_AUTH = 1 << 21
    DEPRECATE_EOF = 1 << 24
    ZSTD = 1 << 26


@dataclass(frozen=True, slots=True)
class Greeting:
    """The server's first packet, protocol version 10.  ``salt`` is 20 bytes without NUL."""

    server_version: str
    connection_id: int
    salt: bytes
    capabilities: Capability
    auth_plugin: str = "mysql_native_password"
    collation: int = UTF8MB4_BIN
    status: int = AUTOCOMMIT


@dataclass(frozen=True, slots=True)
class HandshakeResponse:
    """The client's answer.  ``attributes`` is the raw block of connection attributes, without its length."""

    capabilities: Capability
    max_packet_bytes: int
    collation: int
    user: bytes
    auth: bytes = b""
    database: bytes | None = None
    auth_plugin: bytes | None = None
    attributes: bytes | None = None
    zstd_level: int = DEFAULT_ZSTD_LEVEL


@dataclass(frozen=True, slots=True)
class AuthSwitch:
    """The server wants another plug-in, and gives the salt for it."""

    plugin: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """An ERR packet.  ``state`` is None in one that is sent before the greeting, as MySQL does."""

    code: int
    state: str | None
    text: str


def _parser(parse: Callable[_P, _R]) -> Callable[_P, _R]:
    """Whatever a hostile payload breaks inside, the caller sees one kind of error."""

    @wraps(parse)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return parse(*args, **kwargs)
        except (IndexError, ValueError, struct.error) as error:
            raise PacketError(f"malformed packet: {error}") from error

    return guarded


class _Cursor:
    """Reads a payload from left to right; a read past its end raises IndexError."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._payload) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise IndexError(f"{count} bytes wanted at offset {self._at}, {self.left} left")
        self._at += count
        return self._payload[self._at - count : self._at]

    def integer(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def lenenc(self) -> int:
        first = self.integer(1)
        if first < 0xFB:
            return first
        if first in (0xFB, 0xFF):
            raise ValueError(f"0x{first:02x} starts no length")
        return self.integer({0xFC: 2, 0xFD: 3, 0xFE: 8}[first])

    def until_nul(self) -> bytes:
        end = self._payload.find(b"\0", self._at)
        if end < 0:
            raise ValueError(f"the text at offset {self._at} has no end")
        return self.take(end - self._at + 1)[:-1]

    def until_nul_or_end(self) -> bytes:
        """Some clients leave out the NUL of a packet's last text."""
        has_nul = self._payload.find(b"\0", self._at) >= 0
        return self.until_nul() if has_nul else self.take(self.left)


def build_lenenc(value: int) -> bytes:
    """MySQL's length-encoded integer."""
    if value < 0xFB:
        return bytes((value,))
    if value < 1 << 16:
        return b"\xfc" + value.to_bytes(2, "little")
    if value < 1 << 24:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def build_greeting(greeting: Greeting) -> bytes:
    """The payload; the salt must have 20 bytes."""
    capabilities, salt = int(greeting.capabilities), greeting.salt
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    low, high = capabilities & 0xFFFF, capabilities >> 16
    return b"".join(
        (
            b"\x0a" + greeting.server_version.encode() + b"\0",
            struct.pack("<I", greeting.connection_id & 0xFFFFFFFF) + salt[:8] + b"\0",
            struct.pack("<HBHHB", low, greeting.collation, greeting.status, high, SALT_BYTES + 1),
            b"\0" * 10 + salt[8:] + b"\0" + greeting.auth_plugin.encode() + b"\0",
        )
    )


@_parser
def parse_greeting(payload: bytes) -> Greeting:
    """The server's greeting.  Raises PacketError for any protocol but 10."""
    cursor = _Cursor(payload)
    version = cursor.integer(1)
    if version != 10:
        raise ValueError(f"protocol version {version} instead of 10")
    server_version = cursor.until_nul().decode("utf-8", "replace")
    connection_id, salt = cursor.integer(4), cursor.take(8)
    cursor.take(1)
    low, collation, status, high, salt_length = struct.unpack("<HBHHB", cursor.take(8))
    cursor.take(10)
    salt += cursor.take(max(13, salt_length - 8))[: SALT_BYTES - 8]
    plugin = cursor.until_nul_or_end().decode("ascii", "replace")
    capabilities = Capability(low | high << 16)
    return Greeting(server_version, connection_id, salt, capabilities, plugin, collation, status)


def parse_capabilities(payload: bytes) -> Capability:
    """What a client's first packet claims; it opens an SSLRequest and a HandshakeResponse alike."""
    if len(payload) < 4:
        raise PacketError(f"malformed packet: {len(payload)} bytes hold no capabilities")
    return Capability(int.from_bytes(payload[:4], "little"))


_RESPONSE_HEAD = struct.Struct("<IIB23x")
SSL_REQUEST_BYTES = _RESPONSE_HEAD.size


def is_ssl_request(payload: bytes) -> bool:
    """An SSLRequest is the head of a HandshakeResponse and nothing after it."""
    return len(payload) == SSL_REQUEST_BYTES and bool(parse_capabilities(payload) & Capability.SSL)


def build_ssl_request(capabilities: Capability, max_packet_bytes: int, collation: int) -> bytes:
    return _RESPONSE_HEAD.pack(int(capabilities | Capability.SSL), max_packet_bytes, collation)


@_parser
def parse_handshake_response(payload: bytes) -> HandshakeResponse:
    """HandshakeResponse41.  What follows the auth data may be missing, as MySQL and TiDB allow."""
    cursor = _Cursor(payload)
    flags, max_packet_bytes, collation = _RESPONSE_HEAD.unpack(cursor.take(_RESPONSE_HEAD.size))
    capabilities = Capability(flags)
    user = cursor.until_nul()
    auth = _parse_auth(cursor, capabilities)
    database = plugin = attributes = None
    if capabilities & Capability.CONNECT_WITH_DB and cursor.left:
        database = cursor.until_nul_or_end()
    if capabilities & Capability.PLUGIN_AUTH and cursor.left:
        plugin = cursor.until_nul_or_end()
    if capabilities & Capability.CONNECT_ATTRS and cursor.left:
        attributes = cursor.take(cursor.lenenc())
    has_level = capabilities & Capability.ZSTD and cursor.left
    level = cursor.integer(1) if has_level else DEFAULT_ZSTD_LEVEL
    return HandshakeResponse(capabilities, max_packet_bytes, collation, user, auth, database, plugin, attributes, level)


def _parse_auth(cursor: _Cursor, capabilities: Capability) -> bytes:
    if capabilities & Capability.LENENC_AUTH:
        return cursor.take(cursor.lenenc())
    if capabilities & Capability.SECURE_CONNECTION:
        return cursor.take(cursor.integer(1))
    return cursor.until_nul()


def build_handshake_response(response: HandshakeResponse) -> bytes:
    """The payload: the fields that its capabilities announce, all of them, in order.

    The auth data goes with a one-byte length, so at most 255 bytes, unless LENENC_AUTH is set.
    """
    flags = response.capabilities
    parts = [
        _RESPONSE_HEAD.pack(int(flags), response.max_packet_bytes, response.collation),
        response.user + b"\0",
    ]
    length = build_lenenc if flags & Capability.LENENC_AUTH else lambda n: bytes((n,))
    if flags & (Capability.LENENC_AUTH | Capability.SECURE_CONNECTION):
        parts.append(length(len(response.auth)) + response.auth)
    else:
        parts.append(response.auth + b"\0")
    if flags & Capability.CONNECT_WITH_DB:
        parts.append((response.database or b"") + b"\0")
    if flags & Capability.PLUGIN_AUTH:
        parts.append((response.auth_plugin or b"") + b"\0")
    if flags & Capability.CONNECT_ATTRS:
        attributes = response.attributes or b""
        parts.append(build_lenenc(len(attributes)) + attributes)
    if flags & Capability.ZSTD:
        parts.append(bytes((response.zstd_level,)))
    return b"".join(parts)


def build_auth_switch(switch: AuthSwitch) -> bytes:
    return b"\xfe" + switch.plugin.encode() + b"\0" + switch.data + b"\0"


@_parser
def parse_auth_switch(payload: bytes) -> AuthSwitch:
    """AuthSwitchRequest; the NUL that ends the salt is cut off."""
    cursor = _Cursor(payload)
    if cursor.integer(1) != SWITCH_HEADER:
        raise ValueError("no AuthSwitchRequest")
    plugin = cursor.until_nul().decode("ascii", "replace")
    data = cursor.take(cursor.left)
    return AuthSwitch(plugin, data[:-1] if data.endswith(b"\0") else data)


def build_more_data(data: bytes) -> bytes:
    return b"\x01" + data


def build_ok(status: int = AUTOCOMMIT) -> bytes:
    """An OK without rows, id, warnings or text."""
    return struct.pack("<BBBHH", OK_HEADER, 0, 0, status, 0)


def build_err(message: ErrorMessage) -> bytes:
    state = b"" if message.state is None else b"#" + message.state.encode("ascii")
    return struct.pack("<BH", ERR_HEADER, message.code) + state + message.text.encode()


@_parser
def parse_err(payload: bytes) -> ErrorMessage:
    cursor = _Cursor(payload)
    if cursor.integer(1) != ERR_HEADER:
        raise ValueError("no ERR packet")
    code, rest = cursor.integer(2), cursor.take(cursor.left)
    if rest.startswith(b"#") and len(rest) >= 6:
        return ErrorMessage(code, rest[1:6].decode("ascii", "replace"), rest[6:].decode("utf-8", "replace"))
    return ErrorMessage(code, None, rest.decode("utf-8", "replace"))
