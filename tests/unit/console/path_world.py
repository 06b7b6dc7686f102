"""A user's path through the store, with what its host would have seen: for the topology's and the guide's tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from console_browser import Browser, World
from prometheus_client import CollectorRegistry

from tidegate.console.app import build_console
from tidegate.domain.status import Status
from tidegate.domain.traffic import NetworkTraffic, Passed, Refused, Sighting
from tidegate.operations import clusters, endpoints, interfaces, security_groups, services, subnets, vpcs
from tidegate.operations.context import Caller
from tidegate.operations.endpoints import ZoneSpec
from tidegate.operations.topology import Topology, get_topology

REGION, ZONE = "alicloud-ap-southeast-1", "ap-southeast-1a"


@dataclass
class Way:
    """One VPC with a program and, once made, an endpoint."""

    vpc_id: str
    subnet_id: str
    group_id: str
    program: str = ""
    endpoint_id: str = ""
    address: str = ""


@dataclass
class PathWorld:
    """``seen``: what the host answers when somebody looks; ``looks``: who was asked about."""

    world: World
    seen: dict[str, Sighting] = field(default_factory=dict)
    looks: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = replace(self.world.context, observe=self._observe)
        parts = replace(self.world.parts, context=self.context, registry=CollectorRegistry())
        self.world.parts, self.world.app = parts, build_console(parts)
        self.networks, self.clusters = self.world.caller("admin", "alicloud"), self.world.caller("admin")

    def _observe(self, vpc_ids: Any) -> dict[str, Sighting]:
        self.looks.append(list(vpc_ids))
        return {vpc_id: self.seen[vpc_id] for vpc_id in vpc_ids if vpc_id in self.seen}

    def enter(self, language: str = "en") -> Browser:
        return self.world.enter("admin", language)

    def topology(self) -> Topology:
        return get_topology(self.context, self.networks, self.clusters)

    def cluster(self, name: str = "orders", *, ready: bool = True, password: bool = True) -> str:
        made = clusters.create_cluster(self.context, self.clusters, region_id=REGION, display_name=name).cluster
        password_hash = "*" + "A" * 40 if password else None
        with self.world.store.write() as tx:
            tx.clusters.put(replace(made, ready_generation=int(ready), root_password_hash=password_hash))
        return made.cluster_id

    def vpc(self, name: str = "web", cidr: str = "10.0.0.0/16", caller: Caller | None = None) -> Way:
        who = caller or self.networks
        vpc_id = vpcs.create_vpc(self.context, who, region_id=REGION, cidr=cidr, name=name).vpc_id
        subnet_id = subnets.create_subnet(
            self.context, who, vpc_id=vpc_id, zone_id=ZONE, cidr=cidr.replace(".0.0/16", ".1.0/24")
        ).subnet_id
        group = security_groups.create_security_group(self.context, who, region_id=REGION, vpc_id=vpc_id)
        self.answer("vpc", vpc_id)
        return Way(vpc_id, subnet_id, group.group_id)

    def attach(self, way: Way, name: str = "app", group_id: str = "") -> None:
        made = interfaces.create_interface(
            self.context, self.networks, subnet_id=way.subnet_id, group_ids=[group_id or way.group_id], name=name
        )
        way.program = made.address

    def connect(self, way: Way, name: str = "orders-ep", *, ready: bool = True, caller: Caller | None = None) -> None:
        service = services.region_service(self.context, REGION)
        assert service is not None
        view = endpoints.create_endpoint(
            self.context,
            caller or self.networks,
            region_id=REGION,
            vpc_id=way.vpc_id,
            service=service.name,
            group_ids=[way.group_id],
            zones=[ZoneSpec(ZONE, way.subnet_id)],
            name=name,
        )
        way.endpoint_id = view.endpoint.endpoint_id
        with self.world.store.write() as tx:
            way.address = tx.endpoint_zones.find(endpoint_id=way.endpoint_id)[0].address
            if ready:
                tx.endpoints.put(replace(view.endpoint, ready_generation=1))
        if ready:
            self.answer("endpoint", way.endpoint_id)

    def answer(self, kind: Any, resource_id: str) -> None:
        """As the controller does when it is done."""
        with self.world.store.write() as tx:
            tx.statuses.put(Status(kind, resource_id, 1, "ready", "Done."))

    def see(self, way: Way, passed: Passed | None = None, *refused: Refused, bytes_s: float = 0.0) -> None:
        traffic = NetworkTraffic({way.address: passed} if passed else {}, refused)
        self.seen[way.vpc_id] = Sighting(traffic, 0.5, {way.address: bytes_s} if bytes_s else {})

    def refuse(self, way: Way, port: int, hop: Any = "ingress", rule_id: str = "default", packets: int = 3) -> Refused:
        return Refused(hop, rule_id, "tcp", way.program, way.address, port, packets, 4.0)
