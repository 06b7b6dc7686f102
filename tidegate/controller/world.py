"""What a plan is made from: rows read in one transaction, grouped by VPC."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tidegate.domain.clusters import Cluster
from tidegate.domain.endpoints import Endpoint, EndpointZone
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.security_groups import SecurityGroup, SecurityGroupRule
from tidegate.domain.service_resources import ServiceResource
from tidegate.domain.services import EndpointService
from tidegate.domain.subnets import Subnet
from tidegate.domain.usage import Usage
from tidegate.domain.vpcs import Vpc
from tidegate.store.store import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Network:
    """One VPC with all that is in it, those being deleted included."""

    vpc: Vpc
    subnets: tuple[Subnet, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    rules: tuple[SecurityGroupRule, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    zones: tuple[EndpointZone, ...] = ()
    services: Mapping[str, EndpointService] = field(default_factory=dict)
    resources: tuple[ServiceResource, ...] = ()
    """what services publish of this VPC"""


@dataclass(frozen=True, slots=True)
class World:
    """Everything; read when a whole host has to be planned: at the start, and for a new agent."""

    networks: tuple[Network, ...]
    clusters: tuple[Cluster, ...]
    usages: Mapping[str, Usage] = field(default_factory=dict)
    """by cluster, of the last month in which it was counted"""


def load_network(tx: Transaction, vpc_id: str) -> Network | None:
    vpc = tx.vpcs.get(vpc_id)
    if vpc is None:
        return None
    groups = tx.security_groups.find(vpc_id=vpc_id)
    endpoints = tx.endpoints.find(vpc_id=vpc_id)
    return Network(
        vpc=vpc,
        subnets=tuple(tx.subnets.find(vpc_id=vpc_id)),
        groups=tuple(groups),
        rules=tuple(tx.security_group_rules.find_in("group_id", [group.group_id for group in groups])),
        interfaces=tuple(tx.interfaces.find(vpc_id=vpc_id)),
        endpoints=tuple(endpoints),
        zones=tuple(tx.endpoint_zones.find(vpc_id=vpc_id)),
        services=_services(tx, {endpoint.service_id for endpoint in endpoints}),
        resources=tuple(tx.service_resources.find(vpc_id=vpc_id)),
    )


def load_world(tx: Transaction) -> World:
    """The same as ``load_network`` for each VPC, in nine queries altogether; and the clusters, with their usage."""
    return World(
        tuple(
            _assemble(
                tx.vpcs.find(),
                tx.subnets.find(),
                tx.security_groups.find(),
                tx.security_group_rules.find(),
                tx.interfaces.find(),
                tx.endpoints.find(),
                tx.endpoint_zones.find(),
                tx.services.find(),
                tx.service_resources.find(),
            )
        ),
        tuple(tx.clusters.find()),
        {usage.cluster_id: usage for usage in tx.usages.find()},
    )


def load_networks(tx: Transaction, vpcs: Sequence[Vpc]) -> list[Network]:
    """The same as ``load_network`` for each of these, in as few queries."""
    ids = [vpc.vpc_id for vpc in vpcs]
    groups = tx.security_groups.find_in("vpc_id", ids)
    return _assemble(
        vpcs,
        tx.subnets.find_in("vpc_id", ids),
        groups,
        tx.security_group_rules.find_in("group_id", [group.group_id for group in groups]),
        tx.interfaces.find_in("vpc_id", ids),
        tx.endpoints.find_in("vpc_id", ids),
        tx.endpoint_zones.find_in("vpc_id", ids),
        tx.services.find(),
        tx.service_resources.find_in("vpc_id", ids),
    )


def _assemble(
    vpcs: Iterable[Vpc],
    all_subnets: Iterable[Subnet],
    all_groups: Iterable[SecurityGroup],
    all_rules: Iterable[SecurityGroupRule],
    all_interfaces: Iterable[NetworkInterface],
    all_endpoints: Iterable[Endpoint],
    all_zones: Iterable[EndpointZone],
    all_services: Iterable[EndpointService],
    all_resources: Iterable[ServiceResource],
) -> list[Network]:
    subnets, groups = _by(all_subnets, "vpc_id"), _by(all_groups, "vpc_id")
    rules, interfaces = _by(all_rules, "group_id"), _by(all_interfaces, "vpc_id")
    endpoints, zones = _by(all_endpoints, "vpc_id"), _by(all_zones, "vpc_id")
    services = {service.service_id: service for service in all_services}
    resources = _by(all_resources, "vpc_id")
    return [
        Network(
            vpc=vpc,
            subnets=tuple(subnets[vpc.vpc_id]),
            groups=tuple(groups[vpc.vpc_id]),
            rules=tuple(rule for group in groups[vpc.vpc_id] for rule in rules[group.group_id]),
            interfaces=tuple(interfaces[vpc.vpc_id]),
            endpoints=tuple(endpoints[vpc.vpc_id]),
            zones=tuple(zones[vpc.vpc_id]),
            services=services,
            resources=tuple(resources[vpc.vpc_id]),
        )
        for vpc in vpcs
    ]


def _services(tx: Transaction, service_ids: Iterable[str]) -> dict[str, EndpointService]:
    return {service.service_id: service for service in tx.services.find_in("service_id", service_ids)}


def _by(rows: Iterable[T], column: str) -> defaultdict[Any, list[T]]:
    grouped: defaultdict[Any, list[T]] = defaultdict(list)
    for row in rows:
        grouped[getattr(row, column)].append(row)
    return grouped
