"""Accounts and keys: made once, sealed at rest, disabled for good."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tidegate.domain.accounts import AccessKey
from tidegate.domain.refusals import InUse, NotFound, QuotaReached
from tidegate.operations import accounts
from tidegate.operations.sealing import Sealer, SealError, is_sealed, load_sealer


def test_the_first_accounts_are_made_once(world: Any) -> None:
    first = accounts.ensure_first_accounts(world.context)
    assert accounts.ensure_first_accounts(world.context) == first
    assert first.alicloud.key_id.startswith("LTAI") and len(first.tidbcloud.key_id) == 8


def test_secrets_are_not_in_the_database(world: Any, tmp_path: Path) -> None:
    """Whoever steals the file, a backup or a replica must not be able to sign."""
    keys = accounts.ensure_first_accounts(world.context)
    _, more = accounts.create_account(world.context, "alicloud", "team-b")
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for key in (keys.alicloud, keys.tidbcloud, more):
        assert key.secret.encode() not in everything
        assert key.key_id.encode() in everything


def test_keys_of_an_earlier_version_are_sealed_at_the_next_start(world: Any, tmp_path: Path) -> None:
    key = accounts.ensure_first_accounts(world.context).alicloud
    with world.context.store.write() as tx:
        tx.access_keys.put(replace(key, secret="in the clear"))
    accounts.ensure_first_accounts(world.context)
    with world.context.store.read() as tx:
        [stored] = [k for k in tx.access_keys.find() if k.key_id == key.key_id]
    assert is_sealed(stored.secret)
    found = accounts.find_key(world.context, "alicloud", key.key_id)
    assert found is not None and found.secret == "in the clear"


def test_a_key_belongs_to_its_realm(world: Any) -> None:
    key = accounts.ensure_first_accounts(world.context).alicloud
    assert accounts.find_key(world.context, "tidbcloud", key.key_id) is None
    assert accounts.find_key(world.context, "alicloud", "LTAInothing") is None


def test_keys_come_and_go_but_one_stays(world: Any) -> None:
    account, first = accounts.create_account(world.context, "tidbcloud", "team-b")
    assert account.project_id
    with pytest.raises(InUse):
        accounts.disable_key(world.context, first.key_id)
    made: list[AccessKey] = [accounts.create_key(world.context, account.account_id) for _ in range(4)]
    with pytest.raises(QuotaReached):
        accounts.create_key(world.context, account.account_id)
    accounts.disable_key(world.context, first.key_id)
    disabled = accounts.find_key(world.context, "tidbcloud", first.key_id)
    assert disabled is not None and not disabled.active
    assert len(accounts.list_accounts(world.context)[0][1]) == 1 + len(made)
    for missing in (lambda: accounts.disable_key(world.context, "x"), lambda: accounts.create_key(world.context, "x")):
        with pytest.raises(NotFound):
            missing()


def test_another_store_key_opens_nothing_and_says_so() -> None:
    with pytest.raises(SealError, match="store-key"):
        Sealer.ephemeral().open(Sealer.ephemeral().seal("secret"))


def test_the_store_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    sealed = load_sealer(tmp_path / "keys" / "store-key").seal("secret")
    assert load_sealer(tmp_path / "keys" / "store-key").open(sealed) == "secret"
    assert stat.S_IMODE((tmp_path / "keys" / "store-key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["store-key"]


def test_a_key_does_not_show_its_secret(world: Any) -> None:
    """Keys end up in logs and tracebacks."""
    key = accounts.ensure_first_accounts(world.context).alicloud
    assert key.secret not in repr(key)
