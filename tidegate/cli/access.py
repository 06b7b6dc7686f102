"""From the settings, or another machine's ``tidegate env``, to clients that are ready to call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tidegate import installation
from tidegate.cli.clients import AlibabaClient, CliError, OperatorClient, Server, TidbCloudClient
from tidegate.settings import Settings, load_settings

KEYS = (
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "TIDBCLOUD_PUBLIC_KEY",
    "TIDBCLOUD_PRIVATE_KEY",
)


@dataclass(frozen=True, slots=True)
class Access:
    """The clients of one installation."""

    server: Server
    alibaba: AlibabaClient
    tidbcloud: TidbCloudClient
    ca_path: Path | None = None
    """what vouches for the installation's certificates"""


def open_access(settings: Settings | None = None) -> Access:
    """The clients.  TIDEGATE_HTTP in the environment (``eval "$(tidegate env)"``) wins, with the keys beside it;

    otherwise the installation of the settings is asked for both.  Raises :class:`CliError`.
    """
    if os.environ.get("TIDEGATE_HTTP") and settings is None:
        _require_one_installation(os.environ)
        return build_access(os.environ)
    settings = settings or load_settings()
    if installation.describe(settings) is None:
        raise CliError(installation.explain_absence(settings))
    return build_access(installation.load_environment(settings))


def _require_one_installation(environ: Mapping[str, str]) -> None:
    """TIDEGATE_HOME and TIDEGATE_HTTP of two installations: a delete would hit the one that was not meant."""
    if not environ.get("TIDEGATE_HOME"):
        return
    named = installation.describe(load_settings(environ))
    if named is not None and named.http != environ["TIDEGATE_HTTP"]:
        raise CliError(
            f"TIDEGATE_HOME={environ['TIDEGATE_HOME']} is served at {named.http}, but TIDEGATE_HTTP names "
            f"{environ['TIDEGATE_HTTP']}: two installations. Unset one of the two."
        )


def build_access(environ: Mapping[str, str]) -> Access:
    """Raises :class:`CliError` naming the variables that are missing."""
    missing = [name for name in ("TIDEGATE_HTTP", *KEYS) if not environ.get(name)]
    if missing:
        raise CliError(f'{", ".join(missing)} missing beside TIDEGATE_HTTP. Set all of them: eval "$(tidegate env)".')
    server = choose_server(environ)
    key_id, secret, public, private = (environ[name] for name in KEYS)
    ca = environ.get("TIDEGATE_CA")
    alibaba, tidbcloud = AlibabaClient(server, key_id, secret), TidbCloudClient(server, public, private)
    return Access(server, alibaba, tidbcloud, Path(ca) if ca else None)


def choose_server(environ: Mapping[str, str]) -> Server:
    """Plain http only where no wire is: on the loopback."""
    address = environ["TIDEGATE_HTTP"]
    if is_loopback(address.rpartition(":")[0].strip("[]")):
        return Server("http", address)
    ca = environ.get("TIDEGATE_CA")
    return Server("https", environ.get("TIDEGATE_HTTPS", address), Path(ca) if ca else None)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def open_operator(settings: Settings | None = None) -> OperatorClient:
    """For the host's operator only: its token is a file that nobody else may read."""
    settings = settings or load_settings()
    running = installation.describe(settings)
    if running is None:
        raise CliError(installation.explain_absence(settings))
    try:
        token = (settings.keys / "operator-token").read_text().strip()
    except OSError as error:
        raise CliError(f"The operator's token cannot be read ({error}). Ask as the user who runs Tidegate.") from error
    return OperatorClient(Server("http", running.http), token)
