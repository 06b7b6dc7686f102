"""Published services: what became of each of their resources in this VPC."""

from __future__ import annotations

from tidegate.controller.vpcs import write_status
from tidegate.controller.world import Network
from tidegate.domain.status import Status
from tidegate.store.store import Transaction


def reconcile_resources(tx: Transaction, network: Network, error: str | None) -> None:
    """Write what the apply of ``network`` came to; a resource that was taken off is removed once the kernel let go."""
    for resource in network.resources:
        if resource.deleting:
            if not error:
                tx.service_resources.remove(resource.service_id, resource.resource_id)
                tx.statuses.remove("service_resource", resource.status_id)
        elif error:
            reason = f"The network of {resource.vpc_id} could not be made: {error}"
            write_status(tx, Status("service_resource", resource.status_id, resource.generation, "failed", reason))
        else:
            reason = f"{resource.target_address} is published in the region as {resource.address}."
            write_status(tx, Status("service_resource", resource.status_id, resource.generation, "ready", reason))
