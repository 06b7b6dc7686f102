"""What a person needs to connect: the Connect dialog's values, and the doors into a VPC."""

from __future__ import annotations

from typing import Any

from tidegate.domain.clusters import require_private_endpoint
from tidegate.domain.refusals import Malformed, NoPrivateEndpoint, NotOffered
from tidegate.operations import clusters, inventory
from tidegate.operations.context import Context


def build_connection(context: Context, cluster_id: str, kind: str) -> dict[str, Any]:
    """Service Name, Availability Zone ID, Region ID (``reference/tidbcloud.md`` 5), and who to log in as.

    The host is missing on purpose: on Alibaba Cloud it is the endpoint's own domain, known when there is an endpoint.
    Raises NotFound, NoPrivateEndpoint for gcp and azure, NotOffered for ``kind`` public, Malformed.
    """
    if kind == "public":
        raise NotOffered("The public endpoint")
    if kind != "private":
        raise Malformed("type", kind)
    view = clusters.get_cluster(context, inventory.cluster_owner(context, cluster_id), cluster_id)
    region = require_private_endpoint(view.cluster)
    if view.service is None:
        raise NoPrivateEndpoint(cluster_id, region.cloud)
    return {
        "service_name": view.service.name,
        "availability_zone_ids": list(view.service.zone_ids),
        "region_id": region.code,
        "cloud": region.cloud,
        "port": view.service.port,
        "username": view.cluster.root_user,
        "has_password": view.cluster.root_password_hash is not None,
        "state": view.state.value,
    }


def list_host_interfaces(context: Context, vpc_id: str) -> list[dict[str, Any]]:
    """Where programs live in this VPC.  ``namespace`` is the short name that the agent's world knows."""
    return [
        {
            "interface_id": view.interface.interface_id,
            "namespace": f"host-{view.interface.interface_id}",
            "address": view.interface.address,
            "subnet_id": view.interface.subnet_id,
            "zone_id": view.interface.zone_id,
            "group_ids": list(view.group_ids),
            "available": view.available,
        }
        for view in inventory.list_host_interfaces(context, vpc_id)
    ]
