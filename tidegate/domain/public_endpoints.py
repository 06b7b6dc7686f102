"""The public endpoint of a cluster: open or not, and from which addresses (``reference/tidbcloud.md`` 2.2, 4.2, 6.4).

A switch and a list for each cluster; the socket is the region's.  The rules are met by new logins only: sessions that
are established when an endpoint is closed go on, as in the cloud.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from tidegate.domain.refusals import Malformed, Missing

Network = tuple[str, str, str]
"""(first address, last address, display name), IPv4, the ends included"""

ALLOW_ALL: Network = ("0.0.0.0", "255.255.255.255", "Allow_all_public_connections")
NETWORKS_AT_MOST = 200
_FIELD = "endpoints.public.authorizedNetworks"
_NAME_LETTERS = 256


@dataclass(frozen=True, slots=True)
class PublicListener:
    """Where a region's public endpoints really listen on this installation."""

    region_id: str
    host: str
    port: int


def require_networks(networks: Iterable[Network]) -> tuple[Network, ...]:
    """All three values of each are required, addresses are IPv4, the first not above the last.

    Raises :class:`Malformed`, :class:`Missing`.
    """
    found = tuple(networks)
    if len(found) > NETWORKS_AT_MOST:
        raise Malformed(_FIELD, f"{len(found)} rules, and at most {NETWORKS_AT_MOST} are allowed")
    for start, end, name in found:
        if not name:
            raise Missing(f"{_FIELD}.displayName")
        if len(name) > _NAME_LETTERS:
            raise Malformed(f"{_FIELD}.displayName", f"more than {_NAME_LETTERS} letters")
        if _number("startIpAddress", start) > _number("endIpAddress", end):
            raise Malformed(_FIELD, f"{start} comes after {end}")
    return found


def decide_authorized(networks: Iterable[Network], address: str) -> bool:
    """An empty list admits nobody; so does an address that is not IPv4."""
    try:
        number = int(IPv4Address(address))
    except AddressValueError:
        return False
    return any(int(IPv4Address(start)) <= number <= int(IPv4Address(end)) for start, end, _ in networks)


def _number(field: str, text: str) -> int:
    if not text:
        raise Missing(f"{_FIELD}.{field}")
    try:
        return int(IPv4Address(text))
    except AddressValueError:
        raise Malformed(f"{_FIELD}.{field}", text) from None
