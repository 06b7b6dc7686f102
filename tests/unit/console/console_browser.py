"""A browser without a screen: cookies, redirects and forms over ASGI, with a real store behind.  No controller runs:
the test plays it by writing rows.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx

from tidegate.console.app import build_console
from tidegate.console.guard import Cookies, Throttle
from tidegate.console.live import Live
from tidegate.console.visit import Parts
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.operations import users
from tidegate.operations.accounts import ensure_first_accounts
from tidegate.operations.context import Caller, Context
from tidegate.operations.services import ensure_region_services
from tidegate.store.store import Store

PASSWORD = "correct horse battery"


@dataclass
class Clock:
    """Moves only when told; each look is a millisecond later, so that creations have an order."""

    now: datetime = datetime(2026, 11, 23, 8, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_time(self, step: timedelta) -> None:
        self.now += step


class World:
    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.live = store, Clock(), Live()
        self.asked: list[SqlTask] = []
        self.reply = SqlReply()
        self.sessions: dict[str, int] = {}
        self.context = Context(store, now=self.clock, ask=self._ask)
        ensure_first_accounts(self.context)
        ensure_region_services(self.context)
        users.ensure_first_user(self.context)
        self.parts = Parts(
            self.context,
            self.live,
            Cookies("test"),
            throttle=Throttle(self.clock.seconds),
            sessions_of=self.sessions.get,
        )
        self.app = build_console(self.parts)

    def _ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        """In the server's place: what it was asked, and what the test says it answers."""
        self.asked.append(task)
        return self.reply

    def browser(self, language: str = "en", **options: Any) -> Browser:
        return Browser(self.app, language, **options)

    def enter(self, name: str, language: str = "en") -> Browser:
        """Logged in as this user, through a session made below the pages: scrypt is slow on purpose."""
        browser = self.browser(language)
        token = users.make_login_link(self.context, name)
        with self.store.write() as tx:
            user = tx.users.find(name=name)[0]
            if not user.password_hash:
                from dataclasses import replace

                tx.users.put(replace(user, password_hash="scrypt$x$0"))
        session = users.use_login_link(self.context, token, "")
        assert session is not None
        browser.cookies.set(self.parts.cookies.session, session, domain="tidegate.test")
        return browser

    def caller(self, name: str, realm: str = "tidbcloud") -> Caller:
        with self.store.read() as tx:
            return Caller(tx.users.find(name=name)[0].account_id(realm))  # type: ignore[arg-type]


@dataclass
class Shown:
    """An answer.  ``text``: what a person reads, without tags."""

    reply: httpx.Response

    @property
    def status(self) -> int:
        return self.reply.status_code

    @property
    def html(self) -> str:
        return self.reply.text

    @property
    def text(self) -> str:
        return read_text(self.html)

    @property
    def path(self) -> str:
        return self.reply.url.path

    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]*)"', self.html)
        return unescape(found[1]) if found else ""


class Browser:
    def __init__(self, app: Any, language: str, scheme: str = "http") -> None:
        self.app, self.scheme = app, scheme
        self.headers = {"accept-language": language}
        self.cookies = httpx.Cookies()

    def get(self, path: str, *, follow: bool = True, **headers: str) -> Shown:
        return self._send("GET", path, follow, headers=headers)

    def post(self, path: str, form: dict[str, Any] | None = None, *, token: str | None = None, follow: bool = True,
             **headers: str) -> Shown:  # fmt: skip
        """As a form of the console is sent; the token is fetched from a page, as it would be in one."""
        if token is None:
            token = self.get("/console/404").form_token()
        return self._send("POST", path, follow, data={"form_token": token, **(form or {})}, headers=headers)

    def fragment(self, path: str, target: str) -> Shown:
        """As htmx asks for one live part."""
        return self.get(path, **{"HX-Request": "true", "HX-Target": target})

    def _send(self, method: str, path: str, follow: bool, **options: Any) -> Shown:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            base = f"{self.scheme}://tidegate.test"
            async with httpx.AsyncClient(
                transport=transport, base_url=base, cookies=self.cookies, headers=self.headers
            ) as http:
                reply = await http.request(method, path, follow_redirects=follow, **options)
                self.cookies = http.cookies
                return reply

        return Shown(asyncio.run(send()))


@dataclass
class _Reader(HTMLParser):
    words: list[str] = field(default_factory=list)
    hidden: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style")
        self.words += [value or "" for name, value in attrs if name in ("aria-label", "title", "placeholder")]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def read_text(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    return " ".join(" ".join(reader.words).split())
