"""What the resolvers are asked to serve.

One process serves every VPC of the host: it opens a UDP and a TCP socket on port 53 inside each VPC's
namespace.  Names are kept once, with the VPC that owns them, so adding an endpoint changes one entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Resolution = Literal["isolated", "cloud"]
"""``isolated``: a name exists only in the VPC whose endpoint it is.  ``cloud``: true to Alibaba Cloud, where
EndpointDomain and ZoneDomain are public names answering private addresses, so any VPC resolves them."""


@dataclass(frozen=True, slots=True)
class ResolverConfig:
    """The resolver of one VPC.  ``upstreams`` empty: names that are not ours get NXDOMAIN."""

    vpc_id: str
    namespace: str
    addresses: tuple[str, ...]
    resolution: Resolution = "isolated"
    upstreams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NameRecord:
    """One host name: lower case, no trailing dot.  ``addresses`` may be empty: the name exists, with no data."""

    name: str
    vpc_id: str
    addresses: tuple[str, ...]
    ttl_s: int = 10


class Resolvers(Protocol):
    """The driver: what is set replaces what was there under the same key; None removes it."""

    def set_resolver(self, vpc_id: str, config: ResolverConfig | None) -> None: ...
    def set_name(self, name: str, record: NameRecord | None) -> None: ...
