"""The servers that are measured: our API over a store of its own, and ``moto_server``; each its own process.

The store holds what an API user would have made, with the statuses that a controller would have written; rows are
written at once, since 10,000 calls say nothing about reading.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import BenchError, cpu_seconds
from tidegate.domain.accounts import AccessKey
from tidegate.domain.catalogue import require_region
from tidegate.domain.endpoints import Endpoint, EndpointZone, endpoint_domain, zone_domain
from tidegate.domain.names import make_id
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status
from tidegate.domain.subnets import Subnet
from tidegate.domain.vpcs import Vpc
from tidegate.operations.accounts import KEYS_PER_ACCOUNT, create_account, create_key, ensure_first_accounts
from tidegate.operations.context import Context, draw, utc_now
from tidegate.operations.sealing import load_sealer
from tidegate.operations.services import ensure_region_services, region_service
from tidegate.settings import Settings
from tidegate.store.store import Store, Transaction

ROOT = Path(__file__).resolve().parents[1]
REGION = require_region("alicloud-ap-southeast-1")
ZONE = "ap-southeast-1a"
MOTO = ROOT / ".venv" / "bench" / "bin" / "moto_server"
PER_ACCOUNT = 1000
"""endpoints of one account; a larger store has more accounts"""
PER_VPC = 10
LEAST_VPCS = 10
START_S = 60.0
QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """One process that answers.  ``endpoint_ids``: all that the asking account has."""

    host: str
    port: int
    pid: int
    keys: tuple[AccessKey, ...] = ()
    endpoint_ids: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@contextlib.contextmanager
def serve_tidegate(folder: Path, count: int) -> Iterator[Server]:
    """With ``count`` endpoints in its store, up to 1,000 for each account, ten in each VPC, each in one zone."""
    settings = Settings(home=folder / "home", run=folder / "run", rootless=True, listen="127.0.0.1:0")
    keys, ids = fill_store(settings, count)
    environment = {**os.environ, **settings.environment()}
    with _running([sys.executable, "-m", "benchmarks.api_serve"], environment, folder / "serve.log") as process:
        told = settings.run / "serve.address"
        _wait(process, told.exists, folder / "serve.log")
        host, _, port = told.read_text().rpartition(":")
        yield _quiet(Server(host, int(port), process.pid, keys, ids))


@contextlib.contextmanager
def serve_moto(folder: Path) -> Iterator[Server]:
    """``moto_server`` with as many VPCs as one page of ours shows."""
    if not MOTO.exists():
        raise BenchError("moto_server is not installed: run scripts/setup --bench.")
    port = _free_port()
    command = [str(MOTO), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, dict(os.environ), folder / "moto.log") as process:
        _wait(process, lambda: _answers(port), folder / "moto.log")
        yield _quiet(Server("127.0.0.1", port, process.pid))


def fill_store(settings: Settings, count: int) -> tuple[tuple[AccessKey, ...], tuple[str, ...]]:
    """The keys of the account that will ask, and its endpoints' ids."""
    settings.home.mkdir(parents=True, mode=0o700)
    store = Store(settings.store_url)
    store.migrate()
    context = Context(store, sealer=load_sealer(settings.keys / "store-key"))
    first = ensure_first_accounts(context).alicloud
    # Several: the nonces of one key are remembered up to a bound, which a long run would reach.
    keys = (first, *(create_key(context, first.account_id) for _ in range(KEYS_PER_ACCOUNT - 1)))
    ensure_region_services(context)
    service = region_service(context, REGION.region_id)
    assert service is not None
    ids: list[str] = []
    for begin in range(0, count, PER_ACCOUNT):
        account_id = create_account(context, "alicloud", "neighbour")[0].account_id if begin else first.account_id
        with store.write() as tx:
            ids += _add_endpoints(tx, service, account_id, range(begin, min(count, begin + PER_ACCOUNT)))
    store.close()
    return keys, tuple(ids[:PER_ACCOUNT])


def _add_endpoints(tx: Transaction, service: EndpointService, account_id: str, numbers: range) -> list[str]:
    subnets = [_add_vpc(tx, account_id, number) for number in range(max(LEAST_VPCS, len(numbers) // PER_VPC))]
    return [_add_endpoint(tx, service, subnets[number % len(subnets)], number) for number in numbers]


def _add_vpc(tx: Transaction, account_id: str, number: int) -> Subnet:
    make = {kind: make_id(draw, kind, REGION.id_infix) for kind in ("vpc", "vrt", "vtb", "vsw")}
    vpc = Vpc(
        make["vpc"],
        account_id,
        REGION.region_id,
        "10.0.0.0/16",
        f"bench-{number}",
        "",
        make["vrt"],
        make["vtb"],
        utc_now(),
    )
    subnet = Subnet(
        make["vsw"], vpc.vpc_id, account_id, REGION.region_id, ZONE, "10.0.0.0/20", f"bench-{number}", "", utc_now()
    )
    tx.vpcs.add(vpc)
    tx.subnets.add(subnet)
    tx.statuses.add(Status("vpc", vpc.vpc_id, 1, "ready", ""))
    tx.statuses.add(Status("subnet", subnet.subnet_id, 1, "ready", ""))
    return subnet


def _add_endpoint(tx: Transaction, service: EndpointService, subnet: Subnet, number: int) -> str:
    endpoint_id = make_id(draw, "ep", REGION.id_infix)
    tx.endpoints.add(
        Endpoint(
            endpoint_id=endpoint_id,
            account_id=subnet.account_id,
            region_id=REGION.region_id,
            vpc_id=subnet.vpc_id,
            service_id=service.service_id,
            name=f"bench-{number}",
            description="",
            domain=endpoint_domain(REGION, endpoint_id, service.service_id),
            group_ids=("sg-bench",),
            accepted=True,
            created_at=utc_now(),
            ready_generation=1,
        )
    )
    tx.endpoint_zones.add(
        EndpointZone(
            endpoint_id=endpoint_id,
            zone_id=ZONE,
            vpc_id=subnet.vpc_id,
            region_id=REGION.region_id,
            subnet_id=subnet.subnet_id,
            interface_id=make_id(draw, "eni", REGION.id_infix),
            address=f"10.0.{number // PER_VPC % 16}.{number % PER_VPC + 10}",
            fabric_address=f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}",
            domain=zone_domain(REGION, endpoint_id, ZONE, service.service_id),
            since_generation=1,
        )
    )
    tx.statuses.add(Status("endpoint", endpoint_id, 1, "ready", ""))
    return endpoint_id


# -- processes ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{process.args!r} did not come up:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _quiet(server: Server) -> Server:
    """Once it uses less than a twentieth of a core: what it does at its start is no part of an answer."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        before = cpu_seconds(server.pid)
        time.sleep(QUIET_S)
        if cpu_seconds(server.pid) - before < QUIET_S / 20:
            return server
    raise BenchError(f"{server.address} did not become quiet within {START_S:g} s.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
