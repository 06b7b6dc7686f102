"""``tidegate tidb``: find the database server, or build it once, and show how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tidegate.cli.reports import err, out
from tidegate.engine.binary import find_binary, require_binary
from tidegate.engine.build import Progress as Tell
from tidegate.settings import Settings, load_settings

LINE_EVERY_S = 20.0
"""in a log, where there is no bar: often enough to see that it lives"""


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: tidegate tidb")(tidb)


def tidb() -> None:
    """Find a tidb-server (TIDEGATE_TIDB_SERVER, PATH, TiUP, the cache), or build one; print its path.

    A build is done once and takes 4 to 10 minutes, 2 GB of memory and 6 GB of disk.
    """
    out.print(str(provide_tidb(load_settings())), markup=False)


def provide_tidb(settings: Settings) -> Path:
    """Its path, minutes later if it must be built.  Raises NoBinaryError with the remedy."""
    found = find_binary(settings.tidb_server)
    if found is not None:
        return found
    err.print("There is no TiDB server on this host yet: building one, once (4 to 10 minutes).")
    with show_build() as tell:
        return require_binary(settings.tidb_server, progress=tell)


@contextmanager
def show_build() -> Iterator[Tell]:
    """A bar on a terminal, a line now and then in a log."""
    if not err.is_terminal:
        yield _LogLines()
        return
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[line]}", style="dim", markup=False),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("looking", total=1.0, line="")
        yield lambda stage, fraction, line: bar.update(
            task, description=stage, line=line[:60], completed=fraction or 0.0
        )


class _LogLines:
    """One line for each new stage, and one every LINE_EVERY_S."""

    def __init__(self) -> None:
        self._stage, self._said_s = "", 0.0

    def __call__(self, stage: str, fraction: float | None, line: str) -> None:
        if stage == self._stage and time.monotonic() - self._said_s < LINE_EVERY_S:
            return
        self._stage, self._said_s = stage, time.monotonic()
        done = f" {fraction:.0%}" if fraction is not None else ""
        err.print(f"TiDB: {stage}{done} {line[:80]}", markup=False)
