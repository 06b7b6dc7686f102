"""VPCs with their route tables: create, find, rename, delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import InUse, NotFound, QuotaReached
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.status import Status, decide_settled
from tidegate.domain.vpcs import DEFAULT_CIDR, Vpc, require_vpc_cidr
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.store.store import Transaction

VPCS_PER_REGION = 2000


@dataclass(frozen=True, slots=True)
class VpcView:
    vpc: Vpc
    status: Status | None
    subnet_ids: tuple[str, ...]

    @property
    def available(self) -> bool:
        """Made in the kernel; renaming does not make it unavailable."""
        return self.status is not None and (self.vpc.generation > 1 or decide_settled(self.status, 1))


@dataclass(frozen=True, slots=True)
class NewVpc:
    """What a create asks for, unchecked.  ``cidr`` empty: the default."""

    region_id: str
    cidr: str = ""
    name: str = ""
    description: str = ""
    resource_group_id: str = ""
    tags: Iterable[tuple[str, str]] = ()


def create_vpc(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    cidr: str = "",
    name: str = "",
    description: str = "",
    resource_group_id: str = "",
    tags: Iterable[tuple[str, str]] = (),
) -> Vpc:
    """Raises Malformed for a range that cannot be, NotFound(resource_group), TagMalformed, QuotaReached."""
    new = NewVpc(region_id, cidr, name, description, resource_group_id, tags)
    require_new_vpc(new)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_vpc(work.tx, caller, known)
        vpc = add_vpc(context, work, caller, new)
        remember_result(work, caller, vpc.vpc_id)
        return vpc


def require_new_vpc(new: NewVpc) -> None:
    """What can be refused without a look at what there is.  Raises as ``create_vpc``."""
    require_region(new.region_id)
    require_vpc_cidr(new.cidr or DEFAULT_CIDR)
    _check_words(new.name, new.description)
    if new.resource_group_id:
        require_resource_group(new.resource_group_id)


def add_vpc(context: Context, work: Work, caller: Caller, new: NewVpc) -> Vpc:
    """As ``create_vpc``, as a part of a larger change; ``new`` has passed ``require_new_vpc``."""
    if work.tx.vpcs.count(account_id=caller.account_id, region_id=new.region_id) >= VPCS_PER_REGION:
        raise QuotaReached("vpcs per region", VPCS_PER_REGION)
    infix = require_region(new.region_id).id_infix
    vpc = Vpc(
        vpc_id=make_id(context.draw, "vpc", infix),
        account_id=caller.account_id,
        region_id=new.region_id,
        cidr=str(require_vpc_cidr(new.cidr or DEFAULT_CIDR)),
        name=new.name,
        description=new.description,
        router_id=make_id(context.draw, "vrt", infix),
        route_table_id=make_id(context.draw, "vtb", infix),
        created_at=work.now,
        resource_group_id=new.resource_group_id,
    )
    work.tx.vpcs.add(vpc)
    put_first_tags(work, caller, "vpc", vpc.vpc_id, new.tags)
    work.wake("vpc", vpc.vpc_id)
    return vpc


def find_vpcs(context: Context, caller: Caller, region_id: str, vpc_ids: Sequence[str] | None = None) -> list[VpcView]:
    """This account's VPCs in a region, or those of them in ``vpc_ids``; unknown ids are left out."""
    with context.store.read() as tx:
        mine = {"account_id": caller.account_id, "region_id": region_id, "deleting": False}
        found = tx.vpcs.find(**mine) if vpc_ids is None else tx.vpcs.find_in("vpc_id", vpc_ids, **mine)
        return _views(tx, found)


def page_vpcs(
    context: Context, caller: Caller, region_id: str, *, start: int, limit: int, **equal: str
) -> tuple[list[VpcView], int]:
    """``limit`` of this account's VPCs in a region from the ``start``-th, in the order of ids, and how many there are.

    ``equal``: fields of a :class:`Vpc` and their values.  The others of a large account are not read.
    """
    mine = {"account_id": caller.account_id, "region_id": region_id, "deleting": False, **equal}
    with context.store.read() as tx:
        return _views(tx, tx.vpcs.slice(start, limit, **mine)), tx.vpcs.count(**mine)


def get_vpc(context: Context, caller: Caller, vpc_id: str) -> VpcView:
    """Raises NotFound, also for another account's."""
    with context.store.read() as tx:
        vpc = require_vpc(tx, caller, vpc_id)
        subnet_ids = tuple(tx.subnets.values("subnet_id", vpc_id=vpc_id, deleting=False))
        return VpcView(vpc, tx.status("vpc", vpc_id), subnet_ids)


def modify_vpc(
    context: Context, caller: Caller, vpc_id: str, *, name: str | None = None, description: str | None = None
) -> Vpc:
    _check_words(name or "", description or "")
    with change(context, caller) as work:
        vpc = require_vpc(work.tx, caller, vpc_id)
        vpc = replace(
            vpc,
            name=vpc.name if name is None else name,
            description=vpc.description if description is None else description,
        )
        return work.tx.vpcs.put(vpc)


def modify_route_table(
    context: Context,
    caller: Caller,
    route_table_id: str,
    *,
    region_id: str,
    name: str | None = None,
    description: str | None = None,
) -> None:
    """A VPC's one table, whose routes follow from the subnets and cannot be changed."""
    if name:
        require_resource_name("RouteTableName", name)
    if description:
        require_description("Description", description)
    with change(context, caller) as work:
        mine = {"account_id": caller.account_id, "region_id": region_id, "deleting": False}
        found = work.tx.vpcs.find(route_table_id=route_table_id, **mine)
        if not found:
            raise NotFound("route_table", route_table_id)
        vpc = found[0]
        work.tx.vpcs.put(
            replace(
                vpc,
                route_table_name=vpc.route_table_name if name is None else name,
                route_table_description=vpc.route_table_description if description is None else description,
            )
        )


def delete_vpc(context: Context, caller: Caller, vpc_id: str) -> None:
    """Raises InUse while it has subnets, endpoints, or security groups."""
    with change(context, caller) as work:
        vpc = require_vpc(work.tx, caller, vpc_id)
        for kind, rows in (
            ("subnet", work.tx.subnets),
            ("endpoint", work.tx.endpoints),
            ("security_group", work.tx.security_groups),
        ):
            if rows.count(vpc_id=vpc_id, deleting=False):
                raise InUse("vpc", vpc_id, kind)
        forget_tags(work, "vpc", vpc_id)
        forget_tags(work, "route_table", vpc.route_table_id)
        work.tx.vpcs.put(replace(vpc, deleting=True, generation=vpc.generation + 1))
        work.wake("vpc", vpc_id)


def require_vpc(tx: Transaction, caller: Caller, vpc_id: str) -> Vpc:
    vpc = tx.vpcs.get(vpc_id)
    if vpc is None or vpc.account_id != caller.account_id or vpc.deleting:
        raise NotFound("vpc", vpc_id)
    return vpc


def _views(tx: Transaction, found: Sequence[Vpc]) -> list[VpcView]:
    ids = [vpc.vpc_id for vpc in found]
    statuses = {s.resource_id: s for s in tx.statuses.find_in("resource_id", ids, kind="vpc")}
    subnets: dict[str, list[str]] = {}
    for subnet in tx.subnets.find_in("vpc_id", ids, deleting=False):
        subnets.setdefault(subnet.vpc_id, []).append(subnet.subnet_id)
    return [VpcView(vpc, statuses.get(vpc.vpc_id), tuple(subnets.get(vpc.vpc_id, ()))) for vpc in found]


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("VpcName", name)
    if description:
        require_description("Description", description)
