"""One installation of its own: folders, processes, and handles on what is made in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tidegate import installation
from tidegate.cli.access import Access, build_access, open_operator
from tidegate.cli.calls import clusters, networks
from tidegate.settings import Settings, load_settings
from tidegate.testing.clients import Program
from tidegate.testing.vpcs import Cluster, Vpc
from tidegate.testing.waiting import wait_until
from tidegate.testing.witness import Witness

PASSWORD = "Ebb-and-Flow-7"  # noqa: S105 - of a cluster that lives as long as a test
TAIL_BYTES = 6000
RUN_LIMIT_S = 120.0


class World:
    """``with World() as world``, or ``start`` and ``close``.

    ``cluster_idle_s`` 0: clusters never sleep.  Other settings by their names, as in ``tidegate.settings``.  The
    folders lie in a short temporary folder (a Unix socket's path is limited to 107 bytes) and go with the world.
    """

    def __init__(self, *, cluster_idle_s: float = 0.0, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tgw-"))
        values = {"home": self.folder / "h", "run": self.folder / "r", "listen": "127.0.0.1:0"}
        values |= {"cluster_idle_s": cluster_idle_s, **settings}
        kept = {k: v for k, v in os.environ.items() if k == "TIDEGATE_TIDB_SERVER"}
        self.settings: Settings = load_settings(kept | {f"TIDEGATE_{k.upper()}": str(v) for k, v in values.items()})
        self.witness = Witness(self)
        self._access: Access | None = None
        self._vpcs: list[Vpc] = []
        self._host: Program | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # its life

    def start(self) -> None:
        """Start what does not run; idempotent."""
        installation.start(self.settings)

    def stop(self) -> None:
        """Stop everything; what was made is made again by the next ``start``."""
        for vpc in self._vpcs:
            vpc.close()
        if self._host:
            self._host.close()
        self._host = None
        installation.stop(self.settings)

    def close(self) -> None:
        """Stop, and remove the folders."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> list[int]:
        """Signal every process of this name (see :meth:`Witness.processes`); returns the pids."""
        pids = self.witness.processes().get(name, [])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def settle(self, timeout_s: float = 60.0) -> None:
        """Wait until all that was wished is there."""
        wait_until(self.is_settled, "the world to settle", timeout_s)

    def is_settled(self) -> bool:
        status = self.status()
        working = status["phases"]["working"] + status["phases"]["failed"]
        return bool(status["agent"]["connected"]) and not working and not status["agent"]["errors"]

    # its APIs

    @property
    def access(self) -> Access:
        """Clients of this installation's APIs, also after a new start has chosen another port."""
        running = installation.describe(self.settings)
        if self._access is None or (running and running.http != self._access.server.address):
            self._access = build_access(installation.load_environment(self.settings))
        return self._access

    def status(self) -> dict[str, Any]:
        """What ``tidegate status`` shows."""
        return open_operator(self.settings).get("/status")

    def environment(self) -> dict[str, str]:
        """For subprocesses: this installation's settings, and what ``tidegate env`` prints while it runs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        found = kept | self.settings.environment() | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with contextlib.suppress(installation.InstallationError, OSError):
            found |= installation.load_environment(self.settings)
        return found

    # what is in it

    def cluster(self, name: str, region: str = clusters.DEFAULT_REGION, rcu: tuple[int, int] | None = None) -> Cluster:
        """A cluster with a root password, ACTIVE."""
        return self.finish_cluster(self.begin_cluster(name, region, rcu))

    def begin_cluster(
        self, name: str, region: str = clusters.DEFAULT_REGION, rcu: tuple[int, int] | None = None
    ) -> str:
        """Its id as soon as the API has taken the wish."""
        return str(clusters.create_cluster(self.access.tidbcloud, name, region, PASSWORD, rcu)["clusterId"])

    def finish_cluster(self, cluster_id: str, timeout_s: float = 120.0) -> Cluster:
        """Wait until it is ACTIVE.  ``service_name`` is empty where the cloud has no private endpoints."""
        wait_until(
            lambda: clusters.look_active(self.access.tidbcloud, cluster_id), f"ACTIVE of {cluster_id}", timeout_s
        )
        made = clusters.get_cluster(self.access.tidbcloud, cluster_id)
        private = made["endpoints"].get("private") or {}
        services = [private[cloud]["serviceName"] for cloud in ("alicloud", "aws") if private.get(cloud)]
        user = f"{made['userPrefix']}.root"
        return Cluster(self, cluster_id, made["displayName"], user, PASSWORD, "".join(services[:1]))

    def vpc(self, name: str, cidr: str = networks.DEFAULT_CIDR, region: str = networks.DEFAULT_REGION) -> Vpc:
        """A VPC with one subnet; two may have the same range.  The cloud knows it as ``test-<name>``."""
        api = self.access.alibaba
        made = networks.create_vpc(api, region, f"test-{name}", cidr, networks.list_zones(api, region)[:1])
        return self.open_vpc(made["VpcId"], region)

    def open_vpc(self, vpc_id: str, region: str = networks.DEFAULT_REGION) -> Vpc:
        """A handle on a VPC that is there."""
        vpc = Vpc(self, networks.find_vpc(self.access.alibaba, vpc_id, region))
        self._vpcs.append(vpc)
        return vpc

    def vpc_ids(self, region: str = networks.DEFAULT_REGION) -> set[str]:
        return {str(vpc["VpcId"]) for vpc in networks.list_vpcs(self.access.alibaba, region)}

    def cluster_ids(self) -> set[str]:
        return {str(cluster["clusterId"]) for cluster in clusters.list_clusters(self.access.tidbcloud)}

    def forget(self, vpc: Vpc) -> None:
        self._vpcs.remove(vpc)

    def dial_from_host(self, address: str, timeout_s: float = 1.5) -> str:
        """How it ends to dial an address of a VPC from the host itself, without asking any router."""
        if self._host is None:
            self._host = Program(self, None)
        asked = self._host.ask(do="dial", host=address, port=4000, timeout_s=timeout_s, direct=True)
        return str(asked["outcome"])

    # looking inside

    def run_at(self, namespace: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in a namespace, as a program of that VPC."""
        argv = [*self.enter_argv(namespace), *command]
        return subprocess.run(
            argv, env=self.environment(), capture_output=True, text=True, check=False, timeout=RUN_LIMIT_S
        )

    def enter_argv(self, namespace: str, *, of_world: bool = False) -> list[str]:
        """What goes before a command that is to run in ``namespace``; needs :meth:`environment`."""
        if of_world and not self.settings.rootless:
            return ["nsenter", f"--net=/run/netns/tg-{self.settings.instance}-{namespace}"]  # no Python: 0.2 s saved
        return [sys.executable, "-m", "tidegate.testing.enter", *(["--world"] if of_world else []), namespace]

    def dump(self) -> str:
        """Links, addresses, routes, rules and connections of every namespace, processes, and the logs' tails."""
        parts = [f"## processes\n{self.witness.processes()}"]
        for name in self.witness.namespaces():
            for command in _LOOKS:
                parts.append(f"## {name}: {' '.join(command)}\n{self._try(name, command)}")
        for log in sorted(self.settings.logs.glob("*.log")):
            parts.append(f"## {log.name}\n{log.read_text(errors='replace')[-TAIL_BYTES:]}")
        return "\n".join(parts)

    def _try(self, namespace: str, command: Sequence[str]) -> str:
        try:
            return self.witness.look(namespace, *command)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            return str(error)


_LOOKS = (
    ("ip", "-details", "link"),
    ("ip", "-4", "addr"),
    ("ip", "route"),
    ("ip", "neigh"),
    ("nft", "list", "ruleset"),
    ("conntrack", "-L"),
)
