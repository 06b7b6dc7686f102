"""The road of a request: who gets it, what is bounded, what is counted, and what a fault of ours looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tidegate.api import chain
from tidegate.api.chain import BODY_LIMIT_BYTES, Problem, build_app, note_of, tell_product


@dataclass
class Echo:
    """An adapter that answers with its name and keeps what it was given."""

    name: str
    act: Callable[[], None] = lambda: None
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: Request, body: bytes) -> Response:
        self.bodies.append(body)
        note_of(request).action = "Echo"
        self.act()
        return PlainTextResponse(self.name)

    def refuse(self, request: Request, problem: Problem) -> Response:
        note_of(request).code = problem
        return PlainTextResponse(f"{self.name}: {problem}", 500 if problem == "internal" else 400)


@dataclass
class Site:
    app: Any
    adapters: dict[str, Echo]
    registry: CollectorRegistry

    def send(self, method: str, path: str, host: str = "h:1", **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app)) as client:
                return await client.request(method, f"http://h:1{path}", headers={"host": host}, **more)

        return anyio.run(once)


def make_site(**more: Any) -> Site:
    adapters = {name: Echo(name) for name in ("alibaba", "tidbcloud", "operator")}
    registry = CollectorRegistry()
    return Site(build_app(**adapters, registry=registry, **more), adapters, registry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "product"),
    [
        ("GET", "/", "Action=DescribeVpcs&Version=2016-04-28", {}, "alibaba"),
        ("GET", "/", "Version=2016-04-28", {}, "alibaba"),
        ("POST", "/", "", {}, "alibaba"),
        ("GET", "/", "", {"x-acs-action": "DescribeVpcs"}, "alibaba"),
        ("GET", "/", "", {"x-acs-version": "2016-04-28"}, "alibaba"),
        ("GET", "/", "", {}, None),
        ("GET", "/", "Actions=1", {}, None),
        ("GET", "/v1beta1/clusters", "", {}, "tidbcloud"),
        ("GET", "/v1beta1/clusters", "Action=x", {"x-acs-action": "x"}, "tidbcloud"),
        ("GET", "/v1beta10", "", {}, None),
        ("GET", "/tidegate/v1/status", "", {}, "operator"),
        ("GET", "/tidegate/v10", "", {}, None),
        ("GET", "/console/", "Action=x", {}, None),
    ],
)
def test_whose_api(method: str, path: str, query: str, headers: dict[str, str], product: str | None) -> None:
    assert tell_product(method, path, query, headers) == product


def test_each_adapter_gets_its_requests() -> None:
    site = make_site()
    assert site.send("POST", "/", content=b"Action=x").text == "alibaba"
    assert site.send("GET", "/v1beta1/clusters").text == "tidbcloud"
    assert site.send("DELETE", "/tidegate/v1/keys/1").text == "operator"
    assert site.adapters["alibaba"].bodies == [b"Action=x"]
    assert site.send("GET", "/nothing").status_code == 404
    assert site.send("GET", "/livez").text == "ok\n"


def test_the_consoles_get_the_rest_untouched() -> None:
    """A console reads its own body: the road must not have read it before."""
    site = make_site(fallback=_Console())
    assert site.send("POST", "/console/login", content=b"x" * 10).text == "10 bytes"
    assert site.send("GET", "/").text == "0 bytes"


class _Console:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await Request(scope, receive).body()
        await PlainTextResponse(f"{len(body)} bytes")(scope, receive, send)


def test_a_body_is_bounded_whether_announced_or_not() -> None:
    site = make_site()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    assert site.send("POST", "/", content=b"x" * BODY_LIMIT_BYTES).status_code == 200
    assert site.send("POST", "/", content=b"x" * (BODY_LIMIT_BYTES + 1)).text == "alibaba: body_too_large"
    assert site.send("POST", "/", content=endless()).text == "alibaba: body_too_large"
    assert len(site.adapters["alibaba"].bodies) == 1


def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stops in the middle must not hold a place for ever."""
    monkeypatch.setattr(chain, "READ_LIMIT_S", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x"
        await anyio.sleep_forever()

    assert make_site().send("POST", "/", content=stuck()).text == "alibaba: body_too_slow"


def test_a_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    site = make_site()

    def fail() -> None:
        raise RuntimeError("the text of it")

    site.adapters["tidbcloud"].act = fail
    response = site.send("GET", "/v1beta1/clusters")
    assert (response.status_code, response.text) == (500, "tidbcloud: internal")
    assert "the text of it" in capsys.readouterr().out


def test_any_host_header_is_survived() -> None:
    """A URL made with a broken Host header raises; nothing here may need that URL."""
    for host in ("[", "a b", "h:99999999", ""):
        assert make_site().send("GET", "/v1beta1/clusters", host=host).status_code == 200


def test_ready_says_why_not() -> None:
    reasons = ["The agent does not answer: start it with `tidegate up`."]
    assert make_site().send("GET", "/readyz").json() == {"ready": True, "reasons": []}
    response = make_site(readiness=lambda: (False, reasons)).send("GET", "/readyz")
    assert (response.status_code, response.json()) == (503, {"ready": False, "reasons": reasons})


def test_readiness_that_breaks_is_not_ready() -> None:
    def broken() -> tuple[bool, list[str]]:
        raise OSError("no store")

    response = make_site(readiness=broken).send("GET", "/readyz")
    assert response.status_code == 503 and response.json()["ready"] is False and "no store" not in response.text


def test_metrics_and_one_event_per_request(capsys: pytest.CaptureFixture[str]) -> None:
    site = make_site()
    site.send("GET", "/v1beta1/clusters?secret=hidden")
    site.send("POST", "/", content=b"x" * (BODY_LIMIT_BYTES + 1))
    text = site.send("GET", "/metrics").text
    assert 'tidegate_api_requests_total{action="Echo",code="OK",product="tidbcloud"} 1.0' in text
    assert 'tidegate_api_requests_total{action="unknown",code="body_too_large",product="alibaba"} 1.0' in text
    assert 'tidegate_api_request_seconds_count{action="Echo",code="OK",product="tidbcloud"} 1.0' in text
    logged = capsys.readouterr().out
    assert "hidden" not in logged and logged.count("request_id=") == 2
