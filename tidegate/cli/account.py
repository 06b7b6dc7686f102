"""``tidegate account``: who may call the APIs.  For the operator of this installation, through the operator's API."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tidegate.cli.access import open_operator
from tidegate.cli.reports import Format, Output, print_facts, print_rows

app = typer.Typer(
    help="Alibaba accounts and TiDB Cloud organizations with their keys: create, list, key, disable.",
    epilog="Example: tidegate account create alicloud team-b",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Realm(StrEnum):
    ALICLOUD = "alicloud"
    TIDBCLOUD = "tidbcloud"


@app.command(epilog="Example: tidegate account create alicloud team-b -o json")
def create(
    realm: Annotated[Realm, typer.Argument(metavar="REALM", help="alicloud or tidbcloud")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="2 to 128 letters, for people")],
    output: Output = Format.TABLE,
) -> None:
    """Make an account (or organization) with its first key; the secret is shown now and never again."""
    made = open_operator().call("POST", "/accounts", realm=realm.value, name=name)
    facts = {k: made[k] for k in ("account_id", "realm", "name", "project_id", "key_id", "secret") if made.get(k)}
    print_facts(facts, output)


@app.command("list", epilog="Example: tidegate account list -o json")
def list_(output: Output = Format.TABLE) -> None:
    """All accounts, with the ids of their keys."""
    rows = [
        {**found, "keys": " ".join(key["key_id"] + ("" if key["active"] else " (disabled)") for key in found["keys"])}
        for found in open_operator().get("/accounts")["accounts"]
    ]
    print_rows(rows, ("account_id", "realm", "name", "keys"), output)


@app.command(epilog="Example: tidegate account key 1234567890123456")
def key(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="the account's id")],
    output: Output = Format.TABLE,
) -> None:
    """One more key for an account; the secret is shown now and never again."""
    print_facts(open_operator().call("POST", f"/accounts/{account}/keys"), output)


@app.command(epilog="Example: tidegate account disable LTAI5tExample")
def disable(key: Annotated[str, typer.Argument(metavar="KEY", help="the key's id")]) -> None:
    """Refuse whatever this key signs from now on.  An account keeps one active key."""
    open_operator().call("DELETE", f"/keys/{key}")
