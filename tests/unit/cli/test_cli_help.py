"""Each command is its own manual: what it does, and one example to copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tidegate.cli.main import app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    """A newcomer copies the example first and reads the options later, if ever."""
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    example = " ".join(result.output.split()).partition("Example: ")[2]
    assert "tidegate" in example


@pytest.mark.parametrize("path", [p for p in ALL if len(p) < 2 and p], ids=" ".join)
def test_help_says_what_it_does(path: tuple[str, ...]) -> None:
    """The one line in the list of commands must not be empty."""
    found: Any = typer.main.get_command(app)
    for name in path:
        found = found.commands[name]
    assert found.get_short_help_str(200)


def test_every_promised_command_is_there() -> None:
    """Scripts and documentation call these by name."""
    names = {" ".join(path) for path in ALL}
    assert {
        "up", "down", "status", "env", "demo", "tidb", "serve", "agent", "gateway", "dns",
        "vpc create", "vpc list", "vpc delete", "vpc exec", "vpc attach",
        "cluster create", "cluster list", "cluster show", "cluster password", "cluster connect", "cluster delete",
        "user create", "user list", "user link", "console",
        "endpoint create", "endpoint list", "endpoint show", "endpoint delete", "endpoint verify",
    } <= names  # fmt: skip


def test_no_option_takes_a_secret() -> None:
    """Arguments are visible to every user of the host (ps)."""
    for path in ALL:
        found: Any = typer.main.get_command(app)
        for name in path:
            found = found.commands[name]
        for parameter in found.params:
            secret = any(word in (parameter.name or "") for word in ("password", "secret", "token"))
            assert not secret or getattr(parameter, "is_flag", False), (path, parameter.name)
