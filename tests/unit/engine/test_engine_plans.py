"""The pure parts: the server's configuration, the SQL of its accounts, and the sentences for its failures."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.engine.bootstrap import (
    MAINTENANCE_USER,
    AccountError,
    Accounts,
    build_native_hash,
    plan_accounts,
    plan_template,
    require_hash,
    require_user,
)
from tidegate.engine.config import DatabaseConfig
from tidegate.engine.config_file import build_server_config, build_template_config, build_toml
from tidegate.engine.failure import decide_reason, decide_telling_line, describe_os_error
from tidegate.engine.inner_tls import KeyPair
from tidegate.engine.process import parse_established

CONFIG = DatabaseConfig(
    cluster_id="a",
    region_id="r",
    namespace="n",
    address="100.64.0.10",
    port=4000,
    root_user="p1.root",
    root_password_hash=build_native_hash(b"pw"),
    proxy_networks=("100.64.0.1", "100.64.0.2"),
)
RIGHT = Accounts(True, True, False, "mysql_native_password", build_native_hash(b"pw"), 2 << 30)
NEW = Accounts(False, False, False, "", "", 2 << 30)


def test_the_server_is_where_it_was_asked_to_be_and_keeps_to_its_folder() -> None:
    """TiDB's defaults are 0.0.0.0, a status port, a Unix socket in /tmp and scratch folders that all share."""
    toml = tomllib.loads(build_server_config(Path("/c/a"), CONFIG, KeyPair(Path("/c/.tls/crt"), Path("/c/.tls/key"))))
    assert (toml["host"], toml["port"], toml["socket"]) == ("100.64.0.10", 4000, "")
    assert toml["proxy-protocol"]["networks"] == "100.64.0.1,100.64.0.2"
    assert toml["status"]["report-status"] is False and toml["security"]["enable-sem"] is True
    paths = [toml["path"], toml["temp-dir"], toml["tmp-storage-path"], toml["log"]["slow-query-file"]]
    assert all(p.startswith("/c/a/") for p in [*paths, toml["log"]["file"]["filename"]])


def test_the_template_has_no_network_at_all() -> None:
    """It runs in the host's own namespace, so it must not listen there."""
    toml = tomllib.loads(build_template_config(Path("/c/t"), Path("/c/t/init.sql")))
    assert toml["host"] == "" and toml["status"]["report-status"] is False
    assert toml["socket"] == "/c/t/sql.sock" and "proxy-protocol" not in toml


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_configuration(text: str) -> None:
    """A folder may be named anything."""
    assert tomllib.loads(build_toml({"a": text}, {"s": {"b": text}})) == {"a": text, "s": {"b": text}}


def test_the_hash_is_mysqls() -> None:
    """SELECT PASSWORD('x') of a real TiDB 8.5.4."""
    assert build_native_hash(b"x") == "*B69027D44F6E5EDC07F1AEAD1477967B16F28227"
    assert build_native_hash(b"") == "*" + hashlib.sha1(hashlib.sha1(b"").digest()).hexdigest().upper()


@pytest.mark.parametrize("text", ["", "*", "x" * 41, "*" + "a" * 40, "*" + "A" * 40 + "\n", "*" + "A" * 39 + "'"])
def test_what_is_not_a_hash_never_becomes_sql(text: str) -> None:
    """It is set between quotes, and the prefix of its statement must not be anybody's to end."""
    with pytest.raises(AccountError):
        require_hash(text)
    with pytest.raises(AccountError):
        plan_accounts(NEW, replace(CONFIG, root_password_hash=text))


@pytest.mark.parametrize("name", ["", "a'b", "a" * 33, "a b", "a\\", MAINTENANCE_USER])
def test_what_is_not_a_user_name_never_becomes_sql(name: str) -> None:
    """As for the hash; and our own account is not a tenant's."""
    with pytest.raises(AccountError):
        require_user(name)


def test_a_new_root_is_locked_until_its_password_is_set() -> None:
    """Killed after any of these statements, the account admits nobody that it should not."""
    statements = plan_accounts(NEW, CONFIG)
    assert statements[0].startswith("CREATE USER") and statements[0].endswith("ACCOUNT LOCK")
    assert "REVOKE FILE, SHUTDOWN, CONFIG" in statements[2]
    assert statements[3].endswith("ACCOUNT UNLOCK") and len(statements) == 4
    assert len(plan_accounts(NEW, replace(CONFIG, root_password_hash=None))) == 3


def test_what_is_right_is_left_alone() -> None:
    """Every adoption asks; a write would cost a schema change in every server."""
    assert plan_accounts(RIGHT, CONFIG) == []


@pytest.mark.parametrize(
    ("have", "wish", "first"),
    [
        (RIGHT, replace(CONFIG, root_password_hash=build_native_hash(b"new")), "ALTER USER"),
        (RIGHT, replace(CONFIG, root_password_hash=None), "ALTER USER 'p1.root'@'%' ACCOUNT LOCK"),
        (replace(RIGHT, root_locked=True), CONFIG, "ALTER USER"),
        (replace(RIGHT, root_plugin="caching_sha2_password"), CONFIG, "ALTER USER"),
        (replace(RIGHT, root_granted=False), CONFIG, "GRANT ALL"),
        (RIGHT, replace(CONFIG, memory_limit_bytes=4 << 30), "SET GLOBAL tidb_server_memory_limit = '4294967296'"),
        (RIGHT, replace(CONFIG, memory_limit_bytes=1), "SET GLOBAL tidb_server_memory_limit = '536870912'"),
    ],
)
def test_each_difference_has_its_statement(have: Accounts, wish: DatabaseConfig, first: str) -> None:
    """Level-triggered: whatever the difference came from."""
    assert plan_accounts(have, wish)[0].startswith(first)


def test_the_template_ends_without_a_stock_root() -> None:
    """TiDB only warns when a statement of the file fails, so its order matters: ours first, theirs gone last."""
    statements = plan_template(build_native_hash(b"k"), 1 << 30)
    assert MAINTENANCE_USER in statements[0] and "DROP USER IF EXISTS 'root'" in statements[-1]


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("panic: write /c/a/data/kv/0.vlog: no space left on device", 2, "disk is full"),
        ('[FATAL] [error="listen tcp 100.64.0.10:4000: bind: address already in use"]', 1, "port is taken"),
        ("bind: cannot assign requested address", 1, "address is not in its namespace"),
        ("fatal error: runtime: cannot allocate memory", 2, "memory bound"),
        ("open /c/a/tmp: permission denied", 1, "cannot be written"),
        ("", -9, "SIGKILL"),
        ("something else", 3, "status 3"),
        ("", None, "without a word"),
    ],
)
def test_a_death_is_one_sentence(line: str, status: int | None, words: str) -> None:
    """What Describe and the console show: what happened, and what to do."""
    reason = decide_reason(line, status)
    assert words in reason and reason.endswith(".") and "\n" not in reason


def test_the_telling_line_is_the_panic_and_not_its_stack() -> None:
    """Go prints the reason first and forty lines of stack after it."""
    text = "starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:1 +0x1\n"
    assert decide_telling_line(text, plain=True) == "panic: boom"
    assert decide_telling_line("[WARN] [x] nothing\n", plain=False) == ""
    logged = '[2026/11/23 08:57:29.032 +00:00] [FATAL] [terror.go:309] ["unexpected"] [error="bind: x"] [stack="y"]'
    assert decide_telling_line(logged, plain=False) == '["unexpected"] [error="bind: x"]'


def test_a_refusal_of_the_system_is_a_sentence() -> None:
    """Disk full while copying the template."""
    assert "disk is full" in describe_os_error(OSError(28, "No space left on device"))
    assert "util-linux" in describe_os_error(FileNotFoundError(2, "No such file or directory", "nsenter"))


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0A004064:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 0A004064:0FA0 4D004064:C350 01 00000000:00000000 00:00000000 00000000     0
   2: 0A004064:0FA0 0A004064:C351 01 00000000:00000000 00:00000000 00000000     0
   3: 0A004064:0FA0 4D004064:C352 06 00000000:00000000 00:00000000 00000000     0
"""


def test_sessions_are_established_and_not_our_own() -> None:
    """Listening, time-wait and the maintenance session (the address speaking to itself) do not keep it awake."""
    assert list(parse_established(TCP.splitlines())) == [("100.64.0.10", 4000)]
