"""Security groups on the wire (``reference/alibaba.md`` 5.1); their rules: ``security_group_rules.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import ECS
from tidegate.api.alibaba.paging import page_by_number, page_by_token
from tidegate.api.alibaba.tags import only_tagged, read_tags, show_ecs_tags
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.refusals import Malformed, Missing
from tidegate.domain.security_groups import GroupKind, require_verdict
from tidegate.operations import security_groups
from tidegate.operations.security_groups import SecurityGroupView

_KINDS: dict[str, GroupKind] = {"normal": "basic", "enterprise": "advanced"}
_KIND_WORDS = {kind: word for word, kind in _KINDS.items()}
_ADDRESSES = {"basic": 2000, "advanced": 65536}
_MOST_REFERENCES = 10


@action(
    ECS,
    "CreateSecurityGroup",
    "RegionId",
    "VpcId SecurityGroupName Description SecurityGroupType ResourceGroupId Tag.N ClientToken",
)
def create_security_group(call: Call) -> dict[str, Any]:
    """There is no classic network here, so a VPC must be named."""
    p = call.parameters
    word = p.text("SecurityGroupType") or "normal"
    if word not in _KINDS:
        raise Malformed("SecurityGroupType", word)
    group = security_groups.create_security_group(
        call.context,
        call.caller,
        region_id=call.region.region_id,
        vpc_id=p.require("VpcId"),
        name=p.text("SecurityGroupName") or "",
        description=p.text("Description") or "",
        kind=_KINDS[word],
        resource_group_id=p.text("ResourceGroupId") or "",
        tags=read_tags(p),
    )
    return {"SecurityGroupId": group.group_id}


@action(
    ECS,
    "DescribeSecurityGroups",
    "RegionId",
    "SecurityGroupId SecurityGroupIds SecurityGroupName FuzzyQuery VpcId NetworkType SecurityGroupType "
    "ResourceGroupId ServiceManaged IsQueryEcsCount Tag.N PageNumber PageSize MaxResults NextToken DryRun",
)
def describe_security_groups(call: Call) -> dict[str, Any]:
    p = call.parameters
    ids = p.json_texts("SecurityGroupIds")
    if one := p.text("SecurityGroupId"):
        ids = [one] if ids is None else [one for name in ids if name == one]
    found = security_groups.find_security_groups(
        call.context, call.caller, region_id=call.region.region_id, group_ids=ids, vpc_id=p.text("VpcId")
    )
    found = [view for view in found if _matches(view, p)]
    items = only_tagged(call, "security_group", found, lambda view: view.group.group_id)
    answer: dict[str, Any] = {"RegionId": call.region.code}
    if p.text("MaxResults") or p.text("NextToken"):
        by_id = [(view.group.group_id, view) for view in items]
        views, answer["NextToken"] = page_by_token(p, call.pages, by_id, default=10, most=100)
        return {**answer, "SecurityGroups": {"SecurityGroup": _rows(call, views)}}
    page, counts = page_by_number(p, items, most=100)
    return {**answer, **counts, "NextToken": "", "SecurityGroups": {"SecurityGroup": _rows(call, page)}}


@action(ECS, "DescribeSecurityGroupReferences", "RegionId", "SecurityGroupId.N")
def describe_security_group_references(call: Call) -> dict[str, Any]:
    """Who names these groups in rules: a group that is named cannot be deleted."""
    ids = call.parameters.texts("SecurityGroupId")
    if not ids:
        raise Missing("SecurityGroupId")
    if len(ids) > _MOST_REFERENCES:
        raise Malformed("SecurityGroupId", f"{len(ids)} ids")
    found = security_groups.find_references(call.context, call.caller, ids, region_id=call.region.region_id)
    rows = [
        {
            "SecurityGroupId": group_id,
            "ReferencingSecurityGroups": {
                "ReferencingSecurityGroup": [
                    {"AliUid": group.account_id, "SecurityGroupId": group.group_id} for group in naming
                ]
            },
        }
        for group_id, naming in found.items()
        if naming
    ]
    return {"SecurityGroupReferences": {"SecurityGroupReference": rows}}


@action(ECS, "ModifySecurityGroupAttribute", "RegionId SecurityGroupId", "SecurityGroupName Description")
def modify_security_group_attribute(call: Call) -> dict[str, Any]:
    p = call.parameters
    security_groups.modify_security_group(
        call.context,
        call.caller,
        require_here(call).group.group_id,
        name=p.get("SecurityGroupName"),
        description=p.get("Description"),
    )
    return {}


@action(ECS, "ModifySecurityGroupPolicy", "RegionId SecurityGroupId InnerAccessPolicy", "ClientToken")
def modify_security_group_policy(call: Call) -> dict[str, Any]:
    p = call.parameters
    try:
        policy = require_verdict(p.require("InnerAccessPolicy"))
    except Malformed as error:
        raise Malformed("InnerAccessPolicy", error.value) from None
    security_groups.set_inner_access(call.context, call.caller, require_here(call).group.group_id, policy)
    return {}


@action(ECS, "DeleteSecurityGroup", "RegionId SecurityGroupId")
def delete_security_group(call: Call) -> dict[str, Any]:
    security_groups.delete_security_group(call.context, call.caller, require_here(call).group.group_id)
    return {}


def require_here(call: Call) -> SecurityGroupView:
    group_id = call.parameters.require("SecurityGroupId")
    view = security_groups.get_security_group(call.context, call.caller, group_id)
    call.require_here("security_group", group_id, view.group.region_id)
    return view


def _rows(call: Call, views: Iterable[SecurityGroupView]) -> list[dict[str, Any]]:
    page = list(views)
    tags = show_ecs_tags(call, "security_group", [view.group.group_id for view in page])
    return [{**_fields(view), "Tags": {"Tag": tags[view.group.group_id]}} for view in page]


def _matches(view: SecurityGroupView, p: Parameters) -> bool:
    group = view.group
    name = p.text("SecurityGroupName")
    if name and not (name in group.name if p.flag("FuzzyQuery") else name == group.name):
        return False
    if (p.text("NetworkType") or "vpc") != "vpc" or p.flag("ServiceManaged"):
        return False
    wanted = {"SecurityGroupType": _KIND_WORDS[group.kind], "ResourceGroupId": group.resource_group_id}
    return all(p.text(key) in (None, value) for key, value in wanted.items())


def _fields(view: SecurityGroupView) -> dict[str, Any]:
    group = view.group
    return {
        "SecurityGroupId": group.group_id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "SecurityGroupType": _KIND_WORDS[group.kind],
        "VpcId": group.vpc_id,
        "CreationTime": utc_text(group.created_at),
        "EcsCount": 0,
        "AvailableInstanceAmount": _ADDRESSES[group.kind] - view.member_count,
        "RuleCount": len(view.rules),
        "GroupToGroupRuleCount": sum(rule.peer_group is not None for rule in view.rules),
        "ResourceGroupId": group.resource_group_id,
        "ServiceManaged": False,
        "ServiceID": 0,
    }
