"""docs/api.md is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_of_supported_calls_is_generated() -> None:
    """A page that is written by hand goes stale with the first renamed call."""
    command = [sys.executable, str(ROOT / "tools" / "write_api_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
