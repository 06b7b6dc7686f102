"""Who owns things.  An account belongs to one realm; every object belongs to one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Realm = Literal["alicloud", "tidbcloud"]
REALMS: tuple[Realm, ...] = ("alicloud", "tidbcloud")

PROVIDER_ACCOUNT_ID = "1000000000000001"
"""The account that owns the endpoint services of TiDB Cloud."""


@dataclass(frozen=True, slots=True)
class Account:
    """An Alibaba Cloud account (16 digits) or a TiDB Cloud organization (decimal) with its default project."""

    account_id: str
    realm: Realm
    name: str
    created_at: datetime
    project_id: str = ""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key pair: AccessKey id and secret, or public and private key.  ``secret`` never leaves store and verifier."""

    key_id: str
    account_id: str
    realm: Realm
    secret: str
    active: bool = True

    def __repr__(self) -> str:
        return f"AccessKey({self.key_id!r}, account_id={self.account_id!r}, secret=…)"
