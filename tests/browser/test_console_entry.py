"""The door of the consoles in a real browser: the first link, passwords, languages, and who sees what."""

from __future__ import annotations

from console_person import Enter
from playwright.sync_api import expect

from tidegate.cli.access import open_operator
from tidegate.cli.user import describe_door
from tidegate.testing import World


def test_the_first_link(world: World, enter: Enter) -> None:
    """What `tidegate up` prints is all that somebody has on the first day; it must work once, and only once."""
    told = describe_door(open_operator(world.settings))
    assert told.startswith("Consoles, this link logs you in once: http")
    link = told.rpartition(" ")[2]
    first = enter(name="")
    first.use_link(link, password="ebb and flow of 1")
    expect(first.page.get_by_role("heading", level=1)).to_have_text("Clusters")

    second = enter(name="")
    second.page.goto(link.removeprefix(second.home))
    expect(second.page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    assert describe_door(open_operator(world.settings)).endswith("/console/"), "no link once there is a password"

    second.go("/clusters")
    second.page.get_by_label("User name").fill("admin")
    second.page.get_by_label("Password").fill("ebb and flow of 2")
    second.click("button", "Log in")
    expect(second.page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    second.page.get_by_label("Password").fill("ebb and flow of 1")
    second.click("button", "Log in")
    expect(second.page.get_by_role("heading", level=1)).to_have_text("Clusters")
