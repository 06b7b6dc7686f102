"""A process that the agent keeps running and tells its part of the configuration: a gateway, or the resolvers.

A child outlives the agent that started it; the next agent finds it by its record (pid and start time) and its socket.

A child that stands still, or hangs, is replaced.  One that holds nothing is killed for it.  A gateway holds sessions,
so it is left alone: its successor takes the listening sockets over (``app/succession.py``), and if it ever goes on, it
finds its control socket taken, and serves the sessions that it has to their end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from tidegate.agent.channel import ChannelError, ConfigClient
from tidegate.agent.config import HostConfig, HostStatus
from tidegate.agent.processes import explain_silence, find_processes, is_stopped, read_record, write_record
from tidegate.log_files import rotate_if_full

log = structlog.get_logger("agent")

CONNECT_LIMIT_S = 15.0
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 10.0
"""a child that lived this long has its next start without delay"""
LOOK_S = 1.0
LOOKS = 2
"""so many in a row must find a child silent: we may have stood still ourselves"""


class Child:
    """One child.  ``apply`` may be called at any time; what was applied last is told again after each restart."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        run: Path,
        logs: Path,
        environment: dict[str, str],
        on_status: Callable[[HostStatus, bool], None] = lambda status, first: None,
        holds_sessions: bool = False,
    ) -> None:
        self.name = name
        self._argv, self._run, self._logs, self._environment = list(argv), run, logs, environment
        self._wanted: HostConfig | None = None
        self._connected = asyncio.Event()
        self._holds_sessions = holds_sessions
        self._client = ConfigClient(
            child_socket(run, name),
            on_status,
            on_state=self._on_state,
            is_stopped=lambda: is_stopped(self._recorded() or 0),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._replaced: set[int] = set()
        self._waited_since_s: float | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Adopt what runs, or start it; and keep it running."""
        self._tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._client.run(0.02))]

    async def apply(self, config: HostConfig) -> dict[str, str]:
        """Tell the child; returns what is not well: ``section/key`` or, for the child itself, ``""``."""
        self._wanted = config
        try:
            await asyncio.wait_for(self._connected.wait(), self._patience_s())
            return await self._client.apply(config)
        except TimeoutError:
            return {"": self._explain()}
        except ChannelError as error:
            return {"": f"{self.name} went away ({error}) and is started again; see {self._log_path}."}

    def _explain(self) -> str:
        pid = self._recorded()
        if pid is not None and is_stopped(pid):
            return explain_silence(self.name, pid)
        return f"{self.name} has not started within {CONNECT_LIMIT_S:g} s; see {self._log_path}."

    def _patience_s(self) -> float:
        """What is left of CONNECT_LIMIT_S since somebody first waited: a child that cannot start delays others once."""
        now_s = asyncio.get_running_loop().time()
        if self._waited_since_s is None or self._connected.is_set():
            self._waited_since_s = now_s
        return max(0.0, self._waited_since_s + CONNECT_LIMIT_S - now_s)

    async def stop(self) -> None:
        """End the child, politely first, and all it has replaced."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(_end(pid) for pid in self._all()))
        self._record_path.unlink(missing_ok=True)

    def restart(self) -> None:
        """End the child; it is started again at once and told everything."""
        pid = self._recorded()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def leave(self) -> None:
        """Stop supervising; the child runs on."""
        for task in self._tasks:
            task.cancel()

    async def _supervise(self) -> None:
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            pid = self._recorded() or self._unrecorded() or self._spawn()
            while not await self._until_gone_or_silent(pid):
                pid = self._replace(pid)
            status = self._process.wait() if self._process else None
            log.warning("child.ended", child=self.name, pid=pid, status=status)
            self._process = None
            attempt = 0 if loop.time() - started > STEADY_S else attempt + 1
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])

    async def _until_gone_or_silent(self, pid: int) -> bool:
        """True: it has ended.  False: it lives, and does not answer any more."""
        silent = 0
        while not await _gone(pid, LOOK_S):
            silent = silent + 1 if self._client.silent else 0
            if silent >= LOOKS:
                return False
        return True

    def _replace(self, pid: int) -> int:
        """The pid to look at from now on."""
        log.error("child.silent", child=self.name, pid=pid, reason=explain_silence(self.name, pid))
        if self._holds_sessions:
            self._replaced.add(pid)
            self._process = None
            return self._spawn()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._client.expect()
        return pid

    def _spawn(self) -> int:
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        rotate_if_full(self._log_path)
        with self._log_path.open("ab") as output:
            self._process = subprocess.Popen(
                self._argv,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        pid = self._process.pid
        self._record(pid)
        self._client.expect()
        log.info("child.started", child=self.name, pid=pid)
        return pid

    def _record(self, pid: int) -> None:
        write_record(self._record_path, pid)

    def _all(self) -> set[int]:
        recorded = self._recorded()
        found = find_processes(self._argv, {"TIDEGATE_RUN": str(self._run)})
        return {*found, *([recorded] if recorded else [])}

    def _unrecorded(self) -> int | None:
        """The child of a predecessor that was killed between starting and recording it.

        A second one would take its control socket over but not its port, and could never serve.
        """
        found = find_processes(self._argv, {"TIDEGATE_RUN": str(self._run)})
        pid = next((pid for pid in found if pid not in self._replaced), None)
        if pid is not None:
            self._record(pid)
            log.info("child.found", child=self.name, pid=pid)
        return pid

    def _recorded(self) -> int | None:
        """The living child's pid; a record whose start time differs belongs to a dead one."""
        return read_record(self._record_path)

    def _on_state(self, state: str) -> None:
        if state == "lost":
            self._connected.clear()
            return
        self._connected.set()
        if self._wanted is not None:
            task = asyncio.get_running_loop().create_task(self._tell_again())
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell_again(self) -> None:
        if self._wanted is not None:
            for part, error in (await self.apply(self._wanted)).items():
                log.error("child.config", child=self.name, part=part, reason=error)

    @property
    def _record_path(self) -> Path:
        return self._run / f"{self.name}.json"

    @property
    def _log_path(self) -> Path:
        return self._logs / f"{self.name}.log"


def child_socket(run: Path, name: str) -> Path:
    return run / f"{name}.sock"


async def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if is_stopped(pid) else number)
        if await _gone(pid, 3.0):
            return


async def _gone(pid: int, timeout_s: float | None) -> bool:
    """Wait until ``pid``, anybody's child, has ended.  A pidfd becomes readable then (pidfd_open(2))."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), timeout_s)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True
