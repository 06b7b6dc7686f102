"""An installation of its own for a measurement, and the three steps as a client takes them.

The client is Tidegate's own command-line client (``tidegate/cli/clients.py``): it signs as the official SDKs do and
keeps its connection, but builds a request in under a millisecond where the SDKs take several.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidegate import installation
from tidegate.cli.access import Access, open_access, open_operator
from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import AlibabaClient, Json
from tidegate.settings import Settings

REGION = "ap-southeast-1"
ZONE = f"{REGION}a"
PASSWORD = "Bench-Pass-1"  # noqa: S105 - of a cluster that lives for minutes, on this machine only
IDLE_S = 2.0
POLL_S = 0.005
LIMIT_S = 120.0


@dataclass(slots=True)
class Site:
    """A running installation; ``vpc`` has one host, and an endpoint only while it is measured."""

    settings: Settings
    access: Access
    vpc: Json = field(default_factory=dict)
    group_id: str = ""
    cluster: Json = field(default_factory=dict)


@contextlib.contextmanager
def running() -> Iterator[Site]:
    """Started in a folder of its own, and taken away without a trace."""
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        settings = Settings(
            home=Path(folder) / "home",
            run=Path(folder) / "run",
            rootless=os.geteuid() != 0,
            listen="127.0.0.1:0",
            cluster_idle_s=IDLE_S,
            tidb_server=os.environ.get("TIDEGATE_TIDB_SERVER", ""),
        )
        try:
            installation.start(settings)
            yield Site(settings, open_access(settings))
        finally:
            installation.stop(settings)


def poll(look: Callable[[], object], what: str, every_s: float = POLL_S, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took more than {limit_s:g} s")
        time.sleep(every_s)


def prepare(site: Site) -> None:
    """What the measurements stand on: a cluster that answers, and a VPC with a program's place in it."""
    api = site.access.alibaba
    site.vpc = networks.create_vpc(api, REGION, "bench", "10.0.0.0/16", [ZONE])
    site.group_id = open_group(api, site.vpc)
    host = networks.ensure_interface(api, site.vpc, networks.EXEC_NAME)
    poll(lambda: networks.look_interface(api, REGION, host), "the program's interface")
    site.cluster, _ = create_cluster(site, "bench")


def open_group(api: AlibabaClient, vpc: Json) -> str:
    group_id = networks.create_group(api, vpc, "bench")
    networks.allow_ingress(api, REGION, group_id, "4000/4000", vpc["CidrBlock"])
    return group_id


# -- timed ---------------------------------------------------------------------------------------------------------


def create_cluster(site: Site, name: str) -> tuple[Json, float]:
    """Until ACTIVE: its server answers and has taken the root password in."""
    api, start = site.access.tidbcloud, time.perf_counter()
    made = clusters.create_cluster(api, name, clusters.DEFAULT_REGION, PASSWORD)
    poll(lambda: clusters.look_active(api, made["clusterId"]), "the cluster", every_s=0.02)
    took = time.perf_counter() - start
    return clusters.get_cluster(api, made["clusterId"]), took


def delete_cluster(site: Site, cluster: Json) -> None:
    api = site.access.tidbcloud
    clusters.delete_cluster(api, cluster["clusterId"])
    poll(lambda: clusters.look_gone(api, cluster["clusterId"]), "the cluster's end", every_s=0.05)


def connect_endpoint(site: Site) -> tuple[str, float]:
    """From CreateVpcEndpoint until GetVpcEndpointAttribute says Active and Connected."""
    api, service = site.access.alibaba, clusters.private_service(site.cluster)[0]
    subnets = [{"ZoneId": ZONE, "VSwitchId": site.vpc["VSwitchIds"][0]}]
    start = time.perf_counter()
    endpoint_id = endpoints.create_endpoint(api, site.vpc, service, "bench", [site.group_id], subnets)
    poll(lambda: endpoints.look_connected(api, REGION, endpoint_id), "the endpoint")
    return endpoint_id, time.perf_counter() - start


def delete_endpoint(site: Site, endpoint_id: str) -> None:
    endpoints.delete_endpoint(site.access.alibaba, REGION, endpoint_id, poll)


def wait_asleep(site: Site) -> None:
    """As the operator sees it; nobody may be connected."""

    def asleep() -> bool:
        entries = open_operator(site.settings).get("/status")["resources"]
        mine = next(entry for entry in entries if entry["id"] == site.cluster["clusterId"])
        return bool(mine["state"] == "asleep" and mine["phase"] == "ready")

    poll(asleep, "falling asleep", every_s=0.5)


def first_row(site: Site, endpoint_id: str) -> float:
    """Seconds that a program inside the VPC waits: name, connect, login, and the wake if it sleeps."""
    domain = endpoints.get_endpoint(site.access.alibaba, REGION, endpoint_id)["EndpointDomain"]
    user = f"{site.cluster['userPrefix']}.root"
    command = [sys.executable, "-m", "tidegate", "vpc", "exec", site.vpc["VpcId"], "--"]
    command += [sys.executable, "-m", "benchmarks.first_row", domain, user]
    environment = {**os.environ, **site.settings.environment(), "BENCH_PASSWORD": PASSWORD}
    for name in [name for name in environment if name in ("TIDEGATE_HTTP", "TIDEGATE_HTTPS")]:
        del environment[name]  # another installation's, of the shell we run in
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=LIMIT_S)
    return float(done.stdout)


# -- what it costs ---------------------------------------------------------------------------------------------------


def resident_mib(site: Site) -> dict[str, float]:
    """Memory of each process that has a record in the run folder."""
    found = {}
    for record in sorted(site.settings.run.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, StopIteration):
            pid = json.loads(record.read_text())["pid"]
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
            found[record.stem] = round(kib / 1024, 1)
    return found
