"""What became of a resource, one after the other: the outcomes that its status row had, for who looks later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.status import Kind, Phase, Status

EVENTS_PER_RESOURCE = 20
"""older ones are forgotten, so that what fails again and again fills no store"""


@dataclass(frozen=True, slots=True)
class Event:
    """``number`` counts a resource's events from 1 on."""

    kind: Kind
    resource_id: str
    number: int
    at: datetime
    phase: Phase
    reason: str


def plan_events(known: Sequence[Event], status: Status, at: datetime) -> tuple[Event, Sequence[Event]]:
    """The event that tells of ``status``, and which of the ``known`` (in the order of numbers) are forgotten."""
    number = known[-1].number + 1 if known else 1
    made = Event(status.kind, status.resource_id, number, at, status.phase, status.reason)
    return made, known[: max(0, len(known) + 1 - EVENTS_PER_RESOURCE)]
