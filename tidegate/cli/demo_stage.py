"""Where the demo plays: its clients, its language, ticks with times, and what is to be removed at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.console import Console

from tidegate.cli.access import Access
from tidegate.cli.clients import CliError, OperatorClient
from tidegate.cli.demo_verdicts import Findings, Refused
from tidegate.cli.demo_words import WORDS, say
from tidegate.cli.reports import wait_until
from tidegate.settings import Settings

T = TypeVar("T")
STEP_TIMEOUT_S = 180.0
PROBE_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Stage:
    """One run of the demo."""

    settings: Settings
    access: Access
    operator: OperatorClient
    console: Console
    language: str
    findings: Findings = field(default_factory=Findings)
    removal: ExitStack = field(default_factory=ExitStack)
    """what to undo, last made first undone"""

    def words(self, key: str, **facts: object) -> str:
        return say(self.language, key, **facts)

    def heading(self, key: str) -> None:
        self.console.print(f"\n{self.words(key)}", style="bold", markup=False)

    def fact(self, key: str, value: str) -> None:
        self.console.print(f"      {self.words(key)}: {value}", markup=False)

    @contextmanager
    def step(self, key: str, **facts: object) -> Iterator[dict[str, object]]:
        """A tick and the time once it is done, a cross when it is not; the block may add facts to the sentence."""
        started = time.monotonic()
        doing = _plain(self.words(f"{key}_doing" if f"{key}_doing" in WORDS else key, **facts))
        try:
            with self.console.status(doing):
                yield facts
        except BaseException:
            self.console.print(f"  [red]✗[/red] {doing}")
            raise
        self.tick(self.words(key, **facts), time.monotonic() - started)

    def tick(self, text: str, seconds: float | None = None) -> None:
        taken = f"  [dim]{seconds:.2f} s[/dim]" if seconds is not None else ""
        self.console.print(f"  [green]✓[/green] {_plain(text)}{taken}")

    def refusal(self, refused: Refused) -> None:
        """One line per attempt: what was tried, how it was refused."""
        self.findings.refused.append(refused)
        if refused.held:
            self.tick(f"{self.words(refused.case)}: {self._say(refused.got)}")
            return
        expected = self.words("expected", expected=self._say(refused.expected))
        text = f"{self.words(refused.case)}: {refused.got} {refused.detail}; {expected}"
        self.console.print(f"  [red]✗[/red] {_plain(text)}")

    def _say(self, outcome: str) -> str:
        """Codes and numbers are the same in every language."""
        return self.words(outcome) if outcome in WORDS else outcome

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        return wait_until(look, what, STEP_TIMEOUT_S, self.access.server)

    def probe(self, vpc_id: str, **request: Any) -> dict[str, Any]:
        """Run ``tidegate.cli.probe`` inside a VPC, on the road that ``tidegate vpc exec`` goes."""
        python = [sys.executable, "-m"]
        command = [*python, "tidegate", "vpc", "exec", vpc_id, "--", *python, "tidegate.cli.probe"]
        if self.settings.tls == "required":
            request["ca"] = str(self.settings.keys / "ca.pem")
        return run_probe(command, request, probe_environment(self.settings))


def run_probe(command: list[str], request: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """The probe's answer.  Raises :class:`CliError` with its last words when it gave none."""
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request),
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    except subprocess.TimeoutExpired as error:
        raise CliError(f"The program inside the VPC did not end within {PROBE_TIMEOUT_S:g} s.") from error
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise CliError(f"The program inside the VPC gave no answer: {last}") from error


def probe_environment(settings: Settings) -> dict[str, str]:
    """Ours, but pointed to this very installation whatever ``tidegate env`` the shell has loaded."""
    kept = {name: value for name, value in os.environ.items() if name not in ("TIDEGATE_HTTP", "TIDEGATE_HTTPS")}
    return kept | settings.environment()


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
