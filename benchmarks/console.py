"""What a page of the consoles costs: server time, weight, and how soon a change is told, with 1,000 endpoints.

    scripts/bench console                 about half a minute; take it on an idle machine
    scripts/bench console --rounds 10     fewer requests per page: does it work at all?
    scripts/bench console -o json         for a program to read

The pages are found as a reader finds them, by following links from the first one; of each page one address is asked
again and again, in Chinese, as a logged-in user of an account with 1,000 endpoints and 100 clusters.  Server time is
what the application takes, without a socket; weight is the page with style and script as they are sent (gzip).  Then
Chromium, where there is one, looks at the same pages over a socket: first paint, and a change from its commit to the
moment when the page's text is another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import structlog

from benchmarks.api_site import REGION, fill_store
from benchmarks.console_browser import measure_browser
from tidegate.app.process import keep_loaded
from tidegate.console.app import build_console
from tidegate.console.guard import Cookies
from tidegate.console.live import Live
from tidegate.console.pages import PAGES
from tidegate.console.static import load_files
from tidegate.console.visit import ROOT, Parts
from tidegate.operations import clusters, users
from tidegate.operations.accounts import ensure_first_accounts
from tidegate.operations.context import Caller, Context
from tidegate.operations.sealing import load_sealer
from tidegate.settings import Settings
from tidegate.store.store import Store

Json = dict[str, Any]
ENDPOINTS, CLUSTERS = 1000, 100
AIMS = {"p95_ms": 50.0, "weight_kb": 150.0, "told_ms": 200.0, "paint_ms": 300.0, "seen_ms": 200.0}
"""issue 5's"""
PASSWORD = "a long enough password"  # noqa: S105 - of a user that lives for half a minute
_LINK = re.compile(r'(?:href|hx-get)="(/console[^"#]*)"')


def main() -> None:
    parser = argparse.ArgumentParser("scripts/bench console", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=100, help="requests per page")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        result = asyncio.run(measure(Path(folder), given.rounds))
    result["browser"] = measure_browser({page["page"]: page["url"] for page in result["pages"]})
    result["load"] = [load_before, os.getloadavg()[0]]
    if given.output == "json":
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        print("\n".join(format_lines(result)))


async def measure(folder: Path, rounds: int) -> Json:
    parts = make_parts(folder)
    app = build_console(parts)
    keep_loaded()  # as serve does
    # Loaded once for all pages; pictures are not shown on each, and small.
    shared = sum(len(file.packed) for file in load_files()[1].values() if file.kind != "image/svg+xml")
    async with log_in(app, parts) as http:
        found = await crawl(http)
        pages = [await time_page(http, pattern, url, rounds, shared) for pattern, url in sorted(found.items())]
    told = [await time_change(parts, number) for number in range(min(rounds, 50))]
    asked = {page.path for page in PAGES if page.get}
    return {
        "pages": pages,
        "not_reached": sorted(asked - set(found)),
        "told_ms": {"p50": median(told), "p95": quantiles(told, n=20)[-1]},
        "endpoints": ENDPOINTS,
        "clusters": CLUSTERS,
        "aims": AIMS,
    }


def make_parts(folder: Path) -> Parts:
    settings = Settings(home=folder / "home", run=folder / "run", rootless=True)
    fill_store(settings, ENDPOINTS)
    context = Context(Store(settings.store_url), sealer=load_sealer(settings.keys / "store-key"))
    users.ensure_first_user(context)
    caller = Caller(ensure_first_accounts(context).tidbcloud.account_id)
    for number in range(CLUSTERS):
        clusters.create_cluster(context, caller, region_id=REGION.region_id, display_name=f"bench-{number:03}")
    return Parts(context, Live(), Cookies("bench"))


@asynccontextmanager
async def log_in(app: Any, parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    token = users.use_login_link(parts.context, users.make_login_link(parts.context, users.FIRST_USER), PASSWORD)
    assert token is not None
    cookies = {parts.cookies.session: token, parts.cookies.language: "zh"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", cookies=cookies) as http:
        yield http


async def crawl(http: httpx.AsyncClient) -> dict[str, str]:
    """Pattern of a page -> one address of it, as links lead there."""
    patterns = {page.path: _compile(page.path) for page in PAGES if page.get}

    def kind_of(url: str) -> str | None:
        return next((path for path, pattern in patterns.items() if pattern.fullmatch(url.partition("?")[0])), None)

    found: dict[str, str] = {}
    waiting, seen = [f"{ROOT}/"], {f"{ROOT}/"}
    while waiting:
        url = waiting.pop(0)
        if kind_of(url) in found:
            continue
        reply = await http.get(url, follow_redirects=True)
        landed = reply.url.raw_path.decode()
        if reply.status_code == 200 and (kind := kind_of(landed)) is not None:
            found.setdefault(kind, landed)
        new = {unescape(link) for link in _LINK.findall(reply.text)} - seen
        seen |= new
        waiting += sorted(link for link in new if kind_of(link) not in found)
    return found


async def time_page(http: httpx.AsyncClient, pattern: str, url: str, rounds: int, shared_bytes: int) -> Json:
    spent_ms = []
    for _ in range(rounds):
        started = time.perf_counter()
        reply = await http.get(url)
        spent_ms.append((time.perf_counter() - started) * 1e3)
    own = len(reply.content)
    return {
        "page": pattern,
        "url": url,
        "p50_ms": median(spent_ms),
        "p95_ms": quantiles(spent_ms, n=20)[-1],
        "html_kb": own / 1000,
        "weight_kb": (own + shared_bytes) / 1000,
    }


async def time_change(parts: Parts, number: int) -> float:
    """Milliseconds from an operation's commit, in a thread of its own, to the telling of a page that watches."""
    committed: list[float] = []
    parts.context.store.listen(lambda _: committed.append(time.perf_counter()))
    stream = parts.live.watch("bench", [("cluster", "")], parts.live.mark())
    step = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    found = clusters.list_clusters(parts.context, Caller(users.list_users(parts.context)[0].tidbcloud_account_id))
    cluster_id = found[number].cluster.cluster_id
    writer = threading.Thread(target=clusters.sleep_cluster, args=(parts.context, cluster_id))
    writer.start()
    await step
    told = time.perf_counter()
    await asyncio.to_thread(writer.join)
    await stream.aclose()
    return max(0.0, told - committed[0]) * 1e3


def _compile(path: str) -> re.Pattern[str]:
    return re.compile(ROOT + re.sub(r"\{\w+\}", "[^/]+", path))


def format_lines(result: Json) -> list[str]:
    lines = [f"{'page':52} {'p50 ms':>8} {'p95 ms':>8} {'html KB':>8} {'all KB':>8}"]
    for page in result["pages"]:
        late = page["p95_ms"] > AIMS["p95_ms"] or page["weight_kb"] > AIMS["weight_kb"]
        numbers = " ".join(f"{page[key]:8.1f}" for key in ("p50_ms", "p95_ms", "html_kb", "weight_kb"))
        lines.append(f"{page['page']:52} {numbers}{'   missed' if late else ''}")
    told = result["told_ms"]
    lines.append(
        f"a change is told after p50 {told['p50']:.1f} ms, p95 {told['p95']:.1f} ms (aim {AIMS['told_ms']:.0f})"
    )
    if result["not_reached"]:
        lines.append(f"{len(result['not_reached'])} pages were not reached: what they show is not in this store")
    lines += format_browser(result["browser"])
    lines.append(f"load: {result['load'][0]:.1f} before, {result['load'][1]:.1f} after")
    return lines


def format_browser(seen: Json | None) -> list[str]:
    if seen is None:
        return ["no browser was measured: apt-get install chromium"]
    lines = [f"\n{'in Chromium':52} {'paint ms':>8} {'sent KB':>8}"]
    for page in seen["pages"]:
        late = page["paint_ms"] > AIMS["paint_ms"]
        lines.append(f"{page['page']:52} {page['paint_ms']:8.0f} {page['sent_kb']:8.1f}{'   missed' if late else ''}")
    told = seen["seen_ms"]
    return [
        *lines,
        f"a change is seen after p50 {told['p50']:.0f} ms, p95 {told['p95']:.0f} ms (aim {AIMS['seen_ms']:.0f})",
    ]


if __name__ == "__main__":
    main()
