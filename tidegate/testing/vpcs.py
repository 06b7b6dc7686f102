"""VPCs, endpoints and clusters of a test, each a thin handle on what the public APIs made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.cli.calls import clusters as cluster_calls
from tidegate.cli.calls import endpoints as endpoint_calls
from tidegate.cli.calls import networks
from tidegate.testing.clients import PORT, Client
from tidegate.testing.waiting import wait_until

if TYPE_CHECKING:
    from tidegate.testing.world import World

Json = dict[str, Any]
DATABASE_PORTS = f"{PORT}/{PORT}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A TiDB cluster and its root login."""

    world: World
    cluster_id: str
    name: str
    user: str
    password: str
    service_name: str

    def delete(self) -> None:
        """Delete it and wait until it is gone."""
        cluster_calls.delete_cluster(self.world.access.tidbcloud, self.cluster_id)
        wait_until(
            lambda: cluster_calls.look_gone(self.world.access.tidbcloud, self.cluster_id), f"{self.name} to be gone"
        )

    def state(self) -> str:
        """``active``, ``asleep``, ``creating``...: the operator's word, which tells sleeping from running."""
        entries = [e for e in self.world.status()["resources"] if e["id"] == self.cluster_id]
        return str(entries[0]["state"]) if entries else "gone"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``group_id`` is the security group that guards it; ``addresses`` are its zones'."""

    vpc: Vpc
    endpoint_id: str
    domain: str
    group_id: str
    cluster: Cluster
    addresses: tuple[str, ...]

    def allow(self, ports: str = DATABASE_PORTS, cidr: str | None = None) -> None:
        """Add an ingress rule to its group; answers when it is in force."""
        networks.allow_ingress(self.vpc.api, self.vpc.region, self.group_id, ports, cidr or self.vpc.cidr)
        self.vpc.world.settle()

    def revoke(self, ports: str = DATABASE_PORTS, cidr: str | None = None) -> None:
        rule = {"IpProtocol": "tcp", "PortRange": ports, "SourceCidrIp": cidr or self.vpc.cidr, "Policy": "accept"}
        self.vpc.call("ecs", "RevokeSecurityGroup", SecurityGroupId=self.group_id, Permissions=[rule | {"Priority": 1}])
        self.vpc.world.settle()

    def remove_zones(self) -> None:
        """Take its addresses away and wait until they are gone."""
        for zone in endpoint_calls.list_zones(self.vpc.api, self.vpc.region, self.endpoint_id):
            self.vpc.call(
                "privatelink", "RemoveZoneFromVpcEndpoint", EndpointId=self.endpoint_id, ZoneId=zone["ZoneId"]
            )
        wait_until(
            lambda: not endpoint_calls.list_zones(self.vpc.api, self.vpc.region, self.endpoint_id),
            f"the zones of {self.endpoint_id} to be gone",
        )

    def delete(self) -> None:
        """Its zones, then itself; waits until it is gone."""
        endpoint_calls.delete_endpoint(self.vpc.api, self.vpc.region, self.endpoint_id, wait_until)
        self.vpc.forget(self)


class Vpc:
    """``call`` is Alibaba's API for this VPC's region, for whatever this class has no method for."""

    def __init__(self, world: World, made: Json) -> None:
        self.world = world
        self.vpc_id, self.name = str(made["VpcId"]), str(made["VpcName"])
        self.region, self.cidr = str(made["RegionId"]), str(made["CidrBlock"])
        self._made = made
        self._endpoints: dict[str, Endpoint] = {}
        self._clients: dict[str, Client] = {}

    @property
    def api(self) -> Any:
        return self.world.access.alibaba

    def call(self, product: str, action: str, **parameters: Any) -> Json:
        answer: Json = self.api.call(product, action, self.region, **parameters)
        return answer

    # endpoints

    def endpoint(self, cluster: Cluster, *, open_port: bool = True, name: str = "tidb") -> Endpoint:
        """An endpoint to the cluster's service, Active and Connected, in the VPC's subnet.

        ``open_port`` False leaves its group without a rule.  A VPC has one endpoint per service: for a second cluster
        behind the same service this is the same endpoint again.
        """
        for found in endpoint_calls.list_endpoints(self.api, [self.region], VpcId=self.vpc_id):
            if found["ServiceName"] == cluster.service_name:
                (group_id, *_) = endpoint_calls.list_groups(self.api, self.region, found["EndpointId"])
                return self.finish_endpoint(cluster, found["EndpointId"], group_id)
        endpoint_id, group_id = self.begin_endpoint(cluster, open_port=open_port, name=name)
        return self.finish_endpoint(cluster, endpoint_id, group_id)

    def begin_endpoint(self, cluster: Cluster, *, open_port: bool = True, name: str = "tidb") -> tuple[str, str]:
        """(its id, its group's id) as soon as the API has taken the wish."""
        group_id = networks.create_group(self.api, self._made, f"{name}-endpoint")
        if open_port:
            networks.allow_ingress(self.api, self.region, group_id, DATABASE_PORTS, self.cidr)
        subnet = networks.find_subnet(self.api, self._made)
        made = endpoint_calls.create_endpoint(self.api, self._made, cluster.service_name, name, [group_id], [subnet])
        return made, group_id

    def finish_endpoint(self, cluster: Cluster, endpoint_id: str, group_id: str, timeout_s: float = 60.0) -> Endpoint:
        """Wait until it is Active and Connected."""
        made = wait_until(
            lambda: endpoint_calls.look_connected(self.api, self.region, endpoint_id),
            f"Active and Connected of {endpoint_id}",
            timeout_s,
        )
        zones = endpoint_calls.list_zones(self.api, self.region, endpoint_id)
        addresses = tuple(zone["EniIp"] for zone in zones)
        endpoint = Endpoint(self, endpoint_id, made["EndpointDomain"], group_id, cluster, addresses)
        self._endpoints[endpoint_id] = endpoint
        return endpoint

    def forget(self, endpoint: Endpoint) -> None:
        self._endpoints.pop(endpoint.endpoint_id, None)

    def endpoints(self) -> Sequence[Endpoint]:
        return tuple(self._endpoints.values())

    def only_endpoint(self) -> Endpoint:
        assert len(self._endpoints) == 1, f"VPC {self.name} has {len(self._endpoints)} endpoints: name the one you mean"
        return next(iter(self._endpoints.values()))

    # programs

    def client(self, name: str = "client") -> Client:
        """The program's place of this name; made when there is none."""
        if name not in self._clients:
            interface_id = self.begin_client(name)
            found = wait_until(
                lambda: networks.look_interface(self.api, self.region, interface_id), f"interface {interface_id}"
            )
            self._clients[name] = Client(self.world, self, interface_id, found["PrivateIpAddress"])
        return self._clients[name]

    def begin_client(self, name: str = "client") -> str:
        """The interface's id as soon as the API has taken the wish."""
        return networks.ensure_interface(self.api, self._made, name)

    def delete_interface(self, interface_id: str) -> None:
        networks.delete_interface(self.api, self.region, interface_id)
        self._clients = {n: c for n, c in self._clients.items() if c.interface_id != interface_id}

    # its end

    def close(self) -> None:
        """End the programs inside."""
        for client in self._clients.values():
            client.close()

    def delete(self) -> None:
        """Everything in it, then itself; waits until it is gone."""
        self.close()
        for endpoint in endpoint_calls.list_endpoints(self.api, [self.region], VpcId=self.vpc_id):
            endpoint_calls.delete_endpoint(self.api, self.region, endpoint["EndpointId"], wait_until)
        networks.delete_vpc(self.api, self._made, wait_until)
        wait_until(lambda: not self._listed(), f"VPC {self.name} to be gone")
        self.world.forget(self)

    def _listed(self) -> bool:
        return any(vpc["VpcId"] == self.vpc_id for vpc in networks.list_vpcs(self.api, self.region))
