"""A branch's first data: a copy of its parent's, taken while the parent runs.

Two rounds: the first copies everything while the parent works; the second, while it stands still, only what has
changed since.  Table files are written once, so the second round is short whatever the size.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from tidegate.engine.folder import Folder, copy_sparse, write_secret

_MARK = "copy_seq"
_FRESH_NS = 2_000_000_000
"""a file's time has the clock's grain: what was written this shortly before it was copied is copied again"""
_LEFT_OUT = ("LOCK", _MARK)

Seen = dict[str, tuple[int, int, int]]
"""path -> (inode, size, time of the last write in ns) of each file when it was copied"""


def load_copy_seq(folder: Folder) -> int:
    """Which copy the folder's data is; 0 for data of its own, and for none."""
    try:
        return int((folder.data / _MARK).read_text())
    except (OSError, ValueError):
        return 0


def begin_copy(source: Folder, target: Folder) -> Seen:
    """The first round: a draft beside the target's data.  Raises OSError."""
    draft = _draft(target)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    return _copy_changed(source.data, draft, {})


def finish_copy(source: Folder, target: Folder, seen: Seen) -> None:
    """The second round; the source stands still.  Raises OSError."""
    draft = _draft(target)
    now = _copy_changed(source.data, draft, seen)
    for name in seen.keys() - now.keys():
        (draft / name).unlink(missing_ok=True)
    write_secret(target.key, source.key.read_text())


def publish_copy(target: Folder, copy_seq: int) -> None:
    """The draft becomes the data.  Killed in between, there is no data, and the copy is made again.

    Never a part of the old data: a branch of this branch would take it for the whole.
    """
    draft = _draft(target)
    (draft / _MARK).write_text(str(copy_seq))
    shutil.rmtree(target.old, ignore_errors=True)
    if target.data.exists():
        target.data.rename(target.old)
    draft.rename(target.data)
    shutil.rmtree(target.old, ignore_errors=True)


def _draft(target: Folder) -> Path:
    return target.path / "data.new"


def _copy_changed(source: Path, draft: Path, seen: Seen) -> Seen:
    """Copy what is not as it was ``seen``; returns how everything is now.  Files may vanish while they are copied."""
    now: Seen = {}
    for folder, _, names in os.walk(source):
        below = Path(folder).relative_to(source)
        (draft / below).mkdir(mode=0o700, exist_ok=True)
        for name in names:
            if name in _LEFT_OUT:
                continue
            with contextlib.suppress(FileNotFoundError):
                path, key = Path(folder) / name, str(below / name)
                stat = path.stat()
                now[key] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if seen.get(key) != now[key]:
                    copy_sparse(path, draft / key)
                if stat.st_mtime_ns > time.time_ns() - _FRESH_NS:
                    now[key] = (0, 0, 0)
    return now
