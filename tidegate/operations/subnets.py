"""Subnets: create, find, rename, delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import InUse, NotFound, QuotaReached
from tidegate.domain.status import Status
from tidegate.domain.subnets import Subnet, require_subnet_cidr, usable_count
from tidegate.domain.vpcs import Vpc
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.operations.vpcs import NewVpc, add_vpc, require_new_vpc, require_vpc
from tidegate.store.store import Transaction

SUBNETS_PER_VPC = 150


@dataclass(frozen=True, slots=True)
class SubnetView:
    subnet: Subnet
    status: Status | None
    free_addresses: int
    route_table_id: str

    @property
    def available(self) -> bool:
        return self.status is not None


@dataclass(frozen=True, slots=True)
class NewSubnet:
    """What a create asks for, unchecked."""

    zone_id: str
    cidr: str
    name: str = ""
    description: str = ""
    tags: Iterable[tuple[str, str]] = ()


def create_subnet(
    context: Context,
    caller: Caller,
    *,
    vpc_id: str,
    zone_id: str,
    cidr: str,
    name: str = "",
    description: str = "",
    tags: Iterable[tuple[str, str]] = (),
) -> Subnet:
    """Raises NotFound(vpc), ZoneUnknown, Malformed, CidrOutsideVpc, CidrOverlaps, TagMalformed, QuotaReached."""
    _check_words(name, description)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_subnet(work.tx, caller, known)
        vpc = require_vpc(work.tx, caller, vpc_id)
        subnet = _add(context, work, caller, vpc, NewSubnet(zone_id, cidr, name, description, tags))
        remember_result(work, caller, subnet.subnet_id)
        return subnet


def create_vpc_with_subnet(context: Context, caller: Caller, vpc: NewVpc, subnet: NewSubnet) -> Vpc:
    """Both or neither.  Raises as ``create_vpc`` does, then as ``create_subnet``."""
    require_new_vpc(vpc)
    _check_words(subnet.name, subnet.description)
    with change(context, caller) as work:
        made = add_vpc(context, work, caller, vpc)
        _add(context, work, caller, made, subnet)
        return made


def _add(context: Context, work: Work, caller: Caller, vpc: Vpc, new: NewSubnet) -> Subnet:
    region = require_region(vpc.region_id)
    region.require_zone(new.zone_id)
    others = work.tx.subnets.find(vpc_id=vpc.vpc_id)
    if len(others) >= SUBNETS_PER_VPC:
        raise QuotaReached("subnets per vpc", SUBNETS_PER_VPC)
    subnet = Subnet(
        subnet_id=make_id(context.draw, "vsw", region.id_infix),
        vpc_id=vpc.vpc_id,
        account_id=caller.account_id,
        region_id=vpc.region_id,
        zone_id=new.zone_id,
        cidr=str(require_subnet_cidr(new.cidr, vpc, others)),
        name=new.name,
        description=new.description,
        created_at=work.now,
        resource_group_id=vpc.resource_group_id,
    )
    work.tx.subnets.add(subnet)
    put_first_tags(work, caller, "subnet", subnet.subnet_id, new.tags)
    work.wake("subnet", subnet.subnet_id)
    return subnet


def find_subnets(
    context: Context,
    caller: Caller,
    *,
    region_id: str | None = None,
    vpc_id: str | None = None,
    subnet_ids: Sequence[str] | None = None,
    zone_id: str | None = None,
) -> list[SubnetView]:
    wanted = {"region_id": region_id, "vpc_id": vpc_id, "zone_id": zone_id}
    equal: dict[str, object] = {name: value for name, value in wanted.items() if value}
    equal |= {"account_id": caller.account_id, "deleting": False}
    with context.store.read() as tx:
        found = tx.subnets.find(**equal) if subnet_ids is None else tx.subnets.find_in("subnet_id", subnet_ids, **equal)
        return _views(tx, found)


def page_subnets(
    context: Context, caller: Caller, *, start: int, limit: int, **equal: str
) -> tuple[list[SubnetView], int]:
    """``limit`` of this account's subnets from the ``start``-th, in the order of ids, and how many there are.

    ``equal``: fields of a :class:`Subnet` and their values.  The others of a large account are not read.
    """
    mine = {"account_id": caller.account_id, "deleting": False, **equal}
    with context.store.read() as tx:
        return _views(tx, tx.subnets.slice(start, limit, **mine)), tx.subnets.count(**mine)


def get_subnet(context: Context, caller: Caller, subnet_id: str) -> SubnetView:
    with context.store.read() as tx:
        return _views(tx, [require_subnet(tx, caller, subnet_id)])[0]


def modify_subnet(
    context: Context, caller: Caller, subnet_id: str, *, name: str | None = None, description: str | None = None
) -> Subnet:
    _check_words(name or "", description or "")
    with change(context, caller) as work:
        subnet = require_subnet(work.tx, caller, subnet_id)
        return work.tx.subnets.put(
            replace(
                subnet,
                name=subnet.name if name is None else name,
                description=subnet.description if description is None else description,
            )
        )


def delete_subnet(context: Context, caller: Caller, subnet_id: str) -> None:
    """Raises InUse while an interface, an endpoint's included, has an address of it."""
    with change(context, caller) as work:
        subnet = require_subnet(work.tx, caller, subnet_id)
        if work.tx.interfaces.count(subnet_id=subnet_id):
            raise InUse("subnet", subnet_id, "interface")
        forget_tags(work, "subnet", subnet_id)
        work.tx.subnets.put(replace(subnet, deleting=True, generation=subnet.generation + 1))
        work.wake("subnet", subnet_id)


def require_subnet(tx: Transaction, caller: Caller, subnet_id: str) -> Subnet:
    subnet = tx.subnets.get(subnet_id)
    if subnet is None or subnet.account_id != caller.account_id or subnet.deleting:
        raise NotFound("subnet", subnet_id)
    return subnet


def _views(tx: Transaction, subnets: Sequence[Subnet]) -> list[SubnetView]:
    """Three queries for any number of subnets."""
    ids = [subnet.subnet_id for subnet in subnets]
    used = Counter(tx.interfaces.values_in("subnet_id", "subnet_id", ids))
    statuses = {status.resource_id: status for status in tx.statuses.find_in("resource_id", ids, kind="subnet")}
    tables = {v.vpc_id: v.route_table_id for v in tx.vpcs.find_in("vpc_id", {s.vpc_id for s in subnets})}
    return [
        SubnetView(s, statuses.get(s.subnet_id), usable_count(s.cidr) - used[s.subnet_id], tables.get(s.vpc_id, ""))
        for s in subnets
    ]


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("VSwitchName", name)
    if description:
        require_description("Description", description)
