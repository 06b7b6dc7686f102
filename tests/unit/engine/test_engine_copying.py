"""The two rounds of a copy, and the SQL that gives a branch its own prefix."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest

from tidegate.engine.bootstrap import build_view, plan_renames
from tidegate.engine.copying import begin_copy, finish_copy, load_copy_seq, publish_copy
from tidegate.engine.folder import Folder, cluster_folder, make_folder


def build_source(root: Path) -> tuple[Folder, Folder]:
    source, target = cluster_folder(root, "s"), cluster_folder(root, "t")
    for folder in (source, target):
        make_folder(folder)
    (source.data / "kv").mkdir(parents=True)
    source.key.write_text("k")
    for name in ("old", "grows", "goes"):
        (source.data / "kv" / name).write_text(name)
        os.utime(source.data / "kv" / name, (1, 1))
    (source.data / "kv" / "LOCK").write_text("")
    return source, target


def read_all(folder: Folder) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder.data / "kv").iterdir()}


def test_what_changes_between_the_rounds_is_as_it_is_at_the_second(tmp_path: Path) -> None:
    """New, grown and removed files; and not the lock of the server that runs on the source."""
    source, target = build_source(tmp_path)
    seen = begin_copy(source, target)
    (source.data / "kv" / "grows").write_text("grown")
    (source.data / "kv" / "goes").unlink()
    (source.data / "kv" / "new").write_text("new")
    finish_copy(source, target, seen)
    assert load_copy_seq(target) == 0 and not target.data.exists()
    publish_copy(target, 7)
    assert read_all(target) == {"old": "old", "grows": "grown", "new": "new"}
    assert (load_copy_seq(target), load_copy_seq(source), target.key.read_text()) == (7, 0, "k")


def test_a_file_of_just_now_is_not_taken_for_unchanged(tmp_path: Path) -> None:
    """The same size, and within the grain of the file system's clock the same time."""
    source, target = build_source(tmp_path)
    fresh = source.data / "kv" / "fresh"
    fresh.write_text("one")
    stat = fresh.stat()
    seen = begin_copy(source, target)
    fresh.write_text("two")
    os.utime(fresh, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    finish_copy(source, target, seen)
    publish_copy(target, 1)
    assert read_all(target)["fresh"] == "two"


def test_a_copy_of_a_branch_is_no_copy_of_its_parent(tmp_path: Path) -> None:
    """The mark of which copy it is stays behind; else a branch of a branch would look finished."""
    source, target = build_source(tmp_path)
    (source.data / "copy_seq").write_text("5")
    finish_copy(source, target, begin_copy(source, target))
    publish_copy(target, 6)
    assert load_copy_seq(target) == 6
    (target.data / "kv" / "mine").write_text("mine")
    finish_copy(source, target, begin_copy(source, target))
    publish_copy(target, 7)
    assert load_copy_seq(target) == 7 and "mine" not in read_all(target)


@pytest.mark.parametrize("at", [1, 2])
def test_killed_while_it_replaces_there_is_no_half_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A reset removed the old data in place: killed in the midst of that, it left a part that a branch would copy."""
    source, target = build_source(tmp_path)
    finish_copy(source, target, begin_copy(source, target))
    publish_copy(target, 1)
    before, remove, count = read_all(target), shutil.rmtree, itertools.count(1)
    finish_copy(source, target, begin_copy(source, target))

    def killed_in_the_midst(path: Path, **options: bool) -> None:
        if next(count) == at:
            for file in list(path.rglob("old")):
                file.unlink()
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", killed_in_the_midst)
    with pytest.raises(KeyboardInterrupt):
        publish_copy(target, 2)
    monkeypatch.undo()
    assert read_all(target) == before and load_copy_seq(target) == at
    make_folder(target)
    assert not target.old.exists()


def test_users_and_definers_get_the_branchs_prefix_and_quotes_stay_quotes() -> None:
    users = [("p1.root", "%"), ("p1.it's", "10.0.0.\\"), ("p10.app", "%"), ("tidegate-maintenance", "%")]
    assert plan_renames(users, "p1", "p2") == [
        "RENAME USER 'p1.it''s'@'10.0.0.\\\\' TO 'p2.it''s'@'10.0.0.\\\\'",
        "RENAME USER 'p1.root'@'%' TO 'p2.root'@'%'",
    ]
    assert plan_renames([("p1.app", "%"), ("p2.app", "%"), ("p2.app", "::1")], "p1", "p2") == []
    shown = "CREATE ALGORITHM=UNDEFINED DEFINER=`p1.root`@`%` SQL SECURITY DEFINER VIEW `v` (`a`) AS SELECT 'CREATE '"
    assert build_view(shown, "p1", "p2") == (
        "CREATE OR REPLACE ALGORITHM=UNDEFINED DEFINER=`p2.root`@`%` SQL SECURITY DEFINER VIEW `v` (`a`) "
        "AS SELECT 'CREATE '"
    )
