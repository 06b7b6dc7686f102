"""``tidegate demo``: the three steps of the how-to page, and what must fail, on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tidegate import installation
from tidegate.cli import probe
from tidegate.cli.access import build_access, open_operator
from tidegate.cli.clients import CliError
from tidegate.cli.demo_refusals import free_cidr, show_refusals
from tidegate.cli.demo_stage import Stage
from tidegate.cli.demo_steps import Orders, Place, choose_cluster, connect_program, create_endpoint
from tidegate.cli.demo_verdicts import decide_held
from tidegate.cli.demo_words import choose_language, say
from tidegate.cli.reports import Format, Output, err, out, print_json
from tidegate.cli.tidb import provide_tidb
from tidegate.front import interruptible, lead
from tidegate.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: tidegate demo --lang zh   (from nothing: scripts/demo)")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave it running, with all that the demo made")] = False,
    lang: Annotated[str | None, typer.Option(help="en or zh; none: as LANG says")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show the whole private path: cluster, endpoint, a program inside the VPC, and what is refused.

    Starts Tidegate if it does not run, and stops it again then. Exit status 0 only if everything held. With -o json
    stdout has one object; elapsed_s.first_row is the program's time from looking up the name to its first row.
    """
    if lang not in (None, "en", "zh"):
        raise CliError(f"--lang {lang} is not known. Use en or zh.")
    settings, language = load_settings(), choose_language(lang, os.environ)
    try:
        play(settings, language, keep, output)
    except KeyboardInterrupt as error:
        raise CliError("Interrupted; what the demo made and started is taken away again.") from error


def play(settings: Settings, language: str, keep: bool, output: Format) -> None:
    """From the start of Tidegate to its end."""
    console = err if output is Format.JSON else out
    with interruptible():
        provide_tidb(settings)
    with lead(settings) as front:
        started = time.monotonic()
        with console.status(say(language, "start")) as spinner:
            running = installation.start(settings, spinner.update)
        access = build_access(installation.load_environment(settings))
        stage = Stage(settings, access, open_operator(settings), console, language)
        address = f"http://{running.http}"
        stage.tick(stage.words("started", address=address), time.monotonic() - started)
        failure = perform(stage, keep, started)
        was_running = not front.owns
        if keep and front.owns:
            front.detach()
    conclude(stage, failure, address, keep, was_running)
    if output is Format.JSON:
        print_json(stage.findings.build_json())
    if failure:
        raise CliError(failure)


def perform(stage: Stage, keep: bool, started: float) -> str:
    """The whole play; the answer is one sentence of what did not hold, empty if everything did.

    What was made is removed in any case, unless it is to be kept.
    """
    failure = ""
    with stage.removal:
        try:
            orders, place = perform_steps(stage)
            show_refusals(stage, orders, place)
        except CliError as error:
            failure = str(error)
        stage.findings.elapsed_s["total"] = time.monotonic() - started
        broken = decide_held(stage.findings, probe.ROWS)
        failure = failure or (stage.words("broken", what=", ".join(broken)) if broken else "")
        if keep:
            stage.removal.pop_all()
            if not failure:
                stage.console.print(
                    "\n" + stage.words("password", user=orders.user, password=orders.password), markup=False
                )
    if not keep and not failure:
        stage.tick(stage.words("clean"))
    return failure


def perform_steps(stage: Stage) -> tuple[Orders, Place]:
    orders = choose_cluster(stage)
    place = create_endpoint(stage, orders, free_cidr())
    connect_program(stage, orders, place)
    return orders, place


def conclude(stage: Stage, failure: str, address: str, kept: bool, was_running: bool) -> None:
    """The last lines: did it hold, where is it, how to look further."""
    if not failure:
        total = stage.words("total", seconds=stage.findings.elapsed_s["total"])
        stage.console.print(f"\n{total}", style="bold green", markup=False)
    runs = kept or was_running
    stage.console.print(stage.words("kept" if runs else "was", address=address), markup=False)
    if runs:
        stage.console.print(further(stage.settings, stage.language, kept), markup=False)


def further(settings: Settings, language: str, kept: bool) -> str:
    """Commands to paste; PATH and the home are named when needed.  ``kept``: the demo's own VPC is there."""
    path = () if shutil.which("tidegate") else (f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",)
    home = (f"export TIDEGATE_HOME={shlex.quote(str(settings.home))}",) if os.environ.get("TIDEGATE_HOME") else ()
    commands = (
        *path,
        *home,
        "tidegate status",
        "tidegate cluster list",
        "tidegate console",
        "tidegate endpoint list",
        *(("tidegate vpc exec app -- ip address",) if kept else ()),
        'eval "$(tidegate env)"',
        "tidegate down",
    )
    return "\n".join([say(language, "further"), *(f"  {command}" for command in commands)])
