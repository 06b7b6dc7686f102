"""One installation, one Chromium, and people who look at the consoles through it.

Skipped, with the reason, where there is no Chromium: ``scripts/setup --tests`` installs it as root.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves a test folder out of the path

from console_person import Enter, Person, missing_browser, open_browser
from playwright.sync_api import Browser

from tidegate.testing import Cluster, World
from tidegate.testing.plugin import open_world, pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file: while Playwright runs, nobody else in this process can have an event loop."""
    if reason := missing_browser():
        pytest.skip(reason)
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Clusters never sleep here.  Without a browser no installation need be made."""
    if reason := missing_browser():
        pytest.skip(reason)
    with open_world() as world:
        yield world


@pytest.fixture(scope="session")
def orders(world: World) -> Cluster:
    return world.cluster("orders")


@pytest.fixture
def enter(browser: Browser, world: World, request: pytest.FixtureRequest) -> Iterator[Enter]:
    """``enter("admin", language="zh")``: a person with a browser of their own, logged in unless ``name`` is empty.

    When the test ends, whatever any page complained of or asked of a stranger fails it.
    """
    people: list[Person] = []

    def enter(name: str = "admin", language: str = "en", **how: object) -> Person:
        person = Person(browser, world, language, **how)
        people.append(person)
        if name:
            person.log_in(name)
        return person

    yield enter
    for number, person in enumerate(people):
        if getattr(request.node, "failed", False):
            person.picture(f"failed-{request.node.name}-{number}")
        person.close()
    troubles = [trouble for person in people for trouble in person.troubles]
    assert not troubles, f"{request.node.name}: {troubles}"


@pytest.hookimpl(hookwrapper=True, specname="pytest_runtest_makereport")
def pytest_remember_failure(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """For the last picture of a test that fails."""
    yield
    if call.when == "call" and call.excinfo is not None:
        item.failed = True
