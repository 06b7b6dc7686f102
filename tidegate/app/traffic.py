"""What the host saw of packets, between those who look and the host: asked when somebody looks, and not too often.

However many pages look, a VPC is read at most once in FRESH_S; however many VPCs there are, one look reads at most
READS_PER_LOOK: half of them for what the looker named first, half for whatever was not read for longest, so that
repeated looks come round to all.  Nobody looks: nothing is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tidegate.domain.traffic import NetworkTraffic, Sighting, decide_rates

FRESH_S = 1.0
KEEP_S = 600.0
READS_PER_LOOK = 16
NETWORKS_KEPT = 1024

Look = Callable[[tuple[str, ...]], dict[str, NetworkTraffic]]


@dataclass(slots=True)
class _Known:
    at: float
    traffic: NetworkTraffic
    bytes_s: dict[str, float]


class TrafficBoard:
    """``observe`` is the ``Context``'s; ``look`` blocks, and is called from the threads that call ``observe``."""

    def __init__(self, look: Look, clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._known: dict[str, _Known] = {}
        self._quiet_until_s = 0.0
        """nobody answered the last look: until then nobody is asked again"""
        self._lock = threading.Lock()

    def observe(self, vpc_ids: Sequence[str]) -> dict[str, Sighting]:
        with self._lock:
            wanted = self._choose(vpc_ids)
            if wanted and self._clock() >= self._quiet_until_s:
                seen = self._look(tuple(wanted))
                self._note(seen)
                # A look may wait for a host that stands still; those who came meanwhile must not wait one by one.
                self._quiet_until_s = 0.0 if seen else self._clock() + FRESH_S
            now = self._clock()
            return {
                vpc_id: Sighting(known.traffic, now - known.at, known.bytes_s)
                for vpc_id in vpc_ids
                if (known := self._known.get(vpc_id)) is not None
            }

    def _choose(self, vpc_ids: Iterable[str]) -> list[str]:
        now = self._clock()
        ages = {v: now - self._known[v].at if v in self._known else KEEP_S for v in dict.fromkeys(vpc_ids)}
        stale = [vpc_id for vpc_id, age_s in ages.items() if age_s >= FRESH_S]
        first = stale[: READS_PER_LOOK // 2]
        rest = sorted(stale[READS_PER_LOOK // 2 :], key=lambda vpc_id: -ages[vpc_id])
        return first + rest[: READS_PER_LOOK - len(first)]

    def _note(self, seen: dict[str, NetworkTraffic]) -> None:
        now = self._clock()
        for vpc_id, traffic in seen.items():
            before = self._known.pop(vpc_id, None)
            rates = decide_rates(before.traffic, traffic, now - before.at) if before is not None else {}
            self._known[vpc_id] = _Known(now, traffic, rates)
        # In the order of the last reading: the oldest are in front.
        for vpc_id in list(self._known):
            if len(self._known) <= NETWORKS_KEPT and now - self._known[vpc_id].at <= KEEP_S:
                break
            del self._known[vpc_id]
