"""The path as it is now: a user's VPCs, endpoints, services and clusters, with traffic, and what was refused where.

What should be comes from the store in one read; what the packets did is asked of the host, for these VPCs only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tidegate.domain.accounts import PROVIDER_ACCOUNT_ID
from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.clusters import Cluster, ClusterState, decide_cluster_state
from tidegate.domain.endpoints import ConnectionState, Endpoint, EndpointState, EndpointZone
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.security_groups import SecurityGroupRule
from tidegate.domain.service_resources import ServiceResource
from tidegate.domain.services import EndpointService
from tidegate.domain.status import Status, decide_settled
from tidegate.domain.traffic import DEFAULT_RULE, Hop, NetworkTraffic, Passed, Refused, Sighting
from tidegate.domain.vpcs import Vpc
from tidegate.operations.context import Caller, Context
from tidegate.operations.endpoints import EndpointView
from tidegate.store.store import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RefusedFlow:
    """One refused flow in the words of what the user made.

    ``rule``: the security group rule that dropped it; None: no rule did, then ``group_ids`` by default, or the ``hop``
    itself.  ``endpoint_id``, ``source_name``: empty for an address that is nobody's.
    """

    seen: Refused
    vpc_id: str
    endpoint_id: str = ""
    source_name: str = ""
    rule: SecurityGroupRule | None = None
    group_ids: tuple[str, ...] = ()

    @property
    def hop(self) -> Hop:
        return self.seen.hop

    @property
    def by_default(self) -> bool:
        return self.seen.rule_id == DEFAULT_RULE


@dataclass(frozen=True, slots=True)
class EndpointNode:
    """An endpoint in its VPC.  ``passed`` None: the host has not been asked; sums of its zones otherwise."""

    view: EndpointView
    addresses: tuple[str, ...] = ()
    passed: Passed | None = None
    bytes_s: float = 0.0
    refusals: tuple[RefusedFlow, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        return self.view.endpoint

    @property
    def open(self) -> bool:
        """Can packets pass?"""
        return self.view.connection is ConnectionState.CONNECTED and bool(self.addresses)

    @property
    def failed(self) -> bool:
        status = self.view.status
        return self.view.connection is ConnectionState.SERVICE_DELETED or (
            status is not None and status.phase == "failed"
        )

    @property
    def moving(self) -> bool:
        """On the way to another state."""
        return not self.failed and (
            self.view.state is not EndpointState.ACTIVE
            or self.view.connection in (ConnectionState.CONNECTING, ConnectionState.DISCONNECTING)
        )


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A VPC.  ``refusals`` are those at no endpoint.  ``age_s`` None: nobody has looked at its packets yet."""

    vpc: Vpc
    status: Status | None
    programs: tuple[NetworkInterface, ...] = ()
    doors: tuple[EndpointNode, ...] = ()
    refusals: tuple[RefusedFlow, ...] = ()
    age_s: float | None = None
    problem: str = ""

    @property
    def available(self) -> bool:
        return self.status is not None and (self.vpc.generation > 1 or decide_settled(self.status, 1))


@dataclass(frozen=True, slots=True)
class Target:
    """What a published service leads to: a program in a VPC."""

    resource: ServiceResource
    passed: Passed | None = None


@dataclass(frozen=True, slots=True)
class ServiceNode:
    """``service`` None: its owner deleted it.  ``shared``: the region's own.  ``targets``: of the user's own."""

    service_id: str
    service: EndpointService | None
    shared: bool = False
    mine: bool = False
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """``asleep``: active, but without a server until the next login."""

    cluster: Cluster
    status: Status | None

    @property
    def state(self) -> ClusterState:
        return decide_cluster_state(self.cluster)

    @property
    def asleep(self) -> bool:
        return self.state is ClusterState.ACTIVE and not self.cluster.awake

    @property
    def failed(self) -> bool:
        return self.status is not None and self.status.phase == "failed"


@dataclass(frozen=True, slots=True)
class RegionTopology:
    region: Region
    networks: tuple[NetworkView, ...] = ()
    services: tuple[ServiceNode, ...] = ()
    clusters: tuple[ClusterNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """Regions without anything of the user's are left out."""

    regions: tuple[RegionTopology, ...] = ()

    @property
    def refusals(self) -> tuple[RefusedFlow, ...]:
        """All of them, the newest first."""
        networks = [network for region in self.regions for network in region.networks]
        found = [r for n in networks for r in (*n.refusals, *(r for door in n.doors for r in door.refusals))]
        return tuple(sorted(found, key=lambda refusal: refusal.seen.ago_s))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the store says, of one user."""

    vpcs: list[Vpc]
    programs: list[NetworkInterface]
    endpoints: list[Endpoint]
    zones: list[EndpointZone]
    services: list[EndpointService]
    resources: list[ServiceResource]
    clusters: list[Cluster]
    statuses: Mapping[tuple[str, str], Status]


def get_topology(
    context: Context,
    networks: Caller,
    clusters: Caller,
    *,
    region_id: str | None = None,
    first: Sequence[str] = (),
) -> Topology:
    """All of ``networks``' VPCs, endpoints and services, and of ``clusters``' clusters.

    ``first``: the VPCs that are looked at before others, for a look is bounded (``Context.observe``).
    """
    with context.store.read() as tx:
        rows = _load(tx, networks, clusters, {"region_id": region_id} if region_id else {})
    known = {vpc.vpc_id for vpc in rows.vpcs}
    wanted = [vpc_id for vpc_id in dict.fromkeys((*first, *sorted(known))) if vpc_id in known]
    sightings = context.observe(wanted) if wanted else {}
    rules = _load_rules(context, sightings.values())
    return _build(rows, sightings, rules, networks)


def _load(tx: Transaction, networks: Caller, clusters: Caller, where: Mapping[str, str]) -> _Rows:
    mine = {"account_id": networks.account_id, **where}
    endpoints = tx.endpoints.find(**mine)
    service_ids = {endpoint.service_id for endpoint in endpoints}
    services = {s.service_id: s for s in tx.services.find(account_id=PROVIDER_ACCOUNT_ID, **where)}
    services |= {s.service_id: s for s in tx.services.find(**mine)}
    services |= {s.service_id: s for s in tx.services.find_in("service_id", service_ids - set(services))}
    vpcs = tx.vpcs.find(**mine)
    found_clusters = tx.clusters.find(account_id=clusters.account_id, branch_of="", **where)
    ids = {
        "vpc": [vpc.vpc_id for vpc in vpcs],
        "endpoint": [endpoint.endpoint_id for endpoint in endpoints],
        "cluster": [cluster.cluster_id for cluster in found_clusters],
    }
    statuses = [s for kind, names in ids.items() for s in tx.statuses.find_in("resource_id", names, kind=kind)]
    return _Rows(
        vpcs=vpcs,
        programs=tx.interfaces.find(kind="host", deleting=False, **mine),
        endpoints=endpoints,
        zones=tx.endpoint_zones.find_in("endpoint_id", ids["endpoint"], deleting=False),
        services=list(services.values()),
        resources=tx.service_resources.find(deleting=False, **mine),
        clusters=found_clusters,
        statuses={(s.kind, s.resource_id): s for s in statuses},
    )


def _load_rules(context: Context, sightings: Iterable[Sighting]) -> dict[str, SecurityGroupRule]:
    """Those that refused something."""
    named = {refused.rule_id for sighting in sightings for refused in sighting.traffic.refused} - {DEFAULT_RULE}
    if not named:
        return {}
    with context.store.read() as tx:
        return {rule.rule_id: rule for rule in tx.security_group_rules.find_in("rule_id", named)}


def _build(
    rows: _Rows, sightings: Mapping[str, Sighting], rules: Mapping[str, SecurityGroupRule], caller: Caller
) -> Topology:
    networks = _by(_build_networks(rows, sightings, rules), lambda network: network.vpc.region_id)
    clusters = _by(
        (ClusterNode(c, rows.statuses.get(("cluster", c.cluster_id))) for c in rows.clusters),
        lambda node: node.cluster.region_id,
    )
    services = _by(_build_services(rows, sightings, set(clusters), caller), lambda found: found[0])
    return Topology(
        tuple(
            RegionTopology(
                region=require_region(region_id),
                networks=tuple(sorted(networks[region_id], key=lambda n: n.vpc.created_at)),
                services=tuple(node for _, node in services[region_id]),
                clusters=tuple(sorted(clusters[region_id], key=lambda node: node.cluster.created_at)),
            )
            for region_id in sorted({*networks, *clusters, *services})
        )
    )


def _build_networks(
    rows: _Rows, sightings: Mapping[str, Sighting], rules: Mapping[str, SecurityGroupRule]
) -> Iterable[NetworkView]:
    programs, zones = _by(rows.programs, lambda p: p.vpc_id), _by(rows.zones, lambda z: z.endpoint_id)
    endpoints = _by(rows.endpoints, lambda e: e.vpc_id)
    services = {service.service_id: service for service in rows.services}
    for vpc in rows.vpcs:
        sighting = sightings.get(vpc.vpc_id)
        here = endpoints[vpc.vpc_id]
        places = {zone.address: e for e in here for zone in zones[e.endpoint_id]}
        people = {program.address: program for program in programs[vpc.vpc_id]}
        refused = sighting.traffic.refused if sighting else ()
        told = [_explain(seen, vpc.vpc_id, places, people, rules) for seen in refused]
        at = _by(told, lambda refusal: refusal.endpoint_id)
        yield NetworkView(
            vpc=vpc,
            status=rows.statuses.get(("vpc", vpc.vpc_id)),
            programs=tuple(programs[vpc.vpc_id]),
            doors=tuple(
                _build_door(
                    EndpointView(e, services.get(e.service_id), rows.statuses.get(("endpoint", e.endpoint_id))),
                    tuple(zone.address for zone in zones[e.endpoint_id]),
                    sighting,
                    tuple(at[e.endpoint_id]),
                )
                for e in sorted(here, key=lambda e: e.created_at)
            ),
            refusals=tuple(at[""]),
            age_s=sighting.age_s if sighting else None,
            problem=sighting.traffic.problem if sighting else "",
        )


def _build_door(
    view: EndpointView, addresses: tuple[str, ...], sighting: Sighting | None, refusals: tuple[RefusedFlow, ...]
) -> EndpointNode:
    door = EndpointNode(view, addresses, refusals=refusals)
    if sighting is None or sighting.traffic.problem:
        return door
    return replace(
        door,
        passed=add_passed(sighting.traffic, addresses),
        bytes_s=sum(sighting.bytes_s.get(address, 0.0) for address in addresses),
    )


def add_passed(traffic: NetworkTraffic, addresses: Iterable[str]) -> Passed:
    """The sum over these addresses; one that the host does not know has passed nothing."""
    found = [traffic.passed[address] for address in addresses if address in traffic.passed]
    return Passed(
        sum(passed.packets for passed in found),
        sum(passed.size_bytes for passed in found),
        sum(passed.connections for passed in found),
    )


def _explain(
    seen: Refused,
    vpc_id: str,
    places: Mapping[str, Endpoint],
    people: Mapping[str, NetworkInterface],
    rules: Mapping[str, SecurityGroupRule],
) -> RefusedFlow:
    """Whose groups judged: on the way out the sender's, on the way in the receiver's."""
    endpoint, sender, receiver = (
        places.get(seen.destination),
        people.get(seen.source),
        people.get(seen.destination),
    )
    judged: Endpoint | NetworkInterface | None = sender if seen.hop == "egress" else endpoint or receiver
    rule = rules.get(seen.rule_id)
    return RefusedFlow(
        seen=seen,
        vpc_id=vpc_id,
        endpoint_id=endpoint.endpoint_id if endpoint else "",
        source_name=(sender.name or sender.interface_id) if sender else "",
        rule=rule,
        group_ids=(rule.group_id,)
        if rule
        else judged.group_ids
        if judged and seen.hop in ("egress", "ingress")
        else (),
    )


def _build_services(
    rows: _Rows, sightings: Mapping[str, Sighting], regions: set[str], caller: Caller
) -> Iterable[tuple[str, ServiceNode]]:
    """(region, node) of every service that something of the user's leads to, or that is the user's own."""
    used = {endpoint.service_id: endpoint.region_id for endpoint in rows.endpoints}
    resources = _by(rows.resources, lambda resource: resource.service_id)
    known = {service.service_id: service for service in rows.services}
    for service in rows.services:
        shared = service.account_id == PROVIDER_ACCOUNT_ID
        mine = service.account_id == caller.account_id
        if service.service_id in used or mine or (shared and service.region_id in regions):
            targets = tuple(Target(r, _passed_to(r, sightings)) for r in resources[service.service_id])
            yield service.region_id, ServiceNode(service.service_id, service, shared, mine, targets)
    for service_id, region_id in used.items():
        if service_id not in known:
            yield region_id, ServiceNode(service_id, None)


def _passed_to(resource: ServiceResource, sightings: Mapping[str, Sighting]) -> Passed | None:
    sighting = sightings.get(resource.vpc_id)
    return add_passed(sighting.traffic, [resource.address]) if sighting else None


def _by(values: Iterable[T], key: Callable[[T], str]) -> defaultdict[str, list[T]]:
    grouped: defaultdict[str, list[T]] = defaultdict(list)
    for value in values:
        grouped[key(value)].append(value)
    return grouped
