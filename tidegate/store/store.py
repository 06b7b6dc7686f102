"""Transactions over the tables: many readers, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from tidegate.domain.accounts import AccessKey, Account
from tidegate.domain.clusters import Cluster
from tidegate.domain.endpoints import Endpoint, EndpointZone
from tidegate.domain.events import Event
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.public_endpoints import PublicListener
from tidegate.domain.security_groups import SecurityGroup, SecurityGroupRule
from tidegate.domain.service_resources import ServiceResource
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Kind, Status
from tidegate.domain.subnets import Subnet
from tidegate.domain.tags import Tag
from tidegate.domain.usage import Usage
from tidegate.domain.users import LoginLink, Session, User
from tidegate.domain.vpcs import Vpc
from tidegate.store import schema
from tidegate.store.changes import Change
from tidegate.store.rows import Rows
from tidegate.store.tokens import ClientToken


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


class Transaction:
    """All tables, inside one transaction.  Each property is made at its first use."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.changes: set[Change] = set()
        """the names of what was written, for who shows it"""

    @cached_property
    def accounts(self) -> Rows[Account]:
        return Rows(self.connection, schema.accounts, Account, self.changes)

    @cached_property
    def access_keys(self) -> Rows[AccessKey]:
        return Rows(self.connection, schema.access_keys, AccessKey, self.changes)

    @cached_property
    def users(self) -> Rows[User]:
        return Rows(self.connection, schema.users, User, self.changes)

    @cached_property
    def sessions(self) -> Rows[Session]:
        return Rows(self.connection, schema.sessions, Session, self.changes)

    @cached_property
    def login_links(self) -> Rows[LoginLink]:
        return Rows(self.connection, schema.login_links, LoginLink, self.changes)

    @cached_property
    def vpcs(self) -> Rows[Vpc]:
        return Rows(self.connection, schema.vpcs, Vpc, self.changes)

    @cached_property
    def subnets(self) -> Rows[Subnet]:
        return Rows(self.connection, schema.subnets, Subnet, self.changes)

    @cached_property
    def security_groups(self) -> Rows[SecurityGroup]:
        return Rows(self.connection, schema.security_groups, SecurityGroup, self.changes)

    @cached_property
    def security_group_rules(self) -> Rows[SecurityGroupRule]:
        return Rows(self.connection, schema.security_group_rules, SecurityGroupRule, self.changes)

    @cached_property
    def interfaces(self) -> Rows[NetworkInterface]:
        return Rows(self.connection, schema.interfaces, NetworkInterface, self.changes)

    @cached_property
    def services(self) -> Rows[EndpointService]:
        return Rows(self.connection, schema.services, EndpointService, self.changes)

    @cached_property
    def service_resources(self) -> Rows[ServiceResource]:
        return Rows(self.connection, schema.service_resources, ServiceResource, self.changes)

    @cached_property
    def endpoints(self) -> Rows[Endpoint]:
        return Rows(self.connection, schema.endpoints, Endpoint, self.changes)

    @cached_property
    def endpoint_zones(self) -> Rows[EndpointZone]:
        return Rows(self.connection, schema.endpoint_zones, EndpointZone, self.changes)

    @cached_property
    def clusters(self) -> Rows[Cluster]:
        return Rows(self.connection, schema.clusters, Cluster, self.changes)

    @cached_property
    def usages(self) -> Rows[Usage]:
        return Rows(self.connection, schema.usages, Usage, self.changes)

    @cached_property
    def public_listeners(self) -> Rows[PublicListener]:
        return Rows(self.connection, schema.public_listeners, PublicListener, self.changes)

    @cached_property
    def statuses(self) -> Rows[Status]:
        return Rows(self.connection, schema.statuses, Status, self.changes)

    @cached_property
    def events(self) -> Rows[Event]:
        return Rows(self.connection, schema.events, Event, self.changes)

    @cached_property
    def tags(self) -> Rows[Tag]:
        return Rows(self.connection, schema.tags, Tag, self.changes)

    @cached_property
    def client_tokens(self) -> Rows[ClientToken]:
        return Rows(self.connection, schema.client_tokens, ClientToken, self.changes)

    def status(self, kind: Kind, resource_id: str) -> Status | None:
        return self.statuses.get(kind, resource_id)

    def last_usage(self, cluster_id: str) -> Usage | None:
        """Of this month or of an earlier one; None: it never used anything."""
        months = self.usages.find(cluster_id=cluster_id)
        return months[-1] if months else None

    def next_number(self, pool: str) -> int:
        """0, 1, 2... per pool, never the same twice: numbers of the dead are not reused at once."""
        table = schema.address_counters
        number = self.connection.execute(select(table.c.next).where(table.c.pool == pool)).scalar()
        if number is None:
            self.connection.execute(insert(table).values(pool=pool, next=1))
            return 0
        self.connection.execute(update(table).where(table.c.pool == pool).values(next=number + 1))
        return int(number)


class Store:
    """The database.  ``read`` and ``write`` give a :class:`Transaction`; both may be used from any thread."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._sqlite = self._url.get_backend_name() == "sqlite"
        if self._sqlite and self._url.database:
            _make_private(Path(self._url.database))
        self._engine = _sqlite_engine(url) if self._sqlite else create_engine(url, pool_pre_ping=True)
        self._listeners: list[Callable[[frozenset[Change]], None]] = []

    def listen(self, listener: Callable[[frozenset[Change]], None]) -> None:
        """From now on ``listener`` is told the names of what was written, after each commit of this process.

        It is called in the writer's thread, so it must be quick; it must not raise, and must not use the store.
        """
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent view."""
        with self._engine.connect() as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Committed at the end, rolled back by any exception.  Waits for another writer up to 10 s."""
        with self._engine.connect() as plain:
            connection = plain.execution_options(tidegate_write=True)
            try:
                with connection.begin():
                    transaction = Transaction(connection)
                    yield transaction
            except OperationalError as error:
                raise StoreError(_explain(error, str(self._url.database))) from error
        if transaction.changes:
            for listener in self._listeners:
                listener(frozenset(transaction.changes))

    def migrate(self) -> None:
        """Bring the schema up to date; safe to run again, and by two at once on databases with transactional DDL."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self._engine.dispose()


def _make_private(path: Path) -> None:
    """The database holds access keys: only its owner may read it, from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _sqlite_engine(url: str) -> Engine:
    # No reset on return: every transaction here ends in its own commit or rollback.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8,
        pool_reset_on_return=None,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(raw, _record) -> None:  # type: ignore[no-untyped-def]
        raw.isolation_level = None  # the driver must not begin transactions by itself
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that read first and asked later could only fail.
        write = connection.get_execution_options().get("tidegate_write")
        raw = connection.connection.driver_connection
        assert raw is not None
        # Below SQLAlchemy, whose way of sending a statement takes longer than this one does; its error stays the same.
        try:
            raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN", None, error) from error

    return engine


def _explain(error: OperationalError, database: str) -> str:
    text = str(error.orig)
    if "disk is full" in text or "disk I/O" in text:
        return f"The store {database} cannot be written ({text}). Nothing was changed. Free some disk space."
    if "locked" in text:
        return f"The store {database} is held by another writer for over 10 s. Stop it, or try again."
    return f"The store {database} refused a write: {text}. Nothing was changed."
