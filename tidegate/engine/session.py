"""Our own SQL session with a cluster's server, opened from inside the server's network namespace.

A socket belongs to the namespace of the thread that opens it, and ``setns`` changes one thread only.  So each
session lives in a thread of its own that enters, works, and ends there; it never forks, and nothing else of the
process is ever inside.
"""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pymysql
from pymysql.cursors import Cursor

from tidegate.engine.bootstrap import (
    MAINTENANCE_USER,
    Accounts,
    build_view,
    plan_accounts,
    plan_renames,
    quote_name,
)
from tidegate.engine.config import DatabaseConfig

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

POLL_S = 0.01
SQL_TIMEOUT_S = 20

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SessionError(Exception):
    """The server could not be asked; the message says why in one sentence."""


def run_inside(namespace: Path, job: Callable[[], T]) -> T:
    """``job()`` in a thread inside the network namespace at ``namespace``; its result or its exception."""
    outcome: list[tuple[T | None, BaseException | None]] = []

    def body() -> None:
        try:
            enter_namespace(namespace)
            outcome.append((job(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=body, name="engine-inside", daemon=True)
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def enter_namespace(namespace: Path) -> None:
    """Move the calling thread, for good, into the network namespace.  Raises OSError."""
    # os.setns exists from Python 3.12 on only.
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))
    finally:
        os.close(descriptor)


def connect_when_ready(
    config: DatabaseConfig, key: str, alive: Callable[[], bool], deadline_s: float
) -> pymysql.Connection[Cursor]:
    """A session as soon as the server listens; the caller is inside its namespace already.

    Raises :class:`SessionError` when ``alive`` says False, and past ``deadline_s`` (monotonic).
    """
    while True:
        try:
            return open_session(config, key)
        except ConnectionRefusedError:
            if not alive():
                raise SessionError("tidb-server ended before it listened") from None
        except OSError as error:
            raise SessionError(f"tidb-server's address {config.address} cannot be reached: {error}") from error
        if time.monotonic() > deadline_s:
            raise SessionError(f"tidb-server did not listen on {config.address}:{config.port} in time")
        time.sleep(POLL_S)


def open_session(config: DatabaseConfig, key: str) -> pymysql.Connection[Cursor]:
    """One session of the maintenance account.  Raises OSError (no TCP), :class:`SessionError` (no login)."""
    # From the server's own address: it is not a PROXY network, and the session count leaves it out.
    stream = socket.create_connection(
        (config.address, config.port), timeout=SQL_TIMEOUT_S, source_address=(config.address, 0)
    )
    connection = pymysql.connect(
        host=config.address,
        user=MAINTENANCE_USER,
        password=key,
        autocommit=True,
        read_timeout=SQL_TIMEOUT_S,
        write_timeout=SQL_TIMEOUT_S,
        local_infile=False,
        defer_connect=True,
    )
    try:
        connection.connect(stream)
    except pymysql.err.MySQLError as error:
        stream.close()
        raise SessionError(f"tidb-server refuses the maintenance account: {_text(error)}") from error
    return connection


def count_writers(connection: pymysql.Connection[Cursor]) -> int:
    """How many sessions are in the midst of a statement that may write; EXPLAIN is one, for EXPLAIN ANALYZE may."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE command <> 'Sleep' AND id <> CONNECTION_ID()"
            " AND NOT LOWER(TRIM(IFNULL(info, ''))) REGEXP '^(select|show|use|set)[^a-z]'"
        )
        row = cursor.fetchone()
        return int(row[0]) if row else 0


def settle_accounts(connection: pymysql.Connection[Cursor], config: DatabaseConfig) -> None:
    """Make the server's accounts what ``config`` asks; nothing is written when they are.

    Raises :class:`SessionError` naming the statement's kind, never its text: it may carry a password hash.
    """
    with connection.cursor() as cursor:
        if config.copy_of:
            _adopt_users(cursor, config)
        for statement in plan_accounts(observe_accounts(cursor, config), config):
            _execute(cursor, statement)


def _execute(cursor: Cursor, statement: str) -> None:
    try:
        cursor.execute(statement)
    except pymysql.err.MySQLError as error:
        kind = " ".join(statement.split()[:2])
        raise SessionError(f"{kind} failed on the server: {_text(error)}") from error


def _adopt_users(cursor: Cursor, config: DatabaseConfig) -> None:
    """A branch's data came with its parent's users: they and what is defined by them get the branch's prefix."""
    old, new = config.copy_prefix, config.root_user.removesuffix(".root")
    if not old or old == new:
        return
    cursor.execute("SET SESSION sql_mode = ''")  # whatever the tenant made the global one
    cursor.execute("SELECT user, host FROM mysql.user WHERE user LIKE %s OR user LIKE %s", (f"{old}.%", f"{new}.%"))
    for statement in plan_renames(cursor.fetchall(), old, new):
        _execute(cursor, statement)
    cursor.execute("SELECT table_schema, table_name FROM information_schema.views WHERE definer LIKE %s", (f"{old}.%",))
    for schema, name in cursor.fetchall():
        try:
            _adopt_view(cursor, schema, name, old, new)
        except pymysql.err.MySQLError as error:
            if not cursor.connection.open:
                raise SessionError(f"the server broke off at a view: {_text(error)}") from error
            # Its table is gone, say: it is of no use in the parent either, and must not keep the branch from its start.
            _log.warning("engine: %s: a view keeps its parent's definer: error %s", config.cluster_id, error.args[:1])


def _adopt_view(cursor: Cursor, schema: str, name: str, old: str, new: str) -> None:
    cursor.execute(f"SHOW CREATE VIEW {quote_name(schema)}.{quote_name(name)}")
    row = cursor.fetchone()
    cursor.execute(f"USE {quote_name(schema)}")
    cursor.execute(build_view(str(row[1]) if row else "", old, new))


def observe_accounts(cursor: Cursor, config: DatabaseConfig) -> Accounts:
    """What :func:`plan_accounts` starts from."""
    cursor.execute(
        "SELECT account_locked, plugin, authentication_string, Super_priv, Grant_priv, File_priv, Config_priv"
        " FROM mysql.user WHERE user = %s AND host = '%%'",
        (config.root_user,),
    )
    row: tuple[Any, ...] | None = cursor.fetchone()
    cursor.execute("SELECT @@global.tidb_server_memory_limit")
    limit = cursor.fetchone()
    limit_bytes = int(limit[0]) if limit and str(limit[0]).isdigit() else 0
    if row is None:
        return Accounts(False, False, True, "", "", limit_bytes)
    return Accounts(True, row[3:] == ("Y", "Y", "N", "N"), row[0] == "Y", row[1], row[2] or "", limit_bytes)


def _text(error: pymysql.err.MySQLError) -> str:
    return str(error.args[-1]) if error.args else type(error).__name__
