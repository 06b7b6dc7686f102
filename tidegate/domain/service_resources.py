"""Resources of published services: a host interface whose TCP ports endpoints reach.

The cloud has load balancers here.  Alibaba gives each zone of an endpoint one resource of that zone
(``ListVpcEndpointConnections``, ``Zones[].ResourceId``); so do we, and each resource has a fabric address of its own,
by which the consumers' networks know it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.refusals import (
    Conflict,
    InUse,
    Malformed,
    Missing,
    NotFound,
    QuotaReached,
    WrongState,
    ZoneNotServed,
)
from tidegate.domain.services import EndpointService

RESOURCES_PER_SERVICE = 500
RESOURCES_PER_ZONE = 100
RESOURCES_PER_CREATE = 10


@dataclass(frozen=True, slots=True)
class ServiceResource:
    """``address`` is the fabric's (``fabric.SERVICE_CIDR``), ``target_address`` the interface's own in its VPC.

    ``deleting`` stays until the kernel has let go; ``generation`` is always 1: what is published does not change.
    """

    service_id: str
    resource_id: str
    resource_type: str
    account_id: str
    region_id: str
    zone_id: str
    vpc_id: str
    subnet_id: str
    address: str
    target_address: str
    created_at: datetime
    deleting: bool = False
    generation: int = 1

    @property
    def status_id(self) -> str:
        """Its key among the status rows of kind ``service_resource``."""
        return f"{self.service_id}/{self.resource_id}"


def require_publishable(
    interface: NetworkInterface, resource_type: str, zone_id: str | None, existing: Iterable[ServiceResource]
) -> None:
    """A host interface, in the zone that was named if one was, and not a resource of this service yet.

    Only classic load balancers are named without their zone (``reference/alibaba.md`` 3.3).
    """
    if interface.kind != "host":
        raise NotFound("interface", interface.interface_id)
    if zone_id is None and resource_type != "slb":
        raise Missing("ZoneId")
    if zone_id not in (None, interface.zone_id):
        raise Malformed("ZoneId", zone_id or "")
    same_zone = total = 0
    for resource in existing:
        if resource.resource_id == interface.interface_id:
            raise Conflict("service_resource", resource.resource_id)
        total += 1
        same_zone += resource.zone_id == interface.zone_id
    if total >= RESOURCES_PER_SERVICE:
        raise QuotaReached("resources per service", RESOURCES_PER_SERVICE)
    if same_zone >= RESOURCES_PER_ZONE:
        raise QuotaReached("resources per service and zone", RESOURCES_PER_ZONE)


def require_attached(
    resources: Iterable[ServiceResource], service_id: str, resource_id: str, zone_id: str | None
) -> ServiceResource:
    for resource in resources:
        if resource.resource_id == resource_id and zone_id in (None, resource.zone_id) and not resource.deleting:
            return resource
    raise NotFound("service_resource", f"{service_id}/{resource_id}")


def require_unused(resource: ServiceResource, zones: int) -> None:
    """A resource is kept while zones of endpoints lead to it: packets would have no target."""
    if zones:
        raise InUse("service_resource", resource.resource_id, "connection")


def choose_resource(
    service: EndpointService,
    resources: Iterable[ServiceResource],
    ready: Iterable[str],
    zone_id: str,
    used: Counter[str],
) -> ServiceResource:
    """The resource that a new zone of an endpoint leads to: of that zone, published, with the fewest zones so far.

    ``ready`` are the resources that are published, ``used`` how many zones each has.  Raises ZoneNotServed where the
    service has none, WrongState where it is only being made.
    """
    there = [r for r in resources if r.zone_id == zone_id and not r.deleting]
    if not there:
        raise ZoneNotServed(zone_id, service.service_id)
    published = set(ready)
    usable = [r for r in there if r.resource_id in published]
    if not usable:
        raise WrongState("service", service.service_id, "pending")
    return min(usable, key=lambda r: (used[r.resource_id], r.resource_id))
