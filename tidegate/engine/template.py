"""The template: a data folder that TiDB has bootstrapped and that belongs to nobody yet.

TiDB's own bootstrap takes 1.3 s and a core, and leaves the server 200 MB larger for its whole life; a copy of a
bootstrapped folder takes 20 ms and starts as an existing one does.  So it is done once per binary, by a server
without any network, and each cluster starts from a copy.  It holds the maintenance account's key and no tenant.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import shutil
import time
from pathlib import Path

import pymysql

from tidegate.engine.bootstrap import MAINTENANCE_USER, build_native_hash, plan_template
from tidegate.engine.config_file import build_template_config
from tidegate.engine.failure import read_last_words
from tidegate.engine.folder import Folder, copy_tree, write_secret
from tidegate.engine.process import (
    Server,
    forget_process,
    is_alive,
    scan_servers,
    spawn_server,
    stop_server,
)

BOOTSTRAP_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
_VERSION = "1"
"""Raise it when the template's contents must change; older templates are then left to the sweep."""


class TemplateError(Exception):
    """The template could not be made; the message is one sentence with the server's own words."""


def require_template(root: Path, binary: Path, memory_limit_bytes: int) -> Folder:
    """The template for this binary, made now if there is none.  Raises :class:`TemplateError`, OSError.

    Callers in any number of threads and processes make it once; a maker that dies leaves nothing that counts.
    """
    template = Folder(root / f".template-{_template_key(binary)}")
    if template.ready:
        return template
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / ".template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.ready:
            _remove_others(root)
            _make_template(template, binary, memory_limit_bytes)
    return template


def _template_key(binary: Path) -> str:
    stat = binary.resolve().stat()
    text = f"{_VERSION} {stat.st_size} {stat.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _remove_others(root: Path) -> None:
    """Under the lock nobody else makes one, so what is there is old, or its maker died; its server may not have."""
    for config, server in scan_servers().items():
        if config.parent.parent == root and config.parent.name.startswith(".template-"):
            stop_server(server, 0)
    for path in root.glob(".template-*"):
        shutil.rmtree(path, ignore_errors=True)


def _make_template(template: Folder, binary: Path, memory_limit_bytes: int) -> None:
    work = Folder(template.path.with_name(template.path.name + ".new"))
    work.path.mkdir(mode=0o700)
    key = secrets.token_hex(32)
    init_sql = work.path / "init.sql"
    statements = plan_template(build_native_hash(key.encode()), memory_limit_bytes)
    write_secret(init_sql, ";\n".join(statements) + ";\n")
    work.config.write_text(build_template_config(work.path, init_sql))
    server = spawn_server(binary, work.config, None, work.console)
    try:
        _check_bootstrap(work, server, key)
        # A clean end writes everything into table files, so a copy starts without any replay.
        stop_server(server, STOP_TIMEOUT_S)
    finally:
        stop_server(server, 0)
        forget_process(server.pid)
    _publish(work, template, key)


def _check_bootstrap(work: Folder, server: Server, key: str) -> None:
    """Wait until it is up and log in: the server only warns when a statement of the file fails."""
    deadline_s = time.monotonic() + BOOTSTRAP_TIMEOUT_S
    while True:
        try:
            session = pymysql.connect(
                unix_socket=str(work.path / "sql.sock"), user=MAINTENANCE_USER, password=key, read_timeout=20
            )
        except pymysql.err.OperationalError as error:
            if error.args[0] != 2003 or time.monotonic() > deadline_s:  # CR_CONN_HOST_ERROR
                raise TemplateError(f"TiDB's bootstrap went wrong: {error.args[-1]}") from error
            if not is_alive(server):
                said = read_last_words(work)
                raise TemplateError(f"tidb-server ended during its bootstrap: {said or 'without a word'}") from error
            time.sleep(0.02)
            continue
        with session, session.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), MAX(user) FROM mysql.user")
            if (row := cursor.fetchone()) != (1, MAINTENANCE_USER):
                raise TemplateError(f"TiDB's bootstrap left other accounts than ours: {row}.")
        return


def _publish(work: Folder, template: Folder, key: str) -> None:
    draft = Folder(work.path / "publish")
    draft.path.mkdir(mode=0o700)
    copy_tree(work.data, draft.data)
    write_secret(draft.key, key)
    draft.path.rename(template.path)
    shutil.rmtree(work.path, ignore_errors=True)
