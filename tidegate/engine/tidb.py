"""The driver: one real TiDB server per cluster, converged to its wish, watched, and left running when we end.

::

    set_database(id, config) --> wishes --kick--> one worker per cluster: _converge, as often as kicked
    watcher (1 thread): a pidfd per server, sessions once a second --kick--> ...
                                                   \\--> on_status(DatabaseStatus)

Each convergence reads everything anew (the record, /proc, the server's own tables), so it makes no difference
where a predecessor was killed.  A server that dies by itself is started again after a pause that doubles from
1 s to 60 s, or at once when ``start_seq`` is raised by a wake.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pymysql

from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.usage import Consumption
from tidegate.engine.board import Board
from tidegate.engine.bootstrap import AccountError
from tidegate.engine.cgroup import CpuShare
from tidegate.engine.config import DatabaseConfig, DatabaseStatus
from tidegate.engine.config_file import build_server_config
from tidegate.engine.copying import begin_copy, finish_copy, load_copy_seq, publish_copy
from tidegate.engine.failure import describe_exit, describe_os_error
from tidegate.engine.folder import (
    Folder,
    FolderError,
    cluster_folder,
    delete_folder,
    fill_folder,
    list_folders,
    make_folder,
    sweep_deleted,
    turn_logs,
)
from tidegate.engine.inner_tls import require_key_pair
from tidegate.engine.meter import Meter, count_written
from tidegate.engine.pause import PauseError, freeze, hold_clients, thaw, wait_quiet
from tidegate.engine.process import (
    STOP_GRACE_S,
    Server,
    bound_process,
    exit_status,
    forget_process,
    is_alive,
    is_inside,
    load_record,
    save_record,
    scan_servers,
    spawn_server,
    stop_server,
    wait_gone,
)
from tidegate.engine.quota import CpuQuota
from tidegate.engine.session import (
    SessionError,
    connect_when_ready,
    count_writers,
    open_session,
    run_inside,
    settle_accounts,
)
from tidegate.engine.sql_users import carry_out
from tidegate.engine.template import TemplateError, require_template
from tidegate.engine.watch import Watcher

START_TIMEOUT_S = 60.0
ASK_POLL_S = 0.02
RETRY_FIRST_S = 1.0
RETRY_LAST_S = 60.0
STEADY_S = 60.0
"""A server that lived this long is taken for well, and its pauses start from the first again."""
WORKERS = 16

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Cluster:
    """What is remembered about one cluster; none of it is the truth, all of it can be lost."""

    wish: DatabaseConfig | None = None
    busy: bool = False
    again: bool = False
    """A kick came while the worker was busy."""
    server: Server | None = None
    began_s: float = 0.0
    settled: bool = False
    """It took connections once; before that, a server that does not answer is not worth keeping."""
    retry_s: float = RETRY_FIRST_S
    retry_at_s: float = 0.0
    failed_seq: int = -1
    gate: threading.Lock = field(default_factory=threading.Lock)
    """whoever has it may start and stop the server, or copy the data"""


class EngineFailure(Exception):  # noqa: N818
    """A cluster cannot be what is wished; the message is the status's sentence."""


class TidbEngine:
    """Implements :class:`tidegate.engine.config.Engine`.

    ``root`` holds a folder per cluster (``settings.clusters``).  ``binary`` gives the tidb-server, and may raise
    with a sentence; it is asked at each start, from a worker.  ``namespace_path`` gives the file of a network
    namespace by its name (``/run/netns/NAME``, ``/proc/PID/ns/net``).  ``on_status`` is called from any thread,
    one call at a time, with every change; ``on_gone`` when a deleted cluster's process and data are gone.
    """

    def __init__(
        self,
        root: Path,
        binary: Callable[[], Path],
        namespace_path: Callable[[str], Path],
        on_status: Callable[[DatabaseStatus], None] = lambda status: None,
        on_gone: Callable[[str], None] = lambda cluster_id: None,
        template_memory_bytes: int = 2 << 30,
        meter_s: float = 10.0,
    ) -> None:
        self._root = root.absolute()
        self._binary = binary
        self._namespace_path = namespace_path
        self._on_gone = on_gone
        self._template_memory_bytes = template_memory_bytes
        self._lock = threading.Lock()
        self._clusters: dict[str, _Cluster] = {}
        self._board = Board(on_status)
        self._quota, self._meter = CpuQuota(self._root), Meter()
        self._meter_s, self._measure_at_s = meter_s, 0.0
        self._closed = False
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._watcher = Watcher(self._due, self._on_exit, self._on_sessions)

    # -- the Engine protocol ----------------------------------------------------------------------------

    def adopt(self) -> None:
        """Find the servers that still run; finish the deletes that died half-way; make ready for the first create.

        Returns after one look at /proc, and at how much each cluster stores.  An adopted server's status is ``ready``
        with its pid as soon as it is found; the wish that comes for it then settles its accounts without a restart.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        running, folders = scan_servers(), list_folders(self._root)
        for folder in folders.values():
            if server := running.get(folder.config):
                thaw(server)  # before anything that takes time: its sessions hang for as long
        for cluster_id, folder in folders.items():
            self._meter.measure(cluster_id, folder, running.get(folder.config))
            if server := running.get(folder.config):
                server = _with_recorded_seq(server, folder)
                with self._lock:
                    cluster = self._clusters.setdefault(cluster_id, _Cluster())
                    cluster.server, cluster.settled = server, True
                self._board.publish(cluster_id, "ready", "It was running already.", server)
        self._watch()
        self._pool.submit(self._prepare)

    def set_database(self, cluster_id: str, config: DatabaseConfig | None) -> None:
        """Wish; see the protocol.  Raises :class:`FolderError` for an id that cannot be a folder's name."""
        cluster_folder(self._root, cluster_id)
        with self._lock:
            self._clusters.setdefault(cluster_id, _Cluster()).wish = config
        self._kick(cluster_id)

    def statuses(self) -> dict[str, DatabaseStatus]:
        return self._board.statuses()

    def consumptions(self) -> dict[str, Consumption]:
        return self._meter.consumptions()

    # -- beyond the protocol ----------------------------------------------------------------------------

    def sweep(self, keep: Iterable[str]) -> list[str]:
        """Stop the servers of clusters that are not in ``keep``; returns the ids whose data lies unused.

        Data is deleted by ``set_database(id, None)`` only: what a store has forgotten (a restored backup, a wrong
        TIDEGATE_HOME) is not thereby worthless.  Blocks until they have stopped.
        """
        known = frozenset(keep)
        orphans = {i: f for i, f in list_folders(self._root).items() if i not in known}
        running = scan_servers()
        servers = [running[f.config] for f in orphans.values() if f.config in running]
        for cluster_id in orphans:
            self._forget(cluster_id)
        _stop_all(servers)
        return sorted(orphans)

    def close(self) -> None:
        """Stop supervising; every server runs on.  A convergence under way is waited for."""
        self._closed = True
        self._watcher.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stop_all(self) -> None:
        """``tidegate down``: every server under our root ends, its data stays.  Closes first; idempotent."""
        self.close()
        running = scan_servers()
        _stop_all([s for path, s in running.items() if path.is_relative_to(self._root)])
        self._quota.sweep()

    def ask(self, cluster_id: str, task: SqlTask, timeout_s: float = START_TIMEOUT_S) -> SqlReply:
        """Carry out a task on the SQL users of a cluster that is, or is becoming, ready; see the protocol."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            status = self._board.statuses().get(cluster_id)
            with self._lock:
                cluster = self._clusters.get(cluster_id)
                wish = cluster.wish if cluster else None
            # A version is published once a wish holds: root is there, and nothing of a dead server is left.
            if wish is not None and status is not None and status.phase == "ready" and status.version is not None:
                return self._ask(cluster_id, wish, task)
            if time.monotonic() > deadline_s or self._closed:
                return SqlReply(problem="not_ready", detail=status.reason if status else "It has no server yet.")
            time.sleep(ASK_POLL_S)

    def _ask(self, cluster_id: str, wish: DatabaseConfig, task: SqlTask) -> SqlReply:
        def job() -> SqlReply:
            with open_session(wish, cluster_folder(self._root, cluster_id).key.read_text()) as connection:
                return carry_out(connection, task)

        try:
            return run_inside(self._namespace_path(wish.namespace), job)
        except pymysql.err.OperationalError as error:
            return SqlReply(problem="not_ready", detail=f"Its server broke off: {error.args[-1]}.")
        except pymysql.err.MySQLError as error:
            return SqlReply(problem="failed", detail=str(error.args[-1]))
        except (SessionError, OSError) as error:
            return SqlReply(problem="not_ready", detail=f"{error}.")

    # -- convergence ------------------------------------------------------------------------------------

    def _kick(self, cluster_id: str) -> None:
        with self._lock:
            cluster = self._clusters.get(cluster_id)
            if cluster is None or self._closed:
                return
            cluster.again = True
            if cluster.busy:
                return
            cluster.busy = True
        # Closed in between: the wish is told anew to whoever comes after us.
        with contextlib.suppress(RuntimeError):
            self._pool.submit(self._work, cluster_id, cluster)

    def _work(self, cluster_id: str, cluster: _Cluster) -> None:
        while True:
            with self._lock:
                if not cluster.again or self._closed:
                    cluster.busy = False
                    return
                cluster.again = False
                wish = cluster.wish
            try:
                with cluster.gate:
                    self._converge(cluster_id, cluster, wish)
            except Exception as error:
                self._fail(cluster_id, cluster, wish, error)
            self._watch()

    def _converge(self, cluster_id: str, cluster: _Cluster, wish: DatabaseConfig | None) -> None:
        folder = cluster_folder(self._root, cluster_id)
        cluster.server = self._observe(cluster, folder)
        if wish is None:
            self._delete(cluster_id, cluster, folder)
        elif not wish.running:
            self._stop(cluster, folder)
            cluster.retry_at_s, cluster.failed_seq = 0.0, -1
            self._board.publish(cluster_id, "stopped", "It is asleep; its data is kept.", seq=wish.start_seq)
        else:
            self._run(cluster_id, cluster, folder, wish)

    def _observe(self, cluster: _Cluster, folder: Folder) -> Server | None:
        """The live server of this folder, whoever started it."""
        if cluster.server is not None and is_alive(cluster.server):
            return cluster.server
        # Somebody else's start: it may be serving, so it is not ours to end for a slow answer.
        cluster.settled = True
        record = load_record(folder.record)
        if record is not None and is_alive(record):
            return record
        found = scan_servers().get(folder.config)
        return _with_recorded_seq(found, folder) if found else None

    def _run(self, cluster_id: str, cluster: _Cluster, folder: Folder, wish: DatabaseConfig) -> None:
        namespace = self._namespace_path(wish.namespace)
        if not namespace.exists():
            raise EngineFailure(f"The network namespace {wish.namespace} is not there (our side); it is tried again.")
        if cluster.server is not None and not _still_right(cluster.server, folder, wish, namespace):
            self._stop(cluster, folder)
        if cluster.server is None:
            if not self._may_start(cluster, wish):
                return
            self._start(cluster_id, cluster, folder, wish, namespace)
        server = cluster.server
        assert server is not None
        limited_by = self._quota.apply(cluster_id, server.pid, CpuShare(wish.cpu_most, wish.cpu_weight))
        self._settle(folder, wish, namespace, server)
        self._answer(cluster, folder, wish)
        ready = "It takes connections."
        self._board.publish(cluster_id, "ready", ready, cluster.server, wish=wish, cpu_limited_by=limited_by)

    def _may_start(self, cluster: _Cluster, wish: DatabaseConfig) -> bool:
        """False while a pause after a failure lasts; a raised ``start_seq`` ends it."""
        if wish.start_seq > cluster.failed_seq:
            cluster.retry_s, cluster.retry_at_s = RETRY_FIRST_S, 0.0
        return time.monotonic() >= cluster.retry_at_s

    def _start(self, cluster_id: str, cluster: _Cluster, folder: Folder, wish: DatabaseConfig, namespace: Path) -> None:
        cluster.began_s, cluster.settled = time.monotonic(), False
        self._board.publish(cluster_id, "starting", "tidb-server is being started.", seq=wish.start_seq)
        binary = self._binary()
        make_folder(folder)
        if wish.copy_of:
            self._fill_from_parent(folder, wish)
        elif not folder.data.exists():
            fill_folder(folder, require_template(self._root, binary, self._template_memory_bytes))
        folder.config.write_text(build_server_config(folder.path, wish, require_key_pair(self._root)))
        turn_logs(folder)
        server = spawn_server(binary, folder.config, namespace, folder.console)
        cluster.server = replace(server, start_seq=wish.start_seq)
        save_record(folder.record, cluster.server)
        bound_process(server.pid, wish.memory_limit_bytes)

    def _fill_from_parent(self, folder: Folder, wish: DatabaseConfig) -> None:
        """A branch's data as this ``copy_seq`` wants it; nothing when it is there."""
        if folder.ready and load_copy_seq(folder) == wish.copy_seq:
            return
        source = cluster_folder(self._root, wish.copy_of)
        with self._lock:
            parent = self._clusters.get(wish.copy_of)
        if parent is None or not source.ready:
            raise EngineFailure(_without_data(wish.copy_of))
        # Outside the gate, for this takes as long as there is data: meanwhile the parent is woken, stopped, deleted.
        seen = begin_copy(source, folder)
        # Its own worker keeps off now: nobody starts or stops a server whose data is being copied.
        with parent.gate:
            parent_wish = parent.wish  # once: a delete may still be wished for
            if parent_wish is None or not source.ready:
                raise EngineFailure(_without_data(wish.copy_of))
            parent.server = self._observe(parent, source)
            try:
                with self._standing_still(source, parent_wish, parent.server):
                    finish_copy(source, folder, seen)
            except PauseError as error:
                reason = f"Its parent could not stand still for a copy: {error}; it is tried again."
                raise EngineFailure(reason) from error
        publish_copy(folder, wish.copy_seq)

    @contextlib.contextmanager
    def _standing_still(self, folder: Folder, wish: DatabaseConfig, server: Server | None) -> Iterator[None]:
        """No transaction is half there in this folder's data for as long as the block lasts; see ``pause.py``."""
        if server is None:
            yield
            return
        namespace, key = self._namespace_path(wish.namespace), folder.key.read_text()

        def wait() -> None:
            with open_session(wish, key) as connection:
                wait_quiet(lambda: count_writers(connection), lambda: count_written(server))

        with hold_clients(namespace, wish.address, wish.port):
            run_inside(namespace, wait)
            with freeze(server):
                yield

    def _settle(self, folder: Folder, wish: DatabaseConfig, namespace: Path, server: Server) -> None:
        key = folder.key.read_text()
        deadline_s = time.monotonic() + START_TIMEOUT_S

        def job() -> None:
            connection = connect_when_ready(wish, key, lambda: is_alive(server) and not self._closed, deadline_s)
            with connection:
                settle_accounts(connection, wish)

        run_inside(namespace, job)

    def _answer(self, cluster: _Cluster, folder: Folder, wish: DatabaseConfig) -> None:
        """Record which start_seq this server answers, so that its adopter knows too."""
        cluster.retry_at_s, cluster.failed_seq, cluster.settled = 0.0, -1, True
        assert cluster.server is not None
        if cluster.server.start_seq != wish.start_seq:
            cluster.server = replace(cluster.server, start_seq=wish.start_seq)
        save_record(folder.record, cluster.server)

    def _stop(self, cluster: _Cluster, folder: Folder, grace_s: float = STOP_GRACE_S) -> None:
        if cluster.server is not None:
            self._meter.measure(folder.path.name, folder, cluster.server)
            stop_server(cluster.server, grace_s)
            forget_process(cluster.server.pid)
            cluster.server = None
        self._quota.forget(folder.path.name)
        folder.record.unlink(missing_ok=True)

    def _delete(self, cluster_id: str, cluster: _Cluster, folder: Folder) -> None:
        # Its data goes anyway, so nothing is gained by a clean end.
        self._stop(cluster, folder, 0)
        delete_folder(folder)
        self._forget(cluster_id)
        self._on_gone(cluster_id)

    def _forget(self, cluster_id: str) -> None:
        with self._lock:
            cluster = self._clusters.get(cluster_id)
            if cluster is not None and cluster.wish is None:
                del self._clusters[cluster_id]
        self._board.forget(cluster_id)
        self._meter.forget(cluster_id)

    # -- failure ----------------------------------------------------------------------------------------

    def _fail(self, cluster_id: str, cluster: _Cluster, wish: DatabaseConfig | None, error: Exception) -> None:
        if self._closed:
            return
        folder = cluster_folder(self._root, cluster_id)
        server = cluster.server
        if server is not None and isinstance(error, SessionError):
            # A dying server's connections break a moment before it is gone, and its end says more than they do.
            wait_gone(server, 0.3)
        if server is not None and not is_alive(server):
            reason = describe_exit(folder, exit_status(server.pid))
            forget_process(server.pid)
            cluster.server = None
        elif server is not None and isinstance(error, SessionError) and _is_useless(cluster, server, wish):
            reason = f"{error}; it was ended, and is started again."
            self._stop(cluster, folder, 0)
        elif isinstance(error, (EngineFailure, SessionError, TemplateError, FolderError, AccountError)):
            reason = str(error)
        elif isinstance(error, OSError):
            reason = describe_os_error(error)
        else:
            # A binary that cannot be found or built says so in a sentence of its own.
            reason = str(error) or type(error).__name__
            _log.warning("engine: %s: %s", cluster_id, reason, exc_info=not reason)
        self._pause(cluster, wish.start_seq if wish else 0)
        seq = wish.start_seq if wish else 0
        self._board.publish(cluster_id, "failed", reason, cluster.server, seq=seq)

    def _pause(self, cluster: _Cluster, seq: int) -> None:
        if time.monotonic() - cluster.began_s > STEADY_S:
            cluster.retry_s = RETRY_FIRST_S
        cluster.retry_at_s = time.monotonic() + cluster.retry_s
        cluster.retry_s = min(cluster.retry_s * 2, RETRY_LAST_S)
        cluster.failed_seq = max(cluster.failed_seq, seq)

    # -- the watcher's three questions ------------------------------------------------------------------

    def _watch(self) -> None:
        with self._lock:
            servers = {i: c.server for i, c in self._clusters.items() if c.server is not None}
        self._watcher.watch(servers)

    def _on_exit(self, cluster_id: str, server: Server) -> None:
        """The process ended.  When nobody asked for it, that is a failure, and it is started again."""
        with self._lock:
            cluster = self._clusters.get(cluster_id)
            if cluster is None or cluster.busy or cluster.server != server:
                return
            wish = cluster.wish
            unasked = wish is not None and wish.running
        if unasked:
            self._fail(cluster_id, cluster, wish, EngineFailure("tidb-server ended."))
        elif wish is None:
            cluster.server = None
            self._board.publish(cluster_id, "stopped", "It ended before anything was wished of it.")
        self._watch()

    def _due(self) -> None:
        """Once a second: kick the clusters whose pause is over, and at its interval look at what all have used."""
        now_s = time.monotonic()
        if now_s >= self._measure_at_s:
            self._measure_at_s = now_s + self._meter_s
            self._measure()
        with self._lock:
            # Without a wish it is a delete that failed: that too is tried again.
            due = [i for i, c in self._clusters.items() if not c.busy and 0 < c.retry_at_s <= now_s]
        for cluster_id in due:
            self._kick(cluster_id)

    def _measure(self) -> None:
        with self._lock:
            servers = {i: c.server for i, c in self._clusters.items() if c.server is not None}
        for cluster_id, server in servers.items():
            self._meter.measure(cluster_id, cluster_folder(self._root, cluster_id), server)
            with self._lock:
                gone = cluster_id not in self._clusters
            if gone:
                self._meter.forget(cluster_id)

    def _on_sessions(self, counts: dict[tuple[str, int], int]) -> None:
        with self._lock:
            wishes = {i: c.wish for i, c in self._clusters.items() if c.wish is not None and c.server}
        for cluster_id, wish in wishes.items():
            assert wish is not None
            self._board.count(cluster_id, counts.get((wish.address, wish.port), 0))

    # -- before the first create ------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Make the template while nobody waits for it; who comes too early waits for the same one."""
        sweep_deleted(self._root)
        self._quota.sweep(list_folders(self._root))
        try:
            require_template(self._root, self._binary(), self._template_memory_bytes)
        except Exception as error:  # the first create meets it again, and has somebody to tell
            _log.warning("engine: the template was not made ahead of time: %s", error)


def _without_data(parent_id: str) -> str:
    return f"Its parent {parent_id} has no data here to begin with; it is tried again."


def _with_recorded_seq(server: Server, folder: Folder) -> Server:
    record = load_record(folder.record)
    if record is not None and record.pid == server.pid and record.started == server.started:
        return replace(server, start_seq=record.start_seq)
    return server


def _is_useless(cluster: _Cluster, server: Server, wish: DatabaseConfig | None) -> bool:
    """True for a server that does not answer and never did, or that a new wake finds so."""
    return not cluster.settled or (wish is not None and wish.start_seq > server.start_seq)


def _still_right(server: Server, folder: Folder, wish: DatabaseConfig, namespace: Path) -> bool:
    """False when the server must be restarted to be what is wished: another place, other PROXY networks, other data.

    A newer Tidegate may write another ``tidb.toml``; that alone restarts nobody.
    """
    try:
        text = folder.config.read_text()
    except OSError:
        return False
    if wish.copy_of and load_copy_seq(folder) != wish.copy_seq:
        return False
    needed = (f'host = "{wish.address}"', f"port = {wish.port}", f'networks = "{",".join(wish.proxy_networks)}"')
    return is_inside(server, namespace) and all(line in text.splitlines() for line in needed)


def _stop_all(servers: list[Server]) -> None:
    threads = [threading.Thread(target=stop_server, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
