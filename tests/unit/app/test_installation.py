"""What is said while nobody answers."""

from __future__ import annotations

import os
from pathlib import Path

from tidegate import installation
from tidegate.agent.processes import write_record
from tidegate.settings import load_settings


def test_where_nothing_runs_the_remedy_is_up(tmp_path: Path) -> None:
    settings = load_settings({"TIDEGATE_HOME": str(tmp_path / "home"), "TIDEGATE_RUN": str(tmp_path / "run")})
    assert installation.explain_absence(settings).startswith("Tidegate is not running (home: ")


def test_a_killed_serve_is_not_said_to_be_all_that_ran(tmp_path: Path) -> None:
    """After ``kill -9`` of serve, status said that Tidegate was not running, while gateways and databases went on."""
    settings = load_settings({"TIDEGATE_HOME": str(tmp_path / "home"), "TIDEGATE_RUN": str(tmp_path / "run")})
    settings.run.mkdir()
    write_record(settings.run / "agent.json", os.getpid())
    said = installation.explain_absence(settings)
    assert "serve, which answers here, does not run" in said
    assert "Still running: agent, so connections go on" in said
    assert "tidegate up --detach" in said and "tidegate down" in said
