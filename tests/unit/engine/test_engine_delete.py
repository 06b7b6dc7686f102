"""Deletes that fail are tried again, are told when they are done, and wait for no copy."""

from __future__ import annotations

import errno
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.engine import tidb
from tidegate.engine.config import DatabaseConfig, DatabaseStatus
from tidegate.engine.copying import Seen, begin_copy
from tidegate.engine.folder import Folder, delete_folder
from tidegate.engine.tidb import TidbEngine


def test_a_delete_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk for a minute left the cluster DELETING until the agent's next start."""
    tries: list[Path] = []

    def fail_once(folder: Folder) -> None:
        tries.append(folder.path)
        if len(tries) == 1:
            raise OSError(errno.EROFS, "Read-only file system", str(folder.path))
        delete_folder(folder)

    monkeypatch.setattr(tidb, "delete_folder", fail_once)
    monkeypatch.setattr(tidb, "RETRY_FIRST_S", 0.01)
    (tmp_path / "orders" / "data").mkdir(parents=True)
    said: list[DatabaseStatus] = []
    gone: list[str] = []
    engine = TidbEngine(tmp_path, lambda: tmp_path / "none", lambda name: tmp_path / name, said.append, gone.append)
    try:
        engine.set_database("orders", None)
        deadline = time.monotonic() + 10
        while not gone and time.monotonic() < deadline:
            time.sleep(0.01)
        assert gone == ["orders"] and len(tries) == 2
        assert said[0].phase == "failed" and "orders" in said[0].reason
        assert not (tmp_path / "orders").exists()
    finally:
        engine.close()


def test_a_parent_waits_for_no_branch_while_its_data_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round takes as long as there is data, and for so long the parent could not be woken, nor deleted."""
    copying, may_go_on, gone = threading.Event(), threading.Event(), threading.Event()
    failed: list[str] = []

    def copy_slowly(source: Folder, target: Folder) -> Seen:
        seen = begin_copy(source, target)
        copying.set()
        assert may_go_on.wait(10)
        return seen

    def hear(status: DatabaseStatus) -> None:
        if (status.cluster_id, status.phase) == ("branch", "failed"):
            failed.append(status.reason)

    monkeypatch.setattr(tidb, "begin_copy", copy_slowly)
    clusters = tmp_path / "clusters"
    (clusters / "orders" / "data").mkdir(parents=True)
    (clusters / "orders" / "maintenance.key").write_text("k")
    engine = TidbEngine(clusters, lambda: tmp_path / "none", lambda name: tmp_path, hear, lambda _: gone.set())
    parent = DatabaseConfig("orders", "r", "here", "10.0.0.1", 4000, "p1.root", None, ("10.0.0.9",), running=False)
    try:
        engine.set_database("orders", parent)
        engine.set_database("branch", replace(parent, cluster_id="branch", running=True, copy_of="orders", copy_seq=1))
        assert copying.wait(10)
        engine.set_database("orders", None)
        assert gone.wait(10)
        may_go_on.set()
        deadline = time.monotonic() + 10
        while not failed and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "orders has no data here" in failed[0]
    finally:
        may_go_on.set()
        engine.close()
