"""Rules of security groups on the wire (``reference/alibaba.md`` 5.1, 5.2)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action, utc_text, words
from tidegate.api.alibaba.errors import ECS, unsupported
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.security_groups import require_here
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.catalogue import require_region
from tidegate.domain.refusals import Malformed, Missing, NotFound
from tidegate.domain.security_groups import Direction, SecurityGroupRule, ordered
from tidegate.operations import security_group_rules
from tidegate.operations.security_group_rules import RuleChange, RuleSpec

_MOST_RULES = 100
_LONGEST_DESCRIPTION = 512
_SIDES: dict[Direction, str] = {"ingress": "Source", "egress": "Dest"}


def _rule_names(direction: Direction) -> str:
    """What tells a rule; its peer is its source or its destination."""
    peer = " ".join(_SIDES[direction] + name for name in ("CidrIp", "GroupId", "GroupOwnerId", "GroupOwnerAccount"))
    return f"IpProtocol PortRange Policy Priority NicType Description {peer}"


@action(ECS, "DescribeSecurityGroupAttribute", "RegionId SecurityGroupId", "Direction NicType MaxResults NextToken")
def describe_security_group_attribute(call: Call) -> dict[str, Any]:
    view, p = require_here(call), call.parameters
    direction = (p.text("Direction") or "all").lower()
    if direction not in ("ingress", "egress", "all"):
        raise Malformed("Direction", direction)
    rules = [rule for rule in view.rules if direction in ("all", rule.direction)]
    if (p.text("NicType") or "intranet").lower() != "intranet":
        rules = []  # in a VPC every rule is of the intranet
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


@action(ECS, "AuthorizeSecurityGroup", "RegionId SecurityGroupId", f"Permissions.N {_rule_names('ingress')}")
def authorize_security_group(call: Call) -> dict[str, Any]:
    return _authorize(call, "ingress")


@action(ECS, "AuthorizeSecurityGroupEgress", "RegionId SecurityGroupId", f"Permissions.N {_rule_names('egress')}")
def authorize_security_group_egress(call: Call) -> dict[str, Any]:
    return _authorize(call, "egress")


@action(
    ECS,
    "RevokeSecurityGroup",
    "RegionId SecurityGroupId",
    f"SecurityGroupRuleId.N Permissions.N {_rule_names('ingress')}",
)
def revoke_security_group(call: Call) -> dict[str, Any]:
    return _revoke(call, "ingress")


@action(
    ECS,
    "RevokeSecurityGroupEgress",
    "RegionId SecurityGroupId",
    f"SecurityGroupRuleId.N Permissions.N {_rule_names('egress')}",
)
def revoke_security_group_egress(call: Call) -> dict[str, Any]:
    return _revoke(call, "egress")


@action(ECS, "ModifySecurityGroupRule", "RegionId SecurityGroupId", f"SecurityGroupRuleId {_rule_names('ingress')}")
def modify_security_group_rule(call: Call) -> dict[str, Any]:
    return _modify(call, "ingress")


@action(
    ECS, "ModifySecurityGroupEgressRule", "RegionId SecurityGroupId", f"SecurityGroupRuleId {_rule_names('egress')}"
)
def modify_security_group_egress_rule(call: Call) -> dict[str, Any]:
    return _modify(call, "egress")


def _authorize(call: Call, direction: Direction) -> dict[str, Any]:
    specs = _specs(call, direction)
    if not specs:
        raise Missing("IpProtocol")
    security_group_rules.authorize_rules(call.context, call.caller, require_here(call).group.group_id, direction, specs)
    return {}


def _modify(call: Call, direction: Direction) -> dict[str, Any]:
    """By id every field can change; by the older tuple, which tells the rule, only its description."""
    p = call.parameters
    group_id = require_here(call).group.group_id
    rule_id = p.text("SecurityGroupRuleId")
    if rule_id is None:
        spec = _spec(call, p, direction)
        security_group_rules.describe_rule(call.context, call.caller, group_id, direction, spec)
        return {}
    _require_carried_out(call, p, direction)
    side = _SIDES[direction]
    wanted = RuleChange(
        protocol=p.text("IpProtocol"),
        ports=p.text("PortRange"),
        policy=p.text("Policy"),
        priority=p.text("Priority"),
        peer_cidr=p.text(f"{side}CidrIp"),
        peer_group=p.text(f"{side}GroupId"),
        description=p.text("Description"),
    )
    security_group_rules.modify_rule(call.context, call.caller, group_id, direction, rule_id, wanted)
    return {}


def _revoke(call: Call, direction: Direction) -> dict[str, Any]:
    rule_ids = call.parameters.texts("SecurityGroupRuleId")
    specs = [] if rule_ids else _specs(call, direction)
    if not (rule_ids or specs):
        raise Missing("IpProtocol")
    if len(rule_ids) > _MOST_RULES:
        raise Malformed("SecurityGroupRuleId", f"{len(rule_ids)} ids")
    group_id = require_here(call).group.group_id
    security_group_rules.revoke_rules(call.context, call.caller, group_id, direction, specs=specs, rule_ids=rule_ids)
    return {}


def _specs(call: Call, direction: Direction) -> list[RuleSpec]:
    """``Permissions.N.*``, or the older flat form of one rule."""
    parameters = call.parameters
    each = parameters.structs("Permissions")
    for one in each:
        _require_known(one, direction)
    if not each and parameters.text("IpProtocol"):
        each = [parameters]
    specs = [_spec(call, one, direction) for one in each]
    if len(specs) > _MOST_RULES:
        raise Malformed("Permissions", f"{len(specs)} rules")
    return specs


def _spec(call: Call, p: Parameters, direction: Direction) -> RuleSpec:
    _require_carried_out(call, p, direction)
    side = _SIDES[direction]
    return RuleSpec(
        protocol=p.require("IpProtocol"),
        ports=p.require("PortRange"),
        policy=p.text("Policy") or "accept",
        priority=p.text("Priority") or "1",
        peer_cidr=p.text(f"{side}CidrIp"),
        peer_group=p.text(f"{side}GroupId"),
        description=p.text("Description") or "",
    )


def _require_carried_out(call: Call, p: Parameters, direction: Direction) -> None:
    """What the kernel is not told is refused, not dropped: a rule that was taken for less would let more through."""
    side = _SIDES[direction]
    for name in ("SourcePortRange", f"Ipv6{side}CidrIp", f"{side}PrefixListId"):
        if p.text(name) and p[name] != "-1/-1":
            raise Malformed(name, p[name])
    if (p.text("NicType") or "intranet").lower() != "intranet":
        raise Malformed("NicType", p["NicType"])
    if len(p.text("Description") or "") > _LONGEST_DESCRIPTION:
        raise Malformed("Description", p["Description"])
    for name in (f"{side}GroupOwnerId", f"{side}GroupOwnerAccount"):
        if p.text(name) not in (None, call.caller.account_id):
            raise NotFound("peer_group", p.text(f"{side}GroupId") or "")  # another account's group: not to be seen


def _require_known(one: Parameters, direction: Direction) -> None:
    """``Permissions.N.*`` are not in the table of actions; what is none of these would be without effect."""
    side = _SIDES[direction]
    known = (*words(_rule_names(direction)), "SourcePortRange", f"Ipv6{side}CidrIp", f"{side}PrefixListId")
    for name, value in one.items():
        if name not in known and value:
            raise unsupported(f"Permissions.N.{name}")


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
