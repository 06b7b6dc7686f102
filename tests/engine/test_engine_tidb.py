"""The driver with real TiDB: what a cluster's owner sees, and what they must not be able to do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pymysql
import pytest
from engine_bench import ADDRESS, GATEWAY, Bench

from tidegate.engine.bootstrap import MAINTENANCE_USER, build_native_hash

SECOND = build_native_hash(b"second")


def is_refused(bench: Bench, **who: str) -> bool:
    """True when the login fails for who they are: 1045 access denied, 3118 account locked."""
    with pytest.raises(pymysql.err.MySQLError) as caught:
        bench.sql("SELECT 1", **who)
    return caught.value.args[0] in (1045, 3118)


def test_a_new_cluster_admits_its_root_and_nobody_else(bench: Bench) -> None:
    """Stock TiDB admits root without a password from anywhere."""
    bench.make()
    assert bench.sql("SELECT CURRENT_USER(), VERSION()") == (("p1.root@%", "8.0.11-TiDB-v8.5.4"),)
    assert ("test",) in bench.sql("SHOW DATABASES")
    assert is_refused(bench, password="wrong")
    assert is_refused(bench, password="")
    assert is_refused(bench, user="root", password="")
    assert is_refused(bench, user=MAINTENANCE_USER, password="")
    assert {row[0] for row in bench.sql("SELECT user FROM mysql.user")} == {"p1.root", MAINTENANCE_USER}


def test_without_a_password_a_cluster_admits_nobody(bench: Bench) -> None:
    """An empty password must never be what 'no password yet' means."""
    bench.make(root_password_hash=None)
    assert is_refused(bench, password="")
    assert is_refused(bench, password="first")
    bench.make()
    assert bench.sql("SELECT 1") == ((1,),)
    bench.make(root_password_hash=None)
    assert is_refused(bench, password="first")


def test_a_password_changes_live(bench: Bench) -> None:
    """Sessions go on, the pid stays, the old password is refused at once."""
    pid = bench.make().pid
    with bench.client() as cursor:
        assert bench.make(root_password_hash=SECOND).pid == pid
        cursor.execute("SELECT 1")
    assert bench.sql("SELECT 1", password="second") == ((1,),)
    assert is_refused(bench, password="first")


def test_a_root_that_its_owner_dropped_comes_back(bench: Bench) -> None:
    """A tenant may drop their own root; setting the password must mend it."""
    bench.make()
    bench.sql("DROP USER 'p1.root'@'%'")
    bench.make(root_password_hash=SECOND)
    bench.sql("CREATE USER 'p1.app'@'%' IDENTIFIED BY 'x'", password="second")
    bench.sql("GRANT SELECT ON test.* TO 'p1.app'@'%'", password="second")


FORBIDDEN = (
    "SELECT 1 INTO OUTFILE '/tmp/tidegate-out'",
    "LOAD DATA INFILE '/etc/hostname' INTO TABLE test.t",
    "IMPORT INTO test.t FROM '/etc/hostname'",
    "BACKUP DATABASE test TO 'local:///tmp/tidegate-backup'",
    "RESTORE DATABASE test FROM 'local:///tmp/tidegate-backup'",
    "GRANT FILE ON *.* TO 'p1.root'@'%'",
    "GRANT RESTRICTED_TABLES_ADMIN ON *.* TO 'p1.root'@'%'",
    "UPDATE mysql.user SET File_priv = 'Y'",
    "SHUTDOWN",
    "SET CONFIG tidb log.level = 'info'",
    "SELECT * FROM information_schema.cluster_config",
    f"DROP USER '{MAINTENANCE_USER}'@'%'",
    f"ALTER USER '{MAINTENANCE_USER}'@'%' IDENTIFIED BY 'x'",
    f"REVOKE ALL ON *.* FROM '{MAINTENANCE_USER}'@'%'",
)


def test_a_root_has_no_way_to_the_host(bench: Bench) -> None:
    """Tenants are root in their database and nothing on the machine."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    with bench.client() as cursor:
        for statement in FORBIDDEN:
            with pytest.raises(pymysql.err.MySQLError):
                cursor.execute(statement)
    assert bench.sql("SELECT LOAD_FILE('/etc/hostname')") == ((None,),)
    bench.make(root_password_hash=SECOND)


def test_the_gateway_must_speak_proxy_protocol_and_others_need_not(bench: Bench) -> None:
    """Else a client could claim an address, or the gateway's clients would all have its own."""
    bench.make()
    with pytest.raises((pymysql.err.MySQLError, OSError)):
        bench.sql("SELECT 1", source=GATEWAY)
    assert bench.sql("SELECT 1") == ((1,),)


def test_the_database_sees_the_clients_address(bench: Bench) -> None:
    """The slow log and PROCESSLIST are of no use when every client is the gateway."""
    bench.make()
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([10, 9, 8, 7, *map(int, ADDRESS.split("."))])
    with bench.client(source=GATEWAY, first=header + bytes([0xC3, 0x50, 0x0F, 0xA0])) as cursor:
        cursor.execute("SELECT USER()")
        assert cursor.fetchone() == ("p1.root@10.9.8.7",)


def test_rows_outlive_sleep_and_a_kill(bench: Bench) -> None:
    """A row that was acknowledged is there after SIGKILL in the midst of writing."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    acknowledged: list[int] = []

    def write() -> None:
        with contextlib.suppress(pymysql.err.MySQLError, OSError), bench.client() as cursor:
            for number in range(100_000):
                cursor.execute("INSERT INTO test.t VALUES (%s)", (number,))
                acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 200:
        time.sleep(0.005)
    first = bench.status()
    assert first is not None and first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    writer.join()
    kept = len(acknowledged)
    bench.make(start_seq=1)
    ((rows,),) = bench.sql("SELECT COUNT(*) FROM test.t")
    assert rows in (kept, kept + 1)

    bench.engine.set_database("a", bench.config(running=False, start_seq=1))
    bench.wait(lambda s: s.phase == "stopped")
    assert bench.processes() == []
    began_s = time.monotonic()
    bench.make(start_seq=2)
    assert bench.sql("SELECT COUNT(*) FROM test.t") == ((rows,),)
    print(f"wake -> first row {time.monotonic() - began_s:.3f} s")


def test_sessions_are_counted_by_the_kernel(bench: Bench) -> None:
    """What decides that a cluster is idle must not depend on who made the connection."""
    bench.make()
    bench.wait(lambda s: s.sessions == 0)
    with bench.client(), bench.client():
        bench.wait(lambda s: s.sessions == 2)
    bench.wait(lambda s: s.sessions == 0)


def test_a_server_outlives_its_driver_and_is_adopted(bench: Bench) -> None:
    """An agent that is updated or killed must not end anyone's session."""
    pid = bench.make(start_seq=7).pid
    with bench.client() as cursor:
        bench.engine.close()
        bench.engine = bench.another_engine()
        bench.engine.adopt()
        adopted = bench.wait(lambda s: s.phase == "ready")
        assert (adopted.pid, adopted.start_seq) == (pid, 7)
        assert bench.make(start_seq=7).pid == pid
        cursor.execute("SELECT 1")
    assert len(bench.processes()) == 1


def test_a_server_without_a_record_is_adopted_too(bench: Bench) -> None:
    """Its parent may have died between the start and the note of it; two servers on one folder must never be."""
    pid = bench.make().pid
    bench.engine.close()
    (bench.root / "a" / "server.json").unlink()
    bench.engine = bench.another_engine()
    assert bench.make().pid == pid
    assert bench.processes() == [pid]


def test_an_adopted_server_is_not_ended_for_our_own_trouble(bench: Bench) -> None:
    """Sessions run on it; that we cannot look after it for a while is no reason to take it from them."""
    pid = bench.make().pid
    bench.engine.close()
    key = bench.root / "a" / "maintenance.key"
    key.rename(key.with_suffix(".away"))
    bench.engine = bench.another_engine()
    bench.engine.adopt()
    bench.engine.set_database("a", bench.config())
    failed = bench.wait(lambda s: s.phase == "failed")
    assert failed.pid == pid and str(key) in failed.reason
    assert bench.sql("SELECT 1") == ((1,),)
    key.with_suffix(".away").rename(key)
    assert bench.wait(lambda s: s.phase == "ready" and s.version is not None).pid == pid


def test_delete_leaves_nothing(bench: Bench) -> None:
    """Neither process nor file; and the same id may come again, empty."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT)")
    bench.engine.set_database("a", None)
    bench.wait_gone()
    assert bench.status() is None and bench.processes() == []
    assert not (bench.root / "a").exists() and not list(bench.root.glob(".deleted-*"))
    bench.make()
    assert bench.sql("SHOW TABLES FROM test") == ()


def test_a_taken_port_is_a_sentence_and_then_mends_itself(bench: Bench) -> None:
    """The remedy is in the status, and nobody has to wake it again."""
    holder = bench.make()
    bench.engine.set_database("b", bench.config(cluster_id="b"))
    deadline_s = time.monotonic() + 20
    while (b := bench.status("b")) is None or b.phase != "failed":
        assert time.monotonic() < deadline_s, b
        time.sleep(0.01)
    assert "port is taken" in b.reason, b.reason
    assert bench.status() == holder or bench.status().phase == "ready"  # type: ignore[union-attr]
    bench.engine.set_database("a", bench.config(running=False))
    while (b := bench.status("b")) is None or b.phase != "ready":
        assert time.monotonic() < deadline_s, b
        time.sleep(0.01)


def test_a_server_that_dies_is_told_and_started_again(bench: Bench) -> None:
    """Level-triggered: nobody has to notice."""
    pid = bench.make().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert "SIGKILL" in bench.wait(lambda s: s.phase == "failed").reason
    assert bench.wait(lambda s: s.phase == "ready").pid not in (None, pid)


def test_a_missing_namespace_is_a_sentence(bench: Bench) -> None:
    """Nothing may run in the host's namespace because its own is not there yet."""
    real, bench.namespace = bench.namespace, Path("/run/netns/tgengine-none")
    bench.engine.set_database("a", bench.config())
    assert "network namespace" in bench.wait(lambda s: s.phase == "failed").reason
    assert bench.processes() == []
    bench.namespace = real
    bench.wait(lambda s: s.phase == "ready")


def test_a_moved_address_restarts_it_there(bench: Bench) -> None:
    """The address is part of the wish, not of the first start."""
    pid = bench.make().pid
    bench.engine.set_database("a", bench.config(address="100.64.0.11"))
    bench.wait(lambda s: s.phase == "ready" and s.pid not in (None, pid))
    assert bench.sql("SELECT 1", to="100.64.0.11") == ((1,),)
    with pytest.raises(OSError):
        bench.sql("SELECT 1", to=ADDRESS)


def test_sweep_stops_strangers_and_keeps_their_data(bench: Bench) -> None:
    """A store restored from an old backup does not know every cluster; their data is not rubbish for that."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT)")
    bench.engine.close()
    bench.engine = bench.another_engine()
    bench.engine.adopt()
    assert bench.engine.sweep(keep=()) == ["a"]
    assert bench.processes() == [] and bench.status() is None
    bench.make()
    assert bench.sql("SHOW TABLES FROM test") == (("t",),)


def test_everything_of_a_cluster_is_private(bench: Bench) -> None:
    """Another user of the host reads neither rows nor the key."""
    bench.make()
    folder = bench.root / "a"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "maintenance.key").stat().st_mode & 0o777 == 0o600
    environment = Path(f"/proc/{bench.processes()[0]}/environ").read_bytes()
    assert {v.split(b"=")[0] for v in environment.split(b"\0") if v} <= {
        b"PATH",
        b"HOME",
        b"USER",
        b"TZ",
        b"GOGC",
        b"GOMAXPROCS",
    }


def test_stop_all_ends_every_server_and_keeps_every_row(bench: Bench) -> None:
    """``tidegate down``; a second one finds nothing to do, and nothing is started again behind it."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT)")
    bench.engine.stop_all()
    bench.engine.stop_all()
    assert bench.processes() == []
    bench.engine = bench.another_engine()
    bench.make()
    assert bench.sql("SHOW TABLES FROM test") == (("t",),)


DRIVER = """
import sys
from pathlib import Path
from engine_bench import Bench
bench = Bench(*map(Path, sys.argv[1:]))
print("go", flush=True)
bench.engine.set_database("a", bench.config())
sys.stdin.read()
"""


def test_a_driver_that_is_killed_while_starting_leaves_one_server(bench: Bench) -> None:
    """SIGKILL at many moments of a first start: the next driver ends with one server that answers."""
    for pause_s in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.16):
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(bench.root), str(bench.binary), str(bench.namespace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"},
        )
        assert driver.stdout is not None and driver.stdout.readline() == b"go\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            driver.wait(pause_s)
        driver.kill()
        driver.communicate()
        bench.engine.adopt()
        pid = bench.make().pid
        assert bench.processes() == [pid]
        assert bench.sql("SHOW TABLES FROM test") == ()
        bench.engine.set_database("a", None)
        bench.wait_gone()
        assert [p.name for p in bench.root.iterdir() if not p.name.startswith((".template", ".tls"))] == []
