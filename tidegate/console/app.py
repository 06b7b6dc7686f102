"""The consoles as one ASGI application: routes, session, language, and what goes wrong.

Each page's handler runs in a worker thread with the reader's language set.  Refusals become error pages, a store that
cannot be written says so, and a fault of ours is logged with its traceback and answered without one.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

import structlog
from anyio import CapacityLimiter, to_thread
from prometheus_client import Histogram
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tidegate.console.errors import describe_refusal, refusal_status
from tidegate.console.forms import Form, FormError, read_form
from tidegate.console.guard import HEADERS, decide_form_trusted, make_visit_token
from tidegate.console.live import TooManyStreams, parse_watched
from tidegate.console.pages import PAGES
from tidegate.console.static import URL as STATIC_URL
from tidegate.console.static import load_files, serve_static
from tidegate.console.templates import build_environment
from tidegate.console.visit import ROOT, Page, Parts, Visit
from tidegate.console.words import _, choose_language, speaking
from tidegate.domain.refusals import Refusal
from tidegate.domain.users import User
from tidegate.operations import users
from tidegate.store.changes import Change
from tidegate.store.store import StoreError

log = structlog.get_logger("tidegate.console")

_SEND_LIMIT_S = 20.0
THREADS = 20
"""of their own: pages that wait, for a server or a password's hash, take none from the APIs"""
LIVE_HEADER = "x-tidegate-live"
"""on requests that a live page makes by itself: they do not keep a session alive"""


def build_console(parts: Parts) -> ASGIApp:
    """For ``chain.build_app(fallback=...)``.  From now on ``parts.live`` hears of each commit of the store."""
    load_files()
    build_environment()
    threads = CapacityLimiter(THREADS)
    parts.context.store.listen(parts.live.notify)
    seconds = Histogram("tidegate_console_seconds", "Time to answer a page", ("page",), registry=parts.registry)
    routes = [
        Route("/", _lead_in),
        Route(ROOT, _lead_in),
        Route(f"{STATIC_URL}/{{name}}", serve_static),
        Route(f"{ROOT}/live", _live(parts)),
        *(Route(ROOT + page.path, _serve(parts, page, seconds, threads), methods=_methods(page)) for page in PAGES),
        Route("/{path:path}", _serve(parts, Page("/404", get=_show_lost, public=True), seconds, threads)),
    ]
    return Starlette(routes=routes)


def _methods(page: Page) -> list[str]:
    """GET always: after a change of language, or a login, a browser asks for the address that a form was sent to."""
    return ["GET", "POST"] if page.post else ["GET"]


async def _lead_in(request: Request) -> Response:
    return RedirectResponse(f"{ROOT}/", 303)


def _serve(
    parts: Parts, page: Page, seconds: Histogram, threads: CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            form = await read_form(request) if request.method == "POST" else None
            response = await to_thread.run_sync(_answer, parts, page, request, form, limiter=threads)
        except FormError as error:
            response = PlainTextResponse("This is no form of the console.\n", error.status)
        response.headers.update(HEADERS)
        elapsed_s = time.perf_counter() - started
        seconds.labels(page.path).observe(elapsed_s)
        log.info(
            "page", page=page.path, method=request.method, status=response.status_code, ms=round(elapsed_s * 1e3, 1)
        )
        return response

    return answer


def _answer(parts: Parts, page: Page, request: Request, form: Form | None) -> Response:
    """In a worker thread.  Whatever happens, somebody reads a sentence about it."""
    cookie = request.cookies.get(parts.cookies.language, "")
    with speaking(choose_language(cookie, request.headers.get("accept-language", ""))):
        visit = Visit(parts, request, page=page.path)
        try:
            user, secret = _who(parts, request)
            visit = Visit(parts, request, user=user, form=form, secret=secret, page=page.path)
            if (refused := _refuse(visit, page, form)) is not None:
                return refused
            handler = page.post if form is not None else page.get
            return handler(visit) if handler else visit.redirect(visit.path.removeprefix(ROOT).rpartition("/")[0])
        except Refusal as refusal:
            return show_error(visit, refusal_status(refusal), describe_refusal(refusal).text)
        except StoreError as error:
            log.error("store refused", reason=str(error))
            return show_error(visit, 503, _("Tidegate's store cannot be used now. Try again; its log says why."))
        except Exception:
            # As text and here only: exception texts may hold values of the request.
            log.error("page failed", page=page.path, traceback=traceback.format_exc())
            return show_error(visit, 500, _("Tidegate failed to make this page (our side). Its log has the cause."))


def _who(parts: Parts, request: Request) -> tuple[User | None, str]:
    """The user and the secret that form tokens follow from; a stranger's is the visit cookie's."""
    token = request.cookies.get(parts.cookies.session, "")
    user = users.find_session_user(parts.context, token, seen=LIVE_HEADER not in request.headers) if token else None
    return user, token if user else request.cookies.get(parts.cookies.visit, "")


def _refuse(visit: Visit, page: Page, form: Form | None) -> Response | None:
    """To the login first; no forged forms; and who is no user yet gets the cookie that ties forms to a browser."""
    if not visit.known and not page.public:
        goal = visit.path if form is not None or visit.fragment else visit.here
        return visit.redirect(f"/login?next={quote(goal)}")
    if form is not None and not decide_form_trusted(visit.secret, form.get("form_token"), visit.request):
        text = _("This form is too old, or another site sent it. Load the page again, and send it once more.")
        return show_error(visit, 403, text)
    if not visit.known and not visit.secret:
        visit.secret = make_visit_token()
        visit.set_cookie(visit.parts.cookies.visit, visit.secret)
    return None


def _show_lost(visit: Visit) -> Response:
    if not visit.path.startswith(f"{ROOT}/") and "text/html" not in visit.request.headers.get("accept", ""):
        return PlainTextResponse("Nothing is served at this path.\n", 404)  # a program looked for an API
    return show_error(visit, 404, _("There is no such page."))


def show_error(visit: Visit, status: int, text: str) -> Response:
    """A page; or, for htmx, an alert where the page has its alerts."""
    if not visit.fragment:
        return visit.render("error.html", status=status, text=text)
    response = visit.render("alert.html", status=422, text=text)
    response.headers.update({"HX-Retarget": "#alerts", "HX-Reswap": "innerHTML"})
    return response


def _live(parts: Parts) -> Callable[[Request], Awaitable[Response]]:
    async def stream(request: Request) -> Response:
        token = request.cookies.get(parts.cookies.session, "")
        user = await to_thread.run_sync(lambda: users.find_session_user(parts.context, token, seen=False))
        if user is None:
            return Response(status_code=401, headers=HEADERS)
        try:
            parts.live.require_room(user.user_id)
        except TooManyStreams:
            return PlainTextResponse("Too many live pages.\n", 503, headers={**HEADERS, "Retry-After": "30"})
        wanted = parse_watched(request.query_params.getlist("watch"))
        events = _events(parts, user, wanted, request.query_params.get("since", ""))
        return EventSourceResponse(events, headers=dict(HEADERS), ping=25, send_timeout=_SEND_LIMIT_S)

    return stream


async def _events(parts: Parts, user: User, wanted: list[Change], since: str) -> AsyncIterator[ServerSentEvent]:
    async for _again in parts.live.watch(user.user_id, wanted, since):
        yield ServerSentEvent(event="changed", data="1")
