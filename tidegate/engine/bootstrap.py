"""Which SQL makes a server's accounts right (pure).

There are two accounts that we make: the cluster's ``{prefix}.root``, and ours.  ``{prefix}.root`` has all
privileges but FILE, SHUTDOWN and CONFIG, and may grant what it has; with Security Enhanced Mode it can touch
neither our account nor the system tables.  A cluster without a password has a locked root: it admits nobody.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.engine.config import DatabaseConfig

MAINTENANCE_USER = "tidegate-maintenance"
"""No dot in it: the gateway routes by the part before the dot, so it never leads anyone to this account."""

WITHHELD = "FILE, SHUTDOWN, CONFIG"
"""What a tenant's root must not have: the server's files, its life, its configuration."""

_RESTRICTED = (
    "RESTRICTED_TABLES_ADMIN, RESTRICTED_STATUS_ADMIN, RESTRICTED_VARIABLES_ADMIN, RESTRICTED_USER_ADMIN, "
    "RESTRICTED_CONNECTION_ADMIN, RESTRICTED_REPLICA_WRITER_ADMIN"
)
_HASH = re.compile(r"\*[0-9A-F]{40}")
_USER = re.compile(r"[A-Za-z0-9._-]{1,32}")
MIN_MEMORY_LIMIT_BYTES = 512 << 20
"""TiDB refuses a smaller ``tidb_server_memory_limit`` (docs.pingcap.com, system variables, seen 2026-11)."""


class AccountError(ValueError):
    """A user name or a password hash of a wrong shape: our side, never sent to the server."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """What a server holds now.  ``root_exists`` False: the tenant dropped it, or the server is new.

    ``root_granted`` False: we were killed between creating and granting, or the tenant took rights away.
    """

    root_exists: bool
    root_granted: bool
    root_locked: bool
    root_plugin: str
    root_hash: str
    memory_limit_bytes: int


def build_native_hash(password: bytes) -> str:
    """What MySQL stores for mysql_native_password: ``*`` and SHA1(SHA1(password)) in upper-case hex."""
    inner = hashlib.sha1(password, usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def require_hash(text: str) -> str:
    """``text`` itself.  Raises :class:`AccountError` when it is not ``*`` and 40 upper-case hex digits."""
    if not _HASH.fullmatch(text):
        raise AccountError("A root password hash is * and 40 upper-case hex digits; this one is not.")
    return text


def require_user(name: str) -> str:
    """``name`` itself.  Raises :class:`AccountError` when it could not stand between quotes as it is."""
    if not _USER.fullmatch(name) or name == MAINTENANCE_USER:
        raise AccountError(f"{name!r} cannot be a root user: use up to 32 letters, digits, '.', '_' and '-'.")
    return name


def plan_template(maintenance_hash: str, memory_limit_bytes: int) -> list[str]:
    """The SQL run once, at the template's bootstrap: our account, no stock root, and the settings all share."""
    ours = f"'{MAINTENANCE_USER}'@'%'"
    return [
        f"CREATE USER {ours} IDENTIFIED WITH 'mysql_native_password' AS '{require_hash(maintenance_hash)}'",
        f"GRANT ALL PRIVILEGES ON *.* TO {ours} WITH GRANT OPTION",
        f"GRANT {_RESTRICTED} ON *.* TO {ours}",
        "CREATE DATABASE IF NOT EXISTS test",
        "SET GLOBAL tidb_enable_auto_analyze = OFF",
        # The tuner raises GOGC to 500 while memory is "plenty", and undoes the setting in tidb.toml.
        "SET GLOBAL tidb_enable_gogc_tuner = OFF",
        f"SET GLOBAL tidb_server_memory_limit = '{memory_limit_bytes}'",
        "DROP USER IF EXISTS 'root'@'localhost', 'root'@'%'",
    ]


def plan_accounts(have: Accounts, config: DatabaseConfig) -> list[str]:
    """The statements that turn ``have`` into what ``config`` asks; none when it is right already."""
    root = f"'{require_user(config.root_user)}'@'%'"
    statements: list[str] = []
    if not have.root_exists:
        # Locked from its first instant: killed before the password is set, it admits nobody.
        statements.append(f"CREATE USER IF NOT EXISTS {root} IDENTIFIED WITH 'mysql_native_password' ACCOUNT LOCK")
    if not have.root_granted:
        statements.append(f"GRANT ALL PRIVILEGES ON *.* TO {root} WITH GRANT OPTION")
        statements.append(f"REVOKE {WITHHELD} ON *.* FROM {root}")
    statements += _plan_password(have, root, config.root_password_hash)
    limit = max(config.memory_limit_bytes, MIN_MEMORY_LIMIT_BYTES)
    if have.memory_limit_bytes != limit:
        statements.append(f"SET GLOBAL tidb_server_memory_limit = '{limit}'")
    return statements


def plan_renames(users: Iterable[tuple[str, str]], old: str, new: str) -> list[str]:
    """``old.app`` becomes ``new.app``, with its password, its rights and its roles; others stay as they are.

    Of all ``users`` that there are: where the name is taken, the tenant made one of them later, and both stay.
    """
    there = set(users)
    wanted = {(user, host): (new + user.removeprefix(old), host) for user, host in there if user.startswith(f"{old}.")}
    return [
        f"RENAME USER {quote_text(user)}@{quote_text(host)} TO {quote_text(name)}@{quote_text(host)}"
        for (user, host), (name, _) in sorted(wanted.items())
        if (name, host) not in there
    ]


def build_view(shown: str, old: str, new: str) -> str:
    """SHOW CREATE VIEW's text as a statement that gives the view a definer of the new prefix."""
    return shown.replace("CREATE ", "CREATE OR REPLACE ", 1).replace(f"DEFINER=`{old}.", f"DEFINER=`{new}.", 1)


def quote_text(text: str) -> str:
    """A string between single quotes, for a session with an empty sql_mode."""
    return "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"


def quote_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _plan_password(have: Accounts, root: str, wanted: str | None) -> list[str]:
    if wanted is None:
        locked = have.root_exists and have.root_locked
        return [] if locked or not have.root_exists else [f"ALTER USER {root} ACCOUNT LOCK"]
    native = have.root_plugin == "mysql_native_password"
    if have.root_exists and native and have.root_hash == wanted and not have.root_locked:
        return []
    secret = f"IDENTIFIED WITH 'mysql_native_password' AS '{require_hash(wanted)}'"
    return [f"ALTER USER {root} {secret} ACCOUNT UNLOCK"]
