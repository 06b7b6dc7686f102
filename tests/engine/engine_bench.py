"""The engine under test, with clients inside its namespace."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql

from tidegate.engine.bootstrap import build_native_hash
from tidegate.engine.config import DatabaseConfig, DatabaseStatus
from tidegate.engine.process import scan_servers
from tidegate.engine.session import run_inside
from tidegate.engine.tidb import TidbEngine

ADDRESS = "100.64.0.10"
GATEWAY = "100.64.0.1"
CONSUMER = "100.64.0.77"
SPARE = "100.64.0.11"
ROOT = "p1.root"


class Bench:
    """The engine under test, its statuses as they came, and clients inside the namespace."""

    def __init__(self, root: Path, binary: Path, namespace: Path) -> None:
        self.root, self.binary, self.namespace = root, binary, namespace
        self.told: list[DatabaseStatus] = []
        self.gone: list[str] = []
        self.engine = self.another_engine()

    def another_engine(self) -> TidbEngine:
        return TidbEngine(
            self.root, lambda: self.binary, lambda name: self.namespace, self.told.append, self.gone.append
        )

    def config(self, **changes: Any) -> DatabaseConfig:
        values: dict[str, Any] = {
            "cluster_id": "a",
            "region_id": "r",
            "namespace": "any",
            "address": ADDRESS,
            "port": 4000,
            "root_user": ROOT,
            "root_password_hash": build_native_hash(b"first"),
            "proxy_networks": (GATEWAY,),
            **changes,
        }
        return DatabaseConfig(**values)

    def status(self, cluster_id: str = "a") -> DatabaseStatus | None:
        return self.engine.statuses().get(cluster_id)

    def wait(self, said: Callable[[DatabaseStatus], bool], timeout_s: float = 30) -> DatabaseStatus:
        status = None
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            status = self.status()
            if status is not None and said(status):
                return status
            time.sleep(0.005)
        raise AssertionError(f"it stayed {status}")

    def wait_gone(self) -> None:
        """Until the driver says that cluster a is deleted."""
        deadline_s = time.monotonic() + 10
        while self.gone != ["a"]:
            assert time.monotonic() < deadline_s, self.status()
            time.sleep(0.005)
        self.gone.clear()

    def make(self, **changes: Any) -> DatabaseStatus:
        """Wish, and wait until the server answers exactly this wish."""
        config = self.config(**changes)
        self.engine.set_database("a", config)
        return self.wait(
            lambda s: (
                s.phase == "ready"
                and s.start_seq == config.start_seq
                and s.root_password_hash == config.root_password_hash
                and s.version is not None
            )
        )

    @contextlib.contextmanager
    def client(
        self, user: str = ROOT, password: str = "first", source: str = CONSUMER, to: str = ADDRESS, first: bytes = b""
    ) -> Iterator[Any]:
        """A cursor of a session that begins in the namespace, from ``source``."""
        stream = run_inside(
            self.namespace, lambda: socket.create_connection((to, 4000), 10, source_address=(source, 0))
        )
        stream.sendall(first)
        connection = pymysql.connect(
            host="x", user=user, password=password, autocommit=True, read_timeout=20, defer_connect=True
        )
        try:
            connection.connect(stream)
            with connection.cursor() as cursor:
                yield cursor
        finally:
            stream.close()

    def sql(self, statement: str, **who: Any) -> tuple[Any, ...]:
        with self.client(**who) as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def processes(self) -> list[int]:
        """The servers under our root, as the kernel shows them."""
        return sorted(s.pid for path, s in scan_servers().items() if path.is_relative_to(self.root))
