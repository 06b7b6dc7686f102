"""``tidegate up``: start everything on this machine, and stay in front with a live status."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.live import Live

from tidegate import installation
from tidegate.cli.access import open_operator
from tidegate.cli.clients import CliError
from tidegate.cli.reports import err, out, progress
from tidegate.cli.status import look, render
from tidegate.cli.tidb import provide_tidb
from tidegate.cli.user import describe_door
from tidegate.front import Front, interruptible, lead
from tidegate.settings import Settings, load_settings

REFRESH_S = 1.0


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: tidegate up --detach")(up)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="leave it running in the background")] = False,
) -> None:
    """Start Tidegate on this machine; Ctrl-C stops it again, --detach leaves it running."""
    settings = load_settings()
    with interruptible():
        provide_tidb(settings)
    try:
        with lead(settings) as front:
            with progress("starting Tidegate") as tell:
                running = installation.start(settings, tell)
            out.print(f"Tidegate runs: http://{running.http} and https://{running.http} (CA: {running.ca_path})")
            out.print(describe_door(open_operator(settings)), markup=False)
            out.print('Point clients here: eval "$(tidegate env)"', markup=False)
            if detach:
                front.detach()
                out.print("Look: tidegate status    Stop: tidegate down")
                return
            stay(settings, front)
    except KeyboardInterrupt as error:
        raise CliError("Interrupted while it started; nothing that was started runs on.") from error


def stay(settings: Settings, front: Front) -> None:
    """In front until interrupted; then everything stops, unless it ran before us."""
    if not front.owns:
        out.print("It ran before: this only looks on. Stop it: tidegate down")
    try:
        watch(settings, front)
        out.print("It was stopped or detached from elsewhere: tidegate status.")
    except KeyboardInterrupt:
        if not front.owns:
            return
        with progress("stopping Tidegate") as tell:
            front.stop(tell)
        out.print("Stopped. Nothing is left running; clusters keep their data.")


def watch(settings: Settings, front: Front) -> None:
    """Show the status until interrupted.  What dies meanwhile is said, not mended: that is the agent's work."""
    with Live(console=err, auto_refresh=False) if err.is_terminal else _Quiet() as screen:
        while not front.relieved:
            try:
                screen.update(render(look(settings)), refresh=True)
            except CliError as error:
                screen.update(str(error), refresh=True)
            time.sleep(REFRESH_S)


class _Quiet:
    """In the place of a live screen where there is no terminal: a service log needs no picture each second."""

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, _: object, *, refresh: bool) -> None:
        pass
