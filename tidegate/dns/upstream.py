"""Asking other resolvers, from the process's own namespace, for names that are not ours."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Sequence

from tidegate.dns.message import FORWARDED_MAX_BYTES, Question, is_answer_to, replace_id

DNS_PORT = 53
_TCP_LENGTH_BYTES = 2


class Upstreams:
    """Bounded forwarding.  One VPC can use up its own share only, never that of the others.

    ``in_flight_max`` and ``per_vpc_max`` count questions that wait for an upstream; above them :meth:`ask`
    answers None at once.  Each question leaves from a fresh socket, so from a random port, with a random id.
    """

    def __init__(self, *, timeout_s: float = 2.0, in_flight_max: int = 512, per_vpc_max: int = 64) -> None:
        self._timeout_s = timeout_s
        self._in_flight_max = in_flight_max
        self._per_vpc_max = per_vpc_max
        self._waiting: Counter[str] = Counter()

    async def ask(self, vpc_id: str, upstreams: Sequence[str], question: Question, *, tcp: bool) -> bytes | None:
        """The first good response, with the client's id; None when all failed or too many wait already."""
        if self._waiting.total() >= self._in_flight_max or self._waiting[vpc_id] >= self._per_vpc_max:
            return None
        self._waiting[vpc_id] += 1
        try:
            for upstream in upstreams:
                response = await self._ask_one(parse_upstream(upstream), question, tcp=tcp)
                if response is not None:
                    return replace_id(response, question.ident)
            return None
        finally:
            self._waiting[vpc_id] -= 1
            if not self._waiting[vpc_id]:
                del self._waiting[vpc_id]

    async def _ask_one(self, address: tuple[str, int], question: Question, *, tcp: bool) -> bytes | None:
        query = replace_id(question.wire, secrets.randbelow(0x10000))
        ask = _ask_tcp if tcp else _ask_udp
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask(address, query, question.end)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return None


def parse_upstream(text: str) -> tuple[str, int]:
    """``1.1.1.1``, ``1.1.1.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353`` as (address, port)."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port.removeprefix(":") or DNS_PORT)
    address, _, port = text.partition(":")
    if ":" in port:
        return text, DNS_PORT
    return address, int(port or DNS_PORT)


async def _ask_udp(address: tuple[str, int], query: bytes, end: int) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(address)
        await loop.sock_sendall(sock, query)
        while True:  # a forged or late answer must not end the wait for the true one
            response = await loop.sock_recv(sock, FORWARDED_MAX_BYTES)
            if is_answer_to(query, end, response):
                return response


async def _ask_tcp(address: tuple[str, int], query: bytes, end: int) -> bytes | None:
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(len(query).to_bytes(_TCP_LENGTH_BYTES, "big") + query)
        length = int.from_bytes(await reader.readexactly(_TCP_LENGTH_BYTES), "big")
        response = await reader.readexactly(length)
        return response if is_answer_to(query, end, response) else None
    finally:
        writer.transport.abort()


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
