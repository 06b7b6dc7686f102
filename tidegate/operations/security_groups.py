"""Security groups: create, find, change policy, delete.  Their rules: ``security_group_rules.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate.domain.catalogue import require_region
from tidegate.domain.names import make_id, require_description, require_resource_name
from tidegate.domain.refusals import InUse, NotFound, PolicyNotChangeable, QuotaReached
from tidegate.domain.resource_groups import require_resource_group
from tidegate.domain.security_groups import GroupKind, SecurityGroup, SecurityGroupRule, Verdict
from tidegate.operations.context import Caller, Context, Work, change, first_result, remember_result
from tidegate.operations.tags import forget_tags, put_first_tags
from tidegate.operations.vpcs import require_vpc
from tidegate.store.store import Transaction

GROUPS_PER_REGION = 100


@dataclass(frozen=True, slots=True)
class SecurityGroupView:
    group: SecurityGroup
    rules: tuple[SecurityGroupRule, ...]
    member_count: int


def create_security_group(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    vpc_id: str,
    name: str = "",
    description: str = "",
    kind: GroupKind = "basic",
    resource_group_id: str = "",
    tags: Iterable[tuple[str, str]] = (),
) -> SecurityGroup:
    region = require_region(region_id)
    _check_words(name, description)
    if resource_group_id:
        require_resource_group(resource_group_id)
    with change(context, caller) as work:
        if known := first_result(work, caller):
            return require_security_group(work.tx, caller, known)
        vpc = require_vpc(work.tx, caller, vpc_id)
        if vpc.region_id != region_id:
            raise NotFound("vpc", vpc_id)
        if work.tx.security_groups.count(account_id=caller.account_id, region_id=region_id) >= GROUPS_PER_REGION:
            raise QuotaReached("security groups per region", GROUPS_PER_REGION)
        group = SecurityGroup(
            group_id=make_id(context.draw, "sg", region.id_infix),
            account_id=caller.account_id,
            region_id=region_id,
            vpc_id=vpc_id,
            name=name,
            description=description,
            kind=kind,
            inner_access="accept" if kind == "basic" else "drop",
            created_at=work.now,
            resource_group_id=resource_group_id,
        )
        work.tx.security_groups.add(group)
        put_first_tags(work, caller, "security_group", group.group_id, tags)
        remember_result(work, caller, group.group_id)
        work.wake("security_group", group.group_id)
        return group


def find_security_groups(
    context: Context,
    caller: Caller,
    *,
    region_id: str,
    group_ids: Sequence[str] | None = None,
    vpc_id: str | None = None,
) -> list[SecurityGroupView]:
    equal = {"account_id": caller.account_id, "region_id": region_id, "deleting": False}
    if vpc_id:
        equal["vpc_id"] = vpc_id
    with context.store.read() as tx:
        if group_ids is None:
            found = tx.security_groups.find(**equal)
        else:
            found = tx.security_groups.find_in("group_id", group_ids, **equal)
        return _views(tx, found)


def find_references(
    context: Context, caller: Caller, group_ids: Sequence[str], *, region_id: str
) -> dict[str, list[SecurityGroup]]:
    """For each of the groups, those whose rules name it: why it cannot be deleted.  Raises NotFound."""
    with context.store.read() as tx:
        found: dict[str, list[SecurityGroup]] = {}
        for group_id in dict.fromkeys(group_ids):
            if require_security_group(tx, caller, group_id).region_id != region_id:
                raise NotFound("security_group", group_id)
            naming = set(tx.security_group_rules.values("group_id", peer_group=group_id)) - {group_id}
            found[group_id] = tx.security_groups.find_in("group_id", naming, account_id=caller.account_id)
    return found


def get_security_group(context: Context, caller: Caller, group_id: str) -> SecurityGroupView:
    with context.store.read() as tx:
        return _views(tx, [require_security_group(tx, caller, group_id)])[0]


def modify_security_group(
    context: Context, caller: Caller, group_id: str, *, name: str | None = None, description: str | None = None
) -> None:
    _check_words(name or "", description or "")
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        work.tx.security_groups.put(
            replace(
                group,
                name=group.name if name is None else name,
                description=group.description if description is None else description,
            )
        )


def set_inner_access(context: Context, caller: Caller, group_id: str, inner_access: Verdict) -> None:
    """Do members trust each other?  Basic groups only."""
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        if group.kind != "basic":
            raise PolicyNotChangeable(group_id)
        raise_group_generation(work, replace(group, inner_access=inner_access))


def delete_security_group(context: Context, caller: Caller, group_id: str) -> None:
    """Raises InUse while an interface or endpoint has it, or another group's rule names it."""
    with change(context, caller) as work:
        group = require_security_group(work.tx, caller, group_id)
        if _count_members(work.tx, [group])[group_id]:
            raise InUse("security_group", group_id, "interface")
        if any(rule.group_id != group_id for rule in work.tx.security_group_rules.find(peer_group=group_id)):
            raise InUse("security_group", group_id, "rule")
        for rule_id in work.tx.security_group_rules.values("rule_id", group_id=group_id):
            work.tx.security_group_rules.remove(rule_id)
        forget_tags(work, "security_group", group_id)
        raise_group_generation(work, replace(group, deleting=True))


def require_security_group(tx: Transaction, caller: Caller, group_id: str) -> SecurityGroup:
    group = tx.security_groups.get(group_id)
    if group is None or group.account_id != caller.account_id or group.deleting:
        raise NotFound("security_group", group_id)
    return group


def raise_group_generation(work: Work, group: SecurityGroup) -> None:
    """The group's VPC is planned anew, with every interface and endpoint that the group guards."""
    work.tx.security_groups.put(replace(group, generation=group.generation + 1))
    work.wake("security_group", group.group_id)


def _count_members(tx: Transaction, groups: Sequence[SecurityGroup]) -> Counter[str]:
    """How many interfaces each group guards; an endpoint counts once.  Two queries for any number of groups."""
    vpc_ids = {group.vpc_id for group in groups}
    guarded = tx.interfaces.values_in("group_ids", "vpc_id", vpc_ids, kind="host")
    guarded += tx.endpoints.values_in("group_ids", "vpc_id", vpc_ids)
    return Counter(group_id for group_ids in guarded for group_id in group_ids)


def _views(tx: Transaction, groups: Sequence[SecurityGroup]) -> list[SecurityGroupView]:
    members = _count_members(tx, groups)
    rules: dict[str, list[SecurityGroupRule]] = {group.group_id: [] for group in groups}
    for rule in tx.security_group_rules.find_in("group_id", rules):
        rules[rule.group_id].append(rule)
    return [SecurityGroupView(g, tuple(rules[g.group_id]), members[g.group_id]) for g in groups]


def _check_words(name: str, description: str) -> None:
    if name:
        require_resource_name("SecurityGroupName", name)
    if description:
        require_description("Description", description)
