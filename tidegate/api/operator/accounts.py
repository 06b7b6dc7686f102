"""Accounts and keys on the operator's wire.  A secret is shown once, by the call that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.domain.accounts import REALMS, AccessKey, Account, Realm
from tidegate.domain.refusals import Malformed


def parse_realm(asked: Mapping[str, str]) -> Realm:
    for realm in REALMS:
        if asked.get("realm") == realm:
            return realm
    raise Malformed("realm", asked.get("realm", ""))


def build_account(account: Account, keys: list[AccessKey]) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "realm": account.realm,
        "name": account.name,
        "project_id": account.project_id,
        "created_at": account.created_at.isoformat(),
        "keys": [{"key_id": key.key_id, "active": key.active} for key in keys],
    }


def build_new_key(key: AccessKey) -> dict[str, Any]:
    return {"key_id": key.key_id, "secret": key.secret}
