"""SQL users in a real TiDB: made through the engine they can log in, and what SQL made is seen."""

from __future__ import annotations

import pymysql
import pytest
from engine_bench import Bench

from tidegate.domain.clusters import native_password_hash
from tidegate.domain.sql_users import SqlReply, SqlTask, SqlUser
from tidegate.engine.bootstrap import MAINTENANCE_USER

APP, PASSWORD = "p1.app", "app-password"


def create(bench: Bench, name: str = APP, role: str = "p1.role_readonly", **more: object) -> SqlReply:
    task = SqlTask("create", "p1", name, native_password_hash(PASSWORD), role, **more)  # type: ignore[arg-type]
    return bench.engine.ask("a", task)


def listed(bench: Bench) -> dict[str, SqlUser]:
    reply = bench.engine.ask("a", SqlTask("list", "p1"))
    assert reply.problem == "", reply
    return {user.name: user for user in reply.users}


def refused(bench: Bench, statement: str, **who: str) -> int:
    with pytest.raises(pymysql.err.MySQLError) as caught:
        bench.sql(statement, **{"user": APP, "password": PASSWORD, **who})
    return int(caught.value.args[0])


def test_a_user_of_each_builtin_role_can_what_the_role_says(bench: Bench) -> None:
    """The roles must be active without SET ROLE: no client sends one."""
    bench.make()
    bench.sql("CREATE TABLE test.t (a INT PRIMARY KEY)")
    for name, role in (("p1.ro", "p1.role_readonly"), ("p1.rw", "p1.role_readwrite"), ("p1.dba", "role_admin")):
        assert create(bench, name, role).problem == ""
    who = {name: {"user": f"p1.{name}", "password": PASSWORD} for name in ("ro", "rw", "dba")}
    assert bench.sql("SELECT COUNT(*) FROM test.t", **who["ro"]) == ((0,),)
    assert refused(bench, "INSERT INTO test.t VALUES (1)", **who["ro"]) == 1142
    assert refused(bench, "CREATE TABLE test.u (a INT)", **who["ro"]) == 1142
    bench.sql("INSERT INTO test.t VALUES (1)", **who["rw"])
    bench.sql("CREATE DATABASE shop", **who["rw"])
    bench.sql("CREATE TABLE shop.u (a INT PRIMARY KEY)", **who["rw"])
    assert refused(bench, "CREATE USER 'p1.x'@'%'", **who["rw"]) in (1044, 1227)
    bench.sql("CREATE USER 'p1.made'@'%' IDENTIFIED BY 'by-a-dba'", **who["dba"])
    assert refused(bench, "SHUTDOWN", **who["dba"]) in (1227, 8121)
    assert refused(bench, f"DROP USER '{MAINTENANCE_USER}'@'%'", **who["dba"]) in (1227, 8121)
    assert refused(bench, "GRANT FILE ON *.* TO 'p1.dba'@'%'", **who["dba"])


def test_the_list_has_everybody_but_us_and_the_roles(bench: Bench) -> None:
    bench.make()
    bench.sql("CREATE ROLE 'reports'")
    bench.sql("CREATE USER 'p1.by_sql'@'%' IDENTIFIED WITH 'caching_sha2_password' BY 'x'")
    bench.sql("GRANT 'reports' TO 'p1.by_sql'@'%'")
    bench.sql("CREATE USER 'odd''name'@'10.0.0.1' IDENTIFIED BY 'x'")
    assert create(bench, custom_roles=("reports",)).problem == ""
    assert listed(bench) == {
        "odd'name": SqlUser("odd'name", "", ()),
        APP: SqlUser(APP, "p1.role_readonly", ("reports",)),
        "p1.by_sql": SqlUser("p1.by_sql", "", ("reports",), "caching_sha2_password"),
        "p1.root": SqlUser("p1.root", "role_admin"),
    }


def test_changes_take_effect_at_once(bench: Bench) -> None:
    bench.make()
    bench.sql("CREATE ROLE 'reports', 'audit'")
    assert create(bench, custom_roles=("reports",)).problem == ""

    def change(**asked: object) -> SqlUser:
        reply = bench.engine.ask("a", SqlTask("change", "p1", APP, **asked))  # type: ignore[arg-type]
        assert reply.problem == "", reply
        return {user.name: user for user in reply.users}[APP]

    assert change(password_hash=native_password_hash("another-one")).builtin_role == "p1.role_readonly"
    assert refused(bench, "SELECT 1") == 1045
    assert bench.sql("SELECT 1", user=APP, password="another-one") == ((1,),)
    assert change(builtin_role="p1.role_readwrite") == SqlUser(APP, "p1.role_readwrite", ("reports",))
    assert change(custom_roles=("audit",)) == SqlUser(APP, "p1.role_readwrite", ("audit",))
    assert change(custom_roles=()) == SqlUser(APP, "p1.role_readwrite", ())
    assert bench.engine.ask("a", SqlTask("drop", "p1", APP)).problem == ""
    assert refused(bench, "SELECT 1", password="another-one") == 1045
    assert set(listed(bench)) == {"p1.root"}


def test_what_cannot_be_is_said(bench: Bench) -> None:
    bench.make()
    assert create(bench).problem == ""
    assert create(bench) == SqlReply(problem="exists", detail=APP)
    assert create(bench, "p1.b", custom_roles=("none",)) == SqlReply(problem="role_unknown", detail="none")
    assert "p1.b" not in listed(bench), "nothing is half made"
    for name in ("p1.none", MAINTENANCE_USER, "p1.role_readonly"):
        assert bench.engine.ask("a", SqlTask("drop", "p1", name)).problem == "not_found"
        task = SqlTask("change", "p1", name, native_password_hash("x" * 8))
        assert bench.engine.ask("a", task).problem == "not_found"
    reply = bench.engine.ask("nobody", SqlTask("list", "p1"), timeout_s=0)
    assert reply == SqlReply(problem="not_ready", detail="It has no server yet.")


def test_a_half_made_user_admits_nobody_and_is_finished_by_the_same_create(bench: Bench) -> None:
    """We may be killed between CREATE USER and the grants."""
    bench.make()
    secret = native_password_hash(PASSWORD)
    bench.sql(f"CREATE USER '{APP}'@'%' IDENTIFIED WITH 'mysql_native_password' AS '{secret}' ACCOUNT LOCK")
    assert refused(bench, "SELECT 1") == 3118
    assert create(bench).problem == ""
    assert bench.sql("SELECT 1", user=APP, password=PASSWORD) == ((1,),)


def test_a_tenants_settings_do_not_change_what_a_quote_means(bench: Bench) -> None:
    """Names of a tenant's making stand in our statements, which run with all rights."""
    bench.make()
    bench.sql("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    bench.sql("CREATE USER 'p1.evil'@'%' IDENTIFIED BY 'x'")
    bench.sql("CREATE ROLE 'a\\'' TO ''p1.evil''@''%''; --'")
    bench.sql("GRANT 'a\\'' TO ''p1.evil''@''%''; --' TO 'p1.evil'@'%'")
    before = listed(bench)["p1.evil"].custom_roles
    assert before == ("a\\' TO 'p1.evil'@'%'; --",)
    assert bench.engine.ask("a", SqlTask("change", "p1", "p1.evil", custom_roles=())).problem == ""
    assert listed(bench)["p1.evil"].custom_roles == ()
    assert bench.engine.ask("a", SqlTask("drop", "p1", "p1.evil")).problem == ""
