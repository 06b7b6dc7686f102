"""The fabric: 100.64.0.0/10 (RFC 6598), shared address space that no VPC may use, cut into four.

::

    100.64.0.0/11    consumers: one address per endpoint and zone, what the provider sees as the peer
    100.104.0.0/14   clusters: one address per database
    100.112.0.0/24   the provider's own: .1 is the gateway
    100.113.0.0/16   services that users publish: one address per service and resource

Each region has a provider namespace of its own, so each region counts its addresses by itself.
100.100.2.136 and .138, the resolvers that Alibaba's VPCs have, lie between these ranges.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

CONSUMER_CIDR = "100.64.0.0/11"
CLUSTER_CIDR = "100.104.0.0/14"
SERVICE_CIDR = "100.113.0.0/16"
NO_SERVICE = "100.113.0.0"
"""no resource's address: what a zone leads to that is not connected"""
GATEWAY_ADDRESS = "100.112.0.1"
GATEWAY_PORT = 4000
RESOLVERS = ("100.100.2.136", "100.100.2.138")


def nth_address(cidr: str, n: int) -> str:
    """The ``n``-th address of a range, counting round: n = 0 is the first after the network address."""
    network = IPv4Network(cidr)
    return str(IPv4Address(int(network.network_address) + 1 + n % (network.num_addresses - 2)))
