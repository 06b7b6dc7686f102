"""What the gateway knows of the world: who speaks from which address, and where each prefix leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate.domain.public_endpoints import Network

TlsMode = Literal["offered", "required", "not_offered"]


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One gateway per region, inside the provider namespace.  Certificate and key are PEM file paths."""

    region_id: str
    namespace: str
    address: str
    port: int
    tls: TlsMode = "offered"
    certificate_path: str = ""
    key_path: str = ""
    certificate_digest: str = ""
    """changes with the certificate's content, so that a renewed one is taken up; the gateway does not read it"""
    server_version: str = "8.0.11-TiDB-v8.5.4"
    login_timeout_s: float = 10.0
    wake_timeout_s: float = 30.0
    max_pending_logins: int = 2000


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whoever speaks from ``fabric_address``: the gateway learns endpoint, VPC and account from the peer address."""

    fabric_address: str
    region_id: str
    endpoint_id: str
    vpc_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where a user-name prefix leads.  ``ready`` is False while the cluster sleeps, starts or failed.

    ``failure`` is one sentence when the last start failed, for the ERR packet.
    """

    prefix: str
    region_id: str
    cluster_id: str
    address: str
    port: int
    ready: bool = False
    failure: str | None = None
    start_seq: int = 0
    public: tuple[Network, ...] | None = None
    """who may come in through the public endpoint; None: nobody, it is disabled"""
    restricted: bool = False
    """its quota is used up: nobody new is let in"""


class Directory(Protocol):
    """Who may go where; ``app`` fills it from the agent's pushes.

    ``consumer`` None: nobody is known at this address, the connection is closed unanswered.
    ``route`` None: unknown prefix.  ``wake`` returns a ready Route or raises :class:`WakeError`; a thousand
    simultaneous calls for one cluster cause one start.
    """

    def consumer(self, peer_address: str) -> Consumer | None: ...
    def route(self, prefix: str) -> Route | None: ...
    async def wake(self, route: Route, timeout_s: float) -> Route: ...


class WakeError(Exception):
    """The cluster did not come up; the message says why."""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One line of the flow log: a session began to relay, or ended with ``close_reason``."""

    event: Literal["opened", "closed", "refused"]
    session_id: int
    endpoint_id: str
    vpc_id: str
    account_id: str
    client_address: str
    cluster_id: str | None
    user: str | None
    path: Literal["relay", "handover", "none"]
    close_reason: str | None = None
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    duration_s: float = 0.0
