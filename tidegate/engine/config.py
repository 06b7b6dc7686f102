"""What the engine is asked to run: one database server per cluster, in its region's provider namespace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.usage import Consumption

DatabasePhase = Literal["stopped", "starting", "ready", "failed"]

LimitedBy = Literal["", "cgroup", "affinity", "none"]
"""what keeps the CPU limit: nothing was asked for; a CPU group, exactly; whole CPUs, rounded up; nothing can here"""


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """One cluster's server, whole.

    ``running`` False means asleep: the data stays, no process does.  ``root_user`` is the full SQL name
    (``{prefix}.root``); ``root_password_hash`` is what MySQL stores for mysql_native_password
    (``*`` + 40 upper-case hex digits) or None, and then nobody can log in as root.
    ``start_seq`` is raised by each wake, so a server that failed is tried again by the next wake, not for ever.
    ``deleted`` ends the server and its data.  It is said until that is confirmed: a cluster that is merely no longer
    named may be one that a restored store has forgotten, and keeps its data.
    """

    cluster_id: str
    region_id: str
    namespace: str
    address: str
    port: int
    root_user: str
    root_password_hash: str | None
    proxy_networks: tuple[str, ...]
    """Who may speak PROXY protocol v2 to it: the gateway's address only."""
    running: bool = True
    deleted: bool = False
    start_seq: int = 0
    memory_limit_bytes: int = 2 << 30
    copy_of: str = ""
    """the cluster whose data a branch begins with; empty: data of its own"""
    copy_prefix: str = ""
    """that cluster's user-name prefix; its users get the branch's"""
    copy_seq: int = 0
    """raised by each reset of a branch: its data is copied anew"""
    cpu_most: float = 0.0
    """CPUs that its server may use; 0: no limit.  Changed while it runs."""
    cpu_weight: int = 100
    """what it gets beside others while CPUs are short; 100 is an ordinary process's"""
    server_version: str = "8.0.11-TiDB-v8.5.4"


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What is there now.  ``reason`` is one sentence; ``start_seq`` is the one this phase answers.

    ``sessions`` counts established client connections, read from the kernel, so it is true whoever began them;
    None when it was not read.
    """

    cluster_id: str
    phase: DatabasePhase
    reason: str
    start_seq: int = 0
    pid: int | None = None
    sessions: int | None = None
    version: str | None = None
    root_password_hash: str | None = None
    """The hash that the server is known to hold."""
    cpu_limited_by: LimitedBy = ""
    copy_seq: int = 0
    """the copy that its data is"""


class Engine(Protocol):
    """The driver; all of it returns at once, and progress is told through ``on_status``.

    ``set_database`` converges one cluster to its config (start, adopt, stop, set the root password), None
    deletes the server *and its data*.  Servers outlive us: ``adopt`` at start finds those that still run.
    ``sweep`` stops the servers of clusters not in ``keep``, leaves their data, and returns their ids; it blocks.
    ``consumptions`` are all clusters' counters as of the last look, of those asleep too.
    ``ask`` has a server carry out a task on its SQL users; it blocks, also while the server starts, and raises nothing.
    """

    def adopt(self) -> None: ...
    def set_database(self, cluster_id: str, config: DatabaseConfig | None) -> None: ...
    def statuses(self) -> dict[str, DatabaseStatus]: ...
    def consumptions(self) -> dict[str, Consumption]: ...
    def ask(self, cluster_id: str, task: SqlTask) -> SqlReply: ...
    def sweep(self, keep: Iterable[str]) -> list[str]: ...
