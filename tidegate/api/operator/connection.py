"""What a person needs to connect: the Connect dialog's values, and the doors into a VPC."""

from __future__ import annotations

from typing import Any

from tidegate.domain.clusters import require_private_endpoint
from tidegate.domain.refusals import Malformed, NoPrivateEndpoint, NotFound, NotOffered
from tidegate.domain.status import decide_settled
from tidegate.operations import clusters
from tidegate.operations.context import Caller, Context


def build_connection(context: Context, cluster_id: str, kind: str) -> dict[str, Any]:
    """Service Name, Availability Zone ID, Region ID (``reference/tidbcloud.md`` 5), and who to log in as.

    The host is missing on purpose: on Alibaba Cloud it is the endpoint's own domain, known when there is an endpoint.
    Raises NotFound, NoPrivateEndpoint for gcp and azure, NotOffered for ``kind`` public, Malformed.
    """
    if kind == "public":
        raise NotOffered("The public endpoint")
    if kind != "private":
        raise Malformed("type", kind)
    view = clusters.get_cluster(context, _owner(context, cluster_id), cluster_id)
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
    with context.store.read() as tx:
        if tx.vpcs.get(vpc_id) is None:
            raise NotFound("vpc", vpc_id)
        found = tx.interfaces.find(vpc_id=vpc_id, kind="host", deleting=False)
        statuses = {status.resource_id: status for status in tx.statuses.find(kind="interface")}
    return [
        {
            "interface_id": interface.interface_id,
            "namespace": f"host-{interface.interface_id}",
            "address": interface.address,
            "subnet_id": interface.subnet_id,
            "zone_id": interface.zone_id,
            "group_ids": list(interface.group_ids),
            "available": decide_settled(statuses.get(interface.interface_id), interface.generation),
        }
        for interface in found
    ]


def _owner(context: Context, cluster_id: str) -> Caller:
    """The operator acts for whoever owns the cluster."""
    with context.store.read() as tx:
        cluster = tx.clusters.get(cluster_id)
    if cluster is None:
        raise NotFound("cluster", cluster_id)
    return Caller(cluster.account_id)
