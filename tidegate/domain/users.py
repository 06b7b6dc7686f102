"""People who use the consoles.  A user acts for one Alibaba account and one TiDB Cloud organization.

Everything secret is kept as a digest: passwords by scrypt, because people choose them; session tokens and login links
by SHA-256, because they are 256 random bits and need no slowing down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.domain.accounts import Realm
from tidegate.domain.refusals import Malformed, Missing

IDLE_LIMIT = timedelta(hours=2)
SESSION_LIMIT = timedelta(hours=24)
LINK_LIFE = timedelta(minutes=30)
SEEN_STEP = timedelta(minutes=1)
"""a session is marked as seen at most this often: not every page costs a write"""
SESSIONS_PER_USER = 20

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}")
_LETTERS = range(10, 129)
# 32 MiB and about 0.1 s for each guess (OWASP, Password Storage Cheat Sheet, scrypt, seen 2026-11).
_COST, _BLOCK, _LANES, _MEMORY_BYTES = 2**15, 8, 1, 64 << 20


@dataclass(frozen=True, slots=True)
class User:
    """``password_hash``: empty until the user has chosen one through a login link."""

    user_id: str
    name: str
    alicloud_account_id: str
    tidbcloud_account_id: str
    created_at: datetime
    password_hash: str = ""

    def account_id(self, realm: Realm) -> str:
        return self.alicloud_account_id if realm == "alicloud" else self.tidbcloud_account_id

    def __repr__(self) -> str:
        return f"User({self.name!r})"


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is logged in; ``digest`` of the token that only its cookie has."""

    digest: str
    user_id: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class LoginLink:
    """Logs its user in once, with no password."""

    digest: str
    user_id: str
    expires_at: datetime


def digest_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def decide_expired(session: Session, now: datetime) -> bool:
    return now - session.seen_at > IDLE_LIMIT or now - session.created_at > SESSION_LIMIT


def require_user_name(name: str) -> str:
    """2 to 63 small letters, digits and ``._@-``; capital ones are made small.  Raises Missing, Malformed."""
    if not name:
        raise Missing("user name")
    if not _NAME.fullmatch(name.lower()):
        raise Malformed("user name", name)
    return name.lower()


def require_new_password(password: str, name: str) -> str:
    """10 to 128 letters and not the user's name.  Raises Missing, Malformed, never with the password in it."""
    if not password:
        raise Missing("new password")
    if len(password) not in _LETTERS or password.lower() == name:
        raise Malformed("new password", "(hidden)")
    return password


def hash_password(password: str, salt: str) -> str:
    """``scrypt$<salt>$<hex>``.  Slow on purpose; ``salt`` is drawn by the caller for each password."""
    return f"scrypt${salt}${_scrypt(password, salt)}"


def decide_password(password: str, stored: str) -> bool:
    """As slow for a user without a password as for a wrong one: the time tells nobody who exists."""
    _, salt, right = stored.split("$") if stored else ("", "nobody", "")
    return hmac.compare_digest(_scrypt(password[: _LETTERS.stop], salt), right)


def _scrypt(password: str, salt: str) -> str:
    return hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY_BYTES, dklen=32
    ).hex()
