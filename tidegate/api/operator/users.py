"""Users of the consoles on the operator's wire.  A login link is shown once, by the call that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.domain.accounts import REALMS, Realm
from tidegate.domain.users import User

LINK_PATH = "/console/link/"


def parse_accounts(asked: Mapping[str, str]) -> dict[Realm, str]:
    """``alicloud=`` and ``tidbcloud=``: whom the user acts for, where it is said."""
    return {realm: asked[realm] for realm in REALMS if asked.get(realm)}


def build_user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "alicloud": user.alicloud_account_id,
        "tidbcloud": user.tidbcloud_account_id,
        "has_password": bool(user.password_hash),
        "created_at": user.created_at.isoformat(),
    }
