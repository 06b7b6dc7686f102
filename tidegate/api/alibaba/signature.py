"""Alibaba Cloud request signatures, V1 (HMAC-SHA1) and V3 (ACS3-HMAC-SHA256): bytes and secrets in, verdicts out.

Two steps, because the secret must be looked up between them::

    parse_credentials(method, path, query, headers, body) --> Presented | Fault
    secret = (whatever the store has for presented.access_key_id)
    check_clock(presented.timestamp, now)                 --> Fault | None
    verify(presented, secret)                             --> bool; False: mismatch(presented) for the message
    nonces.remember(presented, now)                       --> Fault | None; only after verify, so that
                                                              strangers cannot fill it

Sources: alibabacloud-tea-openapi 0.4.6 ``utils.py``, alibabacloud-go/tea-rpc ``client.go``, aliyun/alibaba-cloud-sdk-go
``sdk/auth``, help centre "V3 request structure and signature" (read 2026-11).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

Algorithm = Literal["ACS3-HMAC-SHA256", "HMAC-SHA1"]
Pairs = tuple[tuple[str, str], ...]

TOLERANCE_S = 15 * 60
"""A time stamp may be this old ("Public error codes"); for the future nothing is documented, so the same."""
_MAX_PAIRS = 2000
_MAX_NONCE_CHARACTERS = 256
_ACS3: Final = "ACS3-HMAC-SHA256"
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 +Credential=([^,\s]{1,256}), *SignedHeaders=([a-z0-9;_-]{1,2048}), *Signature=([0-9a-fA-F]{64})"
)
_FORM = "application/x-www-form-urlencoded"
_V1_REQUIRED = (
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "Timestamp",
    "Signature",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal as facts; status and words are in ``errors.py``.

    ``code`` is the cloud's (``MissingTimestamp``, ``SignatureNonceUsed``...).  ``parameter``: which one, where the
    code speaks of one.  ``string_to_sign``: ours, for SignatureDoesNotMatch, whose message must contain it.
    """

    code: str
    parameter: str | None = None
    string_to_sign: str | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows of its signer.  Nothing in it is true before :func:`verify` has said so."""

    algorithm: Algorithm
    access_key_id: str
    signature: str
    nonce: str
    timestamp: str
    string_to_sign: str
    security_token: str | None
    parameters: Pairs
    """query and form together, in the order sent; V1's own (AccessKeyId, Signature...) among them"""
    body_as_signed: bool = True
    """False: x-acs-content-sha256 is not the hash of the body that came"""


def parse_credentials(
    method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> Presented | Fault:
    """Read who claims to have signed this request, and what they must have signed.

    ``path`` and ``query`` as sent (percent-encoded), ``headers`` in any case and order, ``method`` as sent.
    """
    fields = _collect_headers(headers)
    parameters = parse_parameters(query, fields.get("content-type", ""), body)
    if isinstance(parameters, Fault):
        return parameters
    authorization = fields.get("authorization", "")
    if authorization.startswith("ACS3-"):
        return _parse_acs3(method, path, query, fields, body, authorization, parameters)
    return _parse_v1(method, parameters)


def parse_parameters(query: bytes, content_type: str, body: bytes) -> Pairs | Fault:
    """Query and form body merged, decoded: ``+`` and ``%20`` are both a blank.  Repetitions are kept."""
    pairs = _parse_pairs(query)
    if content_type.partition(";")[0].strip().lower() == _FORM and not isinstance(pairs, Fault):
        form = _parse_pairs(body)
        pairs = form if isinstance(form, Fault) else pairs + form
    if not isinstance(pairs, Fault) and len(pairs) > _MAX_PAIRS:
        return Fault("InvalidParameter.Format")
    return pairs


def verify(presented: Presented, secret: str) -> bool:
    """Whether ``secret`` made the signature; takes the same time wherever they differ."""
    message = presented.string_to_sign.encode()
    if presented.algorithm == _ACS3:
        expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        given = presented.signature.lower()
    else:
        expected = base64.b64encode(hmac.new(f"{secret}&".encode(), message, hashlib.sha1).digest()).decode()
        given = presented.signature
    return hmac.compare_digest(expected.encode(), given.encode()) and presented.body_as_signed


def mismatch(presented: Presented) -> Fault:
    """The refusal for a signature that :func:`verify` denied."""
    return Fault("SignatureDoesNotMatch", string_to_sign=presented.string_to_sign)


def check_clock(timestamp: str, now: datetime) -> Fault | None:
    """Refuse a time stamp of bad shape, or more than 15 minutes from ``now`` (aware), either way."""
    moment = parse_timestamp(timestamp)
    if moment is None:
        return Fault("InvalidTimeStamp.Format", "Timestamp")
    if abs((now - moment).total_seconds()) > TOLERANCE_S:
        return Fault("InvalidTimeStamp.Expired", "Timestamp")
    return None


def parse_timestamp(timestamp: str) -> datetime | None:
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


class NonceMemory:
    """Nonces seen, per access key, as long as the time stamp they came with would still be taken.

    Bounded: at most ``per_key`` for one key; then its calls are throttled until the oldest expire.  Lost with
    the process: within 15 minutes of a restart an overheard request could be replayed once.  Any thread may call.
    """

    def __init__(self, per_key: int = 100_000) -> None:
        self._per_key = per_key
        self._seen: dict[str, set[str]] = {}
        self._by_minute: dict[int, list[tuple[str, str]]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def remember(self, presented: Presented, now: datetime) -> Fault | None:
        """Note a verified request's nonce.  A Fault means: refuse it."""
        with self._lock:
            self._forget_before(now)
            return self._note(presented, now)

    def _note(self, presented: Presented, now: datetime) -> Fault | None:
        seen = self._seen.setdefault(presented.access_key_id, set())
        if presented.nonce in seen:
            return Fault("SignatureNonceUsed")
        if len(seen) >= self._per_key:
            return Fault("Throttling.User")
        moment = parse_timestamp(presented.timestamp) or now
        seen.add(presented.nonce)
        minute = int(moment.timestamp() + TOLERANCE_S) // 60 + 1
        self._by_minute.setdefault(minute, []).append((presented.access_key_id, presented.nonce))
        return None

    def _forget_before(self, now: datetime) -> None:
        current = int(now.timestamp()) // 60
        for minute in [minute for minute in self._by_minute if minute < current]:
            for key, nonce in self._by_minute.pop(minute):
                self._seen[key].discard(nonce)
                if not self._seen[key]:
                    del self._seen[key]


# -- V1 --------------------------------------------------------------------------------------------------


def _parse_v1(method: str, parameters: Pairs) -> Presented | Fault:
    values = dict(parameters)
    if values.get("SignatureType") == "BEARERTOKEN":
        return Fault("InvalidSignatureMethod", "SignatureType")
    for name in _V1_REQUIRED:
        if not values.get(name):
            return Fault(f"Missing{name}", name)
    if values["SignatureMethod"].upper() != "HMAC-SHA1" or values["SignatureVersion"] != "1.0":
        return Fault("InvalidSignatureMethod", "SignatureMethod")
    if len(values["SignatureNonce"]) > _MAX_NONCE_CHARACTERS:
        return Fault("InvalidSignatureNonce", "SignatureNonce")
    signed = canonical_query(pair for pair in parameters if pair[0] != "Signature")
    return Presented(
        "HMAC-SHA1",
        values["AccessKeyId"],
        values["Signature"],
        values["SignatureNonce"],
        values["Timestamp"],
        f"{method}&%2F&{encode(signed)}",
        values.get("SecurityToken") or None,
        parameters,
    )


# -- V3 --------------------------------------------------------------------------------------------------


def _parse_acs3(
    method: str,
    path: str,
    query: bytes,
    headers: Mapping[str, str],
    body: bytes,
    authorization: str,
    parameters: Pairs,
) -> Presented | Fault:
    if not authorization.startswith(_ACS3 + " "):
        return Fault("InvalidSignatureMethod", "Authorization")
    match = _AUTHORIZATION.fullmatch(authorization)
    pairs = _parse_pairs(query)
    if match is None or isinstance(pairs, Fault):
        return Fault("IncompleteSignature", "Authorization")
    access_key_id, signed_names, signature = match.groups()
    signed = signed_names.split(";")
    if (missing := _unsigned(signed, headers)) is not None:
        return Fault("IncompleteSignature", missing)
    nonce = headers["x-acs-signature-nonce"]
    if not 0 < len(nonce) <= _MAX_NONCE_CHARACTERS:
        return Fault("InvalidSignatureNonce", "x-acs-signature-nonce")
    body_hash = hashlib.sha256(body).hexdigest()
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed)
    canonical = f"{method}\n{path or '/'}\n{canonical_query(pairs)}\n{lines}\n{signed_names}\n{body_hash}"
    return Presented(
        _ACS3,
        access_key_id,
        signature,
        nonce,
        headers["x-acs-date"],
        f"{_ACS3}\n{hashlib.sha256(canonical.encode()).hexdigest()}",
        headers.get("x-acs-security-token") or None,
        parameters,
        body_as_signed=headers.get("x-acs-content-sha256", body_hash).lower() == body_hash,
    )


def _unsigned(signed: list[str], headers: Mapping[str, str]) -> str | None:
    """The first header that must be present and signed but is not.

    Every x-acs header says what to do or by whom, so one left out of the signature could be exchanged on the way.
    """
    must = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"}
    must.update(name for name in headers if name.startswith("x-acs-"))
    lacking = sorted((must - set(signed)) | (set(signed) - set(headers)))
    return lacking[0] if lacking else None


# -- encoding --------------------------------------------------------------------------------------------


def encode(text: str) -> str:
    """RFC 3986: everything but ``A-Za-z0-9-_.~`` as UTF-8 in upper-case hex."""
    return quote(text, safe="~")


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encoded, sorted by the bytes of name and value; an empty value keeps its ``=``."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(pairs))


def _parse_pairs(text: bytes) -> Pairs | Fault:
    fields = [field for field in text.split(b"&") if field]
    if len(fields) > _MAX_PAIRS:
        return Fault("InvalidParameter.Format")
    try:
        return tuple((_decode(name), _decode(value)) for name, _, value in (f.partition(b"=") for f in fields))
    except UnicodeDecodeError:
        return Fault("InvalidParameter.Format")


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode()


def _collect_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names, values trimmed; of a repeated header the values sorted and joined, as the signers do."""
    collected: dict[str, list[str]] = {}
    for name, value in headers:
        collected.setdefault(name.decode("latin-1").lower(), []).append(_header_text(value))
    return {name: ",".join(sorted(values)) for name, values in collected.items()}


def _header_text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
