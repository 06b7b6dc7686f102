"""Which tags may be, and what a filter means."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.refusals import NotFound, QuotaReached, Refusal, TagMalformed, TagRepeated
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.tags import decide_tagged, require_tags


@pytest.mark.parametrize(
    "key", ["", "k" * 129, "aliyun", "Aliyun:x", "acs:x", "ACS:", "a http://b", "HTTPS://", "a\0", "\n"]
)
def test_keys_that_cannot_be(key: str) -> None:
    with pytest.raises(TagMalformed):
        require_tags([(key, "v")])


@pytest.mark.parametrize("value", ["v" * 129, "see https://x", "HTTP://", "a\tb", "\x7f"])
def test_values_that_cannot_be(value: str) -> None:
    with pytest.raises(TagMalformed):
        require_tags([("k", value)])


def test_twice_and_too_many() -> None:
    with pytest.raises(TagRepeated):
        require_tags([("k", "1"), ("K", "2"), ("k", "1")])
    pairs = [(f"k{n}", "") for n in range(21)]
    assert len(require_tags(pairs[:20])) == 20
    with pytest.raises(QuotaReached):
        require_tags(pairs)


TEXT = st.text(st.sampled_from("ab中 \0h:/tp"), max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=24))
def test_any_pairs_are_taken_whole_or_refused(pairs: list[tuple[str, str]]) -> None:
    """Never something else than was asked for."""
    with suppress(Refusal):
        assert require_tags(pairs) == dict(pairs) and len(pairs) == len(dict(pairs))


def test_a_filter_is_an_and() -> None:
    tags = {"env": "ci", "empty": ""}
    assert decide_tagged(tags, []) and decide_tagged(tags, [("env", None), ("empty", "")])
    assert not decide_tagged(tags, [("env", "ci"), ("team", None)])
    assert not decide_tagged(tags, [("env", "CI")]) and not decide_tagged(tags, [("env", "")])


@pytest.mark.parametrize("text", ["", "rg-", "rg", "group", "rg-A", "rg-a b", "rg-" + "a" * 61, "rg-a\n"])
def test_resource_groups_are_ids(text: str) -> None:
    assert require_resource_group("rg-acfmxyz123") == "rg-acfmxyz123"
    with pytest.raises(NotFound):
        require_resource_group(text)
