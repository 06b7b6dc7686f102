"""What people and programs see: tables, JSON, progress, and secrets shown once.

stdout carries the answer only, so that ``-o json`` can be piped; progress and remarks go to stderr.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tidegate.cli.clients import CliError, Server, explain_wait
from tidegate.domain import names

T = TypeVar("T")


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="table for people, json for programs")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from stdin, one line")]

PASSWORD_VARIABLE = "TIDEGATE_CLUSTER_PASSWORD"  # noqa: S105 - a variable's name
POLL_S = 0.02
EXPLAIN_EVERY_S = 2.0

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], output: Format) -> None:
    """One line per row; ``columns`` are its keys, also the headings.  An empty list says so, on stderr."""
    if output is Format.JSON:
        print_json(list(rows))
        return
    if not rows:
        err.print("There are none yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # A terminal that is too narrow wraps; a pipe gets whole words.
        table.add_column(column.replace("_", " ").upper(), overflow="fold", no_wrap=not out.is_terminal)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    (out if out.is_terminal else Console(highlight=False, width=400)).print(table)


def print_facts(facts: dict[str, Any], output: Format) -> None:
    """One resource: a line per fact."""
    if output is Format.JSON:
        print_json(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        out.print(f"{name.replace('_', ' '):<{width}}  {_cell(value)}", markup=False)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    return "" if value is None else str(value)


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner with the time, on stderr; yields a function that changes its text.  One line per text in a pipe."""
    if not err.is_terminal:
        err.print(what + " ...")
        yield err.print
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda text: bar.update(task, description=text)


def wait_until(look: Callable[[], T | None], what: str, timeout_s: float, server: Server | None = None) -> T:
    """Ask until ``look`` gives something.  After a while ``server`` is asked what stands in the way, and that is said.

    Raises :class:`CliError` when the time is over.
    """
    began, said = time.monotonic(), ""
    next_s = began + EXPLAIN_EVERY_S
    while (found := look()) is None:
        now = time.monotonic()
        if server is not None and now > next_s:
            next_s, before, said = now + EXPLAIN_EVERY_S, said, explain_wait(server)
            if said and said != before:
                err.print(f"Still waiting for {what}. {said}", markup=False)
        if now > began + timeout_s:
            raise CliError(
                f"{what} did not happen within {timeout_s:g} s (Tidegate's side). {said or 'Why: tidegate status.'}"
            )
        time.sleep(POLL_S)
    return found


# -- secrets -----------------------------------------------------------------------------------------------------


def choose_password(from_stdin: bool, prompt: str = "") -> tuple[str, bool]:
    """(password, made by us?).  From stdin, the environment or a prompt; arguments could be seen by others."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given, False
    if prompt and sys.stdin.isatty():
        typed: str = typer.prompt(f"{prompt} (empty: one is made)", hide_input=True, default="", show_default=False)
        if typed:
            return typed, False
    return make_password(), True


def make_password() -> str:
    return names.make_password(lambda alphabet, length: "".join(secrets.choice(alphabet) for _ in range(length)))


def show_password_once(password: str) -> None:
    err.print(f"Password (shown only now): {password}", markup=False)
