"""Packets: whole, byte by byte, with trailing bytes, cut anywhere, and garbage."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.framing import (
    LOGIN_LIMIT_BYTES,
    Packet,
    PacketBuffer,
    PacketError,
    PacketTooLargeError,
    build_packet,
)
from tidegate.gateway.packets import (
    AuthSwitch,
    Capability,
    ErrorMessage,
    Greeting,
    HandshakeResponse,
    build_auth_switch,
    build_err,
    build_greeting,
    build_handshake_response,
    build_lenenc,
    build_ssl_request,
    is_ssl_request,
    parse_auth_switch,
    parse_err,
    parse_greeting,
    parse_handshake_response,
)

text = st.binary(max_size=40).map(lambda value: value.replace(b"\0", b""))
packets = st.lists(st.builds(Packet, st.integers(0, 255), st.binary(max_size=300)), max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(packets, st.lists(st.integers(0, 2000), max_size=20), st.binary(max_size=3))
def test_packets_survive_any_cut(sent: list[Packet], places: list[int], rest: bytes) -> None:
    """The network cuts where it likes; what follows the last packet is given back untouched."""
    buffer, got = PacketBuffer(), []
    wire = b"".join(build_packet(packet.seq, packet.payload) for packet in sent) + rest
    for piece in cut(wire, places):
        buffer.feed(piece)
        while (packet := buffer.next_packet()) is not None:
            got.append(packet)
    assert got == sent
    assert buffer.take_rest() == rest
    assert len(buffer) == 0


def test_missing_bytes_leads_to_the_end_of_the_packet_and_no_further() -> None:
    """Who reads only what is missing leaves the TLS ClientHello in the socket."""
    wire, buffer, at = build_packet(1, b"x" * 70) + b"ClientHello", PacketBuffer(), 0
    while buffer.missing_bytes:
        step = buffer.missing_bytes
        buffer.feed(wire[at : at + step])
        at += step
    assert buffer.next_packet() == Packet(1, b"x" * 70)
    assert wire[at:] == b"ClientHello"


@pytest.mark.parametrize("size", [LOGIN_LIMIT_BYTES + 1, (1 << 24) - 1])
def test_a_large_packet_is_refused_at_its_header(size: int) -> None:
    """A header that announces 16 MiB must not make us collect them."""
    buffer = PacketBuffer()
    buffer.feed(size.to_bytes(3, "little") + b"\0")
    with pytest.raises(PacketTooLargeError):
        buffer.next_packet()


def test_what_follows_the_login_is_not_looked_at() -> None:
    """A client may send its first query, of any size, before it has seen the OK."""
    buffer = PacketBuffer()
    buffer.feed(build_packet(0, b"x") + b"\xff\xff\xff\0")
    assert buffer.next_packet() == Packet(0, b"x")
    assert buffer.take_rest() == b"\xff\xff\xff\0"


def test_no_login_message_fills_a_packet() -> None:
    with pytest.raises(ValueError, match="one packet"):
        build_packet(0, bytes((1 << 24) - 1))


greetings = st.builds(
    Greeting,
    server_version=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=30),
    connection_id=st.integers(0, 2**32 - 1),
    salt=st.binary(min_size=20, max_size=20),
    capabilities=st.integers(0, 2**32 - 1).map(Capability),
    auth_plugin=st.sampled_from(["mysql_native_password", "caching_sha2_password"]),
    collation=st.integers(0, 255),
    status=st.integers(0, 65535),
)


@given(greetings)
def test_greeting_round_trip(greeting: Greeting) -> None:
    assert parse_greeting(build_greeting(greeting)) == greeting


def test_greeting_of_a_real_tidb() -> None:
    """Captured from tidb-server v8.5, 2026-11."""
    payload = (
        bytes.fromhex(
            "0a382e302e31312d546944422d4e6f6e6500"  # 8.0.11-TiDB-None
            "05000000" + "0102030405060708" + "00" + "afa6" + "2e" + "0200" + "1b05" + "15" + "00" * 10
        )
        + bytes(range(9, 21))
        + b"\0mysql_native_password\0"
    )
    greeting = parse_greeting(payload)
    assert greeting.salt == bytes(range(1, 21))
    assert greeting.auth_plugin == "mysql_native_password"
    assert Capability.DEPRECATE_EOF in greeting.capabilities


@st.composite
def responses(draw: st.DrawFn) -> HandshakeResponse:
    """Responses whose fields and capabilities agree."""
    flags = draw(st.integers(0, 2**27 - 1).map(Capability)) | Capability.PROTOCOL_41
    secure = flags & (Capability.SECURE_CONNECTION | Capability.LENENC_AUTH)
    largest = 1000 if flags & Capability.LENENC_AUTH else 255
    return HandshakeResponse(
        capabilities=flags,
        max_packet_bytes=draw(st.integers(0, 2**32 - 1)),
        collation=draw(st.integers(0, 255)),
        user=draw(text),
        auth=draw(st.binary(max_size=largest) if secure else text),
        database=draw(text) if flags & Capability.CONNECT_WITH_DB else None,
        auth_plugin=draw(text) if flags & Capability.PLUGIN_AUTH else None,
        attributes=draw(st.binary(max_size=400)) if flags & Capability.CONNECT_ATTRS else None,
        zstd_level=draw(st.integers(0, 255)) if flags & Capability.ZSTD else 3,
    )


@given(responses())
def test_handshake_response_round_trip(response: HandshakeResponse) -> None:
    assert parse_handshake_response(build_handshake_response(response)) == response


@given(responses(), st.integers(0, 2000))
def test_a_cut_response_is_refused_or_lacks_only_optional_fields(response: HandshakeResponse, place: int) -> None:
    whole = build_handshake_response(response)
    with contextlib.suppress(PacketError):
        parsed = parse_handshake_response(whole[: place % (len(whole) + 1)])
        assert (parsed.user, parsed.auth) == (response.user, response.auth)


def test_trailing_fields_may_be_missing() -> None:
    """Old connectors set CONNECT_ATTRS and PLUGIN_AUTH and send neither."""
    flags = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION
    more = flags | Capability.PLUGIN_AUTH | Capability.CONNECT_ATTRS | Capability.CONNECT_WITH_DB
    payload = build_handshake_response(HandshakeResponse(flags, 1, 45, b"p.root", b"abc"))
    parsed = parse_handshake_response(int(more).to_bytes(4, "little") + payload[4:])
    assert (parsed.user, parsed.auth, parsed.database, parsed.attributes) == (b"p.root", b"abc", None, None)


def test_ssl_request_is_told_from_a_response() -> None:
    request = build_ssl_request(Capability.PROTOCOL_41, 1 << 24, 45)
    assert is_ssl_request(request)
    assert not is_ssl_request(request + b"root\0\0")
    assert not is_ssl_request(request[:4].replace(b"\x0a", b"\x02", 1) + b"\0" * 28)


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=30), st.binary(max_size=30))
def test_auth_switch_round_trip(plugin: str, data: bytes) -> None:
    assert parse_auth_switch(build_auth_switch(AuthSwitch(plugin, data))) == AuthSwitch(plugin, data)


@pytest.mark.parametrize("state", ["28000", None])
def test_err_round_trip(state: str | None) -> None:
    message = ErrorMessage(1045, state, "Access denied")
    assert parse_err(build_err(message)) == message


@pytest.mark.parametrize(("value", "size"), [(0, 1), (250, 1), (251, 3), (65536, 4), (1 << 24, 9)])
def test_lenenc_sizes(value: int, size: int) -> None:
    assert len(build_lenenc(value)) == size


PARSERS: list[Callable[[bytes], Any]] = [
    parse_greeting,
    parse_handshake_response,
    parse_auth_switch,
    parse_err,
    is_ssl_request,
]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(garbage=st.binary(max_size=200), head=st.sampled_from([b"", b"\x0a", b"\xff", b"\xfe", b"\xff" * 32]))
def test_garbage_raises_one_kind_of_error(parse: Callable[[bytes], Any], garbage: bytes, head: bytes) -> None:
    """An IndexError from a parser would end a login without a word to the client."""
    with contextlib.suppress(PacketError):
        parse(head + garbage)
