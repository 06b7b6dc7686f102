"""Tags: up to twenty pairs of texts on a resource, for people and their programs to find it by.

Limits: TagResources of VPC and ECS (help centre, seen 2026-11): key 1 to 128 letters, value up to 128, neither with
``http://`` or ``https://``, keys not beginning with ``aliyun`` or ``acs:``, which the cloud keeps for itself.
PrivateLink documents 64 for keys; the same limit for all keeps a tag that one product took from failing in another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tidegate.domain.refusals import QuotaReached, TagMalformed, TagRepeated

TagKind = Literal["vpc", "subnet", "route_table", "security_group", "interface", "endpoint", "service"]

TAGS_PER_RESOURCE = 20
_LONGEST = 128
_LINKS = ("http://", "https://")
_RESERVED = ("aliyun", "acs:")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of one resource.  ``account_id`` is the resource's owner, so that lists need not look it up."""

    kind: TagKind
    resource_id: str
    key: str
    value: str
    account_id: str


def require_tag_key(key: str) -> str:
    if not key or key.lower().startswith(_RESERVED) or not _decide_text(key):
        raise TagMalformed("Key", key)
    return key


def require_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as one mapping.  Raises TagMalformed, TagRepeated, QuotaReached."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if require_tag_key(key) in tags:
            raise TagRepeated(key)
        if not _decide_text(value):
            raise TagMalformed("Value", value)
        tags[key] = value
    require_room(tags)
    return tags


def require_room(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_PER_RESOURCE:
        raise QuotaReached("tags per resource", TAGS_PER_RESOURCE)


def decide_tagged(tags: Mapping[str, str], wanted: Iterable[tuple[str, str | None]]) -> bool:
    """Has a resource with these tags every wanted one?  A wanted value of None: any value."""
    return all(key in tags and value in (None, tags[key]) for key, value in wanted)


def _decide_text(text: str) -> bool:
    """Control characters too are refused: some databases cannot keep all of them."""
    fits = len(text) <= _LONGEST and not any(link in text.lower() for link in _LINKS)
    return fits and all(letter >= " " and letter != "\x7f" for letter in text)
