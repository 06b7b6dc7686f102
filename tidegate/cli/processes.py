"""The processes that ``tidegate up`` starts, each as a hidden command too: for a debugger, or a unit file."""

from __future__ import annotations

from typing import Annotated

import typer

# app imports every driver: within each command, because those that only ask an API must not wait for that.


def register(app: typer.Typer) -> None:
    app.command(hidden=True, epilog="Example: tidegate serve   (`tidegate up` starts it)")(serve)
    app.command(hidden=True, epilog="Example: tidegate agent   (`tidegate up` starts it)")(agent)
    app.command(hidden=True, epilog="Example: tidegate gateway alicloud-ap-southeast-1   (the agent starts it)")(
        gateway
    )
    app.command(hidden=True, epilog="Example: tidegate dns   (the agent starts it)")(dns)


def serve() -> None:
    """APIs, store and controller of an installation, until SIGTERM; unprivileged."""
    _run("serve")


def agent() -> None:
    """The network world of this host, and all that runs in it, until SIGTERM."""
    _run("agent")


def gateway(region: Annotated[str, typer.Argument(metavar="REGION")]) -> None:
    """The MySQL front door of one region, inside its provider namespace, until SIGTERM."""
    _run("gateway", region)


def dns() -> None:
    """The resolvers of every VPC of this host, until SIGTERM."""
    _run("resolvers")


def _run(*arguments: str) -> None:
    from tidegate import app

    app.main(list(arguments))
