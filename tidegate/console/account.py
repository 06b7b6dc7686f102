"""The door: login, one-time links, logout, the reader's language."""

from __future__ import annotations

import threading

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.words import LANGUAGES, _
from tidegate.domain.refusals import Refusal
from tidegate.domain.users import SESSION_LIMIT
from tidegate.operations import users

HOME = "/clusters"
_HASHING = threading.BoundedSemaphore(2)
"""a hash takes 32 MiB: strangers must not make many of them at once"""
_YEAR_S = 365 * 24 * 3600
_PASSWORD_FIELDS = {"new password": "password"}


def show_login(visit: Visit) -> Response:
    if visit.known:
        return visit.redirect(HOME)
    return visit.render("account/login.html", name="", next=local_path(visit.query.get("next", "")), problem=None)


def log_in(visit: Visit) -> Response:
    """Slowed per name and per address, so that neither a password nor a name can be guessed at speed."""
    name, goal = visit.form.get("name"), local_path(visit.form.get("next"))
    keys = (f"name {name.lower()[:64]}", f"address {_address(visit)}")
    throttle = visit.parts.throttle
    if wait_s := throttle.begin_try(*keys):
        text = _("Too many attempts. Try again in {minutes} min.").format(minutes=int(wait_s // 60) + 1)
        return visit.render("account/login.html", status=422, name=name, next=goal, problem=Problem(text))
    with _HASHING:
        token = users.log_in(visit.context, name, visit.form.get("password"))
    if token is not None:
        throttle.forget(*keys)
        return _enter(visit, token, goal)
    text = _("User name or password is wrong.")
    return visit.render("account/login.html", status=422, name=name, next=goal, problem=Problem(text))


def show_link(visit: Visit) -> Response:
    user = users.find_link_user(visit.context, visit.params["token"])
    if user is None:
        return visit.render("account/link_gone.html", status=404)
    return visit.render("account/link.html", guest=user, problem=None)


def use_link(visit: Visit) -> Response:
    token = visit.params["token"]
    user = users.find_link_user(visit.context, token)
    password = visit.form.get("password")
    if user is not None and password != visit.form.get("password_again"):
        problem = Problem(_("The two passwords differ."), "password_again")
        return visit.render("account/link.html", status=422, guest=user, problem=problem)
    try:
        with _HASHING:
            session = users.use_login_link(visit.context, token, password)
    except Refusal as refusal:
        problem = describe_refusal(refusal, _PASSWORD_FIELDS)
        return visit.render("account/link.html", status=422, guest=user, problem=problem)
    if session is None:
        return visit.render("account/link_gone.html", status=404)
    return _enter(visit, session, ROOT + HOME)


def log_out(visit: Visit) -> Response:
    users.log_out(visit.context, visit.secret)
    visit.set_cookie(visit.parts.cookies.session, None)
    return visit.redirect("/login", _("You are logged out."))


def choose_language(visit: Visit) -> Response:
    wanted = visit.form.get("language")
    if wanted in LANGUAGES:
        visit.set_cookie(visit.parts.cookies.language, wanted, _YEAR_S)
    return visit.redirect(local_path(visit.form.get("next")).removeprefix(ROOT))


def show_home(visit: Visit) -> Response:
    return visit.redirect(HOME)


def local_path(text: str) -> str:
    """``text`` if it is a path of the consoles, else the first page: nobody is sent elsewhere by a link."""
    local = text.startswith(f"{ROOT}/") and "\\" not in text and text.isprintable()
    return text if local else ROOT + HOME


def _enter(visit: Visit, token: str, goal: str) -> Response:
    visit.set_cookie(visit.parts.cookies.session, token, int(SESSION_LIMIT.total_seconds()))
    visit.set_cookie(visit.parts.cookies.visit, None)
    return visit.redirect(goal.removeprefix(ROOT))


def _address(visit: Visit) -> str:
    return visit.request.client.host if visit.request.client else ""


PAGES = (
    Page("/", get=show_home),
    Page("/login", get=show_login, post=log_in, public=True),
    Page("/link/{token}", get=show_link, post=use_link, public=True),
    Page("/logout", post=log_out),
    Page("/language", post=choose_language, public=True),
)
