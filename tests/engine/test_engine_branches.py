"""A branch's data: a copy of its parent's as it was at one instant, and from then on its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from engine_bench import SPARE, Bench

from tidegate.engine import pause
from tidegate.engine.bootstrap import build_native_hash
from tidegate.engine.config import DatabaseConfig, DatabaseStatus

ACCOUNTS = 50
BRANCH: dict[str, Any] = {
    "cluster_id": "b",
    "address": SPARE,
    "root_user": "p2.root",
    "root_password_hash": build_native_hash(b"branch"),
    "copy_of": "a",
    "copy_prefix": "p1",
    "copy_seq": 1,
}
OF_BRANCH = {"user": "p2.root", "password": "branch", "to": SPARE}


def branch(bench: Bench, timeout_s: float = 60, **changes: Any) -> DatabaseStatus:
    """Wish, and wait until the branch answers this wish."""
    config: DatabaseConfig = bench.config(**{**BRANCH, **changes})
    key = config.cluster_id
    bench.engine.set_database(key, config)
    deadline_s = time.monotonic() + timeout_s
    while True:
        status = bench.status(key)
        if status and status.phase == "ready" and status.version and status.copy_seq == config.copy_seq:
            return status
        assert time.monotonic() < deadline_s, status
        time.sleep(0.005)


def test_a_branch_has_its_parents_rows_users_and_views_and_then_its_own_life(bench: Bench) -> None:
    """Under its own prefix: who could log in to the parent can log in to the branch, and no write crosses over."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    bench.sql("INSERT INTO test.t VALUES (1), (2)")
    bench.sql("CREATE VIEW test.v AS SELECT a + 1 AS b FROM test.t")
    bench.sql("CREATE ROLE 'p1.reader'")
    bench.sql("GRANT SELECT ON test.* TO 'p1.reader'")
    bench.sql("CREATE USER 'p1.app'@'%' IDENTIFIED BY 'it''s'")
    bench.sql("GRANT 'p1.reader' TO 'p1.app'@'%'")
    bench.sql("SET DEFAULT ROLE ALL TO 'p1.app'@'%'")
    pid = bench.status().pid  # type: ignore[union-attr]
    with bench.client() as session:
        branch(bench)
        session.execute("INSERT INTO test.t VALUES (3)")
    assert bench.status().pid == pid  # type: ignore[union-attr]
    assert bench.sql("SELECT a FROM test.t ORDER BY a", **OF_BRANCH) == ((1,), (2,))
    assert bench.sql("SELECT b FROM test.v ORDER BY b", user="p2.app", password="it's", to=SPARE) == ((2,), (3,))
    bench.sql("INSERT INTO test.t VALUES (9)", **OF_BRANCH)
    assert bench.sql("SELECT a FROM test.t ORDER BY a") == ((1,), (2,), (3,))
    users = {row[0] for row in bench.sql("SELECT user FROM mysql.user", **OF_BRANCH)}
    assert {"p2.root", "p2.app", "p2.reader"} <= users and not any(user.startswith("p1.") for user in users)
    with pytest.raises(pymysql.err.OperationalError):
        bench.sql("SELECT 1", **{**OF_BRANCH, "user": "p1.root", "password": "first"})
    with pytest.raises(pymysql.err.OperationalError):
        bench.sql("SELECT 1", **{**OF_BRANCH, "password": "first"})


def test_a_branch_keeps_its_rows_through_sleep_and_takes_the_parents_anew_by_a_reset(bench: Bench) -> None:
    """A copy is made once per copy_seq, not at each start; a reset throws the branch's own rows away."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    branch(bench)
    bench.sql("INSERT INTO test.t VALUES (9)", **OF_BRANCH)
    bench.sql("INSERT INTO test.t VALUES (1)")
    bench.engine.set_database("b", bench.config(**BRANCH, running=False))
    wait_stopped(bench, "b")
    branch(bench, start_seq=1)
    assert bench.sql("SELECT a FROM test.t", **OF_BRANCH) == ((9,),)
    branch(bench, start_seq=1, copy_seq=2)
    assert bench.sql("SELECT a FROM test.t", **OF_BRANCH) == ((1,),)
    bench.engine.set_database("a", bench.config(running=False))
    wait_stopped(bench, "a")
    branch(bench, start_seq=1, copy_seq=3)  # of a parent that sleeps
    assert bench.sql("SELECT a FROM test.t", **OF_BRANCH) == ((1,),)
    assert bench.status().phase == "stopped"  # type: ignore[union-attr]


def test_what_cannot_be_given_the_branchs_prefix_does_not_keep_it_from_its_start(bench: Bench) -> None:
    """A view whose table is gone, and a user of the parent's prefix made in the branch beside the adopted one: each of
    them failed every start, and the branch could never be used (again).
    """
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    bench.sql("CREATE TABLE test.goes (a INT PRIMARY KEY)")
    for name, table in (("alone", "goes"), ("well", "t")):
        bench.sql(f"CREATE VIEW test.{name} AS SELECT a FROM test.{table}")
    bench.sql("DROP TABLE test.goes")
    bench.sql("CREATE USER 'p1.app'@'%' IDENTIFIED BY 'app'")
    branch(bench)
    assert bench.sql("SELECT COUNT(*) FROM test.well", **OF_BRANCH) == ((0,),)
    bench.sql("CREATE USER 'p1.app'@'%' IDENTIFIED BY 'again'", **OF_BRANCH)
    bench.engine.set_database("b", bench.config(**BRANCH, running=False))
    wait_stopped(bench, "b")
    branch(bench, start_seq=1)
    assert bench.sql("SELECT CURRENT_USER()", user="p2.app", password="app", to=SPARE) == (("p2.app@%",),)


def wait_stopped(bench: Bench, key: str) -> None:
    deadline_s = time.monotonic() + 20
    while (status := bench.status(key)) is None or status.phase != "stopped":
        assert time.monotonic() < deadline_s, status
        time.sleep(0.01)


@contextmanager
def transfers(
    bench: Bench, sessions: int = 4, sizes: tuple[int, ...] = (10, 40000), done: Callable[[], None] = lambda: None
) -> Iterator[list[str]]:
    """Money goes from one table to the other, always in one transaction; yields what went wrong.

    ``done`` is called after each that was acknowledged.
    """
    bench.sql("CREATE TABLE test.debits (id INT PRIMARY KEY, v INT)")
    bench.sql("CREATE TABLE test.credits (id INT PRIMARY KEY, v INT, note LONGTEXT, INDEX (v))")
    for table, more in (("debits", ""), ("credits", ", ''")):
        bench.sql(f"INSERT INTO test.{table} VALUES " + ", ".join(f"({i}, 0{more})" for i in range(ACCOUNTS)))
    over, wrong = threading.Event(), list[str]()

    def work() -> None:
        try:
            with bench.client() as cursor:
                while not over.is_set():
                    account = random.randrange(ACCOUNTS)
                    cursor.execute("BEGIN")
                    cursor.execute(f"UPDATE test.debits SET v = v - 1 WHERE id = {account}")
                    # Beyond 16 KiB TiDB commits in several batches.
                    cursor.execute(
                        f"UPDATE test.credits SET v = v + 1, note = REPEAT('x', {random.choice(sizes)})"
                        f" WHERE id = {account}"
                    )
                    cursor.execute("COMMIT")
                    done()
        except (pymysql.err.MySQLError, OSError) as error:
            wrong.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def test_no_transaction_is_half_there_and_none_fails(bench: Bench) -> None:
    """The embedded store keeps the locks of commits in memory: of 20 copies of a merely stopped server 12 were torn."""
    bench.make()
    with transfers(bench) as wrong:
        while bench.sql("SELECT SUM(v) FROM test.credits")[0][0] < 20:
            time.sleep(0.05)
        for seq in range(1, 7):
            branch(bench, start_seq=seq, copy_seq=seq)
            ((debits, credits),) = bench.sql(
                "SELECT (SELECT SUM(v) FROM test.debits), (SELECT SUM(v) FROM test.credits)", **OF_BRANCH
            )
            assert debits + credits == 0 and credits > 0
            (counts,) = bench.sql(
                "SELECT (SELECT COUNT(*) FROM test.credits USE INDEX (v)),"
                " (SELECT COUNT(*) FROM test.credits IGNORE INDEX (v))",
                **OF_BRANCH,
            )
            assert counts == (ACCOUNTS, ACCOUNTS)
    assert wrong == []
    assert holds(bench) == []


def test_transactions_over_two_tables_outlive_a_kill_whole(bench: Bench) -> None:
    """Each that was acknowledged is there, and of the others all or nothing: a region per table tore every second."""
    bench.make()
    acknowledged: list[None] = []
    for round_ in range(3):
        bench.sql("DROP TABLE IF EXISTS test.debits, test.credits")
        acknowledged.clear()
        with transfers(bench, sizes=(10, 2000), done=lambda: acknowledged.append(None)):
            while len(acknowledged) < 40:
                time.sleep(0.01)
            pid = bench.status().pid  # type: ignore[union-attr]
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        bench.engine.set_database("a", bench.config(start_seq=round_ + 1))
        bench.wait(lambda s, dead=pid: s.phase == "ready" and s.pid not in (None, dead) and bool(s.version))
        ((debits, credits),) = bench.sql("SELECT (SELECT SUM(v) FROM test.debits), (SELECT SUM(v) FROM test.credits)")
        assert debits + credits == 0
        assert len(acknowledged) <= credits <= len(acknowledged) + 4


def holds(bench: Bench) -> list[str]:
    command = ["nsenter", f"--net={bench.namespace}", "nft", "list", "tables"]
    return [
        line for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() if line
    ]


def test_an_agent_that_died_in_the_midst_leaves_a_parent_that_goes_on(bench: Bench) -> None:
    """A stopped server looks alive and answers nobody; the kernel lets held clients in again by itself."""
    pid = bench.make().pid
    assert pid is not None
    bench.engine.close()
    os.kill(pid, signal.SIGSTOP)
    bench.engine = bench.another_engine()
    bench.engine.adopt()
    assert bench.make().pid == pid
    assert bench.sql("SELECT 1") == ((1,),)


def test_a_parent_that_writes_without_end_is_not_cut_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch waits and says why; it comes as soon as the statement has ended."""
    monkeypatch.setattr(pause, "QUIET_LIMIT_S", 0.5)
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    with bench.client() as cursor:
        slow = threading.Thread(target=lambda: cursor.execute("INSERT INTO test.t SELECT SLEEP(6)"))
        slow.start()
        bench.engine.set_database("b", bench.config(**BRANCH))
        deadline_s = time.monotonic() + 20
        while (status := bench.status("b")) is None or status.phase != "failed":
            assert time.monotonic() < deadline_s, status
            time.sleep(0.01)
        assert "could not stand still" in status.reason and "still running" in status.reason
        slow.join(30)
    branch(bench)
    assert bench.sql("SELECT a FROM test.t", **OF_BRANCH) == ((0,),)


def test_a_branch_without_a_parent_says_so(bench: Bench) -> None:
    bench.engine.set_database("b", bench.config(**{**BRANCH, "copy_of": "nobody"}))
    deadline_s = time.monotonic() + 10
    while (status := bench.status("b")) is None or status.phase != "failed":
        assert time.monotonic() < deadline_s, status
        time.sleep(0.01)
    assert status.reason == "Its parent nobody has no data here to begin with; it is tried again."
    assert not (bench.root / "b" / "data").exists()
