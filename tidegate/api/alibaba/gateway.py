"""The adapter: what happens to one request, in the order of ``_serve``'s lines.

Who is asking comes first: an unsigned request learns nothing but that.  The signature covers what names the action (the
parameters in V1, the ``x-acs-*`` headers in ACS3), so the one is never read where the other was signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from tidegate.api.alibaba import (  # noqa: F401 - each registers its actions
    accounts,
    billing,
    connections,
    endpoints,
    interfaces,
    places,
    published_services,
    resource_groups,
    security_group_rules,
    security_groups,
    service_resources,
    service_users,
    services,
    subnets,
    tags,
    vpcs,
)
from tidegate.api.alibaba import signature as signatures
from tidegate.api.alibaba.actions import ACTIONS, NOT_YET, Action, Call, words
from tidegate.api.alibaba.errors import (
    PRODUCTS,
    ApiError,
    build_error,
    explain,
    gateway_error,
    missing,
    unknown_api,
    unsupported,
)
from tidegate.api.alibaba.paging import PageTokens
from tidegate.api.alibaba.wire import Parameters, build_reply, merge_parameters
from tidegate.api.chain import Note, Problem, note_of
from tidegate.domain.accounts import AccessKey
from tidegate.domain.refusals import DryRunPassed, Malformed, Refusal
from tidegate.operations.context import Caller, Context, DoneBefore, require_first_time
from tidegate.store.store import StoreError

FindKey = Callable[[str], AccessKey | None]

log = structlog.get_logger("tidegate.api.alibaba")

_PROBLEMS: dict[Problem, str] = {
    "body_too_large": "RequestBodyTooLarge",
    "body_too_slow": "RequestTimeout",
    "internal": "InternalError",
}
_NOT_IN_DIGEST = words(
    "ClientToken Signature SignatureNonce SignatureMethod SignatureVersion SignatureType Timestamp AccessKeyId "
    "SecurityToken Format"
)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A request as heard, before anything in it is believed."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    host: str
    acs3: bool
    acs_action: str
    acs_version: str
    content_type: str


class AlibabaAdapter:
    """Conforms to :class:`~tidegate.api.chain.Adapter`.

    ``find_key`` gives the realm's key with that id, or None; it and the operations run in worker threads, one for
    calls that read and one for the others.  More would do no more: the interpreter lets one run at a time and the
    store has one writer, while each query passes the interpreter's lock to and fro between those who wait for it.  Of
    eight calls at a time one took 1.8 ms of processor time with a thread each, 0.96 with one (scripts/bench api,
    2026-11-25).  No call here waits for anything but the store.
    """

    def __init__(self, context: Context, *, find_key: FindKey, clock: Callable[[], datetime]) -> None:
        self._context, self._find_key, self._clock = context, find_key, clock
        self._nonces, self._nonces_lock = signatures.NonceMemory(), Lock()

    @cached_property
    def _lanes(self) -> dict[bool, CapacityLimiter]:
        """By whether a call only reads.  Made at first use: it belongs to the event loop."""
        return {True: CapacityLimiter(1), False: CapacityLimiter(1)}

    async def handle(self, request: Request, body: bytes) -> Response:
        heard = _hear(request, body)
        lane = self._lanes[_seems_to_read(heard)]
        return await to_thread.run_sync(self._serve, heard, note_of(request), limiter=lane)

    def refuse(self, request: Request, problem: Problem) -> Response:
        error = gateway_error(_PROBLEMS[problem])
        return _refusal(error, "", note_of(request), request.headers.get("host", ""), xml=False)

    def _serve(self, heard: _Heard, note: Note) -> Response:
        version, name, xml = "", "", False
        try:
            parameters = _read_parameters(heard)
            xml = _wants_xml(heard, parameters)
            version, name = _name_action(heard, parameters)
            key = self._authenticate(heard)
            note.account_id = key.account_id
            action = _find_action(version, name)
            note.action = name
            call = self._call(action, key, parameters, heard.host)
            content = {"RequestId": note.request_id.upper(), **_carry_out(action, call)}
            return build_reply(content, xml=xml, root=f"{name}Response")
        except ApiError as error:
            return _refusal(error, version, note, heard.host, xml=xml)
        except Refusal as refusal:
            return _refusal(explain(refusal, version, name), version, note, heard.host, xml=xml)
        except StoreError as error:
            log.error("store refused", reason=str(error), request_id=note.request_id)
            return _refusal(gateway_error("ServiceUnavailable"), version, note, heard.host, xml=xml)

    def _authenticate(self, heard: _Heard) -> AccessKey:
        shown = signatures.parse_credentials(heard.method, heard.path, heard.query, heard.headers, heard.body)
        if isinstance(shown, signatures.Fault):
            raise _fault(shown)
        key = self._find_key(shown.access_key_id)
        if key is None:
            raise gateway_error("InvalidAccessKeyId.NotFound")
        now = self._clock()
        if fault := signatures.check_clock(shown.timestamp, now):
            raise _fault(fault)
        if not signatures.verify(shown, key.secret):
            raise _fault(signatures.mismatch(shown))
        if not key.active:
            raise gateway_error("InvalidAccessKeyId.Inactive")
        if shown.security_token:
            raise gateway_error("InvalidSecurityToken.Malformed")  # no tokens are given out here
        with self._nonces_lock:
            fault = self._nonces.remember(shown, now)
        if fault:
            raise _fault(fault)
        return key

    def _call(self, action: Action, key: AccessKey, parameters: Parameters, host: str) -> Call:
        for name in action.needs:
            if not parameters.text(name):
                raise missing(name)
        if (untaken := action.untaken(parameters)) is not None:
            raise unsupported(untaken)
        scope = f"{action.version}/{action.name}"
        caller = Caller(
            account_id=key.account_id,
            token=_client_token(parameters),
            action=scope,
            digest=_digest(parameters),
            dry_run=parameters.flag("DryRun"),
            key_id=key.key_id,
        )
        return Call(self._context, caller, parameters, host, PageTokens(key.secret, scope))


_READS = re.compile(rb"(?:^|&)Action=(?:Describe|List|Get)")


def _seems_to_read(heard: _Heard) -> bool:
    """Before anything is checked, so it decides about waiting only: who names a reading call and writes, writes."""
    return heard.acs_action.startswith(("Describe", "List", "Get")) or bool(_READS.search(heard.query))


def _carry_out(action: Action, call: Call) -> dict[str, Any]:
    try:
        require_first_time(call.context, call.caller)
        answer = action.handler(call)
    except DoneBefore:
        return {}  # as the first time: a change that makes nothing answers its RequestId only
    if call.caller.dry_run:
        raise DryRunPassed()  # calls that only read take DryRun too
    return answer


def _hear(request: Request, body: bytes) -> _Heard:
    scope, headers = request.scope, request.headers
    return _Heard(
        method=request.method,
        path=scope.get("raw_path", b"/").partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        body=body,
        host=headers.get("host", ""),
        acs3=headers.get("authorization", "").startswith("ACS3-"),
        acs_action=headers.get("x-acs-action", ""),
        acs_version=headers.get("x-acs-version", ""),
        content_type=headers.get("content-type", ""),
    )


def _read_parameters(heard: _Heard) -> Parameters:
    if heard.method not in ("GET", "POST"):
        raise gateway_error("UnsupportedHTTPMethod")
    pairs = signatures.parse_parameters(heard.query, heard.content_type, heard.body)
    if isinstance(pairs, signatures.Fault):
        raise _fault(pairs)
    return Parameters(merge_parameters(pairs))


def _wants_xml(heard: _Heard, parameters: Parameters) -> bool:
    """ACS3 has no Format and gets JSON; in V1 a missing Format means XML, as the old documents say."""
    return not heard.acs3 and (parameters.text("Format") or "XML").upper() == "XML"


def _name_action(heard: _Heard, parameters: Parameters) -> tuple[str, str]:
    """(version, action), from where the signature covers them."""
    if heard.acs3:
        version, name = heard.acs_version, heard.acs_action
    else:
        version, name = parameters.text("Version") or "", parameters.text("Action") or ""
    if not name:
        raise missing("Action")
    if not version:
        raise missing("Version")
    return version, name


def _find_action(version: str, name: str) -> Action:
    action = ACTIONS.get((version, name))
    if action is None:
        raise unknown_api(version, later=name in NOT_YET.get(version, ()))
    return action


def _client_token(parameters: Parameters) -> str:
    token = parameters.text("ClientToken") or ""
    if len(token) > 64 or not token.isascii():
        raise Malformed("ClientToken", token)
    return token


def _digest(parameters: Parameters) -> str:
    """What a repeated client token must repeat."""
    told = sorted((name, value) for name, value in parameters.items() if name not in _NOT_IN_DIGEST)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()


def _fault(fault: signatures.Fault) -> ApiError:
    return gateway_error(fault.code, parameter=fault.parameter or "", string_to_sign=fault.string_to_sign or "")


def _refusal(error: ApiError, version: str, note: Note, host: str, *, xml: bool) -> Response:
    note.code = error.code
    content: dict[str, Any] = build_error(error, PRODUCTS.get(version, ""), note.request_id.upper(), host)
    return build_reply(content, xml=xml, root="Error", status=error.status)
