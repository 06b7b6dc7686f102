"""VPCs: create, find, rename, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import InUse, NotFound, QuotaReached
from tidegate.domain.status import Status, decide_settled
from tidegate.domain.vpcs import DEFAULT_CIDR, Vpc, require_vpc_cidr
from tidegate.operations.context import Caller, Context, change, first_result, remember_result
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


def create_vpc(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    cidr: str = "",
    name: str = "",
    description: str = "",
    resource_group_id: str = "",
) -> Vpc:
    """Raises Malformed for a range that cannot be, QuotaReached, TokenReused."""
    region = require_region(region_id)
    network = require_vpc_cidr(cidr or DEFAULT_CIDR)
    _check_words(name, description)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_vpc(work.tx, caller, known)
        if work.tx.vpcs.count(account_id=caller.account_id, region_id=region_id) >= VPCS_PER_REGION:
            raise QuotaReached("vpcs per region", VPCS_PER_REGION)
        vpc = Vpc(
            vpc_id=make_id(context.draw, "vpc", region.id_infix),
            account_id=caller.account_id,
            region_id=region_id,
            cidr=str(network),
            name=name,
            description=description,
            router_id=make_id(context.draw, "vrt", region.id_infix),
            route_table_id=make_id(context.draw, "vtb", region.id_infix),
            created_at=work.now,
            resource_group_id=resource_group_id,
        )
        work.tx.vpcs.add(vpc)
        remember_result(work, caller, vpc.vpc_id)
        work.wake("vpc", vpc.vpc_id)
        return vpc


def find_vpcs(context: Context, caller: Caller, region_id: str, vpc_ids: Sequence[str] | None = None) -> list[VpcView]:
    """This account's VPCs in a region, or those of them in ``vpc_ids``; unknown ids are left out."""
    with context.store.read() as tx:
        mine = {"account_id": caller.account_id, "region_id": region_id, "deleting": False}
        found = tx.vpcs.find(**mine) if vpc_ids is None else tx.vpcs.find_in("vpc_id", vpc_ids, **mine)
        ids = [vpc.vpc_id for vpc in found]
        statuses = {s.resource_id: s for s in tx.statuses.find_in("resource_id", ids, kind="vpc")}
        subnets: dict[str, list[str]] = {}
        for subnet in tx.subnets.find_in("vpc_id", ids, deleting=False):
            subnets.setdefault(subnet.vpc_id, []).append(subnet.subnet_id)
    return [VpcView(vpc, statuses.get(vpc.vpc_id), tuple(subnets.get(vpc.vpc_id, ()))) for vpc in found]


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
        work.tx.vpcs.put(replace(vpc, deleting=True, generation=vpc.generation + 1))
        work.wake("vpc", vpc_id)


def require_vpc(tx: Transaction, caller: Caller, vpc_id: str) -> Vpc:
    vpc = tx.vpcs.get(vpc_id)
    if vpc is None or vpc.account_id != caller.account_id or vpc.deleting:
        raise NotFound("vpc", vpc_id)
    return vpc


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("VpcName", name)
    if description:
        require_description("Description", description)
