"""The order of folders."""

from __future__ import annotations

from pathlib import Path

import pytest

BROWSER = Path(__file__).parent / "browser"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: while Playwright is open an event loop runs in this thread, and no other test
    could run one (626 could not, when ``browser`` came first by its name).
    """
    items.sort(key=lambda item: BROWSER in item.path.parents)
