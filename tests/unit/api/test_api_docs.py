"""docs/api.md and docs/tidbcloud-openapi.json are what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tidegate.api.tidbcloud.openapi import DESCRIBED
from tidegate.api.tidbcloud.routes import OFFERED

ROOT = Path(__file__).parents[3]


def test_the_page_of_supported_calls_is_generated() -> None:
    """A page that is written by hand goes stale with the first renamed call."""
    command = [sys.executable, str(ROOT / "tools" / "write_api_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_offered_call_is_described() -> None:
    """A call without a description is one that schemathesis does not try."""
    assert set(DESCRIBED) == {route.action for _, _, route in OFFERED}
