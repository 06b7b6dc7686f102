"""The operator's side of the road: token, path, answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate import __version__
from tidegate.api.chain import Problem, note_of
from tidegate.api.operator import errors
from tidegate.api.operator.accounts import build_account, build_new_key, parse_realm
from tidegate.api.operator.connection import build_connection, list_host_interfaces
from tidegate.api.operator.errors import Failure, describe_refusal
from tidegate.api.operator.inventory import AgentHealth, build_inventory, count_phases
from tidegate.api.operator.users import LINK_PATH, build_user, parse_accounts
from tidegate.domain.refusals import Refusal
from tidegate.operations import accounts, users
from tidegate.operations.context import Context

PREFIX = "/tidegate/v1"

_PROBLEMS: Mapping[Problem, Failure] = {
    "body_too_large": Failure("BodyTooLarge", 413, "The body is too large; the operator's API takes none."),
    "body_too_slow": Failure("BodyTooSlow", 408, "The body did not arrive in time; the operator's API takes none."),
    "internal": Failure("Internal", 500, "Tidegate failed to answer (our side). Its log has the cause."),
}


class OperatorAdapter:
    """``agent_health`` is called in a worker thread for each status; it must be quick and must not raise."""

    def __init__(self, context: Context, *, token: str, agent_health: Callable[[], AgentHealth]) -> None:
        self._context, self._token, self._agent_health = context, token.encode(), agent_health
        self._routes: tuple[tuple[str, str, re.Pattern[str], Callable[..., dict[str, Any]]], ...] = (
            ("Status", "GET", re.compile(r"/status"), self._status),
            ("Connection", "GET", re.compile(r"/clusters/(?P<cluster_id>[^/]+)/connection"), self._connection),
            ("HostInterfaces", "GET", re.compile(r"/vpcs/(?P<vpc_id>[^/]+)/host-interfaces"), self._hosts),
            ("ListAccounts", "GET", re.compile(r"/accounts"), self._list_accounts),
            ("CreateAccount", "POST", re.compile(r"/accounts"), self._create_account),
            ("CreateKey", "POST", re.compile(r"/accounts/(?P<account_id>[^/]+)/keys"), self._create_key),
            ("DisableKey", "DELETE", re.compile(r"/keys/(?P<key_id>[^/]+)"), self._disable_key),
            ("ListUsers", "GET", re.compile(r"/users"), self._list_users),
            ("CreateUser", "POST", re.compile(r"/users"), self._create_user),
            ("CreateLoginLink", "POST", re.compile(r"/users/(?P<name>[^/]+)/link"), self._create_login_link),
        )

    async def handle(self, request: Request, body: bytes) -> Response:
        if not self._knows(request.headers.get("authorization", "")):
            response = _fail(request, errors.UNAUTHENTICATED)
            response.headers["WWW-Authenticate"] = 'Bearer realm="tidegate"'
            return response
        path = request.scope["path"].removeprefix(PREFIX)
        known = [(a, method, found, answer) for a, method, p, answer in self._routes if (found := p.fullmatch(path))]
        for action, method, found, answer in known:
            if method == request.method:
                return await self._answer(request, action, answer, {**request.query_params, **found.groupdict()})
        return _fail(request, errors.OTHER_METHOD if known else errors.UNKNOWN_PATH)

    async def _answer(
        self, request: Request, action: str, answer: Callable[..., dict[str, Any]], arguments: dict[str, str]
    ) -> Response:
        note = note_of(request)
        note.action, note.account_id = action, "operator"
        try:
            return JSONResponse(await run_in_threadpool(answer, arguments))
        except Refusal as refusal:
            return _fail(request, describe_refusal(refusal))

    def refuse(self, request: Request, problem: Problem) -> Response:
        return _fail(request, _PROBLEMS[problem])

    def _knows(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode(errors="replace"), self._token)
        return scheme.lower() == "bearer" and right and bool(self._token)

    def _status(self, asked: Mapping[str, str]) -> dict[str, Any]:
        health, resources = self._agent_health(), build_inventory(self._context)
        return {
            "version": __version__,
            # dict() copies in one step: the controller's event loop may be changing it
            "agent": {"connected": health.connected, "reason": health.reason, "errors": dict(health.errors)},
            "phases": count_phases(resources),
            "resources": resources,
        }

    def _connection(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return build_connection(self._context, asked["cluster_id"], asked.get("type", "private"))

    def _hosts(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"host_interfaces": list_host_interfaces(self._context, asked["vpc_id"])}

    def _list_accounts(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"accounts": [build_account(*found) for found in accounts.list_accounts(self._context)]}

    def _create_account(self, asked: Mapping[str, str]) -> dict[str, Any]:
        account, key = accounts.create_account(self._context, parse_realm(asked), asked.get("name", ""))
        return {**build_account(account, [key]), **build_new_key(key)}

    def _create_key(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return build_new_key(accounts.create_key(self._context, asked["account_id"]))

    def _disable_key(self, asked: Mapping[str, str]) -> dict[str, Any]:
        accounts.disable_key(self._context, asked["key_id"])
        return {}

    def _list_users(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"users": [build_user(user) for user in users.list_users(self._context)]}

    def _create_user(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return build_user(users.create_user(self._context, asked.get("name", ""), parse_accounts(asked)))

    def _create_login_link(self, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"path": LINK_PATH + users.make_login_link(self._context, asked["name"])}


def _fail(request: Request, failure: Failure) -> Response:
    note_of(request).code = failure.code
    return JSONResponse(failure.build(), failure.http_status)
