"""What protects a reader's browser and session: headers, cookies, tokens against forged forms, slowed guessing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
TRIES_ALLOWED = 5
WINDOW_S = 300.0
REMEMBERED = 10_000


class Cookies:
    """Names carry the installation, because browsers do not tell apart the ports of one host."""

    def __init__(self, installation: str) -> None:
        self.session = f"tidegate_session_{installation}"
        self.visit = f"tidegate_visit_{installation}"
        """a random value of a browser that is not logged in; ties the login form to it"""
        self.flash = f"tidegate_flash_{installation}"
        self.language = "tidegate_language"

    @staticmethod
    def set(request: Request, response: Response, name: str, value: str, age_s: int | None = None) -> None:
        secure = request.scope["scheme"] == "https"
        response.set_cookie(name, value, max_age=age_s, path="/", secure=secure, httponly=True, samesite="lax")

    @staticmethod
    def drop(response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", httponly=True, samesite="lax")


def make_visit_token() -> str:
    return secrets.token_urlsafe(24)


def form_token(secret: str) -> str:
    """What a form must carry: follows from the cookie's secret, which no other site can read or set."""
    return hmac.new(secret.encode(), b"tidegate form", hashlib.sha256).hexdigest() if secret else ""


def decide_form_trusted(secret: str, given: str, request: Request) -> bool:
    """Browsers say where a form came from, too; one from elsewhere is refused whatever it carries."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    right = form_token(secret)
    return bool(right) and site in ("same-origin", "none") and hmac.compare_digest(right.encode(), given.encode())


class Throttle:
    """Tries per key within a window.  In memory and bounded: after a restart everybody begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def begin_try(self, *keys: str) -> float:
        """0 when one more try is allowed, else how long to wait.

        It is allowed and counted in one step, before it is judged: of many at once no more get through than in turn.
        """
        now = self._clock()
        with self._lock:
            wait_s = max((self._wait_s(key) for key in keys), default=0.0)
            if wait_s:
                return wait_s
            for key in keys:
                recent = [at for at in self._tries.pop(key, []) if now - at < WINDOW_S]
                self._tries[key] = [*recent, now][-TRIES_ALLOWED:]
            while len(self._tries) > REMEMBERED:
                self._tries.popitem(last=False)
        return 0.0

    def forget(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                self._tries.pop(key, None)

    def _wait_s(self, key: str) -> float:
        recent = [at for at in self._tries.get(key, []) if self._clock() - at < WINDOW_S]
        return recent[0] + WINDOW_S - self._clock() if len(recent) >= TRIES_ALLOWED else 0.0
