"""Everything there is, of all accounts: for the operator of the installation, who no cloud's API knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.refusals import NotFound
from tidegate.domain.status import Kind, Status
from tidegate.operations.context import Caller, Context
from tidegate.operations.interfaces import InterfaceView


@dataclass(frozen=True, slots=True)
class Item:
    """One resource's wish (``row``, a domain value) and the status row that answers it."""

    kind: Kind
    resource_id: str
    row: Any
    status: Status | None


def list_everything(context: Context) -> list[Item]:
    """Grouped by kind, in the order of ids; nine queries whatever there is."""
    with context.store.read() as tx:
        statuses = {(status.kind, status.resource_id): status for status in tx.statuses.find()}
        found: tuple[tuple[Kind, str, list[Any]], ...] = (
            ("cluster", "cluster_id", tx.clusters.find()),
            ("endpoint", "endpoint_id", tx.endpoints.find()),
            ("vpc", "vpc_id", tx.vpcs.find()),
            ("subnet", "subnet_id", tx.subnets.find()),
            ("security_group", "group_id", tx.security_groups.find()),
            ("interface", "interface_id", tx.interfaces.find(kind="host")),
            ("service", "service_id", tx.services.find()),
            ("service_resource", "status_id", tx.service_resources.find()),
        )
    return [
        Item(kind, getattr(row, key), row, statuses.get((kind, getattr(row, key))))
        for kind, key, rows in found
        for row in rows
    ]


def list_host_interfaces(context: Context, vpc_id: str) -> list[InterfaceView]:
    """Where programs live in this VPC, whosever it is."""
    with context.store.read() as tx:
        if tx.vpcs.get(vpc_id) is None:
            raise NotFound("vpc", vpc_id)
        found: list[NetworkInterface] = tx.interfaces.find(vpc_id=vpc_id, kind="host", deleting=False)
        ids = [interface.interface_id for interface in found]
        statuses = {s.resource_id: s for s in tx.statuses.find_in("resource_id", ids, kind="interface")}
    return [InterfaceView(i, statuses.get(i.interface_id), i.group_ids) for i in found]


def cluster_owner(context: Context, cluster_id: str) -> Caller:
    """The operator acts for whoever owns the cluster."""
    with context.store.read() as tx:
        cluster = tx.clusters.get(cluster_id)
    if cluster is None:
        raise NotFound("cluster", cluster_id)
    return Caller(cluster.account_id)
