"""One table as a collection of domain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, func, insert, select, update

from tidegate.store.changes import Change, name_change

T = TypeVar("T")

VALUES_PER_QUERY = 500
"""databases bound the number of parameters; SQLite's oldest bound was 999"""


class Rows(Generic[T]):
    """The rows of ``table`` as values of ``kind``, inside one transaction.

    A query is built once for each shape (table, and the names of the columns it asks by) and kept: building one takes
    longer than SQLite takes to answer it (docs/benchmarks/api.md).
    """

    def __init__(self, connection: Connection, table: Table, kind: type[T], changes: set[Change] | None = None) -> None:
        self._connection, self._table, self._kind = connection, table, kind
        self._key, self._fields = _names(table, kind)  # type: ignore[arg-type]
        self._changes = set() if changes is None else changes

    def get(self, *key: str) -> T | None:
        """The row with this primary key, or None."""
        query = _select(self._table, self._fields, self._key)
        found = self._all(query, dict(zip(self._key, key, strict=True)))
        return found[0] if found else None

    def find(self, **equal: Any) -> list[T]:
        """Rows whose columns equal these values, in the order of their primary key."""
        return self._all(_select(self._table, self._fields, tuple(equal), order=True), equal)

    def find_in(self, column: str, values: Iterable[Any], **equal: Any) -> list[T]:
        """As ``find``, and ``column`` is one of ``values``."""
        found: list[T] = []
        for within in _within(values):
            query = _select(self._table, self._fields, tuple(equal), within=(column, len(within)), order=True)
            found += self._all(query, {**equal, **within})
        return found

    def page(self, after: str, limit: int, **equal: Any) -> list[T]:
        """Up to ``limit`` rows whose (single) key comes after ``after``; what lies before costs nothing."""
        query = _select(self._table, self._fields, tuple(equal), after=True, order=True, limited=True)
        return self._all(query, {**equal, _AFTER: after, _LIMIT: limit})

    def slice(self, start: int, limit: int, **equal: Any) -> list[T]:
        """Up to ``limit`` of the rows that ``find`` would give, from the ``start``-th."""
        query = _select(self._table, self._fields, tuple(equal), order=True, limited=True)
        return self._all(query, {**equal, _START: start, _LIMIT: limit})

    def page_before(self, before: str, limit: int, **equal: Any) -> list[T]:
        """The last ``limit`` rows whose (single) key comes before ``before``, ascending all the same."""
        query = _select(self._table, self._fields, tuple(equal), before=True, limited=True)
        return self._all(query, {**equal, _BEFORE: before, _LIMIT: limit})[::-1]

    def count(self, **equal: Any) -> int:
        assert None not in equal.values(), "NULL equals nothing"
        return int(self._connection.execute(_count(self._table, tuple(equal)), equal).scalar_one())

    def values(self, column: str, **equal: Any) -> list[Any]:
        """One column of the rows that ``find`` would give."""
        return list(self._connection.execute(_select(self._table, (column,), tuple(equal)), equal).scalars())

    def values_in(self, wanted: str, column: str, values: Iterable[Any], **equal: Any) -> list[Any]:
        """The column ``wanted`` of the rows that ``find_in`` would give, in no order."""
        found: list[Any] = []
        for within in _within(values):
            query = _select(self._table, (wanted,), tuple(equal), within=(column, len(within)))
            found += self._connection.execute(query, {**equal, **within}).scalars()
        return found

    def add(self, value: T) -> T:
        """Insert; an equal key is a programming error and raises IntegrityError."""
        columns = self._columns(value)
        self._connection.execute(insert(self._table).values(columns))
        self._note(columns)
        return value

    def put(self, value: T) -> T:
        """Update the row with this key, or insert it."""
        columns = self._columns(value)
        key = tuple(columns[name] for name in self._key)
        if self._connection.execute(update(self._table).where(self._is(key)).values(columns)).rowcount == 0:
            self._connection.execute(insert(self._table).values(columns))
        self._note(columns)
        return value

    def remove(self, *key: str | int) -> None:
        self._connection.execute(delete(self._table).where(self._is(key)))
        self._note(dict(zip(self._key, key, strict=True)))

    def has_older(self, column: str, than: Any) -> bool:
        """Whether there is a row whose ``column`` lies before ``than``."""
        query = select(self._table.c[column]).where(self._table.c[column] < than).limit(1)
        return self._connection.execute(query).first() is not None

    def remove_older(self, column: str, than: Any, limit: int) -> int:
        """Up to ``limit`` rows whose ``column`` lies before ``than``, the oldest first; how many there were."""
        table = self._table
        query = select(*(table.c[name] for name in self._key)).where(table.c[column] < than)
        keys = [dict(row) for row in self._connection.execute(query.order_by(table.c[column]).limit(limit)).mappings()]
        if keys:
            is_one = and_(*(table.c[name] == bindparam(name) for name in self._key))
            self._connection.execute(delete(table).where(is_one), keys)
        for key in keys:
            self._note(key)
        return len(keys)

    def _note(self, columns: Mapping[str, Any]) -> None:
        if (change := name_change(self._table.name, columns)) is not None:
            self._changes.add(change)

    def _columns(self, value: T) -> dict[str, Any]:
        return {name: getattr(value, name) for name in self._fields}

    def _is(self, key: tuple[Any, ...]) -> Any:
        return and_(*(self._table.c[name] == part for name, part in zip(self._key, key, strict=True)))

    def _all(self, query: Select[Any], values: dict[str, Any]) -> list[T]:
        assert None not in values.values(), "NULL equals nothing"
        return [self._kind(*row) for row in self._connection.execute(query, values).all()]


# Names of parameters that no column has.
_AFTER, _BEFORE, _START, _LIMIT = "after_", "before_", "start_", "limit_"
_WITHIN = tuple(f"within_{number}" for number in range(VALUES_PER_QUERY))


def _within(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Parameters that hold all the values, so many to a query as it may have."""
    wanted = sorted(set(values))
    for start in range(0, len(wanted), VALUES_PER_QUERY):
        some = wanted[start : start + VALUES_PER_QUERY]
        # The last one fills the places up, so that ten shapes serve lists of any length.
        names = _WITHIN[: min(VALUES_PER_QUERY, 1 << (len(some) - 1).bit_length())]
        yield dict.fromkeys(names, some[-1]) | dict(zip(names, some, strict=False))


@cache
def _names(table: Table, kind: type[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the primary key, and the fields of the value."""
    return tuple(column.name for column in table.primary_key), tuple(field.name for field in fields(kind))


@cache
def _select(
    table: Table,
    columns: tuple[str, ...],
    equal: tuple[str, ...],
    *,
    within: tuple[str, int] | None = None,
    after: bool = False,
    before: bool = False,
    order: bool = False,
    limited: bool = False,
) -> Select[Any]:
    query = select(*(table.c[name] for name in columns)).where(*(table.c[name] == bindparam(name) for name in equal))
    if within:
        column, count = within
        kind = table.c[column].type
        query = query.where(table.c[column].in_([bindparam(name, type_=kind) for name in _WITHIN[:count]]))
    if after:
        (key,) = table.primary_key
        query = query.where(key > bindparam(_AFTER))
    if before:
        (key,) = table.primary_key
        query = query.where(key < bindparam(_BEFORE)).order_by(key.desc())
    if order:
        query = query.order_by(*table.primary_key)
    if limited:
        query = query.limit(bindparam(_LIMIT)).offset(bindparam(_START, 0))
    return query


@cache
def _count(table: Table, equal: tuple[str, ...]) -> Select[Any]:
    return select(func.count()).select_from(table).where(*(table.c[name] == bindparam(name) for name in equal))
