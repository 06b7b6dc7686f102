"""What the private path costs, as ratios of one run.

    scripts/bench path                            all of it, about ten minutes; take it on an idle machine
    scripts/bench path --quick                    few rounds, 50 endpoints: does it work at all?
    scripts/bench path --rounds 9 --endpoints 0   without the crowd
    scripts/bench path -o json                    for a program to read

Measured: bulk (iperf3) and 64-byte ping-pong over an endpoint against a plain routed veth pair; create endpoint until
Active and Connected; create cluster until ACTIVE; a sleeping cluster from connect to the first row; and all of it
again while 1,000 other endpoints exist.  Nothing is left behind.  docs/benchmarks/path.md tells what was reached.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

from benchmarks import crowd, figures, site
from benchmarks.traffic import say

Json = dict[str, Any]


def main() -> None:
    given = parse(sys.argv[1:])
    result: Json = {"machine": describe_machine(), "rounds": given.rounds, "endpoints": given.endpoints}
    if given.only != "control":
        say("The lanes: bulk and latency.")
        result["traffic"] = measure_traffic(given)
    if given.only != "traffic":
        say("An installation: endpoints, clusters, wakes.")
        result["control"] = measure_control(given)
    result["load_after"] = os.getloadavg()[0]
    result["figures"] = [figure.build() for figure in figures.decide(result)]
    if given.output == "json":
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        print(figures.format_table(result))


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench path", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement on the lanes (default 9)")
    parser.add_argument("--samples", type=int, default=25, help="least number of endpoints created (default 25)")
    parser.add_argument("--clusters", type=int, default=5, help="clusters created, and wakes (default 5)")
    parser.add_argument("--endpoints", type=int, default=1000, help="size of the crowd; 0: none (default 1000)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.5 s, 6 samples, 2 clusters, 50 endpoints")
    parser.add_argument("--only", choices=("traffic", "control"), help="one half of it")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.set_defaults(seconds=2.0, cover_s=35.0)
    given = parser.parse_args(words)
    if given.quick:
        given.rounds, given.samples, given.clusters, given.seconds, given.cover_s = 3, 6, 2, 0.5, 0.0
        given.endpoints = min(given.endpoints, 50)
    return given


def describe_machine() -> Json:
    return {"kernel": os.uname().release, "cpus": os.cpu_count(), "load_before": os.getloadavg()[0]}


def measure_traffic(given: argparse.Namespace) -> Json:
    """By a process of its own; see ``traffic.py``."""
    words = [f"--rounds={given.rounds}", f"--endpoints={given.endpoints}", f"--seconds={given.seconds}"]
    command = [sys.executable, "-m", "benchmarks.traffic", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit("The lanes could not be measured (our side); the reason is above.")
    return dict(json.loads(done.stdout))


def measure_control(given: argparse.Namespace) -> Json:
    with site.running() as here:
        site.prepare(here)
        result: Json = {"one": measure_steps(here, given, "one endpoint")}
        if given.endpoints:
            say(f"{given.endpoints} VPCs with an endpoint each, through the API ...")
            result["crowd"] = crowd.make_crowd(here, given.endpoints)
            say(f"... {result['crowd']['connected_s']:.0f} s; resident MiB: {site.resident_mib(here)}")
            result["many"] = measure_steps(here, given, f"{given.endpoints} endpoints")
        stop = time.monotonic()
    result["stop_s"] = time.monotonic() - stop
    return result


def measure_steps(here: site.Site, given: argparse.Namespace, what: str) -> Json:
    """Seconds of every single sample, one kind after the other: they must not disturb each other.

    Endpoints are created for longer than ``resync_s`` (30 s), or a stall while all is looked over would not be seen.
    """
    found: Json = {"endpoint_s": [], "cluster_s": [], "wake_s": [], "warm_s": [], "resident_mib": {}}
    start = time.monotonic()
    while len(found["endpoint_s"]) < given.samples or time.monotonic() - start < given.cover_s:
        endpoint_id, took = site.connect_endpoint(here)
        found["endpoint_s"].append(took)
        site.delete_endpoint(here, endpoint_id)
    say(f"{what}: create endpoint, p50 {median(found['endpoint_s']):.3f} s, worst {max(found['endpoint_s']):.3f} s")
    for number in range(given.clusters):
        cluster, took = site.create_cluster(here, f"bench-{number}")
        found["cluster_s"].append(took)
        site.delete_cluster(here, cluster)
    say(f"{what}: create cluster, p50 {median(found['cluster_s']):.2f} s, worst {max(found['cluster_s']):.2f} s")
    endpoint_id, _ = site.connect_endpoint(here)
    for _ in range(given.clusters):
        site.wait_asleep(here)
        found["wake_s"].append(site.first_row(here, endpoint_id))
        found["warm_s"].append(site.first_row(here, endpoint_id))
    say(f"{what}: wake to first row, p50 {median(found['wake_s']):.3f} s; awake {median(found['warm_s']):.3f} s")
    site.delete_endpoint(here, endpoint_id)
    found["resident_mib"] = site.resident_mib(here)
    return found


if __name__ == "__main__":
    main()
