"""A cluster's SQL users: looked up and changed through our own session, at once and in the server itself.

A user is created locked and unlocked last, so one that was half made admits nobody; the same create finishes it.
All statements name hosts and quote what a tenant may have named; the session's sql_mode is empty, so that no global
setting of the tenant's changes what a quote or a backslash means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pymysql
from pymysql.cursors import Cursor

from tidegate.domain.sql_users import (
    ADMIN,
    READ_ONLY,
    READ_WRITE,
    SqlReply,
    SqlTask,
    SqlUser,
    builtin_names,
    root_name,
)
from tidegate.engine.bootstrap import MAINTENANCE_USER, WITHHELD, require_hash

Account = tuple[str, str]
"""(user, host)"""

# What each may do is not documented by the cloud beyond the names "Database Read-Write" and "Read-Only".
_PRIVILEGES = {
    READ_WRITE: "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE VIEW, SHOW VIEW, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REFERENCES, SHOW DATABASES",
    READ_ONLY: "SELECT, SHOW VIEW, SHOW DATABASES",
}


@dataclass(slots=True)
class _Held:
    """What the server holds: accounts with (locked, plug-in, has a password), and each account's roles."""

    accounts: dict[Account, tuple[bool, str, bool]] = field(default_factory=dict)
    roles: dict[Account, list[Account]] = field(default_factory=lambda: defaultdict(list))

    def hosts(self, name: str) -> list[Account]:
        return [account for account in self.accounts if account[0] == name]

    def is_role(self, account: Account) -> bool:
        """There is no mark for it: CREATE ROLE makes a locked account without a password."""
        locked, _, password = self.accounts[account]
        return locked and not password


def carry_out(connection: pymysql.Connection[Cursor], task: SqlTask) -> SqlReply:
    """Do what is asked; the reply has the users as they are afterwards.  Raises pymysql.MySQLError."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        held = _observe(cursor)
        reply = _refuse(held, task)
        if reply is not None:
            return reply
        for statement, values in _plan(held, task):
            cursor.execute(statement, values)
        return SqlReply(list_users(_observe(cursor), task.prefix))


def list_users(held: _Held, prefix: str) -> tuple[SqlUser, ...]:
    """Everybody but our account and the roles, one entry a name, in the order of names."""
    users: dict[str, SqlUser] = {}
    for account in sorted(held.accounts):
        name = account[0]
        hidden = name == MAINTENANCE_USER or name in builtin_names(prefix)
        if name in users or hidden or (held.is_role(account) and name != root_name(prefix)):
            continue
        roles = [role for role, _ in held.roles.get(account, ())]
        builtin = next((role for role in builtin_names(prefix) if role in roles), "")
        if name == root_name(prefix):
            builtin = ADMIN
        custom = tuple(sorted(role for role in roles if role not in builtin_names(prefix)))
        users[name] = SqlUser(name, builtin, custom, held.accounts[account][1])
    return tuple(users.values())


def _refuse(held: _Held, task: SqlTask) -> SqlReply | None:
    there = held.hosts(task.name)
    if task.kind in ("change", "drop") and (all(map(held.is_role, there)) or task.name == MAINTENANCE_USER):
        return SqlReply(problem="not_found", detail=task.name)
    if task.kind == "create" and any(not held.accounts[account][0] or held.is_role(account) for account in there):
        return SqlReply(problem="exists", detail=task.name)
    for role in task.custom_roles or ():
        if (role, "%") not in held.accounts or not held.is_role((role, "%")):
            return SqlReply(problem="role_unknown", detail=role)
    return None


Statement = tuple[str, tuple[str, ...]]


def _plan(held: _Held, task: SqlTask) -> Iterable[Statement]:
    """The statements; names and hosts travel as values."""
    if task.kind == "create":
        yield from _plan_create(held, task)
    elif task.kind == "change":
        for account in held.hosts(task.name):
            if task.password_hash is not None:
                yield f"ALTER USER %s@%s {_secret(task.password_hash)}", account
            yield from _plan_roles(held, task, account)
    elif task.kind == "drop":
        for account in held.hosts(task.name):
            yield "DROP USER IF EXISTS %s@%s", account


def _plan_create(held: _Held, task: SqlTask) -> Iterable[Statement]:
    account = (task.name, "%")
    secret = _secret(task.password_hash or "")
    if account in held.accounts:
        yield f"ALTER USER %s@%s {secret}", account
    else:
        yield f"CREATE USER %s@%s {secret} ACCOUNT LOCK", account
    yield from _plan_roles(held, task, account)
    yield "ALTER USER %s@%s ACCOUNT UNLOCK", account


def _plan_roles(held: _Held, task: SqlTask, account: Account) -> Iterable[Statement]:
    """Only the kind of roles that the task names is touched; what is granted is active from the next login on."""
    builtin = builtin_names(task.prefix)
    wanted: set[Account] = set()
    given_up: set[Account] = set()
    have = set(held.roles.get(account, ()))
    if task.builtin_role is not None:
        yield from _plan_builtin(task.builtin_role)
        wanted.add((task.builtin_role, "%"))
        given_up |= {role for role in have if role[0] in builtin}
    if task.custom_roles is not None:
        wanted |= {(role, "%") for role in task.custom_roles}
        given_up |= {role for role in have if role[0] not in builtin}
    for role in sorted(given_up - wanted):
        yield "REVOKE %s@%s FROM %s@%s", (*role, *account)
    for role in sorted(wanted - have):
        yield "GRANT %s@%s TO %s@%s", (*role, *account)
    if wanted or given_up:
        yield "SET DEFAULT ROLE ALL TO %s@%s", account


def _plan_builtin(role: str) -> Iterable[Statement]:
    """Made if it is missing, and its rights given again: a tenant may have taken them, or we died in between."""
    account = (role, "%")
    yield "CREATE ROLE IF NOT EXISTS %s@%s", account
    if role == ADMIN:
        yield "GRANT ALL PRIVILEGES ON *.* TO %s@%s WITH GRANT OPTION", account
        yield f"REVOKE {WITHHELD} ON *.* FROM %s@%s", account
    else:
        yield f"GRANT {_PRIVILEGES[role.rpartition('.')[2]]} ON *.* TO %s@%s", account


def _secret(password_hash: str) -> str:
    return f"IDENTIFIED WITH 'mysql_native_password' AS '{require_hash(password_hash)}'"


def _observe(cursor: Cursor) -> _Held:
    held = _Held()
    cursor.execute("SELECT user, host, account_locked, plugin, authentication_string FROM mysql.user")
    for user, host, locked, plugin, secret in cursor.fetchall():
        held.accounts[user, host] = (locked == "Y", plugin, bool(secret))
    cursor.execute("SELECT from_user, from_host, to_user, to_host FROM mysql.role_edges")
    for role, role_host, user, host in cursor.fetchall():
        held.roles[user, host].append((role, role_host))
    return held
