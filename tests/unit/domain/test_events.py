"""A resource's history is bounded: what fails again and again must not fill the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.domain.events import EVENTS_PER_RESOURCE, Event, plan_events
from tidegate.domain.status import Status

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_events_are_numbered_and_the_oldest_forgotten() -> None:
    known: list[Event] = []
    for turn in range(3 * EVENTS_PER_RESOURCE):
        status = Status("endpoint", "ep-1", turn, "failed", f"try {turn}")
        made, forgotten = plan_events(known, status, NOW + timedelta(seconds=turn))
        known = [event for event in known if event not in forgotten] + [made]
        assert len(known) <= EVENTS_PER_RESOURCE
    assert [event.number for event in known] == list(range(2 * EVENTS_PER_RESOURCE + 1, 3 * EVENTS_PER_RESOURCE + 1))
    assert known[-1].reason == f"try {3 * EVENTS_PER_RESOURCE - 1}" and known[-1].phase == "failed"
