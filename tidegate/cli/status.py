"""``tidegate status``: a summary, then one sentence per resource of what is wrong and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from tidegate import installation
from tidegate.cli.access import open_operator
from tidegate.cli.clients import CliError, Json
from tidegate.cli.reports import Format, Output, out, print_json
from tidegate.settings import Settings, load_settings

ORDER = {"failed": 0, "working": 1, "ready": 2}
STYLES = {"failed": "not bold red", "working": "not bold yellow", "ready": "not bold green"}


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: tidegate status -o json")(status)


def status(
    everything: Annotated[bool, typer.Option("--all", help="also each region's own service, used or not")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Say what runs, and of each resource in one sentence what is wrong and why.

    Exit status: 0 all is well or on its way, 1 something failed or nothing runs.
    """
    settings = load_settings()
    running = installation.describe(settings)
    if running is None:
        raise CliError(installation.explain_absence(settings))
    report = look(settings)
    report["address"], report["processes"] = running.http, running.pids
    if output is Format.JSON:
        print_json(report)
    else:
        out.print(f"http://{running.http}  https://{running.http}  home {settings.home}", markup=False)
        out.print(render(report, everything))
    if is_wrong(report):
        raise typer.Exit(1)


def look(settings: Settings) -> Json:
    """The operator's report, and who stands still.  Raises :class:`CliError` when that is ``serve`` itself."""
    stopped = installation.explain_stopped(settings)
    if "serve" in stopped:
        raise CliError(" ".join(stopped.values()))
    return open_operator(settings).get("/status") | {"stopped": stopped}


def is_wrong(report: Json) -> bool:
    agent = report["agent"]
    return not agent["connected"] or bool(agent["errors"] or report["stopped"]) or report["phases"]["failed"] > 0


def summarize(report: Json) -> str:
    """The first line: is all well, and if not, how much is not."""
    phases = report["phases"]
    total = sum(phases.values())
    if not report["agent"]["connected"]:
        return f"The agent is not connected: {report['agent']['reason']}"
    if report["stopped"]:
        return f"Not well: {', '.join(report['stopped'])} stands still."
    if is_wrong(report):
        parts = f", {len(report['agent']['errors'])} parts of the host" if report["agent"]["errors"] else ""
        return f"Not well: {phases['failed']} of {total} resources failed{parts}."
    if phases["working"]:
        return f"{phases['working']} of {total} resources are on their way; nothing failed."
    return f"All is well: {total} resources, all as wished."


def choose_rows(resources: Sequence[Json], everything: bool) -> list[Json]:
    """What is wrong first.  The regions' own services that no endpoint uses are one row, unless asked for each."""
    idle = [r for r in resources if not everything and is_idle_service(r)]
    shown = [r for r in resources if not any(r is other for other in idle)]
    rows = sorted(shown, key=lambda r: (ORDER.get(r["phase"], 0), r["kind"], r["name"], r["id"]))
    return [*rows, group_services(idle)] if idle else rows


def is_idle_service(row: Json) -> bool:
    return row["kind"] == "service" and (row["state"], row["phase"], row["endpoints"]) == ("offered", "ready", 0)


def group_services(idle: Sequence[Json]) -> Json:
    """One row for all of them."""
    reason = "Each region offers one, and no endpoint uses these. See each: tidegate status --all."
    name = f"of {len(idle)} regions"
    return {"kind": "service", "id": "", "name": name, "state": "offered", "phase": "ready", "reason": reason}


def render(report: Json, everything: bool = False) -> Text:
    """For ``status`` once, and for ``up`` again and again: the summary, then one line per resource."""
    text = Text(summarize(report), style="bold red" if is_wrong(report) else "bold green")
    for sentence in report["stopped"].values():
        text.append(f"\n{sentence}", style="red")
    for part, sentence in sorted(report["agent"]["errors"].items()):
        text.append(f"\nhost: {part}: {sentence}", style="red")
    rows = choose_rows(report["resources"], everything)
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*map(_cells, rows), strict=True)]
    for row in rows:
        padded = "  ".join(f"{cell:<{width}}" for cell, width in zip(_cells(row), widths, strict=True))
        text.append(f"\n{padded}  ", style=STYLES[row["phase"]])
        text.append(row["reason"] + count_uses(row), style="not bold default")
    return text


def count_uses(row: Json) -> str:
    """Of a service that is used: by how many."""
    uses = row.get("endpoints", 0)
    return f" Used by {uses} endpoint{'s' if uses > 1 else ''}." if uses else ""


def _cells(row: Json) -> tuple[str, str, str]:
    return row["kind"].replace("_", " "), row["name"] or row["id"], row["state"]
