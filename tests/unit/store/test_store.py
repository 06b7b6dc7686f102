"""The store: schema and migrations agree, rows come back as they went in, the file is its owner's."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tidegate.domain.security_groups import SecurityGroupRule
from tidegate.domain.vpcs import Vpc
from tidegate.store import schema
from tidegate.store.store import Store

NOW = datetime(2026, 11, 23, 1, 2, 3, 500_000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    made.migrate()
    return made


def test_migrations_lead_to_the_schema(store: Store) -> None:
    """A column added to schema.py without a migration works in tests and breaks every existing installation."""
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": False})
        assert compare_metadata(context, schema.metadata) == []


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.migrate()


def test_values_come_back_equal(store: Store) -> None:
    rule = SecurityGroupRule("sgr-1", "sg-1", "ingress", "tcp", (4000, 4001), "accept", 1, None, "sg-2", "für", NOW)
    with store.write() as tx:
        tx.security_group_rules.add(rule)
    with store.read() as tx:
        assert tx.security_group_rules.get("sgr-1") == rule
        assert hash(tx.security_group_rules.get("sgr-1")) == hash(rule)


def test_an_exception_rolls_back(store: Store) -> None:
    vpc = Vpc("vpc-1", "a", "r", "10.0.0.0/8", "", "", "", "", NOW)
    with pytest.raises(RuntimeError), store.write() as tx:
        tx.vpcs.add(vpc)
        raise RuntimeError
    with store.read() as tx:
        assert tx.vpcs.count() == 0


def test_numbers_are_given_once_by_many_threads(store: Store) -> None:
    """Two API calls at once must not get one fabric address."""
    numbers: list[int] = []

    def draw() -> None:
        for _ in range(10):
            with store.write() as tx:
                numbers.append(tx.next_number("pool"))

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(60))


def test_pages_come_in_order_and_from_a_place(store: Store) -> None:
    with store.write() as tx:
        for n in range(5):
            tx.vpcs.add(Vpc(f"vpc-{n}", "a", "r", "10.0.0.0/8", "", "", "", "", NOW))
    with store.read() as tx:
        assert [v.vpc_id for v in tx.vpcs.page("vpc-1", 2, account_id="a")] == ["vpc-2", "vpc-3"]
        assert [v.vpc_id for v in tx.vpcs.slice(1, 3, account_id="a")] == ["vpc-1", "vpc-2", "vpc-3"]
        assert tx.vpcs.slice(5, 3, account_id="a") == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 499, 500, 501, 1203])
def test_lists_of_any_length_find_each_row_once(store: Store, count: int) -> None:
    """Lists are asked for in queries of fixed sizes, whose last places repeat a value."""
    ids = [f"vpc-{n:04}" for n in range(count)]
    with store.write() as tx:
        for vpc_id in [*ids, "vpc-other"]:
            tx.vpcs.add(Vpc(vpc_id, "a", "r", "10.0.0.0/8", "", "", "", "", NOW))
    with store.read() as tx:
        assert [v.vpc_id for v in tx.vpcs.find_in("vpc_id", [*ids, *ids, "vpc-unknown"], account_id="a")] == ids
        assert tx.vpcs.find_in("vpc_id", ids, account_id="b") == []


def test_nothing_is_asked_to_equal_null(store: Store) -> None:
    """A prepared query says ``= ?``, which no NULL answers: silence would look like an empty table."""
    with store.read() as tx, pytest.raises(AssertionError, match="NULL"):
        tx.interfaces.find(endpoint_id=None)


def test_the_file_holds_keys_and_is_private(store: Store, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
