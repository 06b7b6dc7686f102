"""What a browser makes of the consoles: the first paint of each page, what it fetched, and a change on the screen.

A part of ``scripts/bench console``; its server is ``console_serve.py``.  Chromium is Debian's, as in the browser tests.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Page, sync_playwright

Json = dict[str, Any]
VISITS, CHANGES = 5, 30
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PASSWORD = "a long enough password"  # noqa: S105 - of a user that lives for half a minute

_PAINT = """() => new Promise((done) => {
  const told = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    if (!paint) return setTimeout(told, 10);
    const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    done({paint_ms: paint.startTime, sent_bytes: parts.reduce((sum, part) => sum + part.transferSize, 0)});
  };
  told();
})"""
_WATCH = """() => {
  window.changed = new Promise((seen) => {
    new MutationObserver(() => seen(performance.timeOrigin + performance.now()))
      .observe(document.querySelector("main"), {childList: true, subtree: true, characterData: true});
  });
}"""


def measure_browser(addresses: dict[str, str]) -> Json | None:
    """None where there is no Chromium.  ``addresses``: pattern of a page -> one address of it on another server of the
    same shape; those with ids in them are left out here, but for the cluster that changes.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    with serving() as (server, process), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_context(base_url=server["home"], locale="zh-CN").new_page()
        log_in(page, server["link"])
        cluster = f"/console/clusters/{server['cluster_id']}"
        plain = [url for pattern, url in sorted(addresses.items()) if "{" not in pattern]
        pages = [paint(page, url) for url in [*plain, cluster, f"{cluster}/connect"]]
        seen_ms = [change(page, cluster, process) for _ in range(CHANGES)]
        browser.close()
    return {"pages": pages, "seen_ms": {"p50": median(seen_ms), "p95": quantiles(seen_ms, n=20)[-1]}}


@contextlib.contextmanager
def serving() -> Iterator[tuple[Json, subprocess.Popen[str]]]:
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.console_serve", folder]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield ask(process), process
        finally:
            process.terminate()
            process.wait(10)


def ask(process: subprocess.Popen[str], line: str = "") -> Json:
    assert process.stdin and process.stdout
    if line:
        process.stdin.write(line)
        process.stdin.flush()
    told: Json = json.loads(process.stdout.readline())
    return told


def log_in(page: Page, link: str) -> None:
    page.goto(link)
    for field in ("#password", "#password_again"):
        page.locator(field).fill(PASSWORD)
    page.locator("main form button").click()
    page.wait_for_url("**/console/clusters")


def paint(page: Page, url: str) -> Json:
    """The median of a few visits, styles and scripts from the browser's own store as on every page but the first."""
    visits = []
    for _ in range(VISITS):
        page.goto(url)
        visits.append(page.evaluate(_PAINT))
    return {
        "page": url.partition("?")[0],
        "paint_ms": median(visit["paint_ms"] for visit in visits),
        "sent_kb": median(visit["sent_bytes"] for visit in visits) / 1000,
    }


def change(page: Page, cluster: str, process: subprocess.Popen[str]) -> float:
    """Milliseconds from a commit to the moment when the page's own text is another; one clock, for it is one host."""
    with page.expect_response(lambda response: "/console/live" in response.url):
        page.goto(cluster)
    page.evaluate(_WATCH)
    committed_at = ask(process, "change\n")["committed_at"]
    return float(page.evaluate("window.changed")) - committed_at * 1e3
