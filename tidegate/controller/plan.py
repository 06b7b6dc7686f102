"""From rows to configurations.  Pure: the same rows always give the same plan, byte for byte."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from tidegate.agent.config import HostConfig
from tidegate.controller.world import Network, World
from tidegate.dataplane.config import (
    EndpointInterface,
    HostInterface,
    NetworkConfig,
    Policy,
    PolicyRow,
    Publication,
    RegionConfig,
)
from tidegate.dns.config import NameRecord, Resolution, ResolverConfig
from tidegate.domain import fabric
from tidegate.domain.catalogue import require_region
from tidegate.domain.clusters import DEFAULT_PORT, Cluster, cpu_share, private_host
from tidegate.domain.endpoints import Endpoint, EndpointZone
from tidegate.domain.security_groups import SecurityGroup, SecurityGroupRule, ordered
from tidegate.domain.services import EndpointService
from tidegate.domain.subnets import gateway_address
from tidegate.domain.usage import Allowance
from tidegate.engine.config import DatabaseConfig
from tidegate.gateway.config import Consumer, GatewayConfig, Route, TlsMode

THROTTLED_CPUS = 0.1
"""Ours, for sessions that outlive the quota: the cloud says only that they are throttled."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The settings that shape a plan."""

    resolution: Resolution = "isolated"
    upstreams: tuple[str, ...] = ()
    tls: TlsMode = "offered"
    cluster_memory_bytes: int = 2 << 30
    rcu_per_cpu: int = 2000
    free: Allowance = field(default_factory=Allowance)
    certificates: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """region id -> (certificate path, key path, digest of the certificate) of its gateway"""


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """The parts of a HostConfig that one VPC is made of; ``network`` None: nothing of it shall be."""

    network: NetworkConfig | None
    resolver: ResolverConfig | None
    names: dict[str, NameRecord]
    consumers: dict[str, Consumer]


NO_PARTS = NetworkParts(None, None, {}, {})


def plan_host(
    world: World, parts: Mapping[str, NetworkParts], settings: PlanSettings, restricted: Container[str] = ()
) -> HostConfig:
    """The whole host; ``parts`` has what ``plan_network`` made of each VPC of ``world``, ``restricted`` the clusters
    whose quota is used up.
    """
    region_ids = {network.vpc.region_id for network in world.networks if not network.vpc.deleting}
    region_ids |= {cluster.region_id for cluster in world.clusters}
    return HostConfig(
        regions={r: plan_region(r, (c for c in world.clusters if c.region_id == r)) for r in sorted(region_ids)},
        networks={vpc_id: part.network for vpc_id, part in parts.items() if part.network},
        resolvers={vpc_id: part.resolver for vpc_id, part in parts.items() if part.resolver},
        names={name: record for part in parts.values() for name, record in part.names.items()},
        databases={
            c.cluster_id: plan_database(c, settings, world.clusters, c.cluster_id in restricted) for c in world.clusters
        },
        gateways={region_id: plan_gateway(region_id, settings) for region_id in sorted(region_ids)},
        consumers={address: consumer for part in parts.values() for address, consumer in part.consumers.items()},
        routes={c.prefix: plan_route(c, c.cluster_id in restricted) for c in world.clusters if not c.deleting},
    )


def plan_network(network: Network, settings: PlanSettings) -> NetworkParts:
    """One VPC, whole."""
    if network.vpc.deleting:
        return NO_PARTS
    endpoints = {e.endpoint_id: e for e in network.endpoints if not e.deleting}
    zones = [z for z in network.zones if not z.deleting and z.endpoint_id in endpoints]
    return NetworkParts(
        network=_network_config(network, endpoints, zones),
        resolver=ResolverConfig(
            vpc_id=network.vpc.vpc_id,
            namespace=network.vpc.vpc_id,
            addresses=fabric.RESOLVERS,
            resolution=settings.resolution,
            upstreams=settings.upstreams,
        ),
        names=_names(endpoints, zones),
        consumers={
            zone.fabric_address: Consumer(
                fabric_address=zone.fabric_address,
                region_id=zone.region_id,
                endpoint_id=zone.endpoint_id,
                vpc_id=zone.vpc_id,
                account_id=endpoints[zone.endpoint_id].account_id,
            )
            for zone in zones
            if _is_guest(network, endpoints[zone.endpoint_id], zone)
        },
    )


def plan_region(region_id: str, clusters: Iterable[Cluster]) -> RegionConfig:
    """One provider namespace, with an address for each of its clusters."""
    return RegionConfig(
        region_id=region_id,
        namespace=region_id,
        gateway_address=fabric.GATEWAY_ADDRESS,
        gateway_port=fabric.GATEWAY_PORT,
        fabric_cidr=fabric.CONSUMER_CIDR,
        cluster_cidr=fabric.CLUSTER_CIDR,
        cluster_addresses=tuple(sorted(c.address for c in clusters if not c.deleting)),
    )


def plan_gateway(region_id: str, settings: PlanSettings) -> GatewayConfig:
    certificate, key, digest = settings.certificates.get(region_id, ("", "", ""))
    return GatewayConfig(
        region_id=region_id,
        namespace=region_id,
        address=fabric.GATEWAY_ADDRESS,
        port=fabric.GATEWAY_PORT,
        tls=settings.tls if certificate else "not_offered",
        certificate_path=certificate,
        key_path=key,
        certificate_digest=digest,
    )


def plan_database(
    cluster: Cluster, settings: PlanSettings, neighbours: Iterable[Cluster] = (), restricted: bool = False
) -> DatabaseConfig:
    """``neighbours``: among them the parent of a branch.  ``restricted``: its quota is used up, so what sessions it
    still has are slowed down.
    """
    least, most = cpu_share(cluster, settings.rcu_per_cpu)
    return DatabaseConfig(
        cluster_id=cluster.cluster_id,
        region_id=cluster.region_id,
        namespace=cluster.region_id,
        address=cluster.address,
        port=DEFAULT_PORT,
        root_user=cluster.root_user,
        root_password_hash=cluster.root_password_hash,
        proxy_networks=(f"{fabric.GATEWAY_ADDRESS}/32",),
        running=cluster.awake and not cluster.deleting,
        deleted=cluster.deleting,
        start_seq=cluster.start_seq,
        memory_limit_bytes=settings.cluster_memory_bytes,
        copy_of=cluster.parent_id,
        copy_prefix="".join(c.prefix for c in neighbours if c.cluster_id == cluster.parent_id),
        copy_seq=cluster.copy_seq,
        cpu_most=THROTTLED_CPUS if restricted else most,
        cpu_weight=100 + round(100 * least),
    )


def plan_route(cluster: Cluster, restricted: bool = False) -> Route:
    """``ready`` is left False: the agent, who sees the server, fills it in."""
    return Route(
        prefix=cluster.prefix,
        region_id=cluster.region_id,
        cluster_id=cluster.cluster_id,
        address=cluster.address,
        port=DEFAULT_PORT,
        start_seq=cluster.start_seq,
        public=cluster.public_networks if cluster.public_open else None,
        restricted=restricted,
    )


def plan_policy(groups: Iterable[SecurityGroup], rules: Iterable[SecurityGroupRule]) -> Policy:
    """What a set of groups says, in the order in which a packet meets it (``domain/security_groups.py``)."""
    groups = sorted(groups, key=lambda group: group.group_id)
    trusted = tuple(
        PolicyRow(f"{g.group_id}:inner-access", "accept", peer_group=g.group_id)
        for g in groups
        if g.kind == "basic" and g.inner_access == "accept"
    )
    in_order = ordered(rules)
    return Policy(
        policy_id=policy_id(group.group_id for group in groups),
        ingress=trusted + tuple(_row(rule) for rule in in_order if rule.direction == "ingress"),
        egress=trusted + tuple(_row(rule) for rule in in_order if rule.direction == "egress"),
        ingress_default="drop",
        egress_default="drop" if any(g.kind == "advanced" for g in groups) else "accept",
    )


def policy_id(group_ids: Iterable[str]) -> str:
    """One id per *set* of groups: interfaces with the same groups share their chains in the kernel."""
    return "p" + sha256(" ".join(sorted(group_ids)).encode()).hexdigest()[:12]


def _row(rule: SecurityGroupRule) -> PolicyRow:
    return PolicyRow(rule.rule_id, rule.verdict, rule.protocol, rule.ports, rule.peer_cidr, rule.peer_group)


def _network_config(network: Network, endpoints: dict[str, Endpoint], zones: list[EndpointZone]) -> NetworkConfig:
    hosts = [i for i in network.interfaces if i.kind == "host" and not i.deleting]
    subnets = {s.subnet_id: s for s in network.subnets if not s.deleting}
    sets = {policy_id(host.group_ids): host.group_ids for host in hosts}
    sets |= {policy_id(e.group_ids): e.group_ids for e in endpoints.values()}
    published = {host.interface_id for host in hosts if host.subnet_id in subnets}
    return NetworkConfig(
        vpc_id=network.vpc.vpc_id,
        namespace=network.vpc.vpc_id,
        provider_namespace=network.vpc.region_id,
        cidrs=(network.vpc.cidr,),
        subnet_gateways=tuple((s.cidr, gateway_address(s.cidr)) for s in subnets.values()),
        resolver_addresses=fabric.RESOLVERS,
        hosts=tuple(
            HostInterface(
                interface_id=host.interface_id,
                namespace=host_namespace(host.interface_id),
                address=host.address,
                subnet_cidr=subnets[host.subnet_id].cidr,
                policy_id=policy_id(host.group_ids),
            )
            for host in hosts
            if host.subnet_id in subnets
        ),
        endpoints=tuple(_endpoint_interface(endpoints[zone.endpoint_id], zone, network.services) for zone in zones),
        publications=tuple(
            Publication(service_id=r.service_id, address=r.address, target_address=r.target_address)
            for r in network.resources
            if not r.deleting and r.resource_id in published
        ),
        policies=tuple(_policies(network, sets)),
        group_members=tuple(_members(network, endpoints, zones)),
    )


def _endpoint_interface(
    endpoint: Endpoint, zone: EndpointZone, services: Mapping[str, EndpointService]
) -> EndpointInterface:
    """To the shared service's gateway, or to any TCP port of the resource that this zone was given."""
    service = services.get(endpoint.service_id)
    shared = service is not None and not service.published
    return EndpointInterface(
        interface_id=zone.interface_id,
        endpoint_id=zone.endpoint_id,
        address=zone.address,
        policy_id=policy_id(endpoint.group_ids),
        fabric_address=zone.fabric_address,
        service_address=(service.address if service and shared else zone.service_address) or fabric.NO_SERVICE,
        service_port=service.port if service else 0,
        connected=_is_connected(endpoint, zone, service),
        # The regions' own services are as wide as the machine: nobody could ask their owner for more.
        bandwidth_mbit=endpoint.bandwidth_mbit if endpoint.limited and not shared else 0,
    )


def _is_connected(endpoint: Endpoint, zone: EndpointZone, service: EndpointService | None) -> bool:
    if service is None or service.deleting or not (endpoint.accepted and zone.enabled):
        return False
    return not service.published or bool(zone.service_address)


def _is_guest(network: Network, endpoint: Endpoint, zone: EndpointZone) -> bool:
    """Does this zone lead to the region's gateway, and may it?"""
    service = network.services.get(endpoint.service_id)
    return service is not None and not service.published and _is_connected(endpoint, zone, service)


def host_namespace(interface_id: str) -> str:
    """Where ``tidegate vpc exec`` runs its command."""
    return f"host-{interface_id}"


def _policies(network: Network, sets: dict[str, tuple[str, ...]]) -> Iterable[Policy]:
    groups = {group.group_id: group for group in network.groups if not group.deleting}
    rules: dict[str, list[SecurityGroupRule]] = {}
    for rule in network.rules:
        rules.setdefault(rule.group_id, []).append(rule)
    for name in sorted(sets):
        mine = [groups[group_id] for group_id in sets[name] if group_id in groups]
        policy = plan_policy(mine, (rule for group in mine for rule in rules.get(group.group_id, ())))
        yield replace(policy, policy_id=name)


def _members(
    network: Network, endpoints: dict[str, Endpoint], zones: list[EndpointZone]
) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The addresses that each group guards: what a rule means by naming the group."""
    members: dict[str, set[str]] = {group.group_id: set() for group in network.groups if not group.deleting}
    for interface in network.interfaces:
        if interface.kind == "host" and not interface.deleting:
            for group_id in interface.group_ids:
                members.setdefault(group_id, set()).add(interface.address)
    for zone in zones:
        for group_id in endpoints[zone.endpoint_id].group_ids:
            members.setdefault(group_id, set()).add(zone.address)
    return ((group_id, tuple(sorted(members[group_id]))) for group_id in sorted(members))


def _names(endpoints: dict[str, Endpoint], zones: list[EndpointZone]) -> dict[str, NameRecord]:
    """EndpointDomain with all its zones' addresses, ZoneDomain with one (``reference/alibaba.md`` 3.5)."""
    by_endpoint: dict[str, list[str]] = {}
    for zone in zones:
        if zone.enabled:  # a zone that its service's owner switched off would only be waited for
            by_endpoint.setdefault(zone.endpoint_id, []).append(zone.address)
    names: dict[str, NameRecord] = {}
    for endpoint in endpoints.values():
        addresses = tuple(by_endpoint.get(endpoint.endpoint_id, ()))
        names[endpoint.domain] = NameRecord(endpoint.domain, endpoint.vpc_id, addresses)
    for zone in zones:
        names[zone.domain] = NameRecord(zone.domain, zone.vpc_id, (zone.address,))
    return names


def gateway_names(region_id: str, service_ids: Iterable[str], public: Iterable[str] = ()) -> list[str]:
    """What a gateway's certificate is for: its own host name, every endpoint domain of its services, and ``public``,
    the names under which the host's public listener is reached.

    A wildcard stands for exactly one label (RFC 6125 6.4.3), so one is needed per endpoint service; it covers the
    zone domains too, ``<ep>-<zone>.<epsrv>.<region>.privatelink.aliyuncs.com``.
    """
    region = require_region(region_id)
    domains = [f"*.{service_id}.{region.code}.privatelink.aliyuncs.com" for service_id in service_ids]
    return [private_host(region), *domains, *public]
