"""What is known of each cluster, told once per change and in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from tidegate.engine.config import DatabaseConfig, DatabasePhase, DatabaseStatus, LimitedBy
from tidegate.engine.process import Server


class Board:
    """The statuses.  Any thread may write; ``on_status`` is called under the lock, so it must be quick."""

    def __init__(self, on_status: Callable[[DatabaseStatus], None]) -> None:
        self._on_status = on_status
        # Re-entrant: who is told may look at the board.
        self._lock = threading.RLock()
        self._statuses: dict[str, DatabaseStatus] = {}

    def statuses(self) -> dict[str, DatabaseStatus]:
        with self._lock:
            return dict(self._statuses)

    def publish(
        self,
        cluster_id: str,
        phase: DatabasePhase,
        reason: str,
        server: Server | None = None,
        seq: int | None = None,
        wish: DatabaseConfig | None = None,
        cpu_limited_by: LimitedBy = "",
    ) -> None:
        """``seq`` is the start_seq that this answers (else the server's); ``wish`` is given once it holds."""
        with self._lock:
            old = self._statuses.get(cluster_id)
            status = DatabaseStatus(
                cluster_id=cluster_id,
                phase=phase,
                reason=reason,
                start_seq=seq if seq is not None else server.start_seq if server else 0,
                pid=server.pid if server else None,
                sessions=old.sessions if old and server else None,
                version=wish.server_version if wish else None,
                root_password_hash=wish.root_password_hash if wish else None,
                cpu_limited_by=cpu_limited_by,
                copy_seq=wish.copy_seq if wish else 0,
            )
            self._tell(status)

    def count(self, cluster_id: str, sessions: int) -> None:
        """The kernel's count; ignored for a cluster without a process."""
        with self._lock:
            old = self._statuses.get(cluster_id)
            if old is not None and old.pid is not None:
                self._tell(replace(old, sessions=sessions))

    def forget(self, cluster_id: str) -> None:
        with self._lock:
            self._statuses.pop(cluster_id, None)

    def _tell(self, status: DatabaseStatus) -> None:
        if self._statuses.get(status.cluster_id) != status:
            self._statuses[status.cluster_id] = status
            self._on_status(status)
