"""Every page that somebody can come to by links, once for each kind of page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from console_person import Person
from starlette.routing import compile_path

from tidegate.console.pages import PAGES
from tidegate.console.visit import ROOT

START = ("/clusters", "/vpc/endpoints")
NOT_BY_LINKS = {"/", "/login", "/link/{token}"}
"""the door, which has tests of its own"""
_PATTERNS = [(page.path, compile_path(ROOT + page.path)[0]) for page in PAGES if page.get]


def find_pattern(path: str) -> str | None:
    """``/vpc/vpcs/{vpc_id}`` for a path of it; the first that fits, as the routes do."""
    return next((pattern for pattern, regex in _PATTERNS if regex.match(path)), None)


def wanted_patterns() -> set[str]:
    """All pages, but what is no page: files."""
    return {pattern for pattern, _ in _PATTERNS} - NOT_BY_LINKS - {p for p, _ in _PATTERNS if p.endswith(".pem")}


def crawl(person: Person, *more: str) -> Iterator[str]:
    """Stands on a page of each pattern, and each of its tabs, in turn and gives the pattern.

    ``more``: the ones to take where there are several.
    """
    waiting, seen = [ROOT + path for path in (*more, *START)], set[tuple[str, str]]()
    while waiting:
        path = waiting.pop(0)
        parts = urlsplit(path)
        pattern, tab = find_pattern(parts.path), parse_qs(parts.query).get("tab", [""])[0]
        if pattern is None or (pattern, tab) in seen or pattern not in wanted_patterns():
            continue
        seen.add((pattern, tab))
        answer = person.page.goto(path)
        assert answer is not None and answer.ok, f"{path}: {answer and answer.status}"
        waiting += person.page.eval_on_selector_all("a[href^='/']", "links => links.map(a => a.getAttribute('href'))")
        yield pattern


# -- what a page says --------------------------------------------------------------------------------------------------

_TEXTS = """() => {
  const found = [];
  const skip = "script, style, noscript, code, pre, kbd, .mono, [lang]:not(html)";
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.trim() && !node.parentElement.closest(skip)) found.push(node.data.trim().replace(/\\s+/g, " "));
  }
  for (const name of ["aria-label", "title", "placeholder", "alt", "data-copied", "hx-confirm"])
    for (const element of document.querySelectorAll(`[${name}]`))
      if (!element.closest("[lang]:not(html)")) found.push(element.getAttribute(name).trim());
  return found;
}"""
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_WORD = re.compile("[A-Za-z]{2,}")


def read_texts(person: Person) -> list[str]:
    """All that is written on the page and in its labels, also in dialogs that are closed; not what is code."""
    return list(person.page.evaluate(_TEXTS))


def find_untranslated(texts: list[str], data: re.Pattern[str]) -> set[str]:
    """Texts on a Chinese page without a Chinese letter, that are neither names of products nor ``data``."""
    return {text for text in texts if _WORD.search(data.sub("", text)) and not _CHINESE.search(text)}


def find_chinese(texts: list[str], data: re.Pattern[str]) -> set[str]:
    """Texts on an English page with a Chinese letter."""
    return {text for text in texts if _CHINESE.search(data.sub("", text))}


# -- whom a page shuts out ---------------------------------------------------------------------------------------------


@cache
def axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def find_barriers(person: Person) -> list[str]:
    """Serious and critical findings of axe-core.  Its text is evaluated, not loaded: the page's policy stays."""
    person.page.evaluate(axe())
    found: dict[str, Any] = person.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [finding for finding in found["violations"] if finding["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes']][:3]}" for each in serious]
