"""What a cluster used in a month, in request units, and what its quota allows.

::

    the host's counters, which only grow --> count_usage --> Usage of the month --> decide_restricted
    CPU, bytes read, written, sent           each pass           requestUnit,           the gateway lets nobody
                                             adds what is new    rowBasedStorage        new in (Starter only)

What one RU is, and what it costs, are TiDB Cloud's published figures: pingcap.com, *TiDB Cloud Starter Pricing
Details*, "Request Unit" and "Cost and Limitations", seen 2026-11.  There each of these is one RU, and a request's
parts are added up: 3 ms of SQL CPU, 64 KiB of read payload, 2 KiB of written payload, 4 KiB of egress through a
private endpoint.  The page's further parts (batches and requests to the storage servers) do not exist here: the
store is inside the server, and its work is in the CPU time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tidegate.domain.clusters import Cluster
from tidegate.domain.refusals import Malformed

CPU_S_PER_RU = 0.003
READ_BYTES_PER_RU = 64 << 10
WRITTEN_BYTES_PER_RU = 2 << 10
SENT_BYTES_PER_RU = 4 << 10
CENTS_PER_MILLION_RU = 10.0
CENTS_PER_GIB_MONTH = 20.0
"""US dollar cents in the cheapest region; the others cost up to a fifth more"""
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Consumption:
    """Counters over a cluster's whole life, through all restarts of its server; ``stored_bytes`` is its data now."""

    cpu_s: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    sent_bytes: int = 0
    stored_bytes: int = 0

    @property
    def request_units(self) -> float:
        return (
            self.cpu_s / CPU_S_PER_RU
            + self.read_bytes / READ_BYTES_PER_RU
            + self.written_bytes / WRITTEN_BYTES_PER_RU
            + self.sent_bytes / SENT_BYTES_PER_RU
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """One cluster in one month.  ``counted``: how far its counters had come, in RUs, when they were last looked at."""

    cluster_id: str
    month: str
    request_units: float = 0.0
    stored_bytes: int = 0
    counted: float = 0.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each Starter cluster has for nothing, each month."""

    request_units: float = 50_000_000
    stored_bytes: float = 5 * GIB


def month_of(moment: datetime) -> str:
    """``2026-11``: months begin at midnight UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def count_usage(last: Usage | None, cluster_id: str, month: str, seen: Consumption) -> Usage:
    """``last`` (of this month, or of an earlier one) with what the counters have gained since.

    Told twice counts once.  Counters that went back began anew: their host's folder was lost.
    """
    this = usage_in(month, last or Usage(cluster_id, month))
    total = seen.request_units
    gained = total - this.counted if total >= this.counted else total
    return replace(this, request_units=this.request_units + gained, stored_bytes=seen.stored_bytes, counted=total)


def usage_in(month: str, last: Usage) -> Usage:
    """``last`` as it stands in ``month``: a new month begins with nothing used, and with what is stored."""
    return last if last.month == month else replace(last, month=month, request_units=0.0)


def decide_spent_cents(usage: Usage | None, free: Allowance) -> float:
    """What this month has cost beyond the free quota; storage as if it had been what it is all month."""
    if usage is None:
        return 0.0
    units = max(0.0, usage.request_units - free.request_units)
    stored = max(0.0, usage.stored_bytes - free.stored_bytes)
    return units / 1e6 * CENTS_PER_MILLION_RU + stored / GIB * CENTS_PER_GIB_MONTH


def decide_restricted(cluster: Cluster, usage: Usage | None, free: Allowance) -> bool:
    """Is its quota used up?  ``usage`` is this month's, None when nothing was used yet.

    Without a spending limit the free quota is all; with one, nothing is refused before that much was spent.
    Essential clusters pay for what they may use, and branches are free of charge: they are never restricted
    (``reference/tidbcloud.md`` 2.5, 4.1).
    """
    if cluster.plan != "STARTER" or cluster.branch_of or usage is None:
        return False
    if not cluster.spending_limit_cents:
        return usage.request_units >= free.request_units or usage.stored_bytes > free.stored_bytes
    return decide_spent_cents(usage, free) >= cluster.spending_limit_cents


def require_limit_above_spent(cents: int, usage: Usage | None, free: Allowance) -> None:
    """The pricing page: a limit cannot be set below what was spent this month.  0 ends the paying, and may be set."""
    spent = decide_spent_cents(usage, free)
    if cents and cents < spent:
        raise Malformed("spendingLimit.monthly", f"{cents}, and {spent:.0f} cents were spent this month")
