"""``tidegate down``: stop everything; no namespace, link, rule, process or mount stays."""

from __future__ import annotations

import typer

from tidegate import installation
from tidegate.cli.reports import out, progress
from tidegate.settings import load_settings


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: tidegate down")(down)


def down() -> None:
    """Stop Tidegate on this machine. Clusters and settings stay in TIDEGATE_HOME for the next start."""
    settings = load_settings()
    with progress("stopping Tidegate") as tell:
        installation.stop(settings, tell)
    out.print(f"Stopped. Everything durable is in {settings.home}.", markup=False)
