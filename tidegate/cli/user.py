"""``tidegate user`` and ``tidegate console``: who may use the consoles.  They ask the operator's API."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.access import open_operator
from tidegate.cli.clients import OperatorClient
from tidegate.cli.reports import Format, Output, out, print_facts, print_rows

app = typer.Typer(
    help="People who use the consoles: create, list, link.",
    epilog="Example: tidegate user create alice",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="the user's name")]
COLUMNS = ("name", "alicloud", "tidbcloud", "has_password")


def register(root: typer.Typer) -> None:
    root.command(epilog="Example: tidegate console")(console)


@app.command(epilog="Example: tidegate user create alice --tidbcloud 3123456")
def create(
    name: Name,
    alicloud: Annotated[str | None, typer.Option(help="the Alibaba account to act for; none: a new one")] = None,
    tidbcloud: Annotated[str | None, typer.Option(help="the organization to act for; none: a new one")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Make a user of the consoles, with a link that logs in once and lets the user choose a password."""
    operator = open_operator()
    given = {"alicloud": alicloud, "tidbcloud": tidbcloud}
    made = operator.call("POST", "/users", name=name, **{realm: id_ for realm, id_ in given.items() if id_})
    print_facts({**{key: made[key] for key in COLUMNS[:3]}, "link": make_link(operator, made["name"])}, output)


@app.command("list", epilog="Example: tidegate user list -o json")
def list_(output: Output = Format.TABLE) -> None:
    """All users, and whom they act for."""
    print_rows(open_operator().get("/users")["users"], COLUMNS, output)


@app.command(epilog="Example: tidegate user link alice")
def link(name: Name) -> None:
    """A fresh link that logs this user in once, within 30 minutes; earlier ones are void."""
    out.print(make_link(open_operator(), name), markup=False)


def console() -> None:
    """Where the consoles are: a link that logs the first user in once, within 30 minutes."""
    operator = open_operator()
    out.print(make_link(operator, operator.get("/users")["users"][0]["name"]), markup=False)


def make_link(operator: OperatorClient, name: str) -> str:
    path = operator.call("POST", f"/users/{name}/link")["path"]
    return f"{operator.server.scheme}://{operator.server.address}{path}"


def describe_door(operator: OperatorClient) -> str:
    """For the end of ``tidegate up``: a link while the first user has no password, else where to log in."""
    first = operator.get("/users")["users"][0]
    if first["has_password"]:
        return f"Consoles: {operator.server.scheme}://{operator.server.address}/console/"
    return f"Consoles, this link logs you in once: {make_link(operator, first['name'])}"
