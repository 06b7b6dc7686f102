"""Security groups on the wire (``reference/alibaba.md`` 5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text
from tidegate.api.alibaba.errors import ECS
from tidegate.api.alibaba.paging import page_by_number, page_by_token
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.catalogue import require_region
from tidegate.domain.refusals import Malformed, Missing
from tidegate.domain.security_groups import Direction, GroupKind, SecurityGroupRule, ordered, require_verdict
from tidegate.operations import security_groups
from tidegate.operations.security_groups import RuleSpec, SecurityGroupView

_KINDS: dict[str, GroupKind] = {"normal": "basic", "enterprise": "advanced"}
_KIND_WORDS = {kind: word for word, kind in _KINDS.items()}
_ADDRESSES = {"basic": 2000, "advanced": 65536}
_MOST_RULES = 100

_RULE = "IpProtocol PortRange Policy Priority NicType Description"
_INGRESS = f"Permissions.N {_RULE} SourceCidrIp SourceGroupId ClientToken"
_EGRESS = f"Permissions.N {_RULE} DestCidrIp DestGroupId ClientToken"


@action(
    ECS,
    "CreateSecurityGroup",
    "RegionId",
    "VpcId SecurityGroupName Description SecurityGroupType ResourceGroupId ClientToken",
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
    )
    return {"SecurityGroupId": group.group_id}


@action(
    ECS,
    "DescribeSecurityGroups",
    "RegionId",
    "SecurityGroupId SecurityGroupIds SecurityGroupName FuzzyQuery VpcId NetworkType SecurityGroupType "
    "ResourceGroupId PageNumber PageSize MaxResults NextToken",
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
    answer: dict[str, Any] = {"RegionId": call.region.code}
    if p.text("MaxResults") or p.text("NextToken"):
        items = [(view.group.group_id, view) for view in found]
        page, token = page_by_token(p, call.pages, items, default=10, most=100)
        answer["NextToken"] = token
        return {**answer, "SecurityGroups": {"SecurityGroup": [_fields(view) for view in page]}}
    views, counts = page_by_number(p, found, most=100)
    return {**answer, **counts, "NextToken": "", "SecurityGroups": {"SecurityGroup": [_fields(v) for v in views]}}


@action(ECS, "DescribeSecurityGroupAttribute", "RegionId SecurityGroupId", "Direction NicType MaxResults NextToken")
def describe_security_group_attribute(call: Call) -> dict[str, Any]:
    view, p = _here(call), call.parameters
    direction = (p.text("Direction") or "all").lower()
    if direction not in ("ingress", "egress", "all"):
        raise Malformed("Direction", direction)
    rules = [rule for rule in view.rules if direction in ("all", rule.direction)]
    by_id = sorted((rule.rule_id, rule) for rule in rules) if p.text("MaxResults") or p.text("NextToken") else None
    token = ""
    if by_id is not None:
        rules, token = page_by_token(p, call.pages, by_id, default=500)
    return {
        "SecurityGroupId": view.group.group_id,
        "SecurityGroupName": view.group.name,
        "Description": view.group.description,
        "RegionId": require_region(view.group.region_id).code,
        "VpcId": view.group.vpc_id,
        "InnerAccessPolicy": view.group.inner_access.capitalize(),
        "NextToken": token,
        "Permissions": {"Permission": [_permission(rule) for rule in ordered(rules)]},
    }


@action(ECS, "AuthorizeSecurityGroup", "RegionId SecurityGroupId", _INGRESS)
def authorize_security_group(call: Call) -> dict[str, Any]:
    return _authorize(call, "ingress")


@action(ECS, "AuthorizeSecurityGroupEgress", "RegionId SecurityGroupId", _EGRESS)
def authorize_security_group_egress(call: Call) -> dict[str, Any]:
    return _authorize(call, "egress")


@action(ECS, "RevokeSecurityGroup", "RegionId SecurityGroupId", f"SecurityGroupRuleId.N {_INGRESS}")
def revoke_security_group(call: Call) -> dict[str, Any]:
    return _revoke(call, "ingress")


@action(ECS, "RevokeSecurityGroupEgress", "RegionId SecurityGroupId", f"SecurityGroupRuleId.N {_EGRESS}")
def revoke_security_group_egress(call: Call) -> dict[str, Any]:
    return _revoke(call, "egress")


@action(ECS, "ModifySecurityGroupAttribute", "RegionId SecurityGroupId", "SecurityGroupName Description")
def modify_security_group_attribute(call: Call) -> dict[str, Any]:
    p = call.parameters
    security_groups.modify_security_group(
        call.context,
        call.caller,
        _here(call).group.group_id,
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
    security_groups.set_inner_access(call.context, call.caller, _here(call).group.group_id, policy)
    return {}


@action(ECS, "DeleteSecurityGroup", "RegionId SecurityGroupId")
def delete_security_group(call: Call) -> dict[str, Any]:
    security_groups.delete_security_group(call.context, call.caller, _here(call).group.group_id)
    return {}


def _here(call: Call) -> SecurityGroupView:
    group_id = call.parameters.require("SecurityGroupId")
    view = security_groups.get_security_group(call.context, call.caller, group_id)
    call.require_here("security_group", group_id, view.group.region_id)
    return view


def _authorize(call: Call, direction: Direction) -> dict[str, Any]:
    specs = _specs(call.parameters, direction)
    if not specs:
        raise Missing("IpProtocol")
    security_groups.authorize_rules(call.context, call.caller, _here(call).group.group_id, direction, specs)
    return {}


def _revoke(call: Call, direction: Direction) -> dict[str, Any]:
    rule_ids = call.parameters.texts("SecurityGroupRuleId")
    specs = [] if rule_ids else _specs(call.parameters, direction)
    if not (rule_ids or specs):
        raise Missing("IpProtocol")
    if len(rule_ids) > _MOST_RULES:
        raise Malformed("SecurityGroupRuleId", f"{len(rule_ids)} ids")
    group_id = _here(call).group.group_id
    security_groups.revoke_rules(call.context, call.caller, group_id, direction, specs=specs, rule_ids=rule_ids)
    return {}


def _specs(parameters: Parameters, direction: Direction) -> list[RuleSpec]:
    """``Permissions.N.*``, or the older flat form of one rule."""
    each: Iterable[Parameters] = parameters.structs("Permissions")
    if not each and parameters.text("IpProtocol"):
        each = [parameters]
    specs = [_spec(one, direction) for one in each]
    if len(specs) > _MOST_RULES:
        raise Malformed("Permissions", f"{len(specs)} rules")
    return specs


def _spec(p: Parameters, direction: Direction) -> RuleSpec:
    """What the kernel is not told is refused, not dropped: a rule that was taken for less would let more through."""
    side = "Source" if direction == "ingress" else "Dest"
    for name in ("SourcePortRange", f"Ipv6{side}CidrIp", f"{side}PrefixListId"):
        if p.text(name) and p[name] != "-1/-1":
            raise Malformed(name, p[name])
    if (p.text("NicType") or "intranet").lower() != "intranet":
        raise Malformed("NicType", p["NicType"])
    description = p.text("Description") or ""
    if len(description) > 512:
        raise Malformed("Description", description[:64])
    return RuleSpec(
        protocol=p.require("IpProtocol"),
        ports=p.require("PortRange"),
        policy=p.text("Policy") or "accept",
        priority=p.text("Priority") or "1",
        peer_cidr=p.text(f"{side}CidrIp"),
        peer_group=p.text(f"{side}GroupId"),
        description=description,
    )


def _matches(view: SecurityGroupView, p: Parameters) -> bool:
    group = view.group
    name = p.text("SecurityGroupName")
    if name and not (name in group.name if p.flag("FuzzyQuery") else name == group.name):
        return False
    if (p.text("NetworkType") or "vpc") != "vpc":
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
        "Tags": {"Tag": []},
    }


def _permission(rule: SecurityGroupRule) -> dict[str, Any]:
    """Protocol in capitals, policy capitalised, unset ``""``; the priority as a number (``docs/fidelity.md``)."""
    side = "Source" if rule.direction == "ingress" else "Dest"
    peer = {f"{side}CidrIp": rule.peer_cidr or "", f"{side}GroupId": rule.peer_group or ""}
    empty = {
        f"{prefix}{side}{name}": ""
        for side in ("Source", "Dest")
        for prefix, name in (
            ("", "CidrIp"),
            ("Ipv6", "CidrIp"),
            ("", "GroupId"),
            ("", "GroupName"),
            ("", "GroupOwnerAccount"),
            ("", "PrefixListId"),
            ("", "PrefixListName"),
        )
    }
    return {
        "SecurityGroupRuleId": rule.rule_id,
        "Direction": rule.direction,
        "IpProtocol": rule.protocol.upper(),
        "PortRange": f"{rule.ports[0]}/{rule.ports[1]}" if rule.ports else "-1/-1",
        "SourcePortRange": "",
        "Policy": rule.verdict.capitalize(),
        "Priority": rule.priority,
        "NicType": "intranet",
        **empty,
        **peer,
        "Description": rule.description,
        "CreateTime": utc_text(rule.created_at),
    }
