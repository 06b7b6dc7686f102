"""Whose request this is: the digest of the header held against the store's keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tidegate.api.tidbcloud.digest import DigestAuthenticator, Presented, parse_authorization
from tidegate.domain.accounts import AccessKey
from tidegate.operations.accounts import find_key
from tidegate.operations.context import Context

_PUBLIC_KEY = re.compile(r"[A-Za-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody we know signed it.  ``challenge`` is the value of WWW-Authenticate."""

    challenge: str


class Credentials:
    """Use it on one event loop: the counts of nonces are not for several threads."""

    def __init__(self, context: Context, clock_s: Callable[[], float]) -> None:
        self._context, self._clock_s = context, clock_s
        self._digest = DigestAuthenticator()

    async def find_signer(self, request: Request) -> AccessKey | Unknown:
        """The active key of this realm that signed the request.  Why another one is refused, nobody is told."""
        presented = parse_authorization(request.headers.get("authorization", ""))
        if presented is None:
            return Unknown(self._digest.challenge(self._clock_s()))
        key = await run_in_threadpool(self._find, presented)
        secret = key.secret if key else None
        verdict = self._digest.decide(presented, secret, request.method, _target(request), self._clock_s())
        if key is None or verdict != "accepted":
            return Unknown(self._digest.challenge(self._clock_s(), stale=verdict == "stale"))
        return key

    def _find(self, presented: Presented) -> AccessKey | None:
        if not _PUBLIC_KEY.fullmatch(presented.username):
            return None
        key = find_key(self._context, "tidbcloud", presented.username)
        return key if key is not None and key.active else None


def _target(request: Request) -> str:
    """Path and query as sent: what the client has hashed."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")  # type: ignore[no-any-return]
