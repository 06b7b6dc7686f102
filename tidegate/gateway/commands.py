"""What a login starts from, and what it asks to be done: the words between handshake.py and login.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate.gateway.config import Route, TlsMode
from tidegate.gateway.refusals import Refusal


@dataclass(frozen=True, slots=True)
class SendClient:
    """Bytes for the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendServer:
    """Bytes for the database."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StartTls:
    """Do the TLS handshake on the client's connection, then call ``tls_started`` or ``tls_failed``."""


@dataclass(frozen=True, slots=True)
class StartServerTls:
    """Do it on the database's connection, as its client; then call ``server_tls_started`` or ``server_tls_failed``."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Have the cluster started, then call ``woken`` or ``wake_failed``."""

    route: Route


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to the database, then call ``connected`` or ``dial_failed``."""

    route: Route


@dataclass(frozen=True, slots=True)
class Done:
    """Logged in.  ``ok`` has not been sent to the client: whoever takes both connections over sends it first.

    ``to_client`` and ``to_server`` are bytes already read beyond the login; they go next, in this order.
    """

    ok: bytes
    to_client: bytes
    to_server: bytes


@dataclass(frozen=True, slots=True)
class Refuse:
    """Send ``data`` (an ERR packet, or nothing) to the client and close both connections."""

    refusal: Refusal
    data: bytes


Command = SendClient | SendServer | StartTls | StartServerTls | Wake | Dial | Done | Refuse
Turn = Literal["client", "server", "gateway"]


class KeyHolder(Protocol):
    """What :class:`~tidegate.gateway.password_key.PasswordKey` does."""

    pem: bytes

    def open(self, sealed: bytes, salt: bytes) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class LoginTerms:
    """What one login starts from.  ``find_route`` gives None for prefixes that this region does not serve.

    ``admit`` tells why this client may not go where the route leads, None when it may.
    """

    tls: TlsMode
    server_version: str
    connection_id: int
    salt: bytes
    client: tuple[str, int]
    local: tuple[str, int]
    endpoint_id: str
    find_route: Callable[[str], Route | None]
    password_key: KeyHolder
    admit: Callable[[Route], Refusal | None] = lambda route: None
