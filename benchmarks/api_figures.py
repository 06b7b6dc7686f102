"""From the windows to the table: medians over the rounds, ratios within a round, and what was aimed at.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.figures import Figure, format_rows

Json = dict[str, Any]
MOTO = "moto DescribeVpcs"
MOTO_RATIO_AIM = 10.0
P99_AIM_MS = 20.0
GROWTH_AIM = 1.1
"""the largest store against the smallest: no slower, but for the noise of two windows"""
CALLS = ("DescribeVpcs", "GetVpcEndpointAttribute", "ListVpcEndpoints")


def decide(result: Json) -> Iterator[Figure]:
    lanes, stores = result["lanes"], result["stores"]
    yield _ratio(
        lanes, f"DescribeVpcs/{stores[0]}", "per_s", "DescribeVpcs per second, Tidegate / moto", aim=MOTO_RATIO_AIM
    )
    yield _ratio(
        lanes, f"DescribeVpcs/{stores[0]}", "server_cpu_ms", "the same by processor time, moto / Tidegate", aim=None
    )
    for lane in lanes:
        aim = None if lane == MOTO or "of 1,000" in lane else P99_AIM_MS
        yield Figure(f"{lane}, p99 with {result['clients']} clients", _median(lanes[lane], "p99_ms"), "ms", aim)
    for call in CALLS:
        small, large = (lanes[f"{call}/{count}"] for count in (stores[0], stores[-1]))
        grown = median(b["server_cpu_ms"] / a["server_cpu_ms"] for a, b in zip(small, large, strict=True))
        rate = median(a["per_s"] / b["per_s"] for a, b in zip(small, large, strict=True))
        detail = f"by processor time {grown:.2f}"
        yield Figure(
            f"{call}: {stores[-1]} endpoints / {stores[0]}, time per call", rate, "x", GROWTH_AIM, False, detail
        )


def _ratio(lanes: Json, ours: str, key: str, name: str, aim: float | None) -> Figure:
    """Of each round: moto has several windows in one, and their median counts."""
    mine, theirs = lanes[ours], _by_round(lanes[MOTO], len(lanes[ours]))
    pairs = zip(mine, theirs, strict=True)
    ratios = [m[key] / _median(t, key) if key == "per_s" else _median(t, key) / m[key] for m, t in pairs]
    unit = "/s" if key == "per_s" else "ms"
    detail = f"{_median(mine, key):.4g} and {_median(lanes[MOTO], key):.4g} {unit}"
    return Figure(name, median(ratios), "x", aim, True, detail)


def _by_round(windows: list[Json], rounds: int) -> list[list[Json]]:
    each = len(windows) // rounds
    return [windows[n * each : (n + 1) * each] for n in range(rounds)]


def _median(windows: list[Json], key: str) -> float:
    return float(median(window[key] for window in windows))


def format_page(result: Json) -> str:
    figures, machine = list(decide(result)), result["machine"]
    keys = ("per_s", "p50_ms", "p99_ms", "server_cpu_ms", "generator_cpu_ms")
    rows = [("call / endpoints in the store", "per s", "p50 ms", "p99 ms", "server CPU ms", "generator CPU ms")]
    for lane, windows in result["lanes"].items():
        rows.append((lane, *(f"{_median(windows, key):.4g}" for key in keys)))
    load = f"load {machine['load_before']:.1f} before and {result['load_after']:.1f} after"
    signing = ", ".join(f"{lane.partition('/')[0]} {ms:.3f}" for lane, ms in list(result["signing_ms"].items())[:1])
    return "\n".join(
        [
            *_format(rows),
            "",
            *format_rows(figures),
            "",
            f"kernel {machine['kernel']}, {machine['cpus']} CPUs ({machine['model']}), Python {machine['python']}",
            load,
            f"signing a request ahead of its window: {signing} ms",
        ]
    )


def _format(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
