"""Deletes that fail are tried again, and are told when they are done."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from tidegate.engine import tidb
from tidegate.engine.config import DatabaseStatus
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
