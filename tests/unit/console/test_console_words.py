"""Every word of every page in both languages."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tidegate.console.errors import KINDS, QUOTAS, TABLE, describe_refusal
from tidegate.console.reasons import translate_reason
from tidegate.console.words import _, choose_language, speaking
from tidegate.domain import refusals

ROOT = Path(__file__).parents[3]


def test_catalogues_are_complete() -> None:
    """A word without a translation is found here, not by a reader."""
    tool = [sys.executable, str(ROOT / "tools" / "update_catalogues.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def subclasses(kind: type[refusals.Refusal]) -> list[type[refusals.Refusal]]:
    return [found for sub in kind.__subclasses__() for found in (sub, *subclasses(sub))]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", subclasses(refusals.Refusal), ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_sentence(kind: type[refusals.Refusal], language: str) -> None:
    """The table is total, and each sentence can be filled with the refusal's own facts."""
    assert kind in TABLE
    with speaking(language):
        text = describe_refusal(kind(*[f"<{f.name}>" for f in fields(kind)])).text
    assert "{" not in text and text[-1] in ".。>"


def first_words(*names: str) -> set[str]:
    """The constant first arguments of these refusals, wherever they are raised."""
    found: set[str] = set()
    for room in ("domain", "operations"):
        for path in (ROOT / "tidegate" / room).glob("*.py"):
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            words = [c.args[0] for c in calls if getattr(c.func, "id", "") in names and c.args]
            found |= {str(word.value) for word in words if isinstance(word, ast.Constant)}
    return found


def test_what_refusals_name_has_a_name_in_pages() -> None:
    """Kinds and quotas are words within a sentence: an English one in a Chinese sentence is half a translation."""
    assert first_words("NotFound", "Busy", "Conflict", "InUse", "WrongState") <= set(KINDS)
    assert first_words("QuotaReached") <= set(QUOTAS)


def sentences(room: str) -> set[str]:
    """The constant outcomes that the controller's files write.  Those of ``loop.py`` are the log's only."""
    found: set[str] = set()
    for path in set((ROOT / "tidegate" / room).glob("*.py")) - {ROOT / "tidegate" / room / "loop.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Outcome" and len(node.args) > 1:
                reason = node.args[1]
                if isinstance(reason, ast.Constant):
                    found.add(str(reason.value))
                elif isinstance(reason, ast.JoinedStr):
                    parts = (str(v.value) if isinstance(v, ast.Constant) else "x-1" for v in reason.values)
                    found.add("".join(parts))
    return found


@pytest.mark.parametrize("reason", sorted(sentences("controller")))
def test_what_the_controller_says_can_be_told_in_chinese(reason: str) -> None:
    """Outcomes are written in English where they happen; a new one without a shape would stay English in a page."""
    with speaking("zh"):
        assert translate_reason(reason) is not None


@pytest.mark.parametrize(
    ("cookie", "accepted", "wanted"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "fr,en;q=0.5,zh;q=0.7", "zh"),
        ("", "de", "en"),
        ("en", "zh", "en"),
        ("xx", "zh;q=x,zh;q=0", "en"),
    ],
)
def test_the_readers_choice_comes_first(cookie: str, accepted: str, wanted: str) -> None:
    assert choose_language(cookie, accepted) == wanted


def test_the_language_ends_with_the_page() -> None:
    """Worker threads are used again: one reader's language must not be the next one's."""
    with speaking("zh"):
        assert _("Clusters") == "集群（Clusters）"
    assert _("Clusters") == "Clusters"


WORDS = (
    *(
        "Clusters",
        "Connect",
        "Connection Type",
        "Private Endpoint",
        "Service Name",
        "Availability Zone ID",
        "Region ID",
    ),
    *("VPC", "Endpoints", "Interface Endpoints", "Create Endpoint", "Region", "Endpoint Name", "Endpoint Type"),
    *("Interface Endpoint", "Endpoint Service", "Other Endpoint Services", "Endpoint Service Name", "Verify"),
    *("Security Group", "Zone", "OK", "Active", "Connected", "Connect With", "Endpoint Details"),
    "Domain Name of Endpoint Service",
)
"""what stands in bold on the how-to's page, in English on its Chinese page too"""


@pytest.mark.parametrize("word", WORDS)
def test_the_how_to_s_own_word_stands_on_the_chinese_page(word: str) -> None:
    """The Chinese how-to names buttons and fields in English: whoever follows it must find them."""
    with speaking("zh"):
        assert word in _(word)
