"""SQL users and their roles (``reference/tidbcloud.md`` 2.6).

The database itself is the only truth about its users: SQL makes, changes and drops them as well as the API does, so a
wish kept beside it would undo what a tenant did.  The API therefore asks the running server: a :class:`SqlTask` goes
in, a :class:`SqlReply` comes out, and a sleeping cluster is woken for it.  Only root's password is a wish.

The built-in roles are real roles: ``role_admin``, never prefixed, and ``<prefix>.role_readwrite`` and
``<prefix>.role_readonly``; they are made when the first user gets them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tidegate.domain.refusals import Malformed, Missing

ADMIN, READ_WRITE, READ_ONLY = "role_admin", "role_readwrite", "role_readonly"
AUTH_METHOD = "mysql_native_password"
ROOT = "root"
NAME_LETTERS = 32
"""TiDB's bound of a whole user name, the prefix included"""
_NAME = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*")
"""what can stand between quotes as it is"""


@dataclass(frozen=True, slots=True)
class SqlUser:
    """One user as the server holds it, whoever made it.  ``builtin_role``: as stored, prefix and all; empty: none."""

    name: str
    builtin_role: str = ""
    custom_roles: tuple[str, ...] = ()
    auth_method: str = AUTH_METHOD


@dataclass(frozen=True, slots=True)
class SqlTask:
    """What a server is asked.  ``change``: None leaves a part as it is.  Names and roles are full ones."""

    kind: Literal["list", "create", "change", "drop"]
    prefix: str
    name: str = ""
    password_hash: str | None = None
    builtin_role: str | None = None
    custom_roles: tuple[str, ...] | None = None


Problem = Literal["", "not_ready", "not_found", "exists", "role_unknown", "failed"]


@dataclass(frozen=True, slots=True)
class SqlReply:
    """``users``: all there are now, ours excepted.  ``detail``: the role that is unknown, or one sentence of why."""

    users: tuple[SqlUser, ...] = ()
    problem: Problem = ""
    detail: str = ""


def root_name(prefix: str) -> str:
    return f"{prefix}.{ROOT}"


def builtin_names(prefix: str) -> tuple[str, ...]:
    """The names under which a cluster's server knows the built-in roles."""
    return ADMIN, f"{prefix}.{READ_WRITE}", f"{prefix}.{READ_ONLY}"


def require_user_name(prefix: str, name: str, *, auto_prefix: bool) -> str:
    """The full name of a new user.  Raises Missing; Malformed for a wrong prefix, a role's name, a bad letter."""
    if not name:
        raise Missing("userName")
    if auto_prefix and not name.startswith(f"{prefix}."):
        name = f"{prefix}.{name}"
    own = name.removeprefix(f"{prefix}.")
    if own == name:
        raise Malformed("userName", f"{name} does not begin with {prefix}.")
    if not _NAME.fullmatch(own) or len(name) > NAME_LETTERS or name in builtin_names(prefix) or own == ROOT:
        raise Malformed("userName", name)
    return name


def require_builtin_role(prefix: str, role: str, *, auto_prefix: bool) -> str:
    """The full name of a built-in role.  Raises Malformed."""
    full = f"{prefix}.{role}" if auto_prefix and role in (READ_WRITE, READ_ONLY) else role
    if full not in builtin_names(prefix):
        raise Malformed("builtinRole", role)
    return full


def require_custom_roles(prefix: str, roles: tuple[str, ...]) -> tuple[str, ...]:
    """Without a prefix or with one, as the tenant's CREATE ROLE said; no built-in one, each once.  Raises Malformed."""
    for role in roles:
        if role in builtin_names(prefix) or not _NAME.fullmatch(role) or len(role) > NAME_LETTERS:
            raise Malformed("customRoles", role)
    return tuple(dict.fromkeys(roles))
