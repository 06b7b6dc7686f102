"""Accounts and their keys: the first ones are made at the first start."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain.accounts import REALMS, AccessKey, Account, Realm
from tidegate.domain.names import MIXED, require_resource_name
from tidegate.domain.refusals import InUse, NotFound, QuotaReached
from tidegate.operations.context import Caller, Context, Work, change
from tidegate.operations.sealing import is_sealed

_DIGITS = "0123456789"
_NOBODY = Caller("")
KEYS_PER_ACCOUNT = 5


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """One key for each realm, as ``tidegate env`` prints them."""

    alicloud: AccessKey
    tidbcloud: AccessKey


def ensure_first_accounts(context: Context) -> FirstKeys:
    """One Alibaba account and one TiDB Cloud organization with a key each; changes nothing the second time.

    Keys that an earlier version stored in the clear are sealed now.
    """
    with change(context, _NOBODY) as work:
        for key in work.tx.access_keys.find():
            if not is_sealed(key.secret):
                work.tx.access_keys.put(replace(key, secret=context.sealer.seal(key.secret)))
        keys: dict[Realm, AccessKey] = {}
        for realm in REALMS:
            known = sorted(work.tx.accounts.find(realm=realm), key=lambda account: account.created_at)
            account = known[0] if known else work.tx.accounts.add(_account(context, realm, "default"))
            active = work.tx.access_keys.find(account_id=account.account_id, active=True)
            keys[realm] = _opened(context, active[0]) if active else _add_key(context, work, account)
        return FirstKeys(keys["alicloud"], keys["tidbcloud"])


def create_account(context: Context, realm: Realm, name: str) -> tuple[Account, AccessKey]:
    """An account of its own with its first key; the secret is in the answer and never again."""
    with change(context, _NOBODY) as work:
        return add_account(context, work, realm, name)


def add_account(context: Context, work: Work, realm: Realm, name: str) -> tuple[Account, AccessKey]:
    """As ``create_account``, as a part of a larger change."""
    require_resource_name("name", name)
    account = work.tx.accounts.add(_account(context, realm, name))
    return account, _add_key(context, work, account)


def list_accounts(context: Context) -> list[tuple[Account, list[AccessKey]]]:
    """All accounts with their keys, oldest first; secrets stay sealed."""
    with context.store.read() as tx:
        accounts = sorted(tx.accounts.find(), key=lambda account: account.created_at)
        return [(account, tx.access_keys.find(account_id=account.account_id)) for account in accounts]


def create_key(context: Context, account_id: str) -> AccessKey:
    """One more key of an account; at most KEYS_PER_ACCOUNT active ones."""
    with change(context, _NOBODY) as work:
        account = work.tx.accounts.get(account_id)
        if account is None:
            raise NotFound("account", account_id)
        if work.tx.access_keys.count(account_id=account_id, active=True) >= KEYS_PER_ACCOUNT:
            raise QuotaReached("active keys per account", KEYS_PER_ACCOUNT)
        return _add_key(context, work, account)


def disable_key(context: Context, key_id: str) -> None:
    """What it signs from now on is refused.  Raises InUse for an account's only active key."""
    with change(context, _NOBODY) as work:
        key = work.tx.access_keys.get(key_id)
        if key is None:
            raise NotFound("key", key_id)
        if key.active and work.tx.access_keys.count(account_id=key.account_id, active=True) == 1:
            raise InUse("key", key_id, "account")
        work.tx.access_keys.put(replace(key, active=False))


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
    """The key a signature names, opened; None for an unknown one and for one of another realm."""
    with context.store.read() as tx:
        key = tx.access_keys.get(key_id)
    return _opened(context, key) if key is not None and key.realm == realm else None


def _opened(context: Context, key: AccessKey) -> AccessKey:
    return replace(key, secret=context.sealer.open(key.secret))


def _add_key(context: Context, work: Work, account: Account) -> AccessKey:
    key = _key(context, account)
    work.tx.access_keys.add(replace(key, secret=context.sealer.seal(key.secret)))
    return key


def _account(context: Context, realm: Realm, name: str) -> Account:
    if realm == "alicloud":
        return Account("1" + context.draw(_DIGITS, 15), realm, name, context.now())
    organization = "3" + context.draw(_DIGITS, 6)
    return Account(organization, realm, name, context.now(), project_id="16" + context.draw(_DIGITS, 6))


def _key(context: Context, account: Account) -> AccessKey:
    """Lengths as the clouds': ``LTAI`` + 20 and 30; 8 and 36 (``reference/tidbcloud.md`` 1.6 for the 8)."""
    if account.realm == "alicloud":
        return AccessKey("LTAI" + context.draw(MIXED, 20), account.account_id, account.realm, context.draw(MIXED, 30))
    return AccessKey(context.draw(MIXED, 8), account.account_id, account.realm, context.draw(MIXED, 36))
