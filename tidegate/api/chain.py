"""The road of a request, in order:

1. **tell the product** from path, method, query and headers (``tell_product``);
2. **read** the body, bounded in size and time (``read_body``);
3. **adapter** of that product: authenticate, parse, call the operation in a worker thread, serialise; its cloud's own
   errors for every refusal (``alibaba/gateway.py``, ``tidbcloud/``, ``operator/``);
4. whatever the adapter let through is a fault of ours: logged with its traceback, answered with the cloud's internal
   error (``Adapter.refuse``), never with a stack;
5. one log event and one count per request (``_account``), with what the adapter wrote into the request's ``Note``.

``/livez``, ``/readyz`` and ``/metrics`` are answered here.
"""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio
import structlog
from anyio import to_thread
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

BODY_LIMIT_BYTES = 1024 * 1024
READ_LIMIT_S = 30.0

Product = Literal["alibaba", "tidbcloud", "operator"]
Problem = Literal["body_too_large", "body_too_slow", "internal"]
"""what ended a request outside its adapter's ``handle``; the adapter words it in its cloud's shape"""

Readiness = Callable[[], tuple[bool, list[str]]]
"""ready?, and if not, one sentence per reason.  Called in a worker thread."""

log = structlog.get_logger("tidegate.api")


@dataclass(slots=True)
class Note:
    """What log and metrics say of a request; at ``request.state.note``, filled by the adapter as it learns it.

    ``action`` must be a name from the adapter's own table (it is a metrics label, so clients must not choose it);
    ``code`` the cloud's error code, empty for success; ``request_id`` may be shown to the client in any case.
    """

    product: str
    action: str = ""
    account_id: str = ""
    code: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Adapter(Protocol):
    """One cloud's side of the road."""

    async def handle(self, request: Request, body: bytes) -> Response:
        """Answer the request.  Refusals are answered too; an exception means a fault of ours."""
        ...

    def refuse(self, request: Request, problem: Problem) -> Response:
        """The cloud's answer to what went wrong outside ``handle``.  Must not raise, must not block."""
        ...


def note_of(request: Request) -> Note:
    """The request's note; made at once if the request did not come along the chain (tests of one adapter)."""
    note = getattr(request.state, "note", None)
    if note is None:
        note = request.state.note = Note("")
    assert isinstance(note, Note)
    return note


def build_app(
    *,
    alibaba: Adapter,
    tidbcloud: Adapter | None = None,
    operator: Adapter | None = None,
    registry: CollectorRegistry,
    readiness: Readiness = lambda: (True, []),
    fallback: ASGIApp | None = None,
) -> Starlette:
    """All APIs as one ASGI application.  ``fallback`` (the consoles) gets every path that is no API's."""
    adapters: dict[Product, Adapter | None] = {"alibaba": alibaba, "tidbcloud": tidbcloud, "operator": operator}
    present = {product: adapter for product, adapter in adapters.items() if adapter is not None}
    return Starlette(routes=[Mount("", app=_Road(present, registry, readiness, fallback))])


def tell_product(method: str, path: str, query: str, headers: Mapping[str, str]) -> Product | None:
    """Whose API this is, or None for nobody's.

    The clouds' clients accept only host[:port], so ``/`` belongs to the RPC-style clouds and paths to the others.
    RPC parameters may sit in a form body, so every POST to ``/`` is RPC.  (When a second RPC cloud comes, its
    ``Version`` will tell it from Alibaba's.)
    """
    if path == "/v1beta1" or path.startswith("/v1beta1/"):
        return "tidbcloud"
    if path.startswith("/tidegate/v1/"):
        return "operator"
    if path != "/":
        return None
    if method == "POST" or "x-acs-action" in headers or "x-acs-version" in headers:
        return "alibaba"
    names = {part.partition("=")[0] for part in query.split("&")}
    return "alibaba" if names & {"Action", "Version"} else None


async def read_body(request: Request) -> bytes | Problem:
    """The whole body, or why not.  Never holds more than the limit and one chunk."""
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 12 or int(length) > BODY_LIMIT_BYTES:
        return "body_too_large"
    body = bytearray()
    with anyio.move_on_after(READ_LIMIT_S), suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT_BYTES:
                return "body_too_large"
        return bytes(body)
    return "body_too_slow"


class _Meters:
    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("product", "action", "code")
        self.requests = Counter("tidegate_api_requests", "API requests answered", labels, registry=registry)
        self.seconds = Histogram(
            "tidegate_api_request_seconds", "Time to answer an API request", labels, registry=registry
        )


class _Road:
    """See the module's docstring: the steps are the lines of ``_travel`` and ``_answer``."""

    def __init__(
        self,
        adapters: Mapping[Product, Adapter],
        registry: CollectorRegistry,
        readiness: Readiness,
        fallback: ASGIApp | None,
    ) -> None:
        self._adapters, self._registry, self._meters = adapters, registry, _Meters(registry)
        self._readiness, self._fallback = readiness, fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await _refuse_websocket(scope, receive, send)
        # Not request.url: it is made with the Host header, which may be anything.
        request, path = Request(scope, receive), scope["path"]
        product = tell_product(request.method, path, scope["query_string"].decode("latin-1"), request.headers)
        adapter = self._adapters.get(product) if product else None
        if product is not None and adapter is not None:
            response = await self._travel(request, product, adapter)
        elif (own := _OWN.get(path)) is not None:
            response = await own(self)
        elif self._fallback is not None:
            return await self._fallback(scope, receive, send)
        else:
            response = PlainTextResponse("Nothing is served at this path.\n", 404)
        await response(scope, receive, send)

    async def _travel(self, request: Request, product: Product, adapter: Adapter) -> Response:
        note = request.state.note = Note(product)
        started = time.perf_counter()
        response = await _answer(request, adapter)
        seconds = time.perf_counter() - started
        labels = (product, note.action or "unknown", note.code or "OK")
        self._meters.requests.labels(*labels).inc()
        self._meters.seconds.labels(*labels).observe(seconds)
        log.info(
            "request",
            product=product,
            action=note.action,
            account=note.account_id,
            code=note.code,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            request_id=note.request_id,
        )
        return response

    async def live(self) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self) -> Response:
        try:
            ready, reasons = await to_thread.run_sync(self._readiness)
        except Exception:
            log.error("readiness could not be told", traceback=traceback.format_exc())
            ready, reasons = False, ["Tidegate cannot tell whether it is ready: see its log."]
        return JSONResponse({"ready": ready, "reasons": reasons}, 200 if ready else 503)

    async def metrics(self) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


_OWN: dict[str, Callable[[_Road], Awaitable[Response]]] = {
    "/livez": _Road.live,
    "/readyz": _Road.ready,
    "/metrics": _Road.metrics,
}


async def _answer(request: Request, adapter: Adapter) -> Response:
    body = await read_body(request)
    if isinstance(body, str):
        return adapter.refuse(request, body)
    try:
        return await adapter.handle(request, body)
    except Exception:
        # The traceback stays here: exception texts may hold values of the request, so the client gets none of it.
        # As text, because log renderers that draw tracebacks themselves may draw local variables, secrets included.
        log.error(
            "request failed inside Tidegate", request_id=note_of(request).request_id, traceback=traceback.format_exc()
        )
        return adapter.refuse(request, "internal")


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})
