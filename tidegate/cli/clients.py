"""Small clients of our own for the public APIs: signing, sending, and errors as one sentence.

Alibaba's RPC style with ACS3-HMAC-SHA256 (DOC "V3 request structure and signature", seen 2026-11), TiDB Cloud's
``/v1beta1`` with HTTP digest, and the operator's API with a bearer token.  They need no SDK installed, so that the
command line starts quickly.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx

Json = dict[str, Any]
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
READY_LIMIT_S = 2.0
VERSIONS = {"vpc": "2016-04-28", "ecs": "2014-05-26", "privatelink": "2020-04-15"}
EMPTY_BODY = hashlib.sha256(b"").hexdigest()


class CliError(Exception):
    """The command cannot be carried out: what happened, on whose side, what to do."""


class ApiError(CliError):
    """An API refused.  ``code`` is the cloud's own; 4xx is the asking side, 5xx the answering one."""

    def __init__(self, code: str, message: str, status: int, request_id: str = "") -> None:
        side = "Tidegate's side" if status >= 500 else "refused"
        # google.rpc's numbers tell people nothing; the clouds' words do.
        name = f"{code}, " if not code.isdigit() else ""
        super().__init__(f"{message.rstrip('.')} ({name}{side}).")
        self.code, self.message, self.status, self.request_id = code, message, status, request_id


@dataclass(frozen=True, slots=True)
class Server:
    """Where the APIs are: ``http`` or ``https``, host:port, and the CA file that vouches for https."""

    scheme: Literal["http", "https"]
    address: str
    ca_path: Path | None = None

    def open(self, **options: Any) -> httpx.Client:
        """trust_env off: a proxy of the shell's must not see calls to the loopback."""
        verify: ssl.SSLContext | bool = True
        if self.scheme == "https" and self.ca_path:
            verify = ssl.create_default_context(cafile=str(self.ca_path))
        return httpx.Client(
            base_url=f"{self.scheme}://{self.address}", verify=verify, timeout=TIMEOUT, trust_env=False, **options
        )


# -- Alibaba Cloud -----------------------------------------------------------------------------------------------


def encode(text: str) -> str:
    """RFC 3986: only letters, digits and ``-_.~`` stay."""
    return quote(text, safe="-_.~")


def canonical_query(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{encode(key)}={encode(parameters[key])}" for key in sorted(parameters))


def sign_acs3(key_id: str, secret: str, method: str, query: str, headers: Mapping[str, str], body_hash: str) -> str:
    """The Authorization header.  ``headers``: those to be signed, ``query``: canonical, path always ``/``."""
    signed = sorted(headers, key=str.lower)
    lines = "".join(f"{name.lower()}:{headers[name].strip()}\n" for name in signed)
    names = ";".join(name.lower() for name in signed)
    request = "\n".join((method, "/", query, lines, names, body_hash))
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"


def flatten(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Lists count from 1: ``{"Zone": [{"ZoneId": "a"}]}`` becomes ``Zone.1.ZoneId=a``.  None is left out."""
    flat: dict[str, str] = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                put(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, list | tuple):
            for number, inner in enumerate(value, 1):
                put(f"{name}.{number}", inner)
        elif value is not None:
            flat[name] = str(value).lower() if isinstance(value, bool) else str(value)

    put("", parameters)
    return flat


@dataclass(slots=True)
class AlibabaClient:
    """``client.call("vpc", "CreateVpc", region, CidrBlock=...)``; all travels in the query, the body is empty."""

    server: Server
    key_id: str
    secret: str = field(repr=False)
    _http: httpx.Client | None = field(default=None, repr=False)

    def call(self, product: str, action: str, region: str, **parameters: Any) -> Json:
        """The reply's JSON.  Raises :class:`ApiError` with the cloud's code, :class:`CliError` when nobody answers."""
        query = canonical_query(flatten({"RegionId": region, **parameters}))
        headers = self._headers(action, VERSIONS[product])
        headers["authorization"] = sign_acs3(self.key_id, self.secret, "POST", query, headers, EMPTY_BODY)
        if self._http is None:
            self._http = self.server.open()
        reply = send(self._http, self.server, "POST", f"/?{query}", headers=headers)
        answer = read_json(reply)
        if reply.status_code >= 400:
            message = str(answer.get("Message") or reply.reason_phrase)
            raise ApiError(
                str(answer.get("Code", "Unknown")), message, reply.status_code, str(answer.get("RequestId", ""))
            )
        return answer

    def _headers(self, action: str, version: str) -> dict[str, str]:
        return {
            "host": self.server.address,
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": EMPTY_BODY,
            "accept": "application/json",
        }


# -- TiDB Cloud --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TidbCloudClient:
    """``client.call("GET", "/v1beta1/clusters")``."""

    server: Server
    public_key: str
    private_key: str = field(repr=False)
    _http: httpx.Client | None = field(default=None, repr=False)

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """The reply's JSON.  Raises as :class:`AlibabaClient` does; ``code`` is google.rpc's number or the cloud's."""
        if self._http is None:
            self._http = self.server.open(auth=httpx.DigestAuth(self.public_key, self.private_key))
        reply = send(self._http, self.server, method, path, json=body, params=query)
        answer = read_json(reply)
        if reply.status_code >= 400:
            message = str(answer.get("message") or reply.reason_phrase)
            raise ApiError(str(answer.get("code", reply.status_code)), message, reply.status_code)
        return answer


# -- the operator ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OperatorClient:
    """What no cloud's API has: the state of the whole installation, and the Connect dialog's text."""

    server: Server
    token: str = field(repr=False)

    def get(self, path: str, **query: Any) -> Json:
        return self.call("GET", path, **query)

    def call(self, method: str, path: str, **query: Any) -> Json:
        """Raises :class:`ApiError` with the operator's code, CliError when nobody answers."""
        with self.server.open(headers={"authorization": f"Bearer {self.token}"}) as http:
            reply = send(http, self.server, method, f"/tidegate/v1{path}", params=query)
        answer = read_json(reply)
        if reply.status_code >= 400:
            message = str(answer.get("message") or reply.reason_phrase)
            raise ApiError(str(answer.get("code", reply.status_code)), message, reply.status_code)
        return answer


# -- sending -----------------------------------------------------------------------------------------------------


def send(http: httpx.Client, server: Server, method: str, url: str, **options: Any) -> httpx.Response:
    """Raises :class:`CliError` when nobody answers, with what to do."""
    try:
        return http.request(method, url, **options)
    except httpx.ConnectError as error:
        raise CliError(
            f"Nobody answers at {server.address} ({error}). Is Tidegate running? Start it: tidegate up. "
            "If TIDEGATE_HTTP is set in this shell, it may be that of another installation: unset it."
        ) from error
    except httpx.TransportError as error:
        raise CliError(
            f"Tidegate at {server.address} did not answer: {error or type(error).__name__}. Try again."
        ) from error


def explain_wait(server: Server) -> str:
    """Why what was wished may not happen now: one sentence with the remedy; empty when nothing is known."""
    try:
        with server.open() as http:
            reply = http.get("/readyz", timeout=READY_LIMIT_S)
    except httpx.TransportError as error:
        return f"Tidegate at {server.address} does not answer ({error}). See: tidegate status."
    if reply.status_code == 200:
        return ""
    reasons = read_json(reply).get("reasons")
    return " ".join(reasons) if isinstance(reasons, list) else ""


def read_json(reply: httpx.Response) -> Json:
    """An object, also from an empty body.  Anything else does not come from Tidegate."""
    if not reply.content:
        return {}
    try:
        answer = reply.json()
    except ValueError as error:
        raise CliError(
            f"{reply.url.host}:{reply.url.port} answered {reply.status_code} with something that is no JSON; "
            "is another program listening there?"
        ) from error
    return answer if isinstance(answer, dict) else {"value": answer}
