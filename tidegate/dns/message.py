"""DNS messages: bytes in, a question or a ready refusal out; an answer in, bytes out.  No sockets.

The codec is dnspython's; what it costs to read a message is bounded here, before dnspython sees it.  It takes 150 us
for a question and its answer, and programs ask the same few again and again (the C library keeps nothing), so
both directions remember their last results by everything but the id.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import lru_cache

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rrset

HEADER_BYTES = 12
UDP_DEFAULT_BYTES = 512
"""What a client without EDNS takes over UDP (RFC 1035 2.3.4)."""
UDP_MAX_BYTES = 1232
"""Largest datagram we send or advertise: DNS flag day 2020, never fragmented on an ordinary path."""
FORWARDED_MAX_BYTES = 4096
"""Largest datagram relayed from an upstream, to a client that asked for that much."""
NEGATIVE_TTL_S = 2
"""Short: an endpoint's name is often asked for just before the endpoint exists."""

_HEADER = struct.Struct("!HHHHHH")
_FORMERR, _NOTIMP = 1, 4
_MAX_ADDITIONAL = 4
_REMEMBERED = 1024
_REMEMBERED_MAX_BYTES = 320
"""An ordinary question; longer ones are never remembered, so that the memory is bounded in bytes too."""


@dataclass(frozen=True, slots=True)
class Question:
    """One parsed query.  ``name``: lower case, no final dot, master-file escapes.  ``wire``: as it came.

    ``message`` is shared by all questions that differ in their id only: read it, never write; its id is 0.
    """

    message: dns.message.Message
    wire: bytes
    name: str
    rdtype: int
    rdclass: int
    udp_bytes: int
    """what the client takes over UDP, as it says, at least 512"""
    end: int
    """where the question section ends in ``wire``"""

    @property
    def ident(self) -> int:
        return int.from_bytes(self.wire[:2], "big")


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say.  No addresses and an ``apex``: a negative answer with the SOA of ``apex``."""

    rcode: int = dns.rcode.NOERROR
    addresses: tuple[str, ...] = ()
    ttl_s: int = 0
    apex: str | None = None
    soa_asked: bool = False
    authoritative: bool = True


REFUSED = Answer(rcode=dns.rcode.REFUSED, authoritative=False)
SERVFAIL = Answer(rcode=dns.rcode.SERVFAIL, authoritative=False)


def parse_query(wire: bytes) -> Question | bytes | None:
    """Read one query.

    Returns a :class:`Question`; or the bytes of the refusal to send back (FORMERR, NOTIMP, BADVERS); or None when
    nothing must be sent (shorter than a header, or itself a response: answering those makes loops).
    """
    if len(wire) < HEADER_BYTES:
        return None
    ident, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        return None
    if flags & 0x7800:
        return _refusal(ident, flags, _NOTIMP)
    end = find_question_end(wire)
    if questions != 1 or answers or authorities or additionals > _MAX_ADDITIONAL or end is None:
        return _refusal(ident, flags, _FORMERR)
    parsed = (_parse_remembered if len(wire) <= _REMEMBERED_MAX_BYTES else _parse)(wire[2:])
    if parsed is None:
        return _refusal(ident, flags, _FORMERR)
    return replace_id(parsed, ident) if isinstance(parsed, bytes) else replace(parsed, wire=wire)


def _parse(rest: bytes) -> Question | bytes | None:
    """``rest`` is a query without its id, its header already checked.  None: malformed."""
    wire = b"\0\0" + rest
    end = find_question_end(wire)
    try:
        message = dns.message.from_wire(wire)
    except Exception:  # whatever dnspython makes of hostile bytes, this process serves every VPC of the host
        return None
    if message.edns > 0:
        return _bad_version(message)
    asked = message.question[0]
    name = asked.name.canonicalize().to_text(omit_final_dot=True)
    udp_bytes = max(UDP_DEFAULT_BYTES, message.payload if message.edns == 0 else 0)
    return Question(message, wire, name, int(asked.rdtype), int(asked.rdclass), udp_bytes, end or len(wire))


_parse_remembered = lru_cache(_REMEMBERED)(_parse)


def find_question_end(wire: bytes) -> int | None:
    """Offset just after the first question; None if it is cut short, or compressed, which no client does."""
    at = HEADER_BYTES
    while at < len(wire) and wire[at]:
        if wire[at] > 63:
            return None
        at += 1 + wire[at]
    return at + 5 if at + 5 <= len(wire) else None


def build_answer(question: Question, answer: Answer, max_bytes: int) -> bytes:
    """The response; over ``max_bytes`` it carries no records and TC, so that the client asks again over TCP."""
    if len(question.wire) <= _REMEMBERED_MAX_BYTES:
        return replace_id(_build_remembered(question.wire[2:], answer, max_bytes), question.ident)
    return replace_id(_build(question.message, answer, max_bytes), question.ident)


def build_truncated(question: Question) -> bytes:
    """No records, TC set: ask again over TCP."""
    return replace_id(_build_short(question.message), question.ident)


@lru_cache(_REMEMBERED)
def _build_remembered(rest: bytes, answer: Answer, max_bytes: int) -> bytes:
    parsed = _parse_remembered(rest)
    assert isinstance(parsed, Question)  # or there were nothing to answer
    return _build(parsed.message, answer, max_bytes)


def _build(query: dns.message.Message, answer: Answer, max_bytes: int) -> bytes:
    response = _begin(query)
    response.set_rcode(dns.rcode.Rcode(answer.rcode))
    if answer.authoritative:
        response.flags |= dns.flags.AA
    if answer.addresses:
        response.answer = [_addresses(query.question[0].name, answer)]
    elif answer.apex is not None:
        section = response.answer if answer.soa_asked else response.authority
        section.append(_soa(answer.apex))
    try:
        return response.to_wire(max_size=max_bytes)
    except dns.exception.TooBig:
        return _build_short(query)


def _build_short(query: dns.message.Message) -> bytes:
    response = _begin(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def udp_limit(question: Question) -> int:
    return min(question.udp_bytes, UDP_MAX_BYTES)


def replace_id(wire: bytes, ident: int) -> bytes:
    return ident.to_bytes(2, "big") + wire[2:]


def is_answer_to(query: bytes, end: int, response: bytes) -> bool:
    """Whether ``response`` answers exactly this query: its id, a response, the same question.

    The id is random, so a forger off the path must guess it together with the port (RFC 5452).  Name bytes are
    compared without case, type and class exactly.
    """
    return (
        len(response) >= end
        and response[:2] == query[:2]
        and bool(response[2] & 0x80)
        and response[4:6] == b"\x00\x01"
        and response[HEADER_BYTES : end - 4].lower() == query[HEADER_BYTES : end - 4].lower()
        and response[end - 4 : end] == query[end - 4 : end]
    )


def _begin(query: dns.message.Message) -> dns.message.Message:
    # Recursion is "available" even without upstreams: 100.100.2.136 is a resolver, and some stub resolvers drop
    # answers that lack the flag.
    return dns.message.make_response(query, recursion_available=True, our_payload=UDP_MAX_BYTES)


def _refusal(ident: int, flags: int, rcode: int) -> bytes:
    kept = flags & (0x7800 | dns.flags.RD)
    return _HEADER.pack(ident, dns.flags.QR | kept | rcode, 0, 0, 0, 0)


def _bad_version(query: dns.message.Message) -> bytes:
    response = _begin(query)
    response.use_edns(0, payload=UDP_MAX_BYTES)
    response.set_rcode(dns.rcode.BADVERS)
    return response.to_wire()


def _addresses(name: dns.name.Name, answer: Answer) -> dns.rrset.RRset:
    records = dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.A)
    records.update_ttl(answer.ttl_s)
    for address in answer.addresses:
        rdata = dns.rdtypes.IN.A.A(dns.rdataclass.IN, dns.rdatatype.A, address)  # type: ignore[no-untyped-call]
        records.add(rdata)
    return records


def _soa(apex: str) -> dns.rrset.RRset:
    owner = dns.name.from_text(apex)
    records = dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.SOA)
    records.update_ttl(NEGATIVE_TTL_S)
    soa = dns.rdtypes.ANY.SOA.SOA(  # type: ignore[no-untyped-call]
        dns.rdataclass.IN, dns.rdatatype.SOA, owner, owner, 1, 3600, 600, 86400, NEGATIVE_TTL_S
    )
    records.add(soa)
    return records
