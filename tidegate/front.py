"""Who answers for what runs: the ``tidegate up`` in front, until it ends or detaches.

A front that is interrupted stops everything itself.  One that is killed cannot, so a guard waits for its end::

    up (front) --pipe--> guard: a shell of 1 MB, waiting for one line
      | ends with a word: stopped, or detached  --> the guard ends
      | ends without (kill -9)                  --> the guard becomes ``python -m tidegate.front``, and stops everything
    <run>/front.json: whose it is.  None: detached; it belongs to ``tidegate down``

Only what nobody else answers for becomes a front's own: beside a living front, or one that has detached, a second
``up`` looks on.  What a dead one left is taken over; the dead one's guard then finds another name in the record.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tidegate import installation
from tidegate.agent.processes import process_start, read_record, write_record
from tidegate.log_files import rotate_if_full
from tidegate.settings import Settings, load_settings

GUARD = 'read -r word || exec "$@"'
ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""besides Ctrl-C: a service's stop, and a terminal that is closed"""


class Front:
    """What this process answers for; made by :func:`lead`."""

    def __init__(self, settings: Settings, owns: bool) -> None:
        self._settings = settings
        self.owns = owns
        """False: it ran before, and runs on after us"""

    @property
    def relieved(self) -> bool:
        """Somebody else has stopped it, or detached it."""
        return self.owns and read_record(_record(self._settings)) != os.getpid()

    def detach(self) -> None:
        """Nobody stands in front any more: it runs until ``tidegate down``."""
        with installation.only_one(self._settings):
            _record(self._settings).unlink(missing_ok=True)
        self.owns = False

    def stop(self, on_progress: installation.Progress = lambda sentence: None) -> None:
        """Stop everything that is ours; twice is once."""
        if self.owns:
            installation.stop(self._settings, on_progress, only_if=lambda: not self.relieved)
        self.owns = False


@contextlib.contextmanager
def lead(settings: Settings) -> Iterator[Front]:
    """Answer for what is started in the block, whatever ends it; SIGTERM and SIGHUP are taken as Ctrl-C.

    Raises :class:`~tidegate.installation.InstallationError` as ``start`` does.
    """
    installation.prepare(settings)
    with interruptible():
        guard = _Guard(settings)
        try:
            front = _claim(settings)
            try:
                yield front
            finally:
                front.stop()
                guard.dismiss()
        finally:
            guard.leave()


def _claim(settings: Settings) -> Front:
    record = _record(settings)
    with installation.only_one(settings):
        installation.prepare(settings)  # again: whoever held the lock may have stopped, and taken the run folder away
        owns = read_record(record) is None and (record.exists() or not installation.runs(settings))
        if owns:
            write_record(record, os.getpid())
    return Front(settings, owns)


def _record(settings: Settings) -> Path:
    return settings.run / "front.json"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; but nohup's wish to outlive a terminal holds."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in ENDINGS}
    taken = [number for number in ENDINGS if before[number] is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


class _Guard:
    """The process that acts when this one ends without :meth:`dismiss`; in a session of its own, where no Ctrl-C is."""

    def __init__(self, settings: Settings) -> None:
        me = os.getpid()
        rotate_if_full(settings.logs / "guard.log")
        with (settings.logs / "guard.log").open("ab") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", GUARD, "guard", sys.executable, "-m", "tidegate.front", str(me), str(process_start(me))],
                env={**os.environ, **settings.environment()},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def dismiss(self) -> None:
        """All is well, or was dealt with."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"dismissed\n")
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def leave(self) -> None:
        """We go on without it: it acts now, unless it was dismissed."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def stop_for(settings: Settings, pid: int, start: str) -> None:
    """What the guard does when its front has died: stop what the record still calls the front's."""

    def still_its_own() -> bool:
        try:
            return bool(json.loads(_record(settings).read_text()) == {"pid": pid, "start": start})
        except (OSError, ValueError):
            return False

    installation.stop(settings, only_if=still_its_own)


if __name__ == "__main__":
    stop_for(load_settings(), int(sys.argv[1]), sys.argv[2])
