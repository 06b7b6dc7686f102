"""HTTP digest authentication, the server's side (RFC 7616, and RFC 2069 for clients without ``qop``).

::

    no Authorization             -> 401 with challenge()
    parse_authorization(header)  -> Presented | None; None: 401 with challenge()
    secret = (whatever the store has for presented.username, or None)
    decide(presented, secret, method, target, now) -> "accepted" | "stale" | "denied"
    "stale", "denied"            -> 401 with challenge(stale=...)

What the cloud's own clients accept decides what we offer (icholy/digest, used by ticloud and the Terraform provider):
``algorithm=MD5`` in capitals, and exactly ``qop="auth"``.  The realm is ``tidbcloud``; clients do not care.

**Nonces are stateless**: time and randomness under a MAC, so a flood of first requests costs no memory, and after a
restart (a new key) every old nonce is answered 401 "stale" with a fresh one, on which all clients retry by themselves.

**Counts** (``nc``) are kept for nonces that have authenticated somebody, so strangers cannot fill the memory.  Clients
that work in parallel share a nonce and overtake each other, so ``nc`` need not grow: any unused value is taken that is
above the highest seen or less than :data:`WINDOW` below it; a used one never.  Without ``nc`` a nonce is good once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Algorithm = Literal["MD5", "SHA-256"]
Verdict = Literal["accepted", "stale", "denied"]

REALM = "tidbcloud"
NONCE_LIFE_S = 3600.0
WINDOW = 1024
_NONCES_KEPT = 20_000
_HEADER_MAX_CHARACTERS = 16 * 1024
_MAC_BYTES = 16
_STAMP = struct.Struct("!d12s")
_FUTURE_S = 5.0
"""A nonce from further ahead than this comes from before the clock was set back: stale."""

_FIELD = re.compile(r'\s*([A-Za-z0-9*_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)')
_NC = re.compile(r"[0-9a-fA-F]{8}")
_REQUIRED = ("username", "realm", "nonce", "uri", "response")


@dataclass(frozen=True, slots=True)
class Presented:
    """The fields of one ``Authorization: Digest`` header.  ``qop`` None: the old form without count."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str | None
    qop: str | None
    nc: str
    cnonce: str


def parse_authorization(header: str) -> Presented | None:
    """Read the header; None if it is not a digest, is malformed, or asks for what was not offered."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest" or len(header) > _HEADER_MAX_CHARACTERS:
        return None
    fields = _parse_fields(rest)
    if fields is None or any(name not in fields for name in _REQUIRED):
        return None
    qop = fields.get("qop")
    if qop is not None and (qop != "auth" or not _NC.fullmatch(fields.get("nc", "")) or not fields.get("cnonce")):
        return None
    return Presented(
        **{name: fields[name] for name in _REQUIRED},
        algorithm=fields.get("algorithm"),
        qop=qop,
        nc=fields.get("nc", ""),
        cnonce=fields.get("cnonce", ""),
    )


class DigestAuthenticator:
    """One per process: its key makes its nonces.  May be used from several threads."""

    def __init__(
        self,
        *,
        realm: str = REALM,
        algorithm: Algorithm = "MD5",
        key: bytes | None = None,
        nonce_life_s: float = NONCE_LIFE_S,
        nonces_kept: int = _NONCES_KEPT,
    ) -> None:
        self._realm = realm
        self._algorithm = algorithm
        self._key = key or secrets.token_bytes(32)
        self._nonce_life_s = nonce_life_s
        self._counts = _Counts(nonces_kept)
        self._nobody = secrets.token_hex(16)

    def challenge(self, now_s: float, *, stale: bool = False) -> str:
        """The value of ``WWW-Authenticate``.  ``now_s``: seconds since the epoch."""
        header = (
            f'Digest realm="{self._realm}", nonce="{self._make_nonce(now_s)}", qop="auth", algorithm={self._algorithm}'
        )
        return header + ", stale=true" if stale else header

    def decide(self, presented: Presented, secret: str | None, method: str, target: str, now_s: float) -> Verdict:
        """Judge one request.  ``target``: path and query as sent.  ``secret`` None: nobody by that name.

        "stale": rightly signed, but with a nonce that is old, used up or from before a restart; the client retries.
        "accepted" uses up the count, so ask once per request.
        """
        # An unknown name takes as long as a known one: nobody learns which keys exist.
        right = self._matches(presented, self._nobody if secret is None else secret, method)
        if not right or secret is None or not self._is_addressed(presented, target):
            return "denied"
        issued_s = self._read_nonce(presented.nonce)
        if issued_s is None or not -_FUTURE_S <= now_s - issued_s <= self._nonce_life_s:
            return "stale"
        count = int(presented.nc, 16) if presented.qop else None
        return "accepted" if self._counts.use(presented.nonce, issued_s, count, now_s - self._nonce_life_s) else "stale"

    def _is_addressed(self, presented: Presented, target: str) -> bool:
        # A server sees no difference between "/a" and "/a?", some clients sign the question mark.
        same_target = hmac.compare_digest(_bytes(presented.uri.removesuffix("?")), _bytes(target.removesuffix("?")))
        algorithm = presented.algorithm or "MD5"
        return same_target and presented.realm == self._realm and algorithm.upper() == self._algorithm

    def _matches(self, presented: Presented, secret: str, method: str) -> bool:
        digest = _digester(self._algorithm)
        a1 = digest(f"{presented.username}:{presented.realm}:{secret}")
        a2 = digest(f"{method}:{presented.uri}")
        middle = f"{presented.nc}:{presented.cnonce}:{presented.qop}:" if presented.qop else ""
        expected = digest(f"{a1}:{presented.nonce}:{middle}{a2}")
        return hmac.compare_digest(expected.encode(), _bytes(presented.response.lower()))

    def _make_nonce(self, now_s: float) -> str:
        stamp = _STAMP.pack(now_s, secrets.token_bytes(12))
        return base64.urlsafe_b64encode(stamp + self._mac(stamp)).decode()

    def _read_nonce(self, nonce: str) -> float | None:
        """When we made it; None if we did not."""
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except ValueError:
            return None
        stamp, mac = raw[: _STAMP.size], raw[_STAMP.size :]
        if len(stamp) != _STAMP.size or not hmac.compare_digest(mac, self._mac(stamp)):
            return None
        issued_s: float = _STAMP.unpack(stamp)[0]
        return issued_s

    def _mac(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp, "sha256")[:_MAC_BYTES]


@dataclass(slots=True)
class _Count:
    """``used``: bit i is set when ``highest - i`` has been used."""

    issued_s: float
    highest: int = 0
    used: int = 0
    once: bool = False


class _Counts:
    """Which counts of which nonces are used up.  At most ``kept`` nonces.

    A nonce that is not here is either new or was forgotten; to tell them apart, the latest issue time of all that
    were forgotten is kept, and whatever was issued before then counts as used up.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._forgotten_until_s = float("-inf")
        self._lock = threading.Lock()

    def use(self, nonce: str, issued_s: float, count: int | None, expired_s: float) -> bool:
        """Use up ``count`` (None: the whole nonce) if it is still free.  Nonces issued before ``expired_s`` go."""
        with self._lock:
            known = self._counts.get(nonce)
            if known is None:
                if issued_s <= self._forgotten_until_s:
                    return False
                known = self._counts[nonce] = _Count(issued_s)
            self._counts.move_to_end(nonce)
            self._forget(expired_s)
            return _use_count(known, count)

    def _forget(self, expired_s: float) -> None:
        while self._counts:
            oldest = next(iter(self._counts))
            issued_s = self._counts[oldest].issued_s
            if len(self._counts) <= self._kept and issued_s >= expired_s:
                return
            del self._counts[oldest]
            self._forgotten_until_s = max(self._forgotten_until_s, issued_s)


def _use_count(known: _Count, count: int | None) -> bool:
    if count is None:
        free = not known.once and not known.used
        known.once = True
        return free
    if known.once or count == 0:
        return False
    ahead = count - known.highest
    if ahead > 0:
        # Far ahead, every bit falls out of the window: do not shift by what a client chose.
        known.used = ((known.used << ahead) if ahead < WINDOW else 0) & ((1 << WINDOW) - 1) | 1
        known.highest = count
        return True
    bit = 1 << -ahead if -ahead < WINDOW else 0
    if not bit or known.used & bit:
        return False
    known.used |= bit
    return True


def _parse_fields(text: str) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None or match[1].lower() in fields:
            return None
        quoted = match[2]
        fields[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = match.end()
    return fields


def _digester(algorithm: Algorithm) -> Callable[[str], str]:
    # MD5 is what the protocol's clients speak; it is not relied on against collisions here (RFC 7616 5.10).
    def digest(text: str) -> str:
        data = _bytes(text)
        if algorithm == "MD5":
            return hashlib.md5(data, usedforsecurity=False).hexdigest()
        return hashlib.sha256(data).hexdigest()

    return digest


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
