"""One request of a reader, and the ways to answer it.  See the package's docstring for examples."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tidegate.console.errors import Problem
from tidegate.console.forms import Form
from tidegate.console.guard import Cookies, Throttle, form_token
from tidegate.console.live import Live
from tidegate.console.templates import render_template
from tidegate.console.words import language
from tidegate.domain.users import User
from tidegate.operations.context import Caller, Context
from tidegate.store.changes import Change

ROOT = "/console"
FLASH_S = 60


def _nothing_known(cluster_id: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the consoles are built from.  ``sessions_of(cluster_id)``: open sessions now, None while nobody knows.

    ``ca_pem``: the certificate that vouches for this installation's endpoints.
    """

    context: Context
    live: Live
    cookies: Cookies
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    throttle: Throttle = field(default_factory=Throttle)
    tidb_version: str = "v8.5.4"
    sessions_of: Callable[[str], int | None] = _nothing_known
    ca_pem: str = ""


class Visit:
    """One request: who, what was sent, and the ways to answer."""

    def __init__(
        self,
        parts: Parts,
        request: Request,
        *,
        user: User | None = None,
        form: Form | None = None,
        secret: str = "",
        page: str = "",
    ) -> None:
        self.parts, self.request, self._user, self.form = parts, request, user, form or Form([])
        self.mark = parts.live.mark()
        self.page = page
        """the pattern of the page's path"""
        self.secret = secret
        """the session's token, or a stranger's visit token; what form tokens follow from"""
        self._cookies: list[tuple[str, str | None, int | None]] = []

    # who and what

    @property
    def context(self) -> Context:
        return self.parts.context

    @property
    def user(self) -> User:
        """The one who is logged in; pages that are not public have one."""
        assert self._user is not None
        return self._user

    @property
    def known(self) -> bool:
        return self._user is not None

    @property
    def tidbcloud(self) -> Caller:
        """For operations on clusters: the user's TiDB Cloud organization."""
        return Caller(self.user.tidbcloud_account_id, user_name=self.user.name)

    @property
    def alicloud(self) -> Caller:
        """For operations on networks and endpoints: the user's Alibaba Cloud account."""
        return Caller(self.user.alicloud_account_id, user_name=self.user.name)

    @property
    def params(self) -> Mapping[str, str]:
        """What the page's path names in braces."""
        return self.request.path_params

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def path(self) -> str:
        return str(self.request.scope["path"])

    @property
    def here(self) -> str:
        """This very URL, without the host."""
        query = self.request.scope["query_string"].decode("latin-1")
        return self.path + (f"?{query}" if query else "")

    @property
    def language(self) -> str:
        return language()

    @property
    def form_token(self) -> str:
        return form_token(self.secret)

    @property
    def fragment(self) -> bool:
        """htmx asks for a piece of a page, not a browser for a page."""
        return "hx-request" in self.request.headers

    @property
    def form_layout(self) -> str:
        """What a page that is one form extends: a dialog over the page that htmx is on, else a page."""
        return "dialog.html" if self.fragment else "page_form.html"

    def flash(self) -> tuple[str, str] | None:
        """(level, text) of the message that a redirect left, once."""
        text = self.request.cookies.get(self.parts.cookies.flash, "")
        if not text or self.fragment:
            return None
        self.set_cookie(self.parts.cookies.flash, None)
        try:
            level, message = json.loads(base64.urlsafe_b64decode(text))
            return ("error" if level == "error" else "success"), str(message)
        except (ValueError, TypeError):
            return None

    # answers

    def render(self, template: str, *, status: int = 200, watch: Iterable[Change] = (), **values: Any) -> Response:
        """The page; or, when htmx asks for one of its blocks by name, that block alone."""
        values |= {"visit": self, "watch": list(watch)}
        block = self.request.headers.get("hx-target", "") if self.fragment else ""
        return self._finish(HTMLResponse(render_template(template, block, values), status))

    def ask(
        self,
        *,
        title: str,
        text: str,
        button: str,
        back: str,
        tone: str = "danger",
        refusal: Problem | None = None,
    ) -> Response:
        """Is this really wanted?  The answer is a POST to the same path.  ``back``: whole path of who says no."""
        values: dict[str, Any] = {
            "title": title,
            "text": text,
            "button": button,
            "back": back,
            "tone": tone,
            "problem": refusal,
        }
        return self.render("ask.html", status=422 if refusal else 200, small=True, **values)

    def redirect(self, path: str, message: str = "", *, level: str = "success") -> Response:
        """After a change: to ``path`` (without ``/console``), where ``message`` is shown once."""
        if message:
            packed = base64.urlsafe_b64encode(json.dumps([level, message[:500]]).encode()).decode()
            self.set_cookie(self.parts.cookies.flash, packed, FLASH_S)
        if self.fragment:
            return self._finish(Response(status_code=204, headers={"HX-Redirect": ROOT + path}))
        return self._finish(RedirectResponse(ROOT + path, 303))

    def set_cookie(self, name: str, value: str | None, age_s: int | None = None) -> None:
        """With the answer; None removes it."""
        self._cookies.append((name, value, age_s))

    def _finish(self, response: Response) -> Response:
        for name, value, age_s in self._cookies:
            if value is None:
                self.parts.cookies.drop(response, name)
            else:
                self.parts.cookies.set(self.request, response, name, value, age_s)
        return response


Handler = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """A path under ``/console`` and who answers it.  ``public``: without being logged in."""

    path: str
    get: Handler | None = None
    post: Handler | None = None
    public: bool = False
