"""What holds for all folders: their order, and that hypothesis looks for wrong answers, not for slow ones."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# Its deadline of 0.2 s for an example measures how busy the machine is: speed is scripts/bench's to tell.
hypothesis.settings.register_profile("tidegate", deadline=None)
hypothesis.settings.load_profile("tidegate")

BROWSER = Path(__file__).parent / "browser"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: while Playwright is open an event loop runs in this thread, and no other test
    could run one (626 could not, when ``browser`` came first by its name).
    """
    items.sort(key=lambda item: BROWSER in item.path.parents)
