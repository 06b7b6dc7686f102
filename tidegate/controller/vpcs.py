"""VPCs with their subnets, security groups and interfaces: what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.controller.world import Network
from tidegate.domain.status import Kind, Outcome, Status
from tidegate.domain.vpcs import Vpc
from tidegate.store.store import Transaction


def reconcile_vpc(tx: Transaction, network: Network, error: str | None) -> Outcome:
    """Write what the apply of this VPC came to: rows that were wished away are removed, the others get their status.

    ``network`` is what was applied; a row that has changed since keeps its old status and is met by the next pass.
    """
    if error:
        outcome = Outcome("failed", f"The VPC's network could not be made: {error}", retry_s=5.0)
    else:
        outcome = Outcome("ready", f"The VPC's network stands; interfaces in it: {len(network.interfaces)}.")
    for kind, key, row in _rows(network):
        if row.deleting:
            if not error:
                _remove(tx, kind, key)
            continue
        write_status(tx, Status(kind, key, row.generation, outcome.phase, _reason(kind, row, outcome)))
    return outcome


def write_status(tx: Transaction, status: Status) -> None:
    """Only what differs is written: a pass that changed nothing leaves the database alone."""
    if tx.statuses.get(status.kind, status.resource_id) != status:
        tx.statuses.put(status)


def _rows(network: Network) -> Iterator[tuple[Kind, str, Any]]:
    yield "vpc", network.vpc.vpc_id, network.vpc
    for subnet in network.subnets:
        yield "subnet", subnet.subnet_id, subnet
    for group in network.groups:
        yield "security_group", group.group_id, group
    for interface in network.interfaces:
        if interface.kind == "host":
            yield "interface", interface.interface_id, interface


def _reason(kind: Kind, row: Any, outcome: Outcome) -> str:
    if outcome.phase != "ready" or isinstance(row, Vpc):
        return outcome.reason
    return {
        "subnet": f"Its addresses are routed in {row.vpc_id}.",
        "security_group": f"Its rules are in force in {row.vpc_id}.",
        "interface": f"It has its address in {row.vpc_id}.",
    }[kind]


def _remove(tx: Transaction, kind: Kind, key: str) -> None:
    rows: dict[Kind, Any] = {
        "vpc": tx.vpcs,
        "subnet": tx.subnets,
        "security_group": tx.security_groups,
        "interface": tx.interfaces,
    }
    rows[kind].remove(key)
    tx.statuses.remove(kind, key)
