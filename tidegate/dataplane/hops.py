"""Where does a packet go?  Every hop in order; ruleset.py takes chain names and priorities from here.

A program in a VPC connects to its endpoint's address (an *ENI*)::

    VPC namespace (the router)                                          provider namespace
    host --veth--> arrive -> egress_P -> to_peer -> ingress_P -> translate -> forward -> source --fabric--> accept
                     |                                             |
                     | answers, running connections                | not a connected endpoint's port
                     v                                             v
                   known -> (translated back) -> forward -> host   local: dropped

A service that another VPC publishes lies one VPC further.  The provider only passes the packet on, and it arrives
in the publisher's router as a guest, from the consumer's fabric address to the service's::

    consumer's VPC         provider             publisher's VPC
    ... source --fabric--> pass --fabric--> arrive -> guests -> ingress_P -> translate -> forward --veth--> host
                                              |                                |
                                              | running connections            | the target's address, the same port
                                              v                                v
                                            known                            (the source stays the fabric address)

Judging happens once, before translation, on the addresses the user knows; afterwards only shape is checked.
Every drop in a VPC goes through *refused*, which remembers who was dropped and by which rule; what passes is counted
in the elements of the sets it is found in.  observation.py reads both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TABLE = "tidegate"
"""The one nft table, of family inet, that each namespace of ours has."""

FABRIC = "fabric"
"""The VPC's end of its link to the provider namespace."""

HOST_LINK = "eth0"
"""The program's end of its link to the VPC's router."""

Where = Literal["vpc", "provider", "host"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One place a packet passes.  ``hook`` and ``priority`` are set for the chains the kernel calls itself."""

    name: str
    where: Where
    match: str
    action: str
    next: str
    hook: str = ""
    kind: str = "filter"
    priority: int = 0
    policy: Literal["accept", "drop"] = "drop"


ARRIVE = Hop(
    "arrive",
    "vpc",
    "every packet that enters the router, before translation and after connection tracking",
    "IPv6 and invalid: dropped.  Running connections: known.  New ones from the fabric: guests.  "
    "New ones to the resolver or the subnet's gateway: local.  Other new ones: by their source address",
    "known, guests, egress_<policy> of the source's groups, or dropped",
    "prerouting",
    priority=-110,
)
KNOWN = Hop(
    "known",
    "vpc",
    "packets of connections that were judged before",
    "a translated one passes while its endpoint is connected (set live) or its service published (set serving); "
    "one between hosts passes",
    "translate",
)
GUESTS = Hop(
    "guests",
    "vpc",
    "new connections from the fabric",
    "TCP from a consumer's fabric address to a service that this VPC publishes (map published)",
    "ingress_<policy> of the target's groups, or dropped",
)
EGRESS = Hop(
    "egress_",
    "vpc",
    "new connections, by source address (map egress): one chain per set of security groups",
    "the first matching row decides; every row counts, and its comment is the user's rule id",
    "to_peer, or dropped",
)
TO_PEER = Hop("to_peer", "vpc", "what egress let pass", "looks up the destination (map ingress)", "ingress_<policy>")
INGRESS = Hop(
    "ingress_",
    "vpc",
    "new connections, by destination address, an ENI or a host: one chain per set of security groups",
    "the first matching row decides; without one the groups' default does",
    "translate, or dropped",
)
TRANSLATE = Hop(
    "translate",
    "vpc",
    "ENI address and service port of a connected endpoint (map service), or any TCP port of it (map every_port); "
    "a published service's address (map targets)",
    "destination becomes the service's address, or the publishing host's; the port stays",
    "forward; what is not translated and was meant for an ENI ends in local",
    "prerouting",
    kind="nat",
    priority=-100,
    policy="accept",
)
LOCAL = Hop(
    "local",
    "vpc",
    "packets to the router itself, ENI addresses included",
    "DNS and DHCP to the resolver, echo to a subnet's gateway; all else is dropped without a word",
    "the resolver",
    "input",
)
FORWARD = Hop(
    "forward",
    "vpc",
    "packets that go through the router",
    "only the shape: towards and from the fabric what is translated, else host to host",
    "source",
    "forward",
)
REFUSED = Hop(
    "refused",
    "vpc",
    "what a row or a hop let not through, with that rule's mark",
    "remembered with its mark for ten minutes (set refused, at most 1024 flows), then dropped without a word",
    "nowhere",
)
SEND = Hop("send", "vpc", "what the router itself says", "answers only", "the host", "output")
SOURCE = Hop(
    "source",
    "vpc",
    "translated connections, by their original destination, the ENI (map fabric)",
    "source becomes the endpoint's fabric address; a guest keeps its own",
    "accept or pass, over the fabric link",
    "postrouting",
    kind="nat",
    priority=100,
    policy="accept",
)
ACCEPT = Hop(
    "accept",
    "provider",
    "packets to the provider namespace; the link's reverse path filter has tied the source to its VPC",
    "only a service's address and port (set services); loopback is free",
    "gateway or tidb-server",
    "input",
)
PASS = Hop(
    "pass",
    "provider",
    "packets that cross the provider; routes and reverse path filter have tied both ends to their VPCs",
    "only TCP between a fabric address and a published service's address, opened towards the service",
    "arrive of the publisher, or of the consumer for answers",
    "forward",
)
ANSWER = Hop(
    "answer",
    "provider",
    "what the provider sends",
    "from a service to a fabric address and never a first packet; on loopback: inward",
    "arrive, over the fabric link",
    "output",
)
INWARD = Hop(
    "inward",
    "provider",
    "loopback packets to database addresses",
    "only from the gateway's address, or from the database's own",
    "tidb-server",
)

HOPS = (
    ARRIVE,
    KNOWN,
    GUESTS,
    EGRESS,
    TO_PEER,
    INGRESS,
    TRANSLATE,
    LOCAL,
    FORWARD,
    REFUSED,
    SEND,
    SOURCE,
    ACCEPT,
    PASS,
    ANSWER,
    INWARD,
)
"""In the order in which a new connection to an endpoint meets them."""
