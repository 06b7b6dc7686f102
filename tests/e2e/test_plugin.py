"""The pytest plugin as users have it: the example of its documentation runs, and a failure shows the world."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tidegate import testing
from tidegate.testing.plugin import missing_reason

FAILING = """
def test_that_fails(tidegate_world):
    tidegate_world.vpc("b").client()
    assert False, "on purpose"
"""


def example() -> str:
    """The test in the package's docstring."""
    text = (testing.__doc__ or "").partition("    def test_only_a_reaches_it")
    return textwrap.dedent(text[1] + text[2].partition("\n\n")[0])


def test_the_documented_example(tmp_path: Path) -> None:
    """What people copy must work, and what they see when their own test fails must be enough to find out why."""
    if reason := missing_reason():
        pytest.skip(reason)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tidegate.testing.plugin"]\n')
    (tmp_path / "test_example.py").write_text(example() + "\n" + FAILING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout[-6000:]
    shown = done.stdout.partition("the world as it was")[2]
    for what in ("on purpose", "nft list ruleset", "no such address in this VPC", "## serve.log", "## processes"):
        assert what in done.stdout if what == "on purpose" else what in shown
