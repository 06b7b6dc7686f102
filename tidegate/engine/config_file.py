"""A cluster's ``tidb.toml`` (pure).

Two servers are described: the one that serves a cluster, and the one that makes the template, which has no
network at all.  Every path lies in the cluster's own folder: TiDB's defaults are shared folders in ``/tmp``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tidegate.engine.config import DatabaseConfig
from tidegate.engine.inner_tls import KeyPair

Table = dict[str, Any]

_PERFORMANCE: Table = {
    # Nothing else shares this store, so what other servers might have changed need not be looked for often.
    "bind-info-lease": "60s",
    "index-usage-sync-lease": "1h",
    "plan-replayer-gc-lease": "1h",
    # A zero here panics TiDB 8.5.4 (time.NewTicker), so "seldom" must be a number.
    "stats-lease": "60s",
    "run-auto-analyze": False,
    "gogc": 20,  # as in the environment; see process.py, GOGC
    "force-init-stats": False,
}


def build_server_config(folder: Path, config: DatabaseConfig, key_pair: KeyPair) -> str:
    """The text of ``tidb.toml`` for one cluster's server."""
    top, sections = _common(folder)
    top |= {
        "host": config.address,
        "advertise-address": config.address,
        "port": config.port,
        "server-version": config.server_version,
        # No Unix socket beside PROXY protocol: TiDB 8.5.4 takes every connection on it for a wrapped one and
        # the first one kills the server (pkg/server/server.go, startNetworkListener, seen 2026-11).
        "socket": "",
    }
    sections["proxy-protocol"] = {"networks": ",".join(config.proxy_networks), "header-timeout": 5}
    sections["security"] |= {"ssl-cert": str(key_pair.certificate), "ssl-key": str(key_pair.key)}
    return build_toml(top, sections)


def build_template_config(folder: Path, init_sql: Path) -> str:
    """The text of ``tidb.toml`` for the server that makes the template: a Unix socket, and no port anywhere."""
    top, sections = _common(folder)
    top |= {"host": "", "socket": str(folder / "sql.sock"), "initialize-sql-file": str(init_sql)}
    return build_toml(top, sections)


def _common(folder: Path) -> tuple[Table, dict[str, Table]]:
    top = {
        "store": "unistore",
        "path": str(folder / "data"),
        "temp-dir": str(folder / "tmp"),
        "tmp-storage-path": str(folder / "spill"),
        "enable-telemetry": False,
        # One region for all tables: a transaction of up to 16 KiB is then written in one piece (1PC), whatever tables
        # it touches.  With a region for each, kill -9 leaves halves: the store has its locks in memory only.
        "split-table": False,
        "skip-register-to-dashboard": True,
    }
    sections: dict[str, Table] = {
        "log": {
            "level": "warn",
            "slow-query-file": str(folder / "slow.log"),
            "file": {"filename": str(folder / "tidb.log"), "max-size": 8, "max-backups": 2},
        },
        "security": {
            # The stock root exists on a Unix socket only until the template's SQL drops it.
            "secure-bootstrap": True,
            # Tenants are root of their cluster; this keeps the server's files, our account and the system
            # tables out of their reach.  See docs/decisions/0003-tidb-embedded.md.
            "enable-sem": True,
            # A key made at each start would cost half a second of CPU; see inner_tls.py.
            "auto-tls": False,
        },
        "status": {"report-status": False},
        "performance": dict(_PERFORMANCE),
        "instance": {"tidb_memory_usage_alarm_ratio": 0},
    }
    return top, sections


def build_toml(top: Table, sections: dict[str, Table]) -> str:
    """TOML of scalars, lists of them, and tables one level deep in a table."""
    lines = [f"{key} = {_scalar(value)}" for key, value in top.items()]
    for name, table in sections.items():
        lines += _section(name, table)
    return "\n".join(lines) + "\n"


def _section(name: str, table: Table) -> list[str]:
    lines = ["", f"[{name}]"]
    lines += [f"{key} = {_scalar(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _section(f"{name}.{key}", value)
    return lines


def _scalar(value: Any) -> str:
    # JSON's strings, numbers and booleans are TOML's, but for DEL, which TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
