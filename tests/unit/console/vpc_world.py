"""What the tests of the Alibaba side's pages begin with: a VPC with vSwitches, a group, the region's service."""

from __future__ import annotations

from dataclasses import dataclass, replace

from console_browser import World

from tidegate.domain.catalogue import require_region
from tidegate.domain.endpoints import Endpoint, endpoint_domain
from tidegate.domain.events import plan_events
from tidegate.domain.status import Status
from tidegate.operations import endpoints, security_groups, services, subnets, vpcs
from tidegate.operations.context import Caller
from tidegate.store.store import Transaction

REGION = "alicloud-ap-southeast-1"


@dataclass
class Site:
    """One account's network.  ``settle`` plays the controller."""

    world: World
    user: str = "admin"
    cidr: str = "10.0.0.0/16"

    def __post_init__(self) -> None:
        context = self.world.context
        self.vpc = vpcs.create_vpc(context, self.caller, region_id=REGION, cidr=self.cidr, name="web").vpc_id
        self.subnet = self.add_subnet("ap-southeast-1a", "10.0.1.0/24")
        self.group = self.add_group("door")
        service = services.region_service(context, REGION)
        assert service is not None
        self.service = service.name

    @property
    def caller(self) -> Caller:
        return self.world.caller(self.user, "alicloud")

    def add_subnet(self, zone_id: str, cidr: str) -> str:
        make = {"vpc_id": self.vpc, "zone_id": zone_id, "cidr": cidr}
        return subnets.create_subnet(self.world.context, self.caller, **make).subnet_id

    def add_group(self, name: str) -> str:
        make = {"region_id": REGION, "vpc_id": self.vpc, "name": name}
        return security_groups.create_security_group(self.world.context, self.caller, **make).group_id

    def add_endpoint(self, name: str = "orders-ep") -> str:
        made = endpoints.create_endpoint(
            self.world.context,
            self.caller,
            region_id=REGION,
            vpc_id=self.vpc,
            service=self.service,
            group_ids=[self.group],
            zones=[endpoints.ZoneSpec("ap-southeast-1a", self.subnet)],
            name=name,
        )
        return made.endpoint.endpoint_id

    def add_endpoint_row(self, tx: Transaction, number: int) -> Endpoint:
        """As many as are wanted, whatever the rules say: for lists."""
        region = require_region(REGION)
        endpoint_id = f"ep-row{number * 7919 % 10007:06d}"
        service_id = self.service.rpartition(".")[2]
        made = Endpoint(
            endpoint_id=endpoint_id,
            account_id=self.caller.account_id,
            region_id=REGION,
            vpc_id=self.vpc,
            service_id=service_id,
            name=f"row-{number:04d}",
            description="",
            domain=endpoint_domain(region, endpoint_id, service_id),
            group_ids=(self.group,),
            accepted=True,
            created_at=self.world.clock(),
            ready_generation=1,
        )
        tx.statuses.put(Status("endpoint", endpoint_id, 1, "ready", "Connected."))
        return tx.endpoints.add(made)

    def settle(self, endpoint_id: str, reason: str = "Connected to epsrv-1 through ap-southeast-1a.") -> None:
        with self.world.store.write() as tx:
            endpoint = tx.endpoints.get(endpoint_id)
            assert endpoint is not None
            status = Status("endpoint", endpoint_id, endpoint.generation, "ready", reason)
            tx.statuses.put(status)
            known = tx.events.find(kind="endpoint", resource_id=endpoint_id)
            tx.events.add(plan_events(known, status, self.world.clock())[0])
            tx.endpoints.put(replace(endpoint, ready_generation=endpoint.generation))
