"""Network interfaces of programs (hosts): create, find, delete.  Endpoints make theirs by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.names import make_id, require_resource_name
from tidegate.domain.refusals import InUse, Malformed, Missing, NotFound
from tidegate.domain.security_groups import GROUPS_PER_INTERFACE, require_groups_fit
from tidegate.domain.status import Status, decide_settled
from tidegate.domain.subnets import require_address
from tidegate.operations.context import Caller, Context, change, first_result, remember_result
from tidegate.operations.security_groups import require_security_group
from tidegate.operations.subnets import require_subnet
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """``group_ids`` are those that guard it: its own, or its endpoint's."""

    interface: NetworkInterface
    status: Status | None
    group_ids: tuple[str, ...]

    @property
    def available(self) -> bool:
        return decide_settled(self.status, self.interface.generation)


def create_interface(
    context: Context,
    caller: Caller,
    *,
    subnet_id: str,
    group_ids: Sequence[str],
    address: str | None = None,
    name: str = "",
    description: str = "",
) -> NetworkInterface:
    """A program's place in a VPC: an address, a namespace, and the groups that guard it."""
    if not group_ids:
        raise Missing("SecurityGroupId")
    if len(set(group_ids)) > GROUPS_PER_INTERFACE:
        raise Malformed("SecurityGroupIds", ",".join(group_ids))
    if name:
        require_resource_name("NetworkInterfaceName", name)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_interface(work.tx, caller, known)
        subnet = require_subnet(work.tx, caller, subnet_id)
        groups = [require_security_group(work.tx, caller, group_id) for group_id in dict.fromkeys(group_ids)]
        require_groups_fit(groups, subnet.vpc_id)
        taken = frozenset(work.tx.interfaces.values("address", subnet_id=subnet_id))
        interface = NetworkInterface(
            interface_id=make_id(context.draw, "eni", require_region(subnet.region_id).id_infix),
            account_id=caller.account_id,
            region_id=subnet.region_id,
            vpc_id=subnet.vpc_id,
            subnet_id=subnet_id,
            zone_id=subnet.zone_id,
            kind="host",
            address=require_address(subnet, taken, address),
            name=name,
            description=description,
            created_at=work.now,
            group_ids=tuple(group.group_id for group in groups),
        )
        work.tx.interfaces.add(interface)
        remember_result(work, caller, interface.interface_id)
        work.wake("interface", interface.interface_id)
        return interface


def find_interfaces(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    interface_ids: Sequence[str] | None = None,
    vpc_id: str | None = None,
    subnet_id: str | None = None,
) -> list[InterfaceView]:
    wanted = {"vpc_id": vpc_id, "subnet_id": subnet_id}
    equal = {name: value for name, value in wanted.items() if value}
    equal |= {"account_id": caller.account_id, "region_id": region_id}
    with context.store.read() as tx:
        if interface_ids is None:
            found = tx.interfaces.find(**equal)
        else:
            found = tx.interfaces.find_in("interface_id", interface_ids, **equal)
        return _views(tx, found)


def delete_interface(context: Context, caller: Caller, interface_id: str) -> None:
    """Raises InUse for an endpoint's: remove the endpoint's zone instead."""
    with change(context, caller) as work:
        interface = require_interface(work.tx, caller, interface_id)
        if interface.kind == "endpoint":
            raise InUse("interface", interface_id, "endpoint")
        work.tx.interfaces.put(replace(interface, deleting=True, generation=interface.generation + 1))
        work.wake("interface", interface_id)


def require_interface(tx: Transaction, caller: Caller, interface_id: str) -> NetworkInterface:
    interface = tx.interfaces.get(interface_id)
    if interface is None or interface.account_id != caller.account_id or interface.deleting:
        raise NotFound("interface", interface_id)
    return interface


def _views(tx: Transaction, interfaces: Sequence[NetworkInterface]) -> list[InterfaceView]:
    ids = [interface.interface_id for interface in interfaces]
    statuses = {s.resource_id: s for s in tx.statuses.find_in("resource_id", ids, kind="interface")}
    of_endpoints = {i.endpoint_id for i in interfaces if i.endpoint_id}
    guards = {e.endpoint_id: e.group_ids for e in tx.endpoints.find_in("endpoint_id", of_endpoints)}
    return [
        InterfaceView(i, statuses.get(i.interface_id), guards.get(i.endpoint_id or "", i.group_ids)) for i in interfaces
    ]
