"""The names of what a commit changed, so that whoever shows things knows when to look again.

A name, never the change itself: ``("endpoint", "ep-...")``.  A part speaks with the name of what it belongs to: the
zones of an endpoint are the endpoint's, the rules of a security group the group's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Change = tuple[str, str]
"""(kind, id); an empty id where the row that was written does not know it: any of that kind may have changed"""

_NAMES: Mapping[str, tuple[str, str]] = {
    "clusters": ("cluster", "cluster_id"),
    "endpoints": ("endpoint", "endpoint_id"),
    "endpoint_zones": ("endpoint", "endpoint_id"),
    "interfaces": ("interface", "interface_id"),
    "public_listeners": ("public_listener", "region_id"),
    "security_groups": ("security_group", "group_id"),
    "security_group_rules": ("security_group", "group_id"),
    "service_resources": ("service", "service_id"),
    "services": ("service", "service_id"),
    "subnets": ("subnet", "subnet_id"),
    "usages": ("cluster", "cluster_id"),
    "vpcs": ("vpc", "vpc_id"),
}
"""table -> (kind, the column with the id)"""
_NAMED_BY_ROW = ("statuses", "events", "tags")


def name_change(table: str, columns: Mapping[str, Any]) -> Change | None:
    """The name of a written or removed row (then ``columns`` are its key); None for what nobody watches."""
    if table in _NAMED_BY_ROW:
        return columns["kind"], columns["resource_id"]
    if table not in _NAMES:
        return None
    kind, column = _NAMES[table]
    return kind, columns.get(column, "")
