"""One installation on this host: start all its processes, find them again, take everything away.

::

    start:  agent (makes or joins the world, starts gateways, resolvers, databases)   then serve
    stop:   serve, agent, their children, the databases, the namespaces; what remains is ``home``

A start that fails or is interrupted takes back what it started.  Who was killed cannot: see ``front.py``.
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

from tidegate.agent.processes import (
    explain_silence,
    find_processes,
    is_stopped,
    process_start,
    read_record,
    write_record,
)
from tidegate.agent.world import holder_pid, stop_world
from tidegate.log_files import rotate_if_full
from tidegate.settings import Settings

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
LEAST_ROOM_BYTES = 4 << 20
"""for the store, its write-ahead log, keys and the first lines of each log; not for any cluster's data"""
SERVICES = ("agent", "serve")
STILL_S = 0.2
CHILDREN = ("gateway-", "resolvers")
"""what the agent starts in this run folder, by the beginnings of their names"""
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
    """Start what does not run yet; returns when the APIs answer and the agent is connected.  Idempotent.

    Whatever ends it early, nothing that it started runs on: everything stops again where nothing ran before.
    """
    _private_folder(settings.home)
    with only_one(settings):
        prepare(settings)
        nothing_ran, started = not runs(settings), set[str]()
        try:
            return _start_all(settings, on_progress, started)
        except BaseException:
            on_progress("Taking back what was started")
            if nothing_ran:
                _stop_all(settings, on_progress)
            for service in started:
                _end(settings, service)
            raise


def prepare(settings: Settings) -> None:
    """Make the folders.  Raises :class:`InstallationError` when they cannot be what they must."""
    _private_folder(settings.home)
    for folder in (settings.run, settings.logs, settings.keys, settings.clusters):
        _private_folder(folder)
    _require_short_run(settings)
    _require_room(settings)


def runs(settings: Settings) -> bool:
    """Whether any part of it lives."""
    return bool(holder_pid(settings)) or any(read_record(record) for record in _records(settings, SERVICES + CHILDREN))


def stop(
    settings: Settings, on_progress: Progress = lambda sentence: None, only_if: Callable[[], bool] = lambda: True
) -> None:
    """Stop everything and leave no process, namespace, link, rule or mount; data and keys in ``home`` stay.

    ``only_if`` is asked when nobody else starts or stops any more.
    """
    if not settings.run.exists():
        return
    with only_one(settings):
        if only_if():
            _stop_all(settings, on_progress)


def _stop_all(settings: Settings, on_progress: Progress) -> None:
    for service in reversed(SERVICES):
        on_progress(f"Stopping {service}")
        _end(settings, service)
    for record in _records(settings, CHILDREN):
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


def explain_absence(settings: Settings) -> str:
    """One sentence for whom nobody answers: nothing runs, or ``serve`` alone does not and the data path goes on."""
    left = [record.stem for record in _records(settings, ("agent", *CHILDREN)) if read_record(record) is not None]
    if not left:
        return f"Tidegate is not running (home: {settings.home}). Start it: tidegate up."
    return (
        f"serve, which answers here, does not run (our side; its log: {_log(settings, 'serve')}). Still running: "
        f"{', '.join(left)}, so connections go on, but nothing can be asked or changed. "
        "Start it again: tidegate up --detach; or stop all: tidegate down."
    )


def explain_stopped(settings: Settings) -> dict[str, str]:
    """Our processes that stand still, by name, each with one sentence of what that means and the remedy."""
    return {name: _explain(settings, name, pid) for name, pid in find_stopped(settings).items()}


def _explain(settings: Settings, name: str, pid: int) -> str:
    sentence = explain_silence(name, pid)
    if name in SERVICES:
        return f"{sentence[:-1]}; or replace it: tidegate up."
    if read_record(settings.run / f"{name}.json") in (None, pid):
        return sentence
    return f"{sentence[:-1]}. Its successor takes new sessions; those that it holds wait for it."


def find_stopped(settings: Settings) -> dict[str, int]:
    """Our processes that stand still, by name.  Asks the kernel only: they could not answer."""
    names = {record.stem for record in _records(settings, SERVICES + CHILDREN)}
    found = {name: pid for name in names for pid in _processes(settings, name) if is_stopped(pid)}
    if found:
        time.sleep(STILL_S)  # whom a tracer holds for a moment only is not meant
    return {name: pid for name, pid in sorted(found.items()) if is_stopped(pid)}


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
    rotate_if_full(_log(settings, service))
    with _log(settings, service).open("ab") as output:
        process = subprocess.Popen(
            _command(service),
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    write_record(settings.run / f"{service}.json", process.pid)


def _command(process: str) -> list[str]:
    return [sys.executable, "-m", "tidegate.app", *process.split("-", 1)]


def _records(settings: Settings, beginnings: tuple[str, ...]) -> list[Path]:
    return sorted(record for record in settings.run.glob("*.json") if record.stem.startswith(beginnings))


def _pid(settings: Settings, process: str) -> int | None:
    """The living process, also one whose starter died before it could record it."""
    record = settings.run / f"{process}.json"
    _reap(record)
    if (pid := read_record(record)) is None:
        pid = next(_processes(settings, process), None)
        if pid is not None:
            write_record(record, pid)
    return pid


def _processes(settings: Settings, process: str) -> Iterator[int]:
    """A gateway that was replaced lives on beside the one that is recorded."""
    return find_processes(_command(process), {"TIDEGATE_RUN": str(settings.run)})


def _reap(record: Path) -> None:
    # Our own child, dead and unread, would look alive.
    with contextlib.suppress(OSError, ValueError, KeyError, ChildProcessError):
        os.waitpid(int(json.loads(record.read_text())["pid"]), os.WNOHANG)


def _end(settings: Settings, process: str) -> None:
    """Politely, then not."""
    record = settings.run / f"{process}.json"
    pids = {*_processes(settings, process), *([pid] if (pid := read_record(record)) else [])}

    def ended() -> bool:
        _reap(record)
        return all(process_start(pid) is None for pid in pids)

    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if is_stopped(pid) else number)
        _poll(ended, STOP_LIMIT_S)
        if ended():
            break
    record.unlink(missing_ok=True)


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


def _start_all(settings: Settings, on_progress: Progress, started: set[str]) -> Installation:
    """Start each service that is not there, once, and wait until all is ready; ``started`` tells which.

    Also what ends while we wait: a process that was killed just before us lives on for a moment.  Raises
    :class:`InstallationError` with the last line of the log of one that we started and that ended early.
    """
    deadline = time.monotonic() + START_LIMIT_S
    reason, still = "it did not answer", find_stopped(settings)
    while time.monotonic() < deadline:
        for service in SERVICES:
            if _pid(settings, service) is not None and not _replace(settings, service, still):
                continue
            if service in started:
                said = _last_line(_log(settings, service).read_text(errors="replace")[-4000:])
                raise InstallationError(f"{service} did not start: {said}")
            on_progress(f"Starting {service}")
            started.add(service)  # first: the next instruction may be an interrupt
            _spawn(settings, service)
        running = describe(settings)
        if running:
            ready, reason = _ask(running)
            if ready:
                return running
        time.sleep(0.03)
    raise InstallationError(
        f"Tidegate did not become ready within {START_LIMIT_S:g} s ({reason}); its logs are in {settings.logs}."
    )


def _replace(settings: Settings, service: str, still: dict[str, int]) -> bool:
    """End a service that stands still: nothing that runs needs it, and its successor takes everything up."""
    if still.pop(service, None) is None:
        return False
    _end(settings, service)
    return True


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
def only_one(settings: Settings) -> Iterator[None]:
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
