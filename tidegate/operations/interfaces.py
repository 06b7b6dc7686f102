"""Network interfaces of programs (hosts): create, find, regroup, delete.  Endpoints make theirs by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import GroupJoined, GroupNotJoined, InUse, LastGroup, Missing, NotFound, QuotaReached
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.security_groups import GROUPS_PER_INTERFACE, require_groups_fit
from tidegate.domain.status import Status, decide_settled
from tidegate.domain.subnets import require_address
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.security_groups import require_security_group
from tidegate.operations.subnets import require_subnet
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.store.store import Transaction


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """``group_ids`` are those that guard it: its own, or its endpoint's."""

    interface: NetworkInterface
    status: Status | None
    group_ids: tuple[str, ...]

    @property
    def available(self) -> bool:
        """Made in the kernel; a change of its groups does not make it unavailable."""
        return self.status is not None and (self.interface.generation > 1 or decide_settled(self.status, 1))


def create_interface(
    context: Context,
    caller: Caller,
    *,
    subnet_id: str,
    group_ids: Sequence[str],
    address: str | None = None,
    name: str = "",
    description: str = "",
    resource_group_id: str = "",
    tags: Iterable[tuple[str, str]] = (),
) -> NetworkInterface:
    """A program's place in a VPC: an address, a namespace, and the groups that guard it."""
    if not group_ids:
        raise Missing("SecurityGroupId")
    _check_words(name, description)
    if resource_group_id:
        require_resource_group(resource_group_id)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_interface(work.tx, caller, known)
        subnet = require_subnet(work.tx, caller, subnet_id)
        guards = _require_groups(work.tx, caller, group_ids, subnet.vpc_id)
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
            group_ids=guards,
            resource_group_id=resource_group_id,
        )
        work.tx.interfaces.add(interface)
        put_first_tags(work, caller, "interface", interface.interface_id, tags)
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


def modify_interface(
    context: Context,
    caller: Caller,
    interface_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    group_ids: Sequence[str] = (),
) -> None:
    """``group_ids``, if any are given, guard it from now on instead of those it had."""
    _check_words(name or "", description or "")
    with change(context, caller) as work:
        interface = _require_users(work.tx, caller, interface_id)
        interface = replace(
            interface,
            name=interface.name if name is None else name,
            description=interface.description if description is None else description,
        )
        if group_ids:
            _regroup(work, interface, _require_groups(work.tx, caller, group_ids, interface.vpc_id))
        else:
            work.tx.interfaces.put(interface)


def join_group(context: Context, caller: Caller, interface_id: str, group_id: str) -> None:
    """One more group guards it.  Raises GroupJoined, GroupOfOtherVpc, GroupKindsMixed, QuotaReached."""
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        interface = _require_users(work.tx, caller, interface_id)
        if group.group_id in interface.group_ids:
            raise GroupJoined(group_id, interface_id)
        wanted = (*interface.group_ids, group_id)
        _regroup(work, interface, _require_groups(work.tx, caller, wanted, interface.vpc_id))


def leave_group(context: Context, caller: Caller, interface_id: str, group_id: str) -> None:
    """Raises GroupNotJoined, LastGroup."""
    with change(context, caller) as work:
        require_security_group(work.tx, caller, group_id)
        interface = _require_users(work.tx, caller, interface_id)
        if group_id not in interface.group_ids:
            raise GroupNotJoined(group_id, interface_id)
        rest = tuple(known for known in interface.group_ids if known != group_id)
        if not rest:
            raise LastGroup(interface_id)
        _regroup(work, interface, rest)


def delete_interface(context: Context, caller: Caller, interface_id: str) -> None:
    """Raises InUse for an endpoint's (remove its zone instead) and for a service's resource (detach it first)."""
    with change(context, caller) as work:
        interface = _require_users(work.tx, caller, interface_id)
        if work.tx.service_resources.count(resource_id=interface_id):
            raise InUse("interface", interface_id, "service")
        forget_tags(work, "interface", interface_id)
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


def _require_users(tx: Transaction, caller: Caller, interface_id: str) -> NetworkInterface:
    """One that is the user's to change; an endpoint's is not."""
    interface = require_interface(tx, caller, interface_id)
    if interface.kind == "endpoint":
        raise InUse("interface", interface_id, "endpoint")
    return interface


def _require_groups(tx: Transaction, caller: Caller, group_ids: Sequence[str], vpc_id: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(group_ids))
    if len(wanted) > GROUPS_PER_INTERFACE:
        raise QuotaReached("security groups per interface", GROUPS_PER_INTERFACE)
    require_groups_fit([require_security_group(tx, caller, group_id) for group_id in wanted], vpc_id)
    return wanted


def _regroup(work: Work, interface: NetworkInterface, group_ids: tuple[str, ...]) -> None:
    """Its VPC is planned anew: other rules for it, and other members for rules that name its groups."""
    work.tx.interfaces.put(replace(interface, group_ids=group_ids, generation=interface.generation + 1))
    work.wake("interface", interface.interface_id)


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("NetworkInterfaceName", name)
    if description:
        require_description("Description", description)
