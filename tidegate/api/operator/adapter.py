"""The operator's side of the road: token, path, answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate import __version__
from tidegate.api.chain import Problem, note_of
from tidegate.api.operator import errors
from tidegate.api.operator.connection import build_connection, list_host_interfaces
from tidegate.api.operator.errors import Failure, describe_refusal
from tidegate.api.operator.inventory import AgentHealth, build_inventory, count_phases
from tidegate.domain.refusals import Refusal
from tidegate.operations.context import Context

_PROBLEMS: Mapping[Problem, Failure] = {
    "body_too_large": Failure("BodyTooLarge", 413, "The body is too large; the operator's API takes none."),
    "body_too_slow": Failure("BodyTooSlow", 408, "The body did not arrive in time; the operator's API takes none."),
    "internal": Failure("Internal", 500, "Tidegate failed to answer (our side). Its log has the cause."),
}


class OperatorAdapter:
    """``agent_health`` is called in a worker thread for each status; it must be quick and must not raise."""

    def __init__(self, context: Context, *, token: str, agent_health: Callable[[], AgentHealth]) -> None:
        self._context, self._token, self._agent_health = context, token.encode(), agent_health
        self._paths: tuple[tuple[str, re.Pattern[str], Callable[..., dict[str, Any]]], ...] = (
            ("Status", re.compile(r"/tidegate/v1/status"), self._status),
            ("Connection", re.compile(r"/tidegate/v1/clusters/(?P<cluster_id>[^/]+)/connection"), self._connection),
            ("HostInterfaces", re.compile(r"/tidegate/v1/vpcs/(?P<vpc_id>[^/]+)/host-interfaces"), self._hosts),
        )

    async def handle(self, request: Request, body: bytes) -> Response:
        if not self._knows(request.headers.get("authorization", "")):
            response = _fail(request, errors.UNAUTHENTICATED)
            response.headers["WWW-Authenticate"] = 'Bearer realm="tidegate"'
            return response
        note = note_of(request)
        for action, pattern, answer in self._paths:
            if found := pattern.fullmatch(request.scope["path"]):
                note.action, note.account_id = action, "operator"
                if request.method != "GET":
                    return _fail(request, errors.OTHER_METHOD)
                try:
                    return JSONResponse(await run_in_threadpool(answer, request.query_params, **found.groupdict()))
                except Refusal as refusal:
                    return _fail(request, describe_refusal(refusal))
        return _fail(request, errors.UNKNOWN_PATH)

    def refuse(self, request: Request, problem: Problem) -> Response:
        return _fail(request, _PROBLEMS[problem])

    def _knows(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode(errors="replace"), self._token)
        return scheme.lower() == "bearer" and right and bool(self._token)

    def _status(self, query: QueryParams) -> dict[str, Any]:
        health, resources = self._agent_health(), build_inventory(self._context)
        return {
            "version": __version__,
            # dict() copies in one step: the controller's event loop may be changing it
            "agent": {"connected": health.connected, "reason": health.reason, "errors": dict(health.errors)},
            "phases": count_phases(resources),
            "resources": resources,
        }

    def _connection(self, query: QueryParams, cluster_id: str) -> dict[str, Any]:
        return build_connection(self._context, cluster_id, query.get("type", "private"))

    def _hosts(self, query: QueryParams, vpc_id: str) -> dict[str, Any]:
        return {"host_interfaces": list_host_interfaces(self._context, vpc_id)}


def _fail(request: Request, failure: Failure) -> Response:
    note_of(request).code = failure.code
    return JSONResponse(failure.build(), failure.http_status)
