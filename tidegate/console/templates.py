"""The templates' environment: escaped by default, strict about names, in the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.nodes import Const, Extends
from markupsafe import Markup

from tidegate.console import words
from tidegate.console.navigation import PRODUCTS
from tidegate.console.reasons import translate_reason
from tidegate.console.static import static_url

FOLDER = Path(__file__).parent / "templates"


@cache
def build_environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.install_gettext_callables(words._, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {
        "static_url": static_url,
        "languages": words.LANGUAGES,
        "products": PRODUCTS,
    }
    made.filters |= {
        "when": show_time,
        "moment": show_moment,
        "sentence": show_sentence,
        "number": show_number,
        "code_html": show_code,
        "pair": lambda text: (text, text),
    }
    made.globals["ui"] = made.get_template("ui.html").module
    made.globals["cloud"] = made.get_template("vpc/pieces.html").module
    return made


def render_template(name: str, block: str, values: dict[str, Any]) -> str:
    """The whole, or only its block of that name if it or one that it extends has one."""
    for template in _with_parents(name) if block else ():
        if block in template.blocks:
            return "".join(template.blocks[block](template.new_context(values)))
    return build_environment().get_template(name).render(values)


@cache
def _with_parents(name: str) -> list[Template]:
    made = build_environment()
    assert made.loader is not None
    found = [made.get_template(name)]
    source = made.loader.get_source(made, name)[0]
    for tag in made.parse(source).find_all(Extends):
        if isinstance(tag.template, Const):  # else it is chosen while it is rendered, and can be rendered whole only
            found += _with_parents(tag.template.value)
    return found


def show_time(moment: datetime) -> Markup:
    """To the minute, in UTC as the clouds' consoles write it; the exact one is in the element."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), f"{utc:%Y-%m-%d %H:%M} UTC")


def show_moment(moment: datetime) -> Markup:
    """To the second, where one thing follows another."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S} UTC")


def show_sentence(reason: str) -> Markup:
    """An outcome of the controller; one that no catalogue knows stays English and says so to screen readers."""
    text = translate_reason(reason)
    if text is None:
        return Markup('<span lang="en">{}</span>').format(reason)
    return Markup("{}").format(text)


def show_code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def show_number(value: int) -> str:
    return f"{value:,}"
