"""The languages of the consoles.  Sources are English; ``catalogues/<language>/*.po`` translate them, a file per room.

Catalogues are read as they are, with no compiled form that could be out of date; a test proves them complete.
``speaking`` chooses the language for all that runs inside it, so neither handlers nor templates pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = {"en": "English", "zh": "中文"}
CATALOGUES = Path(__file__).parent / "catalogues"

_current: ContextVar[str] = ContextVar("language", default="en")


def _(message: str) -> str:
    """The message in the reader's language."""
    return translations(_current.get()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    return translations(_current.get()).ngettext(singular, plural, count)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Marks a message that is translated later, where it is shown."""
    return message


def language() -> str:
    return _current.get()


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    token = _current.set(wanted if wanted in LANGUAGES else "en")
    try:
        yield
    finally:
        _current.reset(token)


def choose_language(cookie: str, accepted: str) -> str:
    """The reader's own choice, else the browser's first language that we speak, else English."""
    if cookie in LANGUAGES:
        return cookie
    weighed: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), tag.lower()[:2]))
        except ValueError:
            continue
    known = [(weight, tag) for weight, tag in weighed if tag in LANGUAGES and weight > 0]
    return max(known, key=lambda entry: entry[0])[1] if known else "en"


@cache
def translations(wanted: str) -> NullTranslations:
    if wanted == "en":
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, load_catalogue(wanted))
    compiled.seek(0)
    return Translations(compiled)


def load_catalogue(wanted: str) -> Catalog:
    """All rooms' messages of one language together."""
    whole = Catalog(locale=wanted)
    for path in sorted((CATALOGUES / wanted).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=wanted):
                if message.id:
                    whole[message.id] = message
    return whole
