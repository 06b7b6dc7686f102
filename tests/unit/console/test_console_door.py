"""Who gets in: links, passwords, sessions, forms from elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from console_browser import PASSWORD, Browser, World

from tidegate.console.guard import TRIES_ALLOWED, Throttle
from tidegate.domain import users as rules
from tidegate.domain.refusals import Conflict, QuotaReached
from tidegate.domain.users import IDLE_LIMIT, LINK_LIFE, SESSION_LIMIT
from tidegate.operations import users


def first_link(world: World, browser: Browser, password: str = PASSWORD):
    link = "/console/link/" + users.make_login_link(world.context, "admin")
    browser.get(link)
    return link, browser.post(link, {"password": password, "password_again": password})


def test_the_first_way_in(world: World) -> None:
    """A link leads to a password, the password to the clusters; out again, and in with the password."""
    browser = world.browser()
    assert browser.get("/").path == "/console/login"
    _, shown = first_link(world, browser)
    assert shown.path == "/console/clusters"
    assert browser.post("/console/logout").path == "/console/login"
    assert browser.get("/console/clusters").path == "/console/login"
    shown = browser.post("/console/login", {"name": "Admin", "password": PASSWORD, "next": "/console/clusters?page=1"})
    assert shown.path == "/console/clusters"


def test_a_link_works_once_and_not_for_long(world: World) -> None:
    """Links are printed on terminals and pasted into chats."""
    link, _ = first_link(world, world.browser())
    late = world.browser()
    assert late.get(link).status == 404
    assert late.post(link, {"password": PASSWORD, "password_again": PASSWORD}).status == 404
    old = "/console/link/" + users.make_login_link(world.context, "admin")
    new = "/console/link/" + users.make_login_link(world.context, "admin")
    assert late.get(old).status == 404 and late.get(new).status == 200
    world.clock.pass_time(LINK_LIFE + timedelta(seconds=1))
    assert late.get(new).status == 404
    # A password that will not do once made a page of this that failed.
    assert late.post(new, {"password": "short", "password_again": "short"}).status == 404


@pytest.mark.parametrize(("password", "again"), [("short", "short"), ("", ""), (PASSWORD, PASSWORD + "x")])
def test_a_poor_password_does_not_use_the_link_up(world: World, password: str, again: str) -> None:
    browser = world.browser()
    link = "/console/link/" + users.make_login_link(world.context, "admin")
    assert browser.post(link, {"password": password, "password_again": again}).status == 422
    assert browser.post(link, {"password": PASSWORD, "password_again": PASSWORD}).path == "/console/clusters"


def test_a_new_password_ends_other_sessions(world: World) -> None:
    """Whoever stole a session loses it when the user notices."""
    thief = world.enter("admin")
    assert thief.get("/console/clusters").path == "/console/clusters"
    first_link(world, world.browser())
    assert thief.get("/console/clusters").path == "/console/login"


def test_sessions_end(world: World) -> None:
    """By rest and by age; a page that only watches does not count as somebody being there."""
    console = world.enter("admin")
    world.clock.pass_time(IDLE_LIMIT - timedelta(minutes=1))
    assert console.get("/console/clusters").path == "/console/clusters"
    world.clock.pass_time(IDLE_LIMIT - timedelta(minutes=1))
    console.get("/console/clusters", **{"X-Tidegate-Live": "1"})
    world.clock.pass_time(timedelta(minutes=2))
    assert console.get("/console/clusters").path == "/console/login"
    console = world.enter("admin")
    for _ in range(int(SESSION_LIMIT / timedelta(hours=1)) + 1):
        world.clock.pass_time(timedelta(hours=1))
        shown = console.get("/console/clusters")
    assert shown.path == "/console/login"


def test_a_users_oldest_session_makes_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that logs in and never out must not fill the store, nor end anybody else's session."""
    monkeypatch.setattr(rules, "SESSIONS_PER_USER", 3)
    users.create_user(world.context, "alice", {})
    alice = world.enter("alice")
    browsers = [world.enter("admin") for _ in range(5)]
    alive = [browser.get("/console/clusters").path == "/console/clusters" for browser in browsers]
    assert alive == [False, False, True, True, True]
    assert alice.get("/console/clusters").path == "/console/clusters"


def test_users_are_so_many_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may have two accounts made with it; a refused one leaves none behind."""
    monkeypatch.setattr(users, "USERS_AT_MOST", 2)
    users.create_user(world.context, "alice", {})
    with world.store.read() as tx:
        before = tx.accounts.count()
    with pytest.raises(QuotaReached):
        users.create_user(world.context, "bob", {})
    with pytest.raises(Conflict):
        users.create_user(world.context, "Alice", {})
    with world.store.read() as tx:
        assert tx.accounts.count() == before


def test_guessing_is_slowed(world: World) -> None:
    """After five wrong tries the sixth is refused, even if it is right; later it is not."""
    browser = world.browser()
    first_link(world, browser)
    browser.post("/console/logout")
    for _ in range(5):
        assert "wrong" in browser.post("/console/login", {"name": "admin", "password": "no"}).text
    right = {"name": "admin", "password": PASSWORD}
    assert "Too many attempts" in browser.post("/console/login", right).text
    world.clock.pass_time(timedelta(minutes=6))
    assert browser.post("/console/login", right).path == "/console/clusters"


def test_guesses_all_at_once_are_no_more_than_in_turn() -> None:
    """Looking and counting were two steps, and between them stood as many as there are threads."""
    throttle, at_once = Throttle(), Barrier(20)

    def guess(_number: int) -> bool:
        at_once.wait()
        return throttle.begin_try("name admin", "address 127.0.0.1") == 0

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(guess, range(20))) == TRIES_ALLOWED


def test_forms_from_elsewhere_are_refused(world: World, console: Browser) -> None:
    """Without the token, with another session's token, or sent by another site."""
    other = world.enter("admin").get("/console/clusters").form_token()
    own = console.get("/console/clusters").form_token()
    for token, headers in (("", {}), (other, {}), (own, {"Sec-Fetch-Site": "cross-site"})):
        assert console.post("/console/logout", token=token, **headers).status == 403
    assert console.get("/console/clusters").path == "/console/clusters"


@pytest.mark.parametrize(
    "goal", ["https://evil.example/", "//evil.example/", "//[", "/console/\\evil", "/v1beta1", "/console/a\nb"]
)
def test_nobody_is_sent_elsewhere(world: World, goal: str) -> None:
    browser = world.browser()
    first_link(world, browser)
    browser.post("/console/logout")
    shown = browser.post("/console/login", {"name": "admin", "password": PASSWORD, "next": goal})
    assert shown.path == "/console/clusters"


def test_cookies_and_headers(world: World) -> None:
    """What keeps scripts, frames and plain http away from a session."""
    browser = world.browser(scheme="https")
    link = "/console/link/" + users.make_login_link(world.context, "admin")
    browser.get(link)
    form = {"password": PASSWORD, "password_again": PASSWORD}
    reply = browser.post(link, form, follow=False).reply
    cookie = next(c for c in reply.headers.get_list("set-cookie") if c.startswith("tidegate_session_test="))
    assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(cookie.split("; "))
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert reply.headers["x-frame-options"] == "DENY" and reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer" and reply.headers["cache-control"] == "no-store"


def test_the_store_holds_no_secret(world: World) -> None:
    """A stolen database opens no session, follows no link and knows no password."""
    browser = world.browser()
    first_link(world, browser)
    session = browser.cookies["tidegate_session_test"]
    token = users.make_login_link(world.context, "admin")
    with world.store.read() as tx:
        held = repr([tx.sessions.find(), tx.login_links.find(), [u.password_hash for u in tx.users.find()]])
    assert session not in held and token not in held and PASSWORD not in held and "scrypt$" in held


def test_large_and_odd_forms_are_refused(console: Browser) -> None:
    shown = console.post("/console/language", {"x": "y" * 70_000})
    assert shown.status == 413
    shown = console.post("/console/language", {f"f{n}": "1" for n in range(600)})
    assert shown.status == 400


def test_language_switch(console: Browser) -> None:
    """It lasts, and leads back to the page it was pressed on."""
    shown = console.post("/console/language", {"language": "zh", "next": "/console/clusters"})
    assert shown.path == "/console/clusters" and "创建集群" in shown.text
    assert "创建集群" in console.get("/console/clusters").text


def test_no_page_has_inline_script_or_style(console: Browser) -> None:
    """The policy would stop it, silently: the page would only look broken."""
    html = console.get("/console/clusters").html
    assert " style=" not in html and "<style" not in html and " onclick" not in html and "<script>" not in html
