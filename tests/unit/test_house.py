"""The shape of the house, enforced: who may import whom, and the files a newcomer is told to open."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_imports_point_inward() -> None:
    """The contracts stand in pyproject.toml, each under its reason."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("tidegate/dataplane/hops.py", "class Hop"),
        ("tidegate/domain/services.py", "def require_same_region"),
        ("tidegate/operations/clusters.py", "def wake_cluster"),
        ("tidegate/controller/clusters.py", "def reconcile_cluster"),
        ("tidegate/domain/endpoints.py", "CREATING ──> ACTIVE"),
    ],
)
def test_what_a_newcomer_opens_is_there(file: str, name: str) -> None:
    """CONTRIBUTING.md and docs/concepts send people to these places."""
    assert name in (ROOT / file).read_text()


def test_no_room_without_a_noun() -> None:
    """A function nobody can place lacks a noun; such files are where they gather."""
    banned = re.compile(r"(^|_)(utils?|commons?|managers?|helpers?|misc)(_|\.|$)")
    found = [str(p) for p in (ROOT / "tidegate").rglob("*") if banned.search(p.name)]
    assert found == []
