"""One installation on this host: start all its processes, find them again, take everything away.

::

    start:  agent (makes or joins the world, starts gateways, resolvers, databases)   then serve
    stop:   serve, agent, their children, the databases, the namespaces; what remains is ``home``
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tidegate.agent.world import process_start, stop_world
from tidegate.settings import Settings

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
LEAST_ROOM_BYTES = 4 << 20
"""for the store, its write-ahead log, keys and the first lines of each log; not for any cluster's data"""
SERVICES = ("agent", "serve")
Progress = Callable[[str], None]


class InstallationError(Exception):
    """It does not start or stop; the message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Installation:
    """``http`` is host:port, for http and https alike."""

    http: str
    ca_path: Path
    pids: dict[str, int] = field(default_factory=dict)


def start(settings: Settings, on_progress: Progress = lambda sentence: None) -> Installation:
    """Start what does not run yet; returns when the APIs answer and the agent is connected.  Idempotent."""
    _private_folder(settings.home)
    with _only_one(settings):
        for folder in (settings.run, settings.logs, settings.keys, settings.clusters):
            _private_folder(folder)
        _require_short_run(settings)
        _require_room(settings)
        return _start_all(settings, on_progress)


def stop(settings: Settings, on_progress: Progress = lambda sentence: None) -> None:
    """Stop everything and leave no process, namespace, link, rule or mount; data and keys in ``home`` stay."""
    if not settings.run.exists():
        return
    with _only_one(settings):
        for service in reversed(SERVICES):
            on_progress(f"Stopping {service}")
            _end(settings, service)
        for record in sorted(settings.run.glob("*.json")):
            if record.stem.startswith(("gateway-", "resolvers")):
                on_progress(f"Stopping {record.stem}")
                _end(settings, record.stem)
        on_progress("Stopping databases and taking the networks away")
        _cleanup(settings)
        stop_world(settings)
        shutil.rmtree(settings.run, ignore_errors=True)


def describe(settings: Settings) -> Installation | None:
    """What runs, or None while the APIs are not served."""
    pids = {service: pid for service in SERVICES if (pid := _pid(settings, service))}
    try:
        address = (settings.run / "serve.address").read_text()
    except OSError:
        return None
    if "serve" not in pids:
        return None
    return Installation(address, settings.keys / "ca.pem", pids)


def load_environment(settings: Settings) -> dict[str, str]:
    """What points existing clients here.  Raises :class:`InstallationError` while nothing runs."""
    running = describe(settings)
    if running is None:
        raise InstallationError("Tidegate is not running here (our side). Start it: tidegate up.")
    credentials: dict[str, str] = json.loads((settings.keys / "credentials.json").read_text())
    return {
        "TIDEGATE_HTTP": running.http,
        "TIDEGATE_HTTPS": running.http,
        "TIDEGATE_CA": str(running.ca_path),
        **credentials,
    }


# processes


def _spawn(settings: Settings, service: str) -> None:
    with _log(settings, service).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tidegate.app", service],
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    record = settings.run / f"{service}.json"
    temporary = record.with_suffix(".new")
    temporary.write_text(json.dumps({"pid": process.pid, "start": process_start(process.pid)}))
    temporary.replace(record)


def _pid(settings: Settings, service: str) -> int | None:
    try:
        record = json.loads((settings.run / f"{service}.json").read_text())
        pid, started = int(record["pid"]), str(record["start"])
    except (OSError, ValueError, KeyError):
        return None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child, dead and unread, would look alive
    return pid if process_start(pid) == started else None


def _end(settings: Settings, service: str) -> None:
    """Politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _pid(settings, service)
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        _poll(lambda: _pid(settings, service) is None, STOP_LIMIT_S)
    (settings.run / f"{service}.json").unlink(missing_ok=True)


def _cleanup(settings: Settings) -> None:
    """In a process of its own, because it must join the world before any thread starts."""
    done = subprocess.run(
        [sys.executable, "-m", "tidegate.app", "cleanup"],
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallationError(f"Not everything could be taken away (our side): {_last_line(done.stderr)}")


def _start_all(settings: Settings, on_progress: Progress) -> Installation:
    """Start each service that is not there, once, and wait until all is ready.

    Also what ends while we wait: a process that was killed just before us lives on for a moment.  Raises
    :class:`InstallationError` with the last line of the log of one that we started and that ended early.
    """
    deadline = time.monotonic() + START_LIMIT_S
    reason = "it did not answer"
    started: set[str] = set()
    while time.monotonic() < deadline:
        for service in SERVICES:
            if _pid(settings, service) is not None:
                continue
            if service in started:
                said = _last_line(_log(settings, service).read_text(errors="replace")[-4000:])
                raise InstallationError(f"{service} did not start: {said}")
            on_progress(f"Starting {service}")
            _spawn(settings, service)
            started.add(service)
        running = describe(settings)
        if running:
            ready, reason = _ask(running)
            if ready:
                return running
        time.sleep(0.03)
    raise InstallationError(
        f"Tidegate did not become ready within {START_LIMIT_S:g} s ({reason}); its logs are in {settings.logs}."
    )


def _ask(running: Installation) -> tuple[bool, str]:
    try:
        answer = httpx.get(f"http://{running.http}/readyz", timeout=2.0, trust_env=False)
    except httpx.HTTPError as error:
        return False, str(error)
    return answer.status_code == 200, answer.text


def _poll(condition: Callable[[], bool], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


# files


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Two ``up``s, or ``up`` and ``down``, take turns.  The lock lies in ``home``, because ``down`` removes ``run``."""
    with (settings.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InstallationError(
            f"{folder} cannot be made ({error.strerror}). Set TIDEGATE_HOME and TIDEGATE_RUN to folders of yours."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK) or folder.stat().st_uid != os.geteuid():
        raise InstallationError(f"{folder} belongs to somebody else. Set TIDEGATE_HOME and TIDEGATE_RUN to yours.")
    above = folder.parent.stat()
    if above.st_uid not in (0, os.geteuid()):
        # Its owner could put another folder in this one's place, and be sent our secrets.
        raise InstallationError(
            f"{folder.parent} belongs to somebody else, who could exchange {folder.name} in it. Set TIDEGATE_HOME and "
            "TIDEGATE_RUN to folders whose parents are yours."
        )


def _require_short_run(settings: Settings) -> None:
    if len(os.fsencode(settings.run)) > 60:
        raise InstallationError(
            f"{settings.run} is too long for the sockets in it (107 bytes). Set TIDEGATE_RUN to a shorter folder."
        )


def _require_room(settings: Settings) -> None:
    """A process that meets a full disk cannot even write into its log why it ended."""
    for folder in (settings.home, settings.run):
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_ROOM_BYTES:
            raise InstallationError(
                f"No space left on the disk of {folder}: it has less than {LEAST_ROOM_BYTES >> 20} MiB. "
                "Make room, or set TIDEGATE_HOME and TIDEGATE_RUN to folders on other disks."
            )


def _log(settings: Settings, service: str) -> Path:
    return settings.logs / f"{service}.log"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
