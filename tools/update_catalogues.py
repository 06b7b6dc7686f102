"""Bring the consoles' catalogues up to date with the words in their sources.

python tools/update_catalogues.py            adds what is new (with an empty msgstr), drops what is gone
python tools/update_catalogues.py --check    exits 1 and names what is missing, untranslated or stale (a test runs it)

A room is a folder of ``tidegate/console`` or of ``templates``; its words are in ``catalogues/<language>/<room>.po``.
What is in no room is ``base``'s, and what ``base`` has is nobody else's.  Two rooms that have one word translate it
alike.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

ROOT = Path(__file__).parents[1]
CONSOLE = ROOT / "tidegate" / "console"
CATALOGUES = CONSOLE / "catalogues"
LANGUAGES = ("zh",)
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
JINJA = {"trimmed": "false", "newstyle_gettext": "true"}
_HOLES = re.compile(r"\{\w*\}|%\(\w+\)[sd]")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        problems = list_problems()
        print("\n".join(problems) or "catalogues: complete")
        return 1 if problems else 0
    for language in LANGUAGES:
        for room, messages in collect().items():
            update(language, room, messages)
    return 0


def collect() -> dict[str, list[Any]]:
    """Room -> its message ids (a pair where there is a plural), without what base has."""
    found: dict[str, set[Any]] = {}
    for path in sorted([*CONSOLE.rglob("*.py"), *CONSOLE.rglob("templates/**/*.html")]):
        method = babel_extract if path.suffix == ".html" else "python"
        with path.open("rb") as file:
            for _line, message, _comments, _context in extract(method, file, KEYWORDS, (), JINJA):
                if message:
                    found.setdefault(room_of(path), set()).add(message)
    base = found.get("base", set())
    rooms = {room: sorted(words - base, key=str) for room, words in found.items() if room != "base"}
    return {"base": sorted(base, key=str), **dict(sorted(rooms.items()))}


def room_of(path: Path) -> str:
    parts = path.relative_to(CONSOLE).parts
    parts = parts[1:] if parts[0] == "templates" else parts
    return parts[0] if len(parts) > 1 and parts[0] != "account" else "base"


def load(language: str, room: str) -> Catalog:
    path = CATALOGUES / language / f"{room}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str, room: str, messages: list[Any]) -> None:
    """Sorted, without line numbers and dates: two who add words at once seldom touch the same lines.

    A message that changed rooms takes its translation along.
    """
    files = [*(CATALOGUES / language).glob("*.po"), CATALOGUES / language / f"{room}.po"]  # its own word comes last
    known = {m.id: m for path in files for m in load(language, path.stem) if m.id and m.string}
    made = Catalog(locale=language, fuzzy=False)
    for message in messages:
        made.add(message, known[message].string if message in known else "")
    path = CATALOGUES / language / f"{room}.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, made, omit_header=True, width=110, sort_output=True)


def list_problems() -> list[str]:
    """One line each; empty when every word of every page is there in every language."""
    problems = []
    for language in LANGUAGES:
        problems += list_differences(language)
        for room, messages in collect().items():
            known = {message.id: message for message in load(language, room) if message.id}
            name = f"{language}/{room}.po"
            problems += [f"{name}: missing: {m!r} (run tools/update_catalogues.py)" for m in messages if m not in known]
            problems += [f"{name}: stale: {m!r}" for m in known if m not in messages]
            problems += [f"{name}: {why}: {m!r}" for m in known if (why := judge(known[m]))]
    return problems


def list_differences(language: str) -> list[str]:
    """A reader wonders when one thing has two names."""
    seen: dict[Any, dict[str, str]] = {}
    for path in sorted((CATALOGUES / language).glob("*.po")):
        for message in load(language, path.stem):
            if message.id:
                seen.setdefault(message.id, {})[str(message.string)] = path.stem
    return [f"{language}: differs: {message!r} in {texts}" for message, texts in seen.items() if len(texts) > 1]


def judge(message: Any) -> str:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    if message.fuzzy:
        return "fuzzy"
    if not strings or not all(strings):
        return "untranslated"
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    holes = set(_HOLES.findall(ids[-1]))
    return "" if all(set(_HOLES.findall(text)) == holes for text in strings) else "other placeholders"


if __name__ == "__main__":
    sys.exit(main())
