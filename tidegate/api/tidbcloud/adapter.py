"""TiDB Cloud's side of the road: whose key, how many requests it has left, which call; then the cloud's headers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate.api.chain import Problem, note_of
from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.credentials import Credentials, Unknown
from tidegate.api.tidbcloud.errors import Code, Failure, describe, describe_rate_limit, describe_refusal
from tidegate.api.tidbcloud.limits import REQUESTS_PER_MINUTE, Allowance, RateLimit
from tidegate.api.tidbcloud.routes import Found, find_route
from tidegate.domain.accounts import AccessKey
from tidegate.domain.refusals import Refusal
from tidegate.operations.context import Caller, Context
from tidegate.store.store import StoreError

log = structlog.get_logger("tidegate.api.tidbcloud")

_PROBLEMS: Mapping[Problem, Failure] = {
    "body_too_large": describe(Code.INVALID_ARGUMENT, "The body is too large (your side). Nothing was changed.", 413),
    "body_too_slow": describe(Code.DEADLINE_EXCEEDED, "The body did not arrive in time. Nothing was changed.", 408),
    "internal": describe(
        Code.INTERNAL, "Tidegate failed to answer (our side). Its log has the cause under the X-Debug-Trace-Id."
    ),
}
_STORE_REFUSED = describe(
    Code.UNAVAILABLE,
    "Tidegate cannot write its store now (our side). Nothing was changed. Its log has the cause and the remedy.",
)
_NO_KEY = describe(
    Code.UNAUTHENTICATED,
    "The request is not signed by an API key that is known here. Sign it with HTTP digest: the public key is the user "
    "name, the private key the password. `tidegate env` prints both.",
)
# As grpc-gateway words them.
_NOT_FOUND = describe(Code.NOT_FOUND, "Not Found")
_OTHER_METHOD = describe(Code.UNIMPLEMENTED, "Method Not Allowed")
COMMON_FAILURES = (
    _NO_KEY,
    describe_rate_limit(REQUESTS_PER_MINUTE),
    _NOT_FOUND,
    _OTHER_METHOD,
    *_PROBLEMS.values(),
    _STORE_REFUSED,
)
"""what any call may end in, for the page of them"""


class TidbCloudAdapter:
    """``tidb_version`` is shown for a new cluster until its server has told its own.  Use it on one event loop."""

    def __init__(
        self,
        context: Context,
        *,
        tidb_version: str = "v8.5.4",
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._context, self._tidb_version = context, tidb_version
        self._credentials = Credentials(context, clock_s)
        self._limit = RateLimit(requests_per_minute, clock_s)

    async def handle(self, request: Request, body: bytes) -> Response:
        found = find_route(request.method, request.scope["path"])
        note = note_of(request)
        note.action = found.route.action if found.route else ""
        key = await self._credentials.find_signer(request)
        if isinstance(key, Unknown):
            return self._fail(request, found, _NO_KEY, self._limit.peek(), {"WWW-Authenticate": key.challenge})
        note.account_id = key.account_id
        allowance = self._limit.take(key.key_id)
        if not allowance.allowed:
            return self._fail(request, found, describe_rate_limit(allowance.limit), allowance)
        return await self._answer(request, found, key, body, allowance)

    def refuse(self, request: Request, problem: Problem) -> Response:
        found = find_route(request.method, request.scope["path"])
        return self._fail(request, found, _PROBLEMS[problem], self._limit.peek())

    async def _answer(
        self, request: Request, found: Found, key: AccessKey, body: bytes, allowance: Allowance
    ) -> Response:
        if found.route is None:
            return self._fail(request, found, _OTHER_METHOD if found.other_method else _NOT_FOUND, allowance)
        caller = Caller(key.account_id, action=found.route.action, key_id=key.key_id)
        call = Call(self._context, caller, found.params, request.query_params, body, self._tidb_version)
        try:
            answer = await run_in_threadpool(found.route.answer, call)
        except Refusal as refusal:
            return self._fail(request, found, describe_refusal(refusal), allowance)
        except StoreError as error:
            log.error("store refused", reason=str(error), request_id=note_of(request).request_id)
            return self._fail(request, found, _STORE_REFUSED, allowance)
        return JSONResponse(answer, headers=_headers(request, allowance))

    def _fail(
        self,
        request: Request,
        found: Found,
        failure: Failure,
        allowance: Allowance,
        more: Mapping[str, str] | None = None,
    ) -> Response:
        note_of(request).code = failure.label
        iam = found.route is not None and found.route.iam
        body = failure.build_iam() if iam else failure.build_status()
        return JSONResponse(body, failure.http_status, headers={**_headers(request, allowance), **(more or {})})


def _headers(request: Request, allowance: Allowance) -> dict[str, str]:
    """Clients print X-Debug-Trace-Id in their error texts; the log has the same id."""
    return {**allowance.headers(), "X-Debug-Trace-Id": note_of(request).request_id}
