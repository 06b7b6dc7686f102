"""Where things are and how they behave: read once, from the environment and ``$TIDEGATE_HOME/tidegate.toml``.

The environment wins over the file, the file over the default.  A setting's variable is ``TIDEGATE_`` + its name::

    TIDEGATE_HOME=/srv/tidegate TIDEGATE_LISTEN=127.0.0.1:9443 tidegate up
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal


class SettingsError(Exception):
    """A setting cannot be used; the message names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings.  ``home`` is durable (store, keys, CA, clusters); ``run`` is for this boot (sockets, pids)."""

    home: Path
    run: Path
    rootless: bool
    listen: str = "127.0.0.1:8090"
    """host:port of all APIs and consoles, http and https alike; port 0 picks a free one"""
    public_listen: str = "127.0.0.1:0"
    """host:port of the public endpoints, opened once a cluster enables its own; each region has a port: port 0 picks
    free ones and keeps them, another is the first region's"""
    database_url: str = ""
    """SQLAlchemy URL; empty: SQLite in ``home``"""
    resolution: Literal["isolated", "cloud"] = "isolated"
    dns_upstreams: str = ""
    """comma list of resolvers for names that are not ours; empty: NXDOMAIN"""
    tls: Literal["offered", "required", "not_offered"] = "offered"
    cluster_idle_s: float = 300.0
    """a Starter cluster without sessions is stopped after this; 0: never"""
    cluster_memory_mib: int = 2048
    rcu_per_cpu: int = 2000
    """how many request capacity units are one CPU: an Essential cluster's maxRcu divided by it is its CPU limit"""
    free_request_units: float = 50_000_000
    """what each Starter cluster may use in a month for nothing; small, to rehearse a quota that is used up"""
    free_storage_gib: float = 5.0
    """and store, row-based"""
    meter_s: float = 10.0
    """usage is counted at this interval"""
    tidb_server: str = ""
    """path of a tidb-server to use; empty: see docs/howto/tidb.md for the search order"""
    tidbcloud_requests_per_minute: int = 6000
    """per key; 100 is the cloud's own limit (docs/fidelity.md)"""
    resync_s: float = 30.0
    log_level: str = "info"

    @property
    def instance(self) -> str:
        """Six hex digits that tell this installation's namespaces and links from another's on the same host."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:6]

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'tidegate.db'}"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def clusters(self) -> Path:
        """One folder per cluster: its data, its log, its Unix socket, its pid record.  Mode 0700."""
        return self.home / "clusters"

    @property
    def keys(self) -> Path:
        """CA, certificates and credentials.  Mode 0700."""
        return self.home / "keys"

    @property
    def agent_socket(self) -> Path:
        return self.run / "agent.sock"

    def environment(self) -> dict[str, str]:
        """What a process of ours must be started with to read these very settings.

        ``rootless`` is told, not found: inside our user namespace everybody is uid 0.
        """
        own = {f"TIDEGATE_{f.name.upper()}": str(getattr(self, f.name)) for f in fields(self)}
        own["TIDEGATE_ROOTLESS"] = "1" if self.rootless else "0"
        return {name: value for name, value in own.items() if value}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.  Raises :class:`SettingsError` for an unknown key or an unusable value."""
    env = os.environ if environ is None else environ
    root = os.geteuid() == 0
    home = Path(env.get("TIDEGATE_HOME") or _default_home(root, env)).expanduser().resolve()
    run = Path(env.get("TIDEGATE_RUN") or _default_run(home, root, env)).resolve()
    values: dict[str, Any] = _from_file(home / "tidegate.toml")
    for f in fields(Settings):
        text = env.get(f"TIDEGATE_{f.name.upper()}")
        if text is not None and f.name not in ("home", "run"):
            values[f.name] = text
    kinds = {f.name: f.type for f in fields(Settings)}
    checked = {name: _convert(name, str(kinds[name]), value) for name, value in values.items()}
    checked.setdefault("rootless", not root)
    return Settings(home=home, run=run, **checked)


def _default_home(root: bool, env: Mapping[str, str]) -> str:
    if root:
        return "/var/lib/tidegate"
    return env.get("XDG_STATE_HOME", "~/.local/state") + "/tidegate"


def _default_run(home: Path, root: bool, env: Mapping[str, str]) -> str:
    # A Unix socket's path is limited to 107 bytes, so the run folder must stay short whatever ``home`` is.
    tag = hashlib.sha256(str(home).encode()).hexdigest()[:6]
    base = "/run" if root else env.get("XDG_RUNTIME_DIR") or f"/tmp/tidegate-{os.geteuid()}"  # noqa: S108
    return f"{base}/tidegate-{tag}"


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Mend or remove the file.") from error
    unknown = set(values) - {f.name for f in fields(Settings)} | (set(values) & {"home", "run"})
    if unknown:
        raise SettingsError(f"{path} has settings nobody knows: {', '.join(sorted(unknown))}. Remove them.")
    return values


_CHOICES = {
    "resolution": ("isolated", "cloud"),
    "tls": ("offered", "required", "not_offered"),
    "log_level": ("debug", "info", "warning", "error"),
}


_HOST_PORTS = frozenset({"listen", "public_listen"})
_HIGHEST_PORT = 65535
_ABOVE_ZERO = frozenset({"rcu_per_cpu", "meter_s", "resync_s"})


def _convert(name: str, kind: str, value: Any) -> Any:
    try:
        if kind == "bool":
            return value if isinstance(value, bool) else {"1": True, "true": True, "0": False, "false": False}[value]
        if kind in ("int", "float"):
            number = int(value) if kind == "int" else float(value)
            if name in _ABOVE_ZERO and not number > 0:
                raise SettingsError(f"TIDEGATE_{name.upper()}={value!r}: it must be above 0.")
            return number
    except (ValueError, KeyError) as error:
        raise SettingsError(f"TIDEGATE_{name.upper()}={value!r} is not a {kind}.") from error
    if name in _CHOICES and value not in _CHOICES[name]:
        raise SettingsError(f"TIDEGATE_{name.upper()}={value!r}: use one of {', '.join(_CHOICES[name])}.")
    return _require_host_port(name, str(value)) if name in _HOST_PORTS else str(value)


def _require_host_port(name: str, text: str) -> str:
    """A port alone is refused: it would open the APIs on every interface of the host."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _HIGHEST_PORT:
        example = f"127.0.0.1:{port if port.isdigit() and int(port) <= _HIGHEST_PORT else 8090}"
        raise SettingsError(
            f"TIDEGATE_{name.upper()}={text!r} is no host:port. Use {example}, or 0.0.0.0 as the host if every "
            "interface of this host is meant."
        )
    return text
