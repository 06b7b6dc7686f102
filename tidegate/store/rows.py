"""One table as a collection of domain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Select, Table, and_, delete, func, insert, select, update

from tidegate.store.changes import Change, name_change

T = TypeVar("T")

VALUES_PER_QUERY = 500
"""databases bound the number of parameters; SQLite's oldest bound was 999"""


class Rows(Generic[T]):
    """The rows of ``table`` as values of ``kind``, inside one transaction."""

    def __init__(self, connection: Connection, table: Table, kind: type[T], changes: set[Change] | None = None) -> None:
        self._connection, self._table, self._kind = connection, table, kind
        self._key = tuple(column.name for column in table.primary_key)
        self._fields = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]
        self._changes = set() if changes is None else changes

    def get(self, *key: str) -> T | None:
        """The row with this primary key, or None."""
        found = self._all(self._select().where(self._is(key)))
        return found[0] if found else None

    def find(self, **equal: Any) -> list[T]:
        """Rows whose columns equal these values, in the order of their primary key."""
        query = self._select().where(*(self._table.c[name] == value for name, value in equal.items()))
        return self._all(query.order_by(*self._table.primary_key))

    def find_in(self, column: str, values: Iterable[Any], **equal: Any) -> list[T]:
        """As ``find``, and ``column`` is one of ``values``."""
        wanted = sorted(set(values))
        found: list[T] = []
        for start in range(0, len(wanted), VALUES_PER_QUERY):
            query = self._select().where(
                self._table.c[column].in_(wanted[start : start + VALUES_PER_QUERY]),
                *(self._table.c[name] == value for name, value in equal.items()),
            )
            found += self._all(query.order_by(*self._table.primary_key))
        return found

    def page(self, after: str, limit: int, **equal: Any) -> list[T]:
        """Up to ``limit`` rows whose (single) key comes after ``after``; what lies before costs nothing."""
        key = self._table.c[self._key[0]]
        query = self._select().where(key > after, *(self._table.c[n] == v for n, v in equal.items()))
        return self._all(query.order_by(key).limit(limit))

    def count(self, **equal: Any) -> int:
        query = select(func.count()).select_from(self._table)
        for name, value in equal.items():
            query = query.where(self._table.c[name] == value)
        return int(self._connection.execute(query).scalar_one())

    def values(self, column: str, **equal: Any) -> list[Any]:
        """One column of the rows that ``find`` would give."""
        query = select(self._table.c[column]).where(*(self._table.c[n] == v for n, v in equal.items()))
        return list(self._connection.execute(query).scalars())

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

    def remove(self, *key: str) -> None:
        self._connection.execute(delete(self._table).where(self._is(key)))
        self._note(dict(zip(self._key, key, strict=True)))

    def _note(self, columns: Mapping[str, Any]) -> None:
        if (change := name_change(self._table.name, columns)) is not None:
            self._changes.add(change)

    def _columns(self, value: T) -> dict[str, Any]:
        return {name: getattr(value, name) for name in self._fields}

    def _is(self, key: tuple[Any, ...]) -> Any:
        return and_(*(self._table.c[name] == part for name, part in zip(self._key, key, strict=True)))

    def _select(self) -> Select[Any]:
        return select(*(self._table.c[name] for name in self._fields))

    def _all(self, query: Select[Any]) -> list[T]:
        return [self._kind(*row) for row in self._connection.execute(query)]
