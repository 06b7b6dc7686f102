"""The sessions of one gateway process and what is counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tidegate.gateway.config import Consumer
from tidegate.gateway.relay import Relay


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session as it is now."""

    session_id: int
    consumer: Consumer
    client_address: str
    user: str
    cluster_id: str
    duration_s: float
    bytes_to_server: int
    bytes_to_client: int
    tls: bool


@dataclass(slots=True, eq=False)
class Session:
    """A session that this process relays.  ``since_s`` is the event loop's clock."""

    session_id: int
    consumer: Consumer
    client_address: str
    user: str
    cluster_id: str
    since_s: float
    tls: bool
    relay: Relay | None = None

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes to the server and to the client."""
        return (self.relay.bytes_to_server, self.relay.bytes_to_client) if self.relay else (0, 0)

    def view(self, now_s: float) -> SessionView:
        up, down = self.carried
        return SessionView(
            self.session_id,
            self.consumer,
            self.client_address,
            self.user,
            self.cluster_id,
            now_s - self.since_s,
            up,
            down,
            self.tls,
        )


class SessionTable(Collector):
    """Open sessions, and the totals of all that were.  A Prometheus collector: nothing is counted per packet."""

    def __init__(self) -> None:
        self.open: dict[int, Session] = {}
        self.pending: Counter[str] = Counter()
        self.pending_total = 0
        self._logins: Counter[str] = Counter()
        self._ended_bytes = [0, 0]

    def begin_login(self, endpoint_id: str) -> None:
        self.pending[endpoint_id] += 1
        self.pending_total += 1

    def end_login(self, endpoint_id: str) -> None:
        self.pending_total -= 1
        self.pending[endpoint_id] -= 1
        if not self.pending[endpoint_id]:
            del self.pending[endpoint_id]

    def count_login(self, outcome: str) -> None:
        self._logins[outcome] += 1

    def end(self, session: Session) -> None:
        self.open.pop(session.session_id, None)
        for at, count in enumerate(session.carried):
            self._ended_bytes[at] += count

    def collect(self) -> Iterator[Metric]:
        """Prometheus calls this on each scrape."""
        logins = CounterMetricFamily("tidegate_gateway_logins", "Logins, by how they ended", labels=["outcome"])
        for outcome, count in self._logins.items():
            logins.add_metric([outcome], count)
        yield logins
        yield GaugeMetricFamily("tidegate_gateway_sessions", "Sessions relayed now", value=len(self.open))
        yield GaugeMetricFamily("tidegate_gateway_pending_logins", "Logins under way", value=self.pending_total)
        carried = CounterMetricFamily("tidegate_gateway_bytes", "Bytes relayed", labels=["direction"])
        live = [session.carried for session in self.open.values()]
        for at, direction in enumerate(("to_server", "to_client")):
            carried.add_metric([direction], self._ended_bytes[at] + sum(bytes_[at] for bytes_ in live))
        yield carried
