"""Which resource group a resource belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tidegate.domain.refusals import InUse, NotFound
from tidegate.domain.resource_groups import require_resource_group
from tidegate.operations.context import Caller, Context, Work, change

GroupedKind = Literal["vpc", "security_group", "interface", "endpoint", "service"]

_TABLES: dict[GroupedKind, str] = {
    "vpc": "vpcs",
    "security_group": "security_groups",
    "interface": "interfaces",
    "endpoint": "endpoints",
    "service": "services",
}


def move_resource(
    context: Context, caller: Caller, kind: GroupedKind, resource_id: str, resource_group_id: str, *, region_id: str
) -> None:
    """Raises NotFound(kind), NotFound(resource_group), InUse for an endpoint's interface.

    A VPC takes its subnets along: they are made in its group and cannot be moved by themselves.
    """
    require_resource_group(resource_group_id)
    with change(context, caller) as work:
        rows = getattr(work.tx, _TABLES[kind])
        row = rows.get(resource_id)
        if row is None or row.account_id != caller.account_id or row.region_id != region_id or row.deleting:
            raise NotFound(kind, resource_id)
        if kind == "interface" and row.kind == "endpoint":
            raise InUse(kind, resource_id, "endpoint")
        rows.put(replace(row, resource_group_id=resource_group_id))
        if kind == "vpc":
            _move_subnets(work, resource_id, resource_group_id)


def _move_subnets(work: Work, vpc_id: str, resource_group_id: str) -> None:
    for subnet in work.tx.subnets.find(vpc_id=vpc_id):
        work.tx.subnets.put(replace(subnet, resource_group_id=resource_group_id))
