"""The command ``tidegate``: all commands put together, and every error turned into one sentence.

Exit status: 0 done; 1 refused, failed or interrupted, with one sentence on stderr; 2 a command line that cannot be
read.  ``vpc exec`` answers with its command's own status, or 127 when there is no such command, 126 when it cannot be
executed.
"""

from __future__ import annotations

import os
import sys

import typer

from tidegate import __version__
from tidegate.cli import account, cluster, demo, down, endpoint, env, processes, status, tidb, up, user, vpc
from tidegate.cli.clients import CliError
from tidegate.cli.reports import err

MANUAL = """Private endpoints to real TiDB clusters, on your own machine.

Start it with `tidegate up`, see the whole path with `tidegate demo`, point existing clients here with
`eval "$(tidegate env)"`. TIDEGATE_HOME says where everything is kept.
"""

app = typer.Typer(
    help=MANUAL,
    epilog="Example: tidegate up --detach && tidegate status",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidegate {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: bool = typer.Option(False, "--version", help="show the version", callback=show_version, is_eager=True),
) -> None:
    """Nothing of its own: only what stands before a command."""


for part in (up, down, status, env, demo, user, tidb, processes):
    part.register(app)
for name, family in (
    ("vpc", vpc.app),
    ("cluster", cluster.app),
    ("endpoint", endpoint.app),
    ("account", account.app),
    ("user", user.app),
):
    app.add_typer(family, name=name)


def main() -> int:
    """The entry point; never a traceback for what a user can mend.

    typer itself ends the process for --help, a wrong command line (2) and Ctrl-C.
    """
    try:
        app(prog_name="tidegate")
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`); python must not complain about it when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except known_errors() as error:
        err.print(f"tidegate: {error}", markup=False, style="red" if err.is_terminal else None)
        return getattr(error, "exit_status", 1)
    return 0


def known_errors() -> tuple[type[Exception], ...]:
    """Those whose text is a sentence for people.  Anything else is a fault of ours and keeps its traceback."""
    from tidegate.agent.world import WorldError
    from tidegate.engine.binary import NoBinaryError
    from tidegate.installation import InstallationError
    from tidegate.settings import SettingsError

    return CliError, SettingsError, WorldError, InstallationError, NoBinaryError


if __name__ == "__main__":
    sys.exit(main())
