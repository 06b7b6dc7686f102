"""Users of the consoles: made by the operator, let in by a one-time link, then by their password."""

from __future__ import annotations

from dataclasses import replace

from tidegate.domain import users as rules
from tidegate.domain.accounts import REALMS, Realm
from tidegate.domain.names import LOWER, MIXED
from tidegate.domain.refusals import Conflict, NotFound, QuotaReached
from tidegate.domain.users import LoginLink, Session, User, digest_token
from tidegate.operations.accounts import add_account
from tidegate.operations.context import Caller, Context, Work, change

_NOBODY = Caller("")
FIRST_USER = "admin"
USERS_AT_MOST = 1000
_TOKEN_LETTERS = 43
"""of MIXED: 250 bits"""


def ensure_first_user(context: Context) -> None:
    """``admin``, acting for the oldest account of each realm; nothing once there are users."""
    with change(context, _NOBODY) as work:
        if work.tx.users.count():
            return
        oldest = {
            realm: min(work.tx.accounts.find(realm=realm), key=lambda account: account.created_at).account_id
            for realm in REALMS
        }
        work.tx.users.add(_user(context, work, FIRST_USER, oldest))


def create_user(context: Context, name: str, accounts: dict[Realm, str]) -> User:
    """``accounts``: whom the user acts for; for a realm that is left out an account of its own is made.

    Raises Missing, Malformed, Conflict for a name that is taken, NotFound for an account, QuotaReached.
    """
    name = rules.require_user_name(name)
    with change(context, _NOBODY) as work:
        if work.tx.users.count(name=name):
            raise Conflict("user", name)
        if work.tx.users.count() >= USERS_AT_MOST:
            raise QuotaReached("users", USERS_AT_MOST)
        return work.tx.users.add(_user(context, work, name, {r: _account(context, work, r, accounts) for r in REALMS}))


def list_users(context: Context) -> list[User]:
    """All, oldest first."""
    with context.store.read() as tx:
        return sorted(tx.users.find(), key=lambda user: user.created_at)


def make_login_link(context: Context, name: str) -> str:
    """A fresh token that logs this user in once, soon; earlier ones are void.  Raises NotFound."""
    token = context.draw(MIXED, _TOKEN_LETTERS)
    with change(context, _NOBODY) as work:
        found = work.tx.users.find(name=name.lower())
        if not found:
            raise NotFound("user", name)
        for link in work.tx.login_links.find():
            if link.user_id == found[0].user_id or link.expires_at < work.now:
                work.tx.login_links.remove(link.digest)
        work.tx.login_links.add(LoginLink(digest_token(token), found[0].user_id, work.now + rules.LINK_LIFE))
    return token


def find_link_user(context: Context, token: str) -> User | None:
    """Whom the link would log in.  It is not used up: mail scanners and previews open links too."""
    with context.store.read() as tx:
        link = tx.login_links.get(digest_token(token))
        return tx.users.get(link.user_id) if link and link.expires_at >= context.now() else None


def use_login_link(context: Context, token: str, password: str) -> str | None:
    """The new session's token, or None for a link that is used up, expired or unknown.

    ``password`` becomes the user's, and ends the user's other sessions; empty, the one there is stays.
    Raises Missing for a user who has none yet, Malformed for one that will not do.
    """
    with context.store.read() as tx:
        link = tx.login_links.get(digest_token(token))
        user = tx.users.get(link.user_id) if link else None
    if link is None or user is None or link.expires_at < context.now():
        return None
    changed = _with_password(context, user, password) if password or not user.password_hash else user
    with change(context, _NOBODY) as work:
        link = work.tx.login_links.get(digest_token(token))  # again: somebody else may just have used it
        if link is None or link.expires_at < work.now:
            return None
        work.tx.login_links.remove(link.digest)
        if changed is not user:
            work.tx.users.put(changed)
            _end_sessions(work, work.tx.sessions.find(user_id=user.user_id))
        return _begin_session(context, work, user)


def log_in(context: Context, name: str, password: str) -> str | None:
    """The new session's token, or None: which of the two was wrong is not said, nor told by the time it takes."""
    with context.store.read() as tx:
        found = tx.users.find(name=name.lower())
    right = rules.decide_password(password, found[0].password_hash if found else "")
    if not right:
        return None
    with change(context, _NOBODY) as work:
        return _begin_session(context, work, found[0])


def find_session_user(context: Context, token: str, *, seen: bool = True) -> User | None:
    """Who this session's token belongs to; None once it is over.  ``seen``: the user did something, so it goes on."""
    with context.store.read() as tx:
        session = tx.sessions.get(digest_token(token))
        user = tx.users.get(session.user_id) if session else None
    now = context.now()
    if session is None or rules.decide_expired(session, now):
        return None
    if seen and now - session.seen_at > rules.SEEN_STEP:
        with change(context, _NOBODY) as work:
            if work.tx.sessions.get(session.digest) is not None:
                work.tx.sessions.put(replace(session, seen_at=now))
    return user


def log_out(context: Context, token: str) -> None:
    with change(context, _NOBODY) as work:
        work.tx.sessions.remove(digest_token(token))


def _with_password(context: Context, user: User, password: str) -> User:
    password = rules.require_new_password(password, user.name)
    return replace(user, password_hash=rules.hash_password(password, context.draw(MIXED, 16)))


def _begin_session(context: Context, work: Work, user: User) -> str:
    """Bounded: what has expired goes, whoever's it was, and so does the oldest one of too many."""
    sessions = work.tx.sessions.find()
    _end_sessions(work, [session for session in sessions if rules.decide_expired(session, work.now)])
    own = sorted((s for s in sessions if s.user_id == user.user_id), key=lambda session: session.seen_at)
    _end_sessions(work, own[: -rules.SESSIONS_PER_USER + 1])
    token = context.draw(MIXED, _TOKEN_LETTERS)
    work.tx.sessions.add(Session(digest_token(token), user.user_id, work.now, work.now))
    return token


def _end_sessions(work: Work, sessions: list[Session]) -> None:
    for session in sessions:
        work.tx.sessions.remove(session.digest)


def _user(context: Context, work: Work, name: str, accounts: dict[Realm, str]) -> User:
    user_id = "user-" + context.draw(LOWER, 16)
    return User(user_id, name, accounts["alicloud"], accounts["tidbcloud"], work.now)


def _account(context: Context, work: Work, realm: Realm, accounts: dict[Realm, str]) -> str:
    wanted = accounts.get(realm)
    if wanted is None:
        return add_account(context, work, realm, "console-user")[0].account_id
    account = work.tx.accounts.get(wanted)
    if account is None or account.realm != realm:
        raise NotFound("account", wanted)
    return wanted
