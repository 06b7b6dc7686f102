"""Bulk and latency over both lanes, in rounds: ``python -m benchmarks.traffic`` prints what it saw as JSON.

It is a process of its own because without root it must join the world before any thread starts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import lanes
from benchmarks.pingpong import Lane
from tidegate.agent.world import NamedNamespaces, join_world, stop_world
from tidegate.dataplane.linux import LinuxDataPlane
from tidegate.settings import Settings

BULK_RUNS = 5
"""on each lane per round, in turn: single runs differ by a third, their medians by a twentieth"""

Round = dict[str, dict[str, float]]
"""figure -> lane -> value"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--endpoints", type=int, default=1000, help="how many others are made; 0: none")
    words.add_argument("--seconds", type=float, default=2.0, help="of each single measurement")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", run=Path(folder) / "run", rootless=os.geteuid() != 0)
        result = _in_world(settings, given)
    json.dump(result, sys.stdout)


def _in_world(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """Without root the world is joined by a child: only one who stayed outside can take it away."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with _exit_at_end(), os.fdopen(writer, "w") as out:
            json.dump(_measure_all(join_world(settings), given), out)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(child, 0)
    stop_world(settings)
    if not text:
        sys.exit("The lanes could not be measured (our side); the reason is above.")
    return dict(json.loads(text))


@contextlib.contextmanager
def _exit_at_end() -> Iterator[None]:
    """A forked child must not return into its parent's code."""
    status = 1
    try:
        yield
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _measure_all(namespaces: NamedNamespaces, given: argparse.Namespace) -> dict[str, Any]:
    plane = LinuxDataPlane(namespaces)
    try:
        lanes.make_plain_lane(namespaces)
        lanes.make_endpoint_lane(plane)
        with _started(_bulk_servers(namespaces)):
            result: dict[str, Any] = {"one": _rounds(namespaces, given, "one endpoint")}
            if given.endpoints:
                result["crowd"] = _make_crowd(plane, given.endpoints)
                result["many"] = _rounds(namespaces, given, f"{given.endpoints} endpoints")
        return result
    finally:
        lanes.delete_plain_lane(namespaces)
        start = time.monotonic()
        plane.cleanup()
        say(f"lanes taken away in {time.monotonic() - start:.1f} s")


def _make_crowd(plane: LinuxDataPlane, count: int) -> dict[str, float]:
    times = []
    for took in lanes.make_crowd(plane, count):
        times.append(took)
        if len(times) % 250 == 0:
            say(f"{len(times)} VPCs with an endpoint each, {sum(times):.1f} s")
    return {"total_s": sum(times), "first_hundred_s": sum(times[:100]), "last_hundred_s": sum(times[-100:])}


def say(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr, flush=True)


# -- one measurement each ------------------------------------------------------------------------------------------


def _rounds(namespaces: NamedNamespaces, given: argparse.Namespace, what: str) -> list[Round]:
    """Each round measures everything on both lanes; which lane goes first changes from round to round."""
    found = []
    for number in range(given.rounds):
        seen: Round = {**_latency(namespaces, "block", given.seconds)}
        seen |= _latency(namespaces, "busy", given.seconds)
        order = ("plain", "endpoint") if number % 2 else ("endpoint", "plain")
        runs = [(lane, _bulk(namespaces, lane, given.seconds / 2)) for _ in range(BULK_RUNS) for lane in order]
        seen["bulk_gbit"] = {lane: median(gbit for name, gbit in runs if name == lane) for lane in order}
        found.append(seen)
        say(f"{what}, round {number + 1} of {given.rounds}: {_summarize(seen)}")
    return found


def _summarize(seen: Round) -> str:
    ratios = (f"{figure} {values['endpoint'] / values['plain']:.3f}" for figure, values in seen.items())
    return ", ".join(ratios)


def _bulk(namespaces: NamedNamespaces, lane: str, seconds: float) -> float:
    """Gbit/s that the receiver got.

    The ends are kept on one CPU each, or the scheduler decides the figure; and cubic, the kernel's own default, is
    asked for, because a host that has bbr paces both lanes to what bbr makes of a veth pair (7 Gbit/s for 20, seen).
    """
    place, target = _BULK[lane]
    words = f"iperf3 --client {target} --port {lanes.PORT} --time {seconds:g} --omit 0.3 --json --congestion cubic"
    words += " --affinity 0,1" if len(os.sched_getaffinity(0)) > 1 else ""
    done = subprocess.run(
        lanes.inside(namespaces, place, words.split()), stdout=subprocess.PIPE, check=True, timeout=seconds + 20
    )
    return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e9


_BULK = {"plain": (lanes.PLAIN[0], lanes.PLAIN_SERVER), "endpoint": ("bench-app", lanes.EXCLUSIVE_ENI)}


def _latency(namespaces: NamedNamespaces, wait: str, seconds: float) -> Round:
    """Both lanes in turn, fifty round trips at a time, by one pair of processes."""
    app, _, server = lanes.PLAIN
    far = [Lane(namespaces.path(server), lanes.PLAIN_SERVER, lanes.PORT + 1)]
    far.append(Lane(namespaces.path(lanes.REGION.namespace), lanes.GATEWAY, lanes.PORT))
    near = [Lane(namespaces.path(app), lanes.PLAIN_SERVER, lanes.PORT + 1)]
    near.append(Lane(namespaces.path("bench-app"), lanes.SHARED_ENI, lanes.PORT))
    with _started([_pingpong("serve", wait, far)]):
        measured = subprocess.run(
            _pingpong("measure", wait, near, "--seconds", str(seconds)), stdout=subprocess.PIPE, check=True
        )
    plain, endpoint = json.loads(measured.stdout)
    return {f"{wait}_{q}": {"plain": plain[q], "endpoint": endpoint[q]} for q in ("p50_us", "p99_us")}


def _pingpong(side: str, wait: str, ends: list[Lane], *more: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.pingpong", side, *map(str, ends), "--wait", wait, *more]


# -- servers -------------------------------------------------------------------------------------------------------


def _bulk_servers(namespaces: NamedNamespaces) -> list[list[str]]:
    places = ((lanes.PLAIN[2], lanes.PLAIN_SERVER), (lanes.REGION.namespace, lanes.DATABASE))
    words = f"iperf3 --server --forceflush --port {lanes.PORT} --bind"
    return [lanes.inside(namespaces, place, [*words.split(), address]) for place, address in places]


@contextlib.contextmanager
def _started(commands: list[list[str]]) -> Iterator[None]:
    """Returns when all of them listen; they are killed at the end."""
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    try:
        for process in started:
            _wait_for_word(process)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _wait_for_word(process: subprocess.Popen[bytes]) -> None:
    """iperf3 says "Server listening", ours says "ready"."""
    assert process.stdout is not None
    for line in process.stdout:
        if b"listening" in line or b"ready" in line:
            return
    raise RuntimeError(f"{process.args!r} ended before it listened")


if __name__ == "__main__":
    main()
