"""A cluster's folder on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate.engine.folder import (
    Folder,
    FolderError,
    cluster_folder,
    copy_sparse,
    delete_folder,
    fill_folder,
    list_folders,
    make_folder,
    sweep_deleted,
    write_secret,
)


def make_template(path: Path) -> Folder:
    template = Folder(path)
    (template.data / "kv").mkdir(parents=True)
    (template.data / "kv" / "LOCK").write_text("1234")
    (template.data / "kv" / "1.sst").write_bytes(b"rows")
    write_secret(template.key, "k")
    return template


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".template-x", "-a", "a" * 65, "a\0", "a\n"])
def test_an_id_is_never_a_path(tmp_path: Path, name: str) -> None:
    """It comes from a configuration, and a delete follows it."""
    with pytest.raises(FolderError):
        cluster_folder(tmp_path, name)


def test_filling_is_whole_or_nothing(tmp_path: Path) -> None:
    """A copy that was killed half-way is begun anew; one that was finished is never overwritten."""
    template, folder = make_template(tmp_path / ".template-1"), cluster_folder(tmp_path, "a")
    make_folder(folder)
    (folder.path / "data.new").mkdir()
    (folder.path / "data.new" / "half").write_text("")
    fill_folder(folder, template)
    assert sorted(p.name for p in (folder.data / "kv").iterdir()) == ["1.sst"]
    assert folder.ready and not (folder.data / "half").exists()
    (folder.data / "kv" / "1.sst").write_bytes(b"newer")
    fill_folder(folder, template)
    assert (folder.data / "kv" / "1.sst").read_bytes() == b"newer"


def test_a_folder_is_private_and_its_scratch_is_emptied(tmp_path: Path) -> None:
    """TiDB leaves its spill files when it is killed."""
    folder = cluster_folder(tmp_path, "a")
    make_folder(folder)
    (folder.path / "spill" / "old").write_text("")
    make_folder(folder)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert list((folder.path / "spill").iterdir()) == []


def test_a_delete_that_was_killed_is_finished_and_never_undone(tmp_path: Path) -> None:
    """Else a half-deleted cluster would be started with half its files."""
    make_folder(cluster_folder(tmp_path, "a"))
    (tmp_path / ".deleted-b-1").mkdir()
    assert list(list_folders(tmp_path)) == ["a"]
    delete_folder(cluster_folder(tmp_path, "a"))
    delete_folder(cluster_folder(tmp_path, "a"))
    sweep_deleted(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [(0, b"head")],
        [(5 << 20, b"tail")],
        [(0, b"head"), (3 << 20, b"x" * 4096), ((7 << 20) - 4, b"last")],
    ],
)
def test_a_sparse_copy_is_equal_and_small(tmp_path: Path, parts: list[tuple[int, bytes]]) -> None:
    """Each cluster would otherwise take 256 MB for a log of 2 MB."""
    source, target = tmp_path / "a", tmp_path / "b"
    with source.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 7 << 20)
        for position, text in parts:
            os.pwrite(file.fileno(), text, position)
    copy_sparse(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 <= len(parts) * (2 << 20)
