"""Request units and quotas: what is counted, when a quota is used up, and what a new month changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.clusters import Cluster
from tidegate.domain.refusals import Malformed
from tidegate.domain.usage import (
    GIB,
    Allowance,
    Consumption,
    Usage,
    count_usage,
    decide_restricted,
    decide_spent_cents,
    month_of,
    require_limit_above_spent,
    usage_in,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CLUSTER = Cluster("1", "o", "p", "alicloud-ap-southeast-1", "orders", "2abc", "STARTER", "100.104.0.1", "k", NOW, NOW)
FREE = Allowance()
MONTH = "2026-11"


def used(units: float = 0.0, stored: float = 0) -> Usage:
    return Usage("1", MONTH, units, int(stored))


def test_a_request_unit_is_what_the_clouds_page_says() -> None:
    """Each of the four alone is one; together they add up."""
    for part in ({"cpu_s": 0.003}, {"read_bytes": 65536}, {"written_bytes": 2048}, {"sent_bytes": 4096}):
        assert Consumption(**part).request_units == 1  # type: ignore[arg-type]
    assert Consumption(0.003, 65536, 2048, 4096).request_units == 4


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(1, 3))
def test_telling_twice_counts_once(gains: list[float], times: int) -> None:
    """The agent's pushes are repeated, merged and lost; the month must come to the same."""
    usage, cpu_s = None, 0.0
    for gain in gains:
        cpu_s += gain
        for _ in range(times):
            usage = count_usage(usage, "1", MONTH, Consumption(cpu_s))
    assert (usage.request_units if usage else 0) == pytest.approx(cpu_s / 0.003)


def test_a_new_month_begins_at_nothing_and_counts_only_what_is_new() -> None:
    november = count_usage(None, "1", MONTH, Consumption(3.0, stored_bytes=7))
    assert (november.request_units, november.counted) == (1000, 1000)
    assert usage_in("2026-12", november) == Usage("1", "2026-12", 0, 7, 1000)
    december = count_usage(november, "1", "2026-12", Consumption(3.3, stored_bytes=8))
    assert (december.month, december.stored_bytes) == ("2026-12", 8)
    assert december.request_units == pytest.approx(100)


def test_counters_that_begin_anew_take_nothing_away() -> None:
    """A host's folder was lost with the record in it: what was counted stays, what comes is added."""
    before = count_usage(None, "1", MONTH, Consumption(3.0))
    assert count_usage(before, "1", MONTH, Consumption(0.3)).request_units == pytest.approx(1100)


def test_months_are_utcs() -> None:
    assert month_of(datetime(2026, 12, 1, 3, tzinfo=timezone(timedelta(hours=8)))) == "2026-11"


@pytest.mark.parametrize(
    ("cluster", "usage", "restricted"),
    [
        (CLUSTER, None, False),
        (CLUSTER, used(49_999_999), False),
        (CLUSTER, used(50_000_000), True),
        (CLUSTER, used(stored=5 * GIB), False),
        (CLUSTER, used(stored=5 * GIB + 1), True),
        (replace(CLUSTER, spending_limit_cents=10), used(50_900_000), False),
        (replace(CLUSTER, spending_limit_cents=10), used(51_000_000), True),
        (replace(CLUSTER, spending_limit_cents=11), used(51_000_000), False),
        (replace(CLUSTER, spending_limit_cents=30), used(51_000_000, 6 * GIB), True),
        (replace(CLUSTER, plan="ESSENTIAL", max_rcu=2000), used(1e12, 1e15), False),
    ],
)
def test_who_is_restricted(cluster: Cluster, usage: Usage | None, restricted: bool) -> None:
    """A free one by the free quota, a paid one by its money, an Essential one never."""
    assert decide_restricted(cluster, usage, FREE) is restricted


def test_a_limit_below_what_was_spent_cannot_be_set() -> None:
    """The cloud's page says so; 0 goes back to the free quota, and that is used up."""
    usage = used(52_000_000)
    assert decide_spent_cents(usage, FREE) == pytest.approx(20)
    for fine in (0, 20, 21):
        require_limit_above_spent(fine, usage, FREE)
    with pytest.raises(Malformed):
        require_limit_above_spent(19, usage, FREE)
    require_limit_above_spent(1, None, FREE)
