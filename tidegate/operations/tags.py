"""Tags of any resource: at its making, later, and as a filter of lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.domain.refusals import InUse, NotFound
from tidegate.domain.tags import Tag, TagKind, decide_tagged, require_room, require_tags
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.store.store import Transaction

Wanted = tuple[str, str | None]
"""a key, and its value or None for any"""

_TABLES: dict[TagKind, tuple[str, str]] = {
    "vpc": ("vpcs", "vpc_id"),
    "subnet": ("subnets", "subnet_id"),
    "route_table": ("vpcs", "route_table_id"),
    "security_group": ("security_groups", "group_id"),
    "interface": ("interfaces", "interface_id"),
    "endpoint": ("endpoints", "endpoint_id"),
    "service": ("services", "service_id"),
}


def tag_resources(
    context: Context,
    caller: Caller,
    kind: TagKind,
    resource_ids: Iterable[str],
    pairs: Iterable[tuple[str, str]],
    *,
    region_id: str | None = None,
) -> None:
    """Give each of the resources these tags; a key that is there gets the new value.  All or none.

    Raises NotFound(kind) for the first id that is not the caller's (in ``region_id``), TagMalformed, TagRepeated,
    QuotaReached, InUse for an endpoint's interface, which is not the user's.
    """
    tags = require_tags(pairs)
    with change(context, caller) as work:
        ids = _require_own(work.tx, caller, kind, resource_ids, region_id)
        known = _tags_of(work.tx, kind, ids)
        for resource_id in ids:
            require_room({**known[resource_id], **tags})
            _put(work, caller, kind, resource_id, tags)


def put_first_tags(
    work: Work, caller: Caller, kind: TagKind, resource_id: str, pairs: Iterable[tuple[str, str]]
) -> None:
    """The tags that a resource is made with, inside the change that makes it."""
    _put(work, caller, kind, resource_id, require_tags(pairs))


def untag_resources(
    context: Context,
    caller: Caller,
    kind: TagKind,
    resource_ids: Iterable[str],
    keys: Iterable[str] | None,
    *,
    region_id: str | None = None,
) -> None:
    """Take these keys from the resources, or with None all of them.  A key that is not there is no error."""
    wanted = None if keys is None else set(keys)
    with change(context, caller) as work:
        ids = _require_own(work.tx, caller, kind, resource_ids, region_id)
        for resource_id, tags in _tags_of(work.tx, kind, ids).items():
            for key in tags.keys() if wanted is None else tags.keys() & wanted:
                work.tx.tags.remove(kind, resource_id, key)


def forget_tags(work: Work, kind: TagKind, resource_id: str) -> None:
    """Inside the change that deletes the resource."""
    for key in work.tx.tags.values("key", kind=kind, resource_id=resource_id):
        work.tx.tags.remove(kind, resource_id, key)


def list_tags(
    context: Context,
    caller: Caller,
    kind: TagKind,
    *,
    resource_ids: Sequence[str] = (),
    wanted: Sequence[Wanted] = (),
    region_id: str | None = None,
) -> list[Tag]:
    """All tags of the caller's resources that are named, that have every wanted tag, or both; ordered by id and key.

    Ids that are not the caller's are left out.
    """
    with context.store.read() as tx:
        ids = list(resource_ids) or sorted(_find_tagged(tx, caller, kind, wanted))
        own = set(_own(tx, caller, kind, ids, region_id))
        found = tx.tags.find_in("resource_id", own, kind=kind)
    tags = _by_resource(found, own)
    fitting = {resource_id for resource_id in own if decide_tagged(tags[resource_id], wanted)}
    return sorted((tag for tag in found if tag.resource_id in fitting), key=lambda tag: (tag.resource_id, tag.key))


def tags_of(context: Context, kind: TagKind, resource_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """The tags of resources that the caller has been shown; one query for any number of them."""
    with context.store.read() as tx:
        return _tags_of(tx, kind, resource_ids)


def find_tagged(context: Context, caller: Caller, kind: TagKind, wanted: Sequence[Wanted]) -> set[str]:
    """The ids of the caller's resources that have every wanted tag."""
    with context.store.read() as tx:
        return _find_tagged(tx, caller, kind, wanted)


def _find_tagged(tx: Transaction, caller: Caller, kind: TagKind, wanted: Sequence[Wanted]) -> set[str]:
    keys = {key for key, _ in wanted}
    found = tx.tags.find_in("key", keys, account_id=caller.account_id, kind=kind)
    tags = _by_resource(found, {tag.resource_id for tag in found})
    return {resource_id for resource_id, own in tags.items() if decide_tagged(own, wanted)}


def _put(work: Work, caller: Caller, kind: TagKind, resource_id: str, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        work.tx.tags.put(Tag(kind, resource_id, key, value, caller.account_id))


def _tags_of(tx: Transaction, kind: TagKind, resource_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    ids = list(resource_ids)
    return _by_resource(tx.tags.find_in("resource_id", ids, kind=kind), ids)


def _by_resource(tags: Iterable[Tag], resource_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {resource_id: {} for resource_id in resource_ids}
    for tag in tags:
        found[tag.resource_id][tag.key] = tag.value
    return found


def _own(
    tx: Transaction, caller: Caller, kind: TagKind, resource_ids: Iterable[str], region_id: str | None
) -> dict[str, Any]:
    table, column = _TABLES[kind]
    rows = getattr(tx, table).find_in(column, resource_ids, account_id=caller.account_id)
    return {getattr(row, column): row for row in rows if not row.deleting and region_id in (None, row.region_id)}


def _require_own(
    tx: Transaction, caller: Caller, kind: TagKind, resource_ids: Iterable[str], region_id: str | None
) -> list[str]:
    ids = list(dict.fromkeys(resource_ids))
    own = _own(tx, caller, kind, ids, region_id)
    for resource_id in ids:
        if resource_id not in own:
            raise NotFound(kind, resource_id)
        if kind == "interface" and own[resource_id].kind == "endpoint":
            raise InUse(kind, resource_id, "endpoint")
    return ids
