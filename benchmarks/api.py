"""What a signed API call costs: calls per second and p99, beside moto_server on an equal call, in one interleaved run.

    scripts/bench api                       about four minutes; take it on an idle machine
    scripts/bench api --quick               one round of half a second each: does it work at all?
    scripts/bench api --clients 4 --rounds 9
    scripts/bench api -o json               for a program to read

Measured: DescribeVpcs (a page of 10), GetVpcEndpointAttribute, ListVpcEndpoints (a page of 50, and all 1,000 at once)
with ACS3 signatures, over stores of 100, 1,000 and 10,000 endpoints, at most 1,000 of them the asking account's; EC2's
DescribeVpcs of moto_server with as many VPCs as a page of ours.  The requests are signed before each window opens; what
the generator itself takes is told apart.  docs/benchmarks/api.md tells what was reached.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import api_figures
from benchmarks.api_requests import build_alibaba, build_ec2
from benchmarks.api_site import LEAST_VPCS, REGION, Server, serve_moto, serve_tidegate
from benchmarks.load import BenchError, run_window
from benchmarks.traffic import say

Json = dict[str, Any]
AWS_REGION = "us-east-1"
MOST_PER_S = 4000
"""requests that are signed for each second of a window; a window that uses them up ends early"""


@dataclass(frozen=True, slots=True)
class Lane:
    """One call to one server.  ``build(n)`` gives the n-th request."""

    name: str
    server: Server
    build: Callable[[int], bytes]


def main() -> None:
    given = parse(sys.argv[1:])
    try:
        result = measure(given)
    except BenchError as error:
        sys.exit(f"The API could not be measured: {error}")
    result["figures"] = [figure.build() for figure in api_figures.decide(result)]
    if given.output == "json":
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        print(api_figures.format_page(result))


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench api", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="of every window (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a window (default 2)")
    parser.add_argument("--clients", type=int, default=8, help="connections, each with one call under way (default 8)")
    parser.add_argument("--stores", type=int, nargs="+", default=[100, 1000, 10_000], help="endpoints in each store")
    parser.add_argument("--quick", action="store_true", help="1 round of 0.5 s, stores of 100 and 1000")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    given = parser.parse_args(words)
    if given.quick:
        given.rounds, given.seconds, given.stores = 1, 0.5, [100, 1000]
    return given


def measure(given: argparse.Namespace) -> Json:
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder, contextlib.ExitStack() as stack:
        lanes = open_lanes(Path(folder), given.stores, stack)
        result: Json = {"machine": describe_machine(), "clients": given.clients, "seconds": given.seconds}
        result |= {"stores": given.stores, "lanes": {lane.name: [] for lane in lanes}, "signing_ms": {}}
        for lane in lanes:
            measure_lane(lane, given.clients, min(0.3, given.seconds))  # warm: imports, caches, connections
        for number in range(given.rounds):
            for lane in lanes:
                window, signing_ms = measure_lane(lane, given.clients, given.seconds)
                result["lanes"][lane.name].append(window)
                result["signing_ms"][lane.name] = signing_ms
            say(f"round {number + 1} of {given.rounds}, load {os.getloadavg()[0]:.1f}")
    result["load_after"] = os.getloadavg()[0]
    return result


def describe_machine() -> Json:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "kernel": os.uname().release,
        "cpus": os.cpu_count(),
        "model": model[1] if model else "",
        "python": sys.version.split()[0],
        "load_before": os.getloadavg()[0],
    }


def open_lanes(folder: Path, stores: list[int], stack: contextlib.ExitStack) -> list[Lane]:
    """In the order of a round: moto between the stores, so that it sees the same weather."""
    folders = {name: folder / name for name in ("moto", *map(str, stores))}
    for each in folders.values():
        each.mkdir()
    moto = stack.enter_context(serve_moto(folders["moto"]))
    make_moto_vpcs(moto)
    lanes = []
    for count in stores:
        say(f"a store of {count} endpoints ...")
        lanes += tidegate_lanes(stack.enter_context(serve_tidegate(folders[str(count)], count)), count)
        lanes.append(Lane("moto DescribeVpcs", moto, lambda n: build_ec2(moto.address, AWS_REGION, "DescribeVpcs")))
    return lanes


def tidegate_lanes(server: Server, count: int) -> list[Lane]:
    build = partial(build_alibaba, server.address, server.keys)
    region, ids = {"RegionId": REGION.code}, server.endpoint_ids

    def get(number: int) -> bytes:
        return build("privatelink", "GetVpcEndpointAttribute", {**region, "EndpointId": ids[number % len(ids)]}, number)

    def list_page(number: int) -> bytes:
        return build("privatelink", "ListVpcEndpoints", region, number)

    def list_all(number: int) -> bytes:
        return build("privatelink", "ListVpcEndpoints", {**region, "MaxResults": "1000"}, number)

    lanes = [
        Lane(f"DescribeVpcs/{count}", server, lambda n: build("vpc", "DescribeVpcs", region, n)),
        Lane(f"GetVpcEndpointAttribute/{count}", server, get),
        Lane(f"ListVpcEndpoints/{count}", server, list_page),
    ]
    return [*lanes, Lane("ListVpcEndpoints of 1,000", server, list_all)] if count == 1000 else lanes


def make_moto_vpcs(moto: Server) -> None:
    """moto begins with a default VPC."""
    made = [build_ec2(moto.address, AWS_REGION, "CreateVpc&CidrBlock=10.0.0.0%2F16") for _ in range(LEAST_VPCS - 1)]
    run_window((moto.host, moto.port), moto.pid, made, 1, 60.0)


def measure_lane(lane: Lane, clients: int, seconds: float) -> tuple[Json, float]:
    """One window, and what signing one request ahead of it took in milliseconds."""
    count = max(clients, int(MOST_PER_S * seconds))
    began = time.process_time()
    requests = [lane.build(number) for number in range(count)]
    signing_ms = (time.process_time() - began) * 1000 / count
    window = run_window((lane.server.host, lane.server.port), lane.server.pid, requests, clients, seconds)
    return window.build(), round(signing_ms, 4)


if __name__ == "__main__":
    main()
