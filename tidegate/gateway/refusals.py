"""Every way a login can be refused: one function each, with the error code, the text, and whose side it is.

Texts in quotes of TiDB Cloud or MySQL are theirs to the letter, so clients and handlers that match on them go on
working; the others say what happened, on whose side, and what to do.  ``outcome`` is the metrics label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tidegate.gateway.packets import ErrorMessage

Side = Literal["client", "gateway", "server"]

PREFIX_PAGE = "https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix"
# TiDB Cloud appends this to 1045, configured as TiDB's own test TestExtendErrorMessageByRegex shows it.
DENIED_SUFFIX = f", see {PREFIX_PAGE} for more details."
ACCESS_DENIED = 1045
TOO_MANY_CONNECTIONS = 1040


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a login ended: ``message`` goes to the client, None where nobody is there to read it."""

    outcome: str
    side: Side
    message: ErrorMessage | None
    reason: str = ""

    @property
    def text(self) -> str:
        """One line for the flow log."""
        said = self.reason or (self.message.text if self.message else self.outcome)
        return f"{self.side} side: {said}"


def _refusal(outcome: str, side: Side, code: int, state: str | None, text: str) -> Refusal:
    return Refusal(outcome, side, ErrorMessage(code, state, text))


def missing_prefix() -> Refusal:
    """Number 1105: the cloud's is not documented; one known handler keys on ER_UNKNOWN_ERROR."""
    return _refusal("missing_prefix", "client", 1105, "HY000", f"Missing user name prefix. See {PREFIX_PAGE}")


def unknown_prefix(user: str, host: str, using_password: bool) -> Refusal:
    """Word for word what a wrong password gets, so that nobody learns which prefixes exist."""
    asked = "YES" if using_password else "NO"
    text = f"Access denied for user '{user}'@'{host}' (using password: {asked}){DENIED_SUFFIX}"
    return _refusal("unknown_prefix", "client", ACCESS_DENIED, "28000", text)


def refused_by_database(message: ErrorMessage) -> Refusal:
    """The database's own ERR, passed on; 1045 gets the cloud's hint about the prefix."""
    state = message.state or ("08004" if message.code == TOO_MANY_CONNECTIONS else "HY000")
    message = replace(message, state=state)
    if message.code != ACCESS_DENIED:
        return Refusal("refused_by_database", "server", message)
    if not message.text.endswith(DENIED_SUFFIX):
        message = replace(message, text=message.text + DENIED_SUFFIX)
    return Refusal("denied", "client", message)


def insecure_transport() -> Refusal:
    """MySQL's ER_SECURE_TRANSPORT_REQUIRED."""
    text = (
        "Connections using insecure transport are prohibited while --require_secure_transport=ON. "
        "This endpoint service requires TLS (client side): switch TLS on in the client."
    )
    return _refusal("insecure_transport", "client", 3159, "HY000", text)


def quota_exhausted(cluster_id: str) -> Refusal:
    """TiDB Cloud's own, to the letter (``reference/tidbcloud.md`` 4.5)."""
    text = (
        f"Due to the usage quota being exhausted, access to the cluster '{cluster_id}' has been restricted. Try "
        "increasing spending limits to gain full access. For more information, see "
        "https://docs.pingcap.com/tidbcloud/serverless-limitations#usage-quota"
    )
    return _refusal("quota_exhausted", "client", 1105, "HY000", text)


def public_disabled(cluster_id: str) -> Refusal:
    """Number and text of the cloud's are not documented; 1105 is what its gateway gives for its other refusals."""
    text = (
        f"The public endpoint of cluster '{cluster_id}' is disabled (client side). Use its private endpoint, or enable "
        "the public one: endpoints.public.disabled of the cluster."
    )
    return _refusal("public_disabled", "client", 1105, "HY000", text)


def not_authorized(host: str, cluster_id: str) -> Refusal:
    """MySQL's ER_HOST_NOT_PRIVILEGED; the cloud's number and text are not documented."""
    text = (
        f"Host '{host}' is not allowed to connect to this MySQL server: it is in none of the authorized networks of "
        f"cluster '{cluster_id}' (client side). Add it to endpoints.public.authorizedNetworks of the cluster."
    )
    return _refusal("not_authorized", "client", 1130, "HY000", text)


def tls_not_offered() -> Refusal:
    text = (
        "The client asked for TLS, which this endpoint service does not offer (client side). "
        "Switch TLS off in the client, or have the operator offer it."
    )
    return _refusal("tls_not_offered", "client", 2026, "HY000", text)


def too_many_pending(limit: int) -> Refusal:
    """Sent instead of the greeting, therefore without an SQL state, as MySQL does."""
    text = f"Too many connections: {limit} logins are under way at the gateway (gateway side). Try again shortly."
    return _refusal("too_many_pending", "gateway", TOO_MANY_CONNECTIONS, None, text)


def login_timeout(timeout_s: float, waited_for: str) -> Refusal:
    side: Side = "client" if waited_for == "client" else "server"
    text = (
        f"Got timeout reading communication packets: the login was not finished within {timeout_s:g} s, "
        f"waiting for the {waited_for} ({side} side). Connect again."
    )
    return _refusal("timeout", side, 1159, "08S01", text)


def cluster_not_started(cluster_id: str, why: str) -> Refusal:
    text = f"The cluster '{cluster_id}' could not be started (server side): {why}"
    return _refusal("not_started", "server", 1105, "HY000", text)


def database_unreachable(cluster_id: str, why: str) -> Refusal:
    text = (
        f"The database of cluster '{cluster_id}' cannot be reached from the gateway (server side): {why}. "
        "Try again; if it stays, tell the operator of the endpoint service."
    )
    return _refusal("unreachable", "server", 1105, "HY000", text)


def database_unsuitable(cluster_id: str, why: str) -> Refusal:
    text = (
        f"The database of cluster '{cluster_id}' does not answer as the gateway needs (server side): {why}. "
        "Tell the operator of the endpoint service."
    )
    return _refusal("unsuitable", "server", 1105, "HY000", text)


def gateway_failed() -> Refusal:
    text = (
        "The gateway met an error of its own (gateway side); its log has the details. Try again; if it stays, "
        "tell the operator of the endpoint service."
    )
    return _refusal("gateway_failed", "gateway", 1105, "HY000", text)


def protocol_too_old() -> Refusal:
    """MySQL's ER_NOT_SUPPORTED_AUTH_MODE."""
    text = "Client does not support authentication protocol requested by server; consider upgrading MySQL client"
    return _refusal("malformed", "client", 1251, "08004", text)


def malformed(why: str) -> Refusal:
    return _refusal("malformed", "client", 1835, "HY000", f"Malformed communication packet (client side): {why}.")


def too_large(why: str) -> Refusal:
    text = f"Got a packet bigger than 'max_allowed_packet' bytes (client side): {why}."
    return _refusal("malformed", "client", 1153, "08S01", text)


def out_of_order(why: str) -> Refusal:
    return _refusal("malformed", "client", 1156, "08S01", f"Got packets out of order (client side): {why}.")


def tls_failed(why: str) -> Refusal:
    """Inside a broken TLS handshake no packet can be read, so none is sent."""
    return Refusal("tls_failed", "client", None, f"the TLS handshake failed: {why}")


def client_gone() -> Refusal:
    return Refusal("client_gone", "client", None, "the client closed the connection during the login")
