"""Accounts and their keys: the first ones are made at the first start."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.domain.accounts import AccessKey, Account, Realm
from tidegate.domain.names import MIXED
from tidegate.domain.refusals import NotFound
from tidegate.operations.context import Caller, Context, change

_DIGITS = "0123456789"
_NOBODY = Caller("")


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """One key for each realm, as ``tidegate env`` prints them."""

    alicloud: AccessKey
    tidbcloud: AccessKey


def ensure_first_accounts(context: Context) -> FirstKeys:
    """One Alibaba account and one TiDB Cloud organization with a key each; changes nothing the second time."""
    with change(context, _NOBODY) as work:
        keys: dict[Realm, AccessKey] = {}
        for realm in ("alicloud", "tidbcloud"):
            known = work.tx.access_keys.find(realm=realm, active=True)
            if known:
                keys[realm] = known[0]
                continue
            account = _account(context, realm)
            work.tx.accounts.add(account)
            keys[realm] = work.tx.access_keys.add(_key(context, account))
        return FirstKeys(keys["alicloud"], keys["tidbcloud"])


@dataclass(frozen=True, slots=True)
class Organization:
    """An account with what it has: how many clusters, how many active keys."""

    account: Account
    cluster_count: int
    key_count: int


def get_organization(context: Context, caller: Caller) -> Organization:
    """The caller's own.  Raises NotFound when its account is gone while its key still signs."""
    with context.store.read() as tx:
        account = tx.accounts.get(caller.account_id)
        if account is None:
            raise NotFound("account", caller.account_id)
        clusters = tx.clusters.count(account_id=caller.account_id)
        keys = tx.access_keys.count(account_id=caller.account_id, active=True)
    return Organization(account, clusters, keys)


def find_key(context: Context, realm: Realm, key_id: str) -> AccessKey | None:
    """The key a signature names; None for an unknown one and for one of another realm."""
    with context.store.read() as tx:
        key = tx.access_keys.get(key_id)
    return key if key is not None and key.realm == realm else None


def _account(context: Context, realm: Realm) -> Account:
    if realm == "alicloud":
        return Account("1" + context.draw(_DIGITS, 15), realm, "default", context.now())
    organization = "3" + context.draw(_DIGITS, 6)
    return Account(organization, realm, "default", context.now(), project_id="16" + context.draw(_DIGITS, 6))


def _key(context: Context, account: Account) -> AccessKey:
    """Lengths as the clouds': ``LTAI`` + 20 and 30; 8 and 36 (``reference/tidbcloud.md`` 1.6 for the 8)."""
    if account.realm == "alicloud":
        return AccessKey("LTAI" + context.draw(MIXED, 20), account.account_id, account.realm, context.draw(MIXED, 30))
    return AccessKey(context.draw(MIXED, 8), account.account_id, account.realm, context.draw(MIXED, 36))
