"""``clusters/<id>/``: everything one cluster has on disk, mode 0700, and how it comes and goes.

::

    clusters/
      orders/           data/ tidb.toml server.json usage.json maintenance.key tidb.log slow.log console.log tmp/ spill/
      .template-<key>/  data/ maintenance.key
      .deleted-*/       on its way out: a delete that was killed half-way is finished by the next adopt

A folder comes to be by one rename of ``data``, and goes by one rename of itself; so there is no half cluster.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_COPY_BYTES = 1 << 20


class FolderError(Exception):
    """A cluster's folder cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one cluster."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def old(self) -> Path:
        """Data whose place other data has taken; on its way out."""
        return self.path / "data.old"

    @property
    def config(self) -> Path:
        return self.path / "tidb.toml"

    @property
    def record(self) -> Path:
        return self.path / "server.json"

    @property
    def usage(self) -> Path:
        """What its servers have used so far."""
        return self.path / "usage.json"

    @property
    def key(self) -> Path:
        return self.path / "maintenance.key"

    @property
    def console(self) -> Path:
        """The process's stdout and stderr: a panic's text."""
        return self.path / "console.log"

    @property
    def log(self) -> Path:
        return self.path / "tidb.log"

    @property
    def ready(self) -> bool:
        """The data and the key to it are there."""
        return self.data.is_dir() and self.key.is_file()


def cluster_folder(root: Path, cluster_id: str) -> Folder:
    """The folder of a cluster.  Raises :class:`FolderError` for an id that is not a plain name."""
    if not _ID.fullmatch(cluster_id):
        raise FolderError(f"{cluster_id!r} cannot be a cluster id: use up to 64 letters, digits, '_' and '-'.")
    return Folder(root / cluster_id)


def list_folders(root: Path) -> dict[str, Folder]:
    """Every cluster that has a folder."""
    if not root.is_dir():
        return {}
    return {p.name: Folder(p) for p in root.iterdir() if _ID.fullmatch(p.name) and p.is_dir()}


def make_folder(folder: Folder) -> None:
    """The folder and its scratch folders, 0700.  Idempotent.  Raises OSError."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.path.chmod(0o700)
    for name in ("tmp", "spill"):
        # Scratch of a dead server is of no use to the next one, and TiDB leaves it there.
        shutil.rmtree(folder.path / name, ignore_errors=True)
        (folder.path / name).mkdir(mode=0o700)
    shutil.rmtree(folder.old, ignore_errors=True)


def turn_logs(folder: Folder) -> None:
    """Begin the logs anew, so that what stands in them is this start's; the last start's are kept beside."""
    for path in (folder.console, folder.log):
        if path.exists():
            path.replace(path.with_name(path.name + ".before"))


def fill_folder(folder: Folder, template: Folder) -> None:
    """Give the cluster its first data; nothing when it has some.  Raises OSError (disk full among them)."""
    if folder.data.exists():
        return
    draft = folder.path / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    copy_tree(template.data, draft)
    # The key before the data: data without its key would be a cluster nobody can maintain.
    write_secret(folder.key, template.key.read_text())
    draft.rename(folder.data)


def delete_folder(folder: Folder) -> None:
    """Gone from its name at once, from the disk soon after.  Idempotent."""
    if folder.path.exists():
        grave = folder.path.with_name(f".deleted-{folder.path.name}-{secrets.token_hex(4)}")
        folder.path.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)


def sweep_deleted(root: Path) -> None:
    """Finish the deletes that died half-way."""
    for path in root.glob(".deleted-*"):
        shutil.rmtree(path, ignore_errors=True)


def write_secret(path: Path, text: str) -> None:
    """Atomically, readable by us alone from its first byte."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def copy_tree(source: Path, target: Path) -> None:
    """A copy without the zeros: the store's log is 256 MB on disk, of which 2 MB are written (measured)."""
    target.mkdir(mode=0o700)
    for entry in source.iterdir():
        if entry.is_dir():
            copy_tree(entry, target / entry.name)
        elif entry.is_file() and entry.name != "LOCK":
            copy_sparse(entry, target / entry.name)


def copy_sparse(source: Path, target: Path) -> None:
    """Blocks of zeros become holes; holes are not even read.  Raises OSError."""
    zeros = bytes(_COPY_BYTES)
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        size_bytes = os.fstat(reader.fileno()).st_size
        position = 0
        while (position := _next_data(reader.fileno(), position, size_bytes)) < size_bytes:
            block = os.pread(reader.fileno(), _COPY_BYTES, position)
            if not block:
                break
            if block != zeros[: len(block)]:
                _write_all(writer.fileno(), block, position)
            position += len(block)
        writer.truncate(size_bytes)


def _write_all(descriptor: int, block: bytes, position: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written


def _next_data(descriptor: int, position: int, size_bytes: int) -> int:
    if position >= size_bytes:
        return size_bytes
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError:
        # ENXIO: nothing but a hole from here to the end.
        return size_bytes
