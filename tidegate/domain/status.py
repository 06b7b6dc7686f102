"""What became of a wish: one row per resource, with the generation it answers and one sentence of why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["ready", "working", "failed"]
"""``working``: under way, or waiting for what the reason names; ``failed``: tried, and tried again on a timer."""

Kind = Literal["vpc", "subnet", "security_group", "interface", "endpoint", "service", "service_resource", "cluster"]


@dataclass(frozen=True, slots=True)
class Status:
    """``observed_generation`` older than the wish's means *not done yet*, whatever the phase says."""

    kind: Kind
    resource_id: str
    observed_generation: int
    phase: Phase
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one pass over one resource ended.  ``retry_s``: look again after this long; None: when woken."""

    phase: Phase
    reason: str
    retry_s: float | None = None


def decide_failed(status: Status | None, generation: int) -> bool:
    """Has this very generation been tried, and failed?"""
    return status is not None and status.observed_generation >= generation and status.phase == "failed"


def decide_settled(status: Status | None, generation: int) -> bool:
    """Has the controller answered this very generation with success?"""
    return status is not None and status.observed_generation >= generation and status.phase == "ready"
