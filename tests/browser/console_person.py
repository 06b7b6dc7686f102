"""A person with a browser: their language, window and light, what they click, and what went wrong on the way."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect, sync_playwright

from tidegate.cli.access import open_operator
from tidegate.cli.user import make_link
from tidegate.console.words import translations
from tidegate.testing import World

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
PATIENCE_MS = 20_000
"""for what a busy machine does; what is measured is measured by the benchmark"""
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
WINDOWS = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    # No name is looked up: whatever is not a loopback address fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
LOOPBACK = "127.0.0.1"
EXPECTED = re.compile("the server responded with a status of|^htmx:(sendAbort|afterRequest),")
"""refusals, which are tested by their pages; and a request that the next choice took the place of"""


def missing_browser() -> str | None:
    """Why no browser can be had, or None."""
    if shutil.which("chromium") is None:
        return "needs Chromium: sudo apt-get install -y --no-install-recommends chromium fonts-noto-cjk"
    return None


@contextmanager
def open_browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """``page`` is their only tab.  ``troubles`` collects errors of scripts, failed answers and strangers asked."""

    def __init__(
        self,
        browser: Browser,
        world: World,
        language: str = "en",
        *,
        window: str = "wide",
        light: str = "light",
        scripts: bool = True,
    ) -> None:
        self.world, self.language = world, language
        self.home = f"http://{world.access.server.address}"
        self.troubles: list[str] = []
        self._context = browser.new_context(
            locale=LOCALES[language],
            viewport=WINDOWS[window],
            color_scheme=light,
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
            base_url=self.home,
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self._context.route("**/*", self._guard)
        self.page: Page = self._context.new_page()
        self._listen()

    # going in and out

    def log_in(self, name: str) -> None:
        """By a one-time link, as ``tidegate user link`` prints it; the password is kept as it is, or chosen."""
        self.use_link(make_link(open_operator(self.world.settings), name))

    def use_link(self, link: str, password: str = "") -> None:
        self.page.goto(urlsplit(link).path)
        if self.page.locator("#password").get_attribute("required") is not None:
            password = password or secrets.token_urlsafe(12)
        self.page.locator("#password").fill(password)
        self.page.locator("#password_again").fill(password)
        self.page.locator("main form button").click()
        self.page.wait_for_url(re.compile(r"/console/clusters"))

    def close(self) -> None:
        self._context.close()

    # moving about

    def go(self, path: str) -> Page:
        """``path`` without ``/console``."""
        self.page.goto(f"/console{path}")
        return self.page

    def say(self, english: str, **values: str) -> str:
        """The words as this person reads them; ``values`` for its ``%(name)s`` or ``{name}``."""
        words = str(translations(self.language).gettext(english))
        return words % values if "%(" in words else words.format(**values) if values else words

    def find(self, role: Any, english: str, within: Page | Locator | None = None, **values: str) -> Locator:
        """By what a screen reader would say: the role, and the whole name."""
        return (within or self.page).get_by_role(role, name=self.say(english, **values), exact=True)

    def click(self, role: Any, english: str, within: Locator | None = None, **values: str) -> None:
        self.find(role, english, within, **values).click()

    def field(self, english: str, within: Locator | None = None) -> Locator:
        """By its label, which may be followed by the star of a required one."""
        return (within or self.page).get_by_label(re.compile(f"^{re.escape(self.say(english))}( \\*)?$"))

    def fact(self, english: str, within: Locator | None = None) -> Locator:
        """The value that stands beside this word in a list of facts."""
        word = self.page.locator("dt", has_text=re.compile(f"^{re.escape(self.say(english))}$"))
        return (within or self.page).locator(".facts > div", has=word).locator("dd")

    def picture(self, name: str) -> None:
        """Kept as build output, for people to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def clipboard(self) -> str:
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    # what goes wrong

    def _guard(self, route: Route) -> None:
        if urlsplit(route.request.url).hostname == LOOPBACK:
            route.continue_()
        else:
            self.troubles.append(f"asked a stranger: {route.request.url}")
            route.abort()

    def _listen(self) -> None:
        self.page.on("pageerror", lambda error: self.troubles.append(f"script error: {error}"))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        """Chromium reports what the Content-Security-Policy blocked here as well."""
        if EXPECTED.search(message.text):
            return
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


Enter = Callable[..., Person]
"""the fixture ``enter``"""
