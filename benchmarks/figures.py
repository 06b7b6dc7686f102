"""From samples to the table: each figure, what it is compared with, and what was aimed at.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """``aim`` is the least (``at_least``) or the most; None: told, nothing is aimed at."""

    name: str
    measured: float
    unit: Literal["x", "s", "ms", "us", "Gbit/s"]
    aim: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def reached(self) -> bool | None:
        if self.aim is None:
            return None
        return self.measured >= self.aim if self.at_least else self.measured <= self.aim

    def build(self) -> Json:
        return {
            "name": self.name,
            "measured": round(self.measured, 4),
            "unit": self.unit,
            "aim": self.aim,
            "reached": self.reached,
            "detail": self.detail,
        }


LANE_FIGURES = (
    ("bulk_gbit", "bulk, endpoint / plain", 0.95, True, "Gbit/s"),
    ("block_p50_us", "ping-pong p50, endpoint / plain", 1.05, False, "us"),
    ("block_p99_us", "ping-pong p99, endpoint / plain", None, False, "us"),
    ("busy_p50_us", "ping-pong p50, both ends spinning", None, False, "us"),
)
STEP_FIGURES = (
    ("endpoint_s", "create endpoint -> Active + Connected, p50", 0.1),
    ("cluster_s", "create cluster -> ACTIVE, p50", 4.0),
    ("wake_s", "sleeping cluster: connect -> first row, p50", 0.5),
)
CROWD_AIM = 1.1


def decide(result: Json) -> Iterator[Figure]:
    traffic, control = result.get("traffic", {}), result.get("control", {})
    for phase, title in (("one", ""), ("many", f", beside {result['endpoints']}")):
        if phase in traffic:
            yield from _lane_figures(traffic[phase], title)
        if phase in control:
            yield from _step_figures(control[phase], title)
    if "many" in traffic:
        yield from _crowd_lanes(traffic, result["endpoints"])
    if "many" in control:
        yield from _crowd_steps(control, result["endpoints"])


def _lane_figures(rounds: list[Json], title: str) -> Iterator[Figure]:
    for key, name, aim, at_least, unit in LANE_FIGURES:
        both = ", ".join(f"{lane} {median(r[key][lane] for r in rounds):.1f}" for lane in ("endpoint", "plain"))
        yield Figure(name + title, lane_ratio(rounds, key), "x", aim, at_least, f"{both} {unit}")


def lane_ratio(rounds: Iterable[Json], key: str) -> float:
    """The median over the rounds of each round's own ratio."""
    return float(median(r[key]["endpoint"] / r[key]["plain"] for r in rounds))


def _step_figures(samples: Json, title: str) -> Iterator[Figure]:
    for key, name, aim in STEP_FIGURES:
        values = samples[key]
        ordered = sorted(values)
        detail = f"p99 {ordered[len(ordered) * 99 // 100]:.3f}, worst {ordered[-1]:.3f} of {len(ordered)}"
        yield Figure(name + title, median(values), "s", aim, False, detail)


def _crowd_lanes(traffic: Json, count: int) -> Iterator[Figure]:
    for key, name in (("bulk_gbit", "bulk"), ("block_p50_us", "ping-pong p50")):
        one, many = lane_ratio(traffic["one"], key), lane_ratio(traffic["many"], key)
        grown = one / many if key == "bulk_gbit" else many / one
        yield Figure(f"{count} endpoints / one: {name}", grown, "x", CROWD_AIM)


def _crowd_steps(control: Json, count: int) -> Iterator[Figure]:
    for key, name, _ in STEP_FIGURES:
        grown = median(control["many"][key]) / median(control["one"][key])
        yield Figure(f"{count} endpoints / one: {name.partition(' ->')[0]}", grown, "x", CROWD_AIM)


def format_table(result: Json) -> str:
    return "\n".join([*format_rows(decide(result)), *_remarks(result)])


def format_rows(figures: Iterable[Figure]) -> list[str]:
    rows = [("figure", "measured", "aim", "", "")]
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        aim = "" if figure.aim is None else f"{sign} {figure.aim:g}"
        mark = {True: "reached", False: "MISSED", None: ""}[figure.reached]
        rows.append((figure.name, f"{figure.measured:.3f} {figure.unit}", aim, mark, figure.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _remarks(result: Json) -> Iterator[str]:
    machine, control = result["machine"], result.get("control", {})
    yield ""
    yield (
        f"kernel {machine['kernel']}, {machine['cpus']} CPUs, "
        f"load {machine['load_before']:.1f} before and {result['load_after']:.1f} after"
    )
    if "crowd" in control:
        made_s, connected_s = control["crowd"]["made_s"], control["crowd"]["connected_s"]
        yield (
            f"{result['endpoints']} VPCs with endpoints: all calls answered after {made_s:.0f} s, "
            f"all Connected after {connected_s:.0f} s; stopped and taken away in {control['stop_s']:.0f} s"
        )
    for phase in ("one", "many"):
        if phase in control:
            sizes = ", ".join(f"{name} {mib:.0f}" for name, mib in control[phase]["resident_mib"].items())
            yield f"resident MiB ({phase}): {sizes}"
