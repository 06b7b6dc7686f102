"""Parameters in and answers out, for any text whatever."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from alibaba_world import HOST, Cloud, encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.api.alibaba import signature as signatures
from tidegate.api.alibaba.errors import ApiError
from tidegate.api.alibaba.paging import PageTokens, page_by_token
from tidegate.api.alibaba.wire import Parameters, build_reply, merge_parameters
from tidegate.domain.refusals import Malformed, Missing, Refusal

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(TEXT, TEXT, max_size=20), st.integers(0, 20))
def test_what_is_encoded_is_read(parameters: dict[str, str], cut: int) -> None:
    """Wherever the client draws the line between query and form body."""
    pairs = list(parameters.items())
    query, body = encode(dict(pairs[:cut])).encode(), encode(dict(pairs[cut:])).encode()
    read = signatures.parse_parameters(query, "application/x-www-form-urlencoded; charset=utf-8", body)
    assert not isinstance(read, signatures.Fault)
    assert merge_parameters(read) == parameters


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["ACS3-HMAC-SHA256 Credential=x", "x", ""]))
def test_any_bytes_are_answered(cloud: Cloud, query: bytes, body: bytes, authorization: str) -> None:
    """Never a fault of ours, always the cloud's shape: this is what anyone may send without a key."""
    headers = {
        "host": HOST,
        "content-type": "application/x-www-form-urlencoded",
        "authorization": authorization,
        "x-acs-action": "DescribeVpcs",
        "x-acs-version": "2016-04-28",
    }
    status, kind, answer = send_raw(cloud, query, headers, body)
    assert 400 <= status < 500
    if kind.startswith("application/json"):
        assert set(json.loads(answer)) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    else:
        assert ElementTree.fromstring(answer).tag == "Error"


def send_raw(cloud: Cloud, query: bytes, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
    """Bytes that no HTTP client would send, as a server would hand them on.  Status, content type, body."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    anyio.run(cloud.app, scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])[b"content-type"].decode(), sent[1]["body"]


@given(st.text(max_size=60))
def test_any_text_goes_out(text: str) -> None:
    """Names and error facts hold what clients sent; neither format may break on them."""
    content = {"A": text, "B": {"C": [text, {"D": text}]}, "E": True, "F": []}
    xml = ElementTree.fromstring(build_reply(content, xml=True, root="R").body)
    assert xml.tag == "R" and len(xml.findall("B/C")) == 2 and xml.findtext("E") == "true"
    build_reply(content, xml=False, root="R").body.decode()


@given(st.dictionaries(st.sampled_from(["A", "A.1", "A.2", "A.1.B", "A.10.B", "A.x", "A.0", "A.1.B.C"]), TEXT))
def test_lists_never_raise_anything_but_refusals(values: dict[str, str]) -> None:
    parameters = Parameters(values)
    for read in (parameters.texts, parameters.structs, parameters.json_texts, parameters.flag, parameters.require):
        with contextlib.suppress(Refusal):
            read("A")


def test_lists_count_from_one_and_keep_their_order() -> None:
    values = {"G.10": "j", "G.2": "b", "G.1": "a", "G.0": "", "Z.2.ip": "i", "Z.1.ZoneId": "z", "One": "1"}
    parameters = Parameters(values)
    assert parameters.texts("G") == ["a", "b", "j"] and parameters.texts("One") == ["1"]
    assert [dict(zone) for zone in parameters.structs("Z")] == [{"ZoneId": "z"}, {"ip": "i"}]
    with pytest.raises(Missing) as caught:
        parameters.structs("Z")[1].require("ZoneId")
    assert caught.value.field == "Z.2.ZoneId"


@pytest.mark.parametrize("stray", ["G.0", "G.x", "G.10000", "G.", "G.01", "G.1a"])
def test_an_item_without_a_number_is_not_passed_over(stray: str) -> None:
    with pytest.raises(Malformed):
        Parameters({"G.1": "a", stray: "b"}).texts("G")
    with pytest.raises(Malformed):
        Parameters({"G.1.A": "a", f"{stray}.A": "b"}).structs("G")
    with pytest.raises(Malformed):
        Parameters({"G.1.A": "a", "G": "b"}).structs("G")


def test_one_name_with_two_values() -> None:
    assert merge_parameters([("A", "1"), ("A", "1")]) == {"A": "1"}
    with pytest.raises(ApiError):
        merge_parameters([("A", "1"), ("A", "2")])


@given(st.text(st.characters(codec="ascii"), max_size=30), st.integers(0, 200), st.integers(1, 255))
def test_a_token_with_one_changed_byte_is_refused(last: str, place: int, change: int) -> None:
    tokens = PageTokens("secret", "v/List")
    token = tokens.make(last)
    if last:
        assert tokens.read(token) == last
    raw = bytearray(token.encode())
    raw[place % len(raw)] ^= change
    altered = raw.decode("latin-1")
    with contextlib.suppress(Malformed):
        assert tokens.read(altered) == last  # only the unused bits of the last letter may differ
    with pytest.raises(Malformed):
        PageTokens("other secret", "v/List").read(token)


@given(st.sets(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=5)), st.integers(1, 7))
def test_pages_give_everything_once(ids: set[str], size: int) -> None:
    items = [(name, name) for name in sorted(ids)]
    tokens, token, seen = PageTokens("s", "v/List"), "", list[str]()
    for _ in range(len(items) // size + 1):
        page, token = page_by_token(Parameters({"MaxResults": str(size), "NextToken": token}), tokens, items)
        seen += page
        if not token:
            break
    assert seen == sorted(ids) and token == ""
