"""PROXY v2 headers: round trip, and refusal of everything else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.proxy_protocol import (
    ProxyHeader,
    ProxyHeaderError,
    build_proxy_header,
    parse_proxy_header,
)

ports = st.integers(0, 65535)
endpoint_ids = st.none() | st.text(st.characters(codec="ascii"), max_size=40)


def headers(version: int) -> st.SearchStrategy[ProxyHeader]:
    address = st.ip_addresses(v=version).map(str)
    return st.builds(ProxyHeader, address, ports, address, ports, endpoint_ids)


@given(headers(4) | headers(6), st.binary(max_size=50))
def test_round_trip_leaves_what_follows(header: ProxyHeader, rest: bytes) -> None:
    assert parse_proxy_header(build_proxy_header(header) + rest) == (header, rest)


def test_bytes_as_the_specification_draws_them() -> None:
    header = ProxyHeader("100.64.0.7", 40000, "100.66.0.1", 4000, "ep-1")
    assert build_proxy_header(header).hex(" ") == (
        "0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a 21 11 00 13 64 40 00 07 64 42 00 01 9c 40 0f a0 e0 00 04 65 70 2d 31"
    )


def test_mixed_families_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="families"):
        build_proxy_header(ProxyHeader("::1", 1, "127.0.0.1", 1))


@given(headers(4), st.integers(0, 200))
def test_a_cut_header_is_refused(header: ProxyHeader, place: int) -> None:
    whole = build_proxy_header(header)
    with pytest.raises(ProxyHeaderError):
        parse_proxy_header(whole[: place % len(whole)])


@given(st.binary(max_size=100))
def test_garbage_raises_one_kind_of_error(garbage: bytes) -> None:
    signed = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + garbage
    for data in (garbage, signed):
        with contextlib.suppress(ProxyHeaderError):
            parse_proxy_header(data)
