"""A delta is what differs, no more and no less."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.agent.config import SECTIONS, HostConfig, diff, patch

parts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), max_size=6)
hosts = st.builds(HostConfig, **dict.fromkeys(SECTIONS, parts))


@given(hosts, hosts)
def test_patching_the_difference_gives_the_other(old: Any, new: Any) -> None:
    delta = diff(old, new)
    assert patch(old, delta) == new
    assert delta.empty == (old == new)


@given(hosts)
def test_nothing_differs_from_itself(host: Any) -> None:
    assert diff(host, host).empty
