"""Which tidb-server: the configured one, ``PATH``'s, TiUP's newest, the cache's; else one is built, once.

python -m tidegate.engine.binary              find it, or build it with a progress bar; prints its path
python -m tidegate.engine.binary --find-only  do not build; status 1 and the remedy when there is none
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate.engine.build import BuildError, Progress, build_binary, cache_folder
from tidegate.engine.pin import parse_release


class NoBinaryError(Exception):
    """There is no usable tidb-server; the message is one sentence with the remedy."""


def find_binary(configured: str = "", environ: Mapping[str, str] | None = None) -> Path | None:
    """The tidb-server to use, or None when one must be built.  Looks only; starts nothing.

    Raises :class:`NoBinaryError` when ``configured`` is set and cannot be run: another one is then never taken.
    """
    env = os.environ if environ is None else environ
    if configured:
        path = Path(configured).expanduser().absolute()
        if not _runs(path):
            raise NoBinaryError(
                f"TIDEGATE_TIDB_SERVER names {path}, which is not a file that can be run: mend or unset it."
            )
        return path
    on_path = shutil.which("tidb-server", path=env.get("PATH", os.defpath))
    if on_path:
        return Path(on_path).absolute()
    return find_tiup(env) or _cached(env)


def find_tiup(env: Mapping[str, str]) -> Path | None:
    """The newest release that TiUP has installed."""
    home = Path(env.get("TIUP_HOME") or Path(env.get("HOME", "/")) / ".tiup")
    found = [p for p in (home / "components" / "tidb").glob("v*/tidb-server") if _runs(p)]
    return max(found, key=lambda p: parse_release(p.parent.name) or (0, 0, 0), default=None)


def require_binary(
    configured: str = "", environ: Mapping[str, str] | None = None, progress: Progress | None = None
) -> Path:
    """:func:`find_binary`, and :func:`~tidegate.engine.build.build_binary` when there is none.

    Raises :class:`NoBinaryError`.  Minutes long when it builds.
    """
    env = os.environ if environ is None else environ
    found = find_binary(configured, env)
    if found is not None:
        return found
    try:
        return build_binary(env, progress)
    except BuildError as error:
        raise NoBinaryError(str(error)) from error


def _cached(env: Mapping[str, str]) -> Path | None:
    path = cache_folder(env) / "tidb-server"
    return path if _runs(path) else None


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 with a path on stdout, 1 with a sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m tidegate.engine.binary",
        description="Find tidb-server, or build it once into the cache (4 to 10 minutes).",
        epilog="example: TIDEGATE_TIDB_SERVER=$(python -m tidegate.engine.binary) tidegate up",
    )
    parser.add_argument("--find-only", action="store_true", help="do not build when there is none")
    parser.add_argument(
        "--tidb-server",
        default=os.environ.get("TIDEGATE_TIDB_SERVER", ""),
        metavar="PATH",
        help="the one to use (default: $TIDEGATE_TIDB_SERVER)",
    )
    options = parser.parse_args(arguments)
    try:
        path = find_binary(options.tidb_server) if options.find_only else _require_visibly(options.tidb_server)
    except NoBinaryError as error:
        print(error, file=sys.stderr)
        return 1
    if path is None:
        print("There is no tidb-server yet: run this without --find-only to build one.", file=sys.stderr)
        return 1
    print(path)
    return 0


def _require_visibly(configured: str) -> Path:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[line]}", style="dim"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=1.0, line="")

        def show(stage: str, fraction: float | None, line: str) -> None:
            bar.update(task, description=stage, line=line[:60], completed=fraction or 0.0)

        return require_binary(configured, progress=show)


if __name__ == "__main__":
    sys.exit(main())
