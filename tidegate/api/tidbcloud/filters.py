"""The ``filter`` of cluster lists: ``projectId=160001 AND region.provider="aws"`` (``reference/tidbcloud.md`` 1.6).

::

    filter  := term (AND term)*        term := key = value        value := bare | "quoted"

Official clients send exactly ``projectId=<id>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.domain.refusals import Malformed

_TERM = re.compile(
    r"""\s*(?P<key>[A-Za-z]+(?:\.[^\s=]+)?)\s*=\s*
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"AND\b\s*")
_LETTERS = 4096
_STATES = frozenset({"CREATING", "ACTIVE", "DELETING", "DELETED", "RESTORING", "MAINTENANCE", "INACTIVE"})

Matches = Callable[[Mapping[str, Any]], bool]
"""does this cluster, as it goes over the wire, match?"""


def parse_filter(text: str) -> Matches:
    """Raises :class:`Malformed` for a key nobody knows, an unknown state, and anything that does not parse."""
    terms = [_term(key, value) for key, value in _split(text)]
    return lambda cluster: all(term(cluster) for term in terms)


def _split(text: str) -> list[tuple[str, str]]:
    if len(text) > _LETTERS:
        raise Malformed("filter", f"it is longer than {_LETTERS} letters")
    if not text.strip():
        return []
    terms, at = [], 0
    while True:
        found = _TERM.match(text, at)
        if found is None:
            raise Malformed("filter", text)
        quoted = found["quoted"]
        value = found["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        terms.append((found["key"], value))
        if found.end() == len(text):
            return terms
        joint = _AND.match(text, found.end())
        if joint is None:
            raise Malformed("filter", text)
        at = joint.end()


def _term(key: str, value: str) -> Matches:
    if key.startswith("labels."):
        label = key.removeprefix("labels.")
        return lambda cluster: cluster["labels"].get(label) == value
    if key == "state" and value not in _STATES:
        raise Malformed("filter", f"state={value}")
    make = _KEYS.get(key)
    if make is None:
        raise Malformed("filter", key)
    return make(value)


def _any_of(field: Callable[[Mapping[str, Any]], str]) -> Callable[[str], Matches]:
    """``projectId`` and ``clusterId`` accept comma lists."""

    def make(value: str) -> Matches:
        wanted = frozenset(part.strip() for part in value.split(","))
        return lambda cluster: field(cluster) in wanted

    return make


def _project_id(cluster: Mapping[str, Any]) -> str:
    return str(cluster["labels"].get("tidb.cloud/project", ""))


def _region_name(value: str) -> Matches:
    name = value if value.startswith("regions/") else f"regions/{value}"
    return lambda cluster: bool(cluster["region"]["name"] == name)


_KEYS: dict[str, Callable[[str], Matches]] = {
    "region.provider": lambda value: lambda cluster: bool(cluster["region"]["cloudProvider"] == value.lower()),
    "region.name": _region_name,
    "state": lambda value: lambda cluster: bool(cluster["state"] == value),
    "displayName": lambda value: lambda cluster: bool(cluster["displayName"] == value),
    "clusterId": _any_of(lambda cluster: str(cluster["clusterId"])),
    "projectId": _any_of(_project_id),
}
