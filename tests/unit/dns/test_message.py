"""Bytes in, question or refusal out."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.dns.message import (
    Answer,
    Question,
    build_answer,
    is_answer_to,
    parse_query,
    replace_id,
    udp_limit,
)

NAME = "ep-bp1x.epsrv-bp1y.cn-hangzhou.privatelink.aliyuncs.com"


def question(name: str = NAME, kind: str = "A", **options: object) -> Question:
    parsed = parse_query(dns.message.make_query(name, kind, **options).to_wire())
    assert isinstance(parsed, Question)
    return parsed


def refusal(wire: bytes) -> dns.rcode.Rcode:
    answer = parse_query(wire)
    assert isinstance(answer, bytes)
    message = dns.message.from_wire(answer)
    assert message.id == int.from_bytes(wire[:2], "big")
    assert message.flags & dns.flags.QR
    return message.rcode()


def test_the_name_is_folded_but_the_answer_keeps_the_clients_spelling():
    """Resolvers that randomise case (0x20) drop answers that do not echo theirs."""
    mixed = question(NAME.upper() + ".")
    assert mixed.name == NAME
    answer = dns.message.from_wire(build_answer(mixed, Answer(addresses=("10.0.0.9",), ttl_s=10), 512))
    assert answer.question[0].name.to_text() == NAME.upper() + "."
    assert [r.address for r in answer.answer[0]] == ["10.0.0.9"]
    assert answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA


def test_negative_answers_carry_a_short_lived_soa():
    """Without one, stub resolvers may keep "no such name" for minutes, and a new endpoint seems broken."""
    negative = Answer(rcode=dns.rcode.NXDOMAIN, apex="privatelink.aliyuncs.com")
    answer = dns.message.from_wire(build_answer(question(), negative, 512))
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.authority[0].rdtype == dns.rdatatype.SOA
    assert answer.authority[0].ttl == answer.authority[0][0].minimum == 2


@pytest.mark.parametrize(
    ("asked", "limit"), [({}, 512), ({"use_edns": 0, "payload": 4096}, 1232), ({"use_edns": 0, "payload": 100}, 512)]
)
def test_udp_size(asked, limit):
    assert udp_limit(question(**asked)) == limit


def test_edns_is_answered_only_when_asked():
    plain = dns.message.from_wire(build_answer(question(), Answer(), 512))
    extended = dns.message.from_wire(build_answer(question(use_edns=0), Answer(), 512))
    assert plain.edns == -1
    assert (extended.edns, extended.payload) == (0, 1232)


def test_what_does_not_fit_is_truncated():
    answer = Answer(addresses=tuple(f"10.0.{i}.1" for i in range(60)), ttl_s=10)
    short = dns.message.from_wire(build_answer(question(), answer, 512))
    assert short.flags & dns.flags.TC
    assert not short.answer
    whole = dns.message.from_wire(build_answer(question(), answer, 65535))
    assert len(whole.answer[0]) == 60


def test_unserved_messages_are_refused_in_the_usual_words():
    good = dns.message.make_query(NAME, "A").to_wire()
    update = dns.update.UpdateMessage("example.com").to_wire()
    two = good[:4] + b"\x00\x02" + good[6:] + good[12:]
    none = good[:4] + b"\x00\x00" + good[6:12]
    assert refusal(update) == dns.rcode.NOTIMP
    assert refusal(two) == dns.rcode.FORMERR
    assert refusal(none) == dns.rcode.FORMERR
    assert refusal(good + b"trailing") == dns.rcode.FORMERR
    newer = dns.message.make_query(NAME, "A", use_edns=1).to_wire()
    assert refusal(newer) == dns.rcode.BADVERS


def test_responses_and_scraps_get_no_answer():
    """Two servers that answer each other's errors never stop."""
    response = dns.message.make_response(dns.message.make_query(NAME, "A")).to_wire()
    assert parse_query(response) is None
    assert parse_query(b"\x00" * 11) is None


def test_an_answer_is_accepted_only_for_its_question():
    asked = question()
    query = replace_id(asked.wire, 0x1234)
    reply = dns.message.make_response(dns.message.from_wire(query)).to_wire()
    assert is_answer_to(query, asked.end, reply)
    assert not is_answer_to(query, asked.end, replace_id(reply, 0x1235))
    assert not is_answer_to(query, asked.end, query)
    other = dns.message.make_query("other.example", "A", id=0x1234)
    assert not is_answer_to(query, asked.end, dns.message.make_response(other).to_wire())
    assert not is_answer_to(query, asked.end, reply[:20])


def test_remembered_answers_carry_each_clients_own_id():
    """Results are remembered by everything but the id; an answer with another client's id is thrown away."""
    for ident in (1, 2, 0xFFFF, 2):
        wire = dns.message.make_query(NAME, "A", id=ident).to_wire()
        asked = parse_query(wire)
        answer = dns.message.from_wire(build_answer(asked, Answer(addresses=("10.0.0.9",)), 512))
        assert answer.id == asked.ident == ident
        assert asked.wire == wire
    newer = dns.message.make_query(NAME, "A", use_edns=1, id=7).to_wire()
    assert refusal(newer) == refusal(b"\x00\x08" + newer[2:]) == dns.rcode.BADVERS


def test_a_long_question_is_answered_too():
    padded = dns.message.make_query(NAME, "A", use_edns=0, options=[dns.edns.GenericOption(12, b"\0" * 400)])
    asked = parse_query(padded.to_wire())
    assert isinstance(asked, Question)
    assert dns.message.from_wire(build_answer(asked, Answer(addresses=("10.0.0.9",)), 512)).id == padded.id


@given(st.binary(max_size=600))
def test_garbage_never_raises(wire):
    parsed = parse_query(wire)
    if isinstance(parsed, Question):
        build_answer(parsed, Answer(), 512)
    elif parsed is not None:
        assert len(parsed) <= 512


@given(st.data(), st.sampled_from(["A", "AAAA", "ANY", "TXT", "SOA", "OPT"]))
def test_a_good_query_cut_or_bent_anywhere_never_raises(data, kind):
    wire = bytearray(dns.message.make_query(NAME, kind, use_edns=0).to_wire())
    for _ in range(data.draw(st.integers(0, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    parsed = parse_query(cut)
    if isinstance(parsed, Question):
        build_answer(parsed, Answer(addresses=("10.0.0.1",)), 512)
