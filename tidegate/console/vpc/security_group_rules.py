"""Rules of a security group: add, modify, delete.  Each is in force at once, as the alert says."""

from __future__ import annotations

from typing import Any, cast

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import group_option
from tidegate.console.vpc.security_groups import LIST, get_group, group_path
from tidegate.console.words import _
from tidegate.domain import refusals as r
from tidegate.domain.refusals import NotFound, Refusal
from tidegate.domain.security_groups import Direction, SecurityGroupRule
from tidegate.operations import security_group_rules, security_groups, vpcs
from tidegate.operations.security_group_rules import RuleChange, RuleSpec

_FIELDS: dict[Any, str] = {
    "IpProtocol": "protocol",
    "PortRange": "ports",
    "Priority": "priority",
    "Policy": "policy",
    "SourceCidrIp": "cidr",
    "DestCidrIp": "cidr",
    "peer_group": "group",
    r.PortsDoNotFit: "ports",
    r.PeerMissing: "cidr",
    r.GroupPeerNotAllowed: "group",
}
_NAMES = ("protocol", "ports", "policy", "priority", "cidr", "group", "description")


def ask_new(visit: Visit) -> Response:
    """Begins with what the how-to needs: the VPC's programs may open TiDB's port."""
    group = get_group(visit).group
    vpc = vpcs.get_vpc(visit.context, visit.alicloud, group.vpc_id).vpc
    begins = {"protocol": "tcp", "ports": "4000", "policy": "accept", "priority": "1", "cidr": vpc.cidr}
    return _form(visit, begins)


def add_rule(visit: Visit) -> Response:
    typed = _typed(visit)
    spec = RuleSpec(
        protocol=typed["protocol"],
        ports=read_ports(typed["protocol"], typed["ports"]),
        policy=typed["policy"],
        priority=typed["priority"],
        peer_cidr=typed["cidr"] or None,
        peer_group=typed["group"] or None,
        description=typed["description"],
    )
    try:
        security_group_rules.authorize_rules(
            visit.context, visit.alicloud, visit.params["group_id"], _direction(visit), [spec]
        )
    except Refusal as refusal:
        return _form(visit, typed, refusal)
    return visit.redirect(_back(visit), _("The rule is added."))


def ask_change(visit: Visit) -> Response:
    rule = _rule(visit)
    return _form(visit, _shown(rule))


def change_rule(visit: Visit) -> Response:
    typed = _typed(visit)
    wanted = RuleChange(
        protocol=typed["protocol"],
        ports=read_ports(typed["protocol"], typed["ports"]),
        policy=typed["policy"],
        priority=typed["priority"],
        peer_cidr=typed["cidr"] or None,
        peer_group=typed["group"] or None,
        description=typed["description"],
    )
    try:
        security_group_rules.modify_rule(
            visit.context,
            visit.alicloud,
            visit.params["group_id"],
            _direction(visit),
            visit.params["rule_id"],
            wanted,
        )
    except Refusal as refusal:
        return _form(visit, typed, refusal)
    return visit.redirect(_back(visit), _("The rule is changed."))


def _form(visit: Visit, typed: dict[str, str], refusal: Refusal | None = None) -> Response:
    group = get_group(visit).group
    others = security_groups.find_security_groups(
        visit.context, visit.alicloud, region_id=group.region_id, vpc_id=group.vpc_id
    )
    return visit.render(
        "vpc/rule.html",
        status=422 if refusal else 200,
        direction=_direction(visit),
        changing="rule_id" in visit.params,
        typed=dict.fromkeys(_NAMES, "") | typed,
        groups=[group_option(view) for view in others] if group.kind == "basic" else [],
        back=ROOT + _back(visit),
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    rule = _rule(visit)
    words = _("{policy} {protocol} {ports}, {peer}, priority {priority}.").format(
        policy=_("Accept") if rule.verdict == "accept" else _("Drop"),
        protocol=rule.protocol.upper(),
        ports=_shown(rule)["ports"],
        peer=rule.peer_cidr or rule.peer_group,
        priority=rule.priority,
    )
    return visit.ask(
        title=_("Delete the rule?"),
        text=f"{words} {_('Open connections that no other rule accepts are cut.')}",
        button=_("Delete"),
        back=ROOT + _back(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_rule(visit: Visit) -> Response:
    try:
        security_group_rules.revoke_rules(
            visit.context,
            visit.alicloud,
            visit.params["group_id"],
            _direction(visit),
            rule_ids=[visit.params["rule_id"]],
        )
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    return visit.redirect(_back(visit), _("The rule is deleted."))


def read_ports(protocol: str, text: str) -> str:
    """One port is a range of one; protocols without ports need none typed."""
    if protocol not in ("tcp", "udp"):
        return "-1/-1"
    text = text.replace("-", "/") if text.count("-") == 1 and not text.startswith("-") else text
    return text if "/" in text else f"{text}/{text}"


def _typed(visit: Visit) -> dict[str, str]:
    return {name: visit.form.get(name) for name in _NAMES}


def _shown(rule: SecurityGroupRule) -> dict[str, str]:
    return {
        "protocol": rule.protocol,
        "ports": f"{rule.ports[0]}/{rule.ports[1]}" if rule.ports else "-1/-1",
        "policy": rule.verdict,
        "priority": str(rule.priority),
        "cidr": rule.peer_cidr or "",
        "group": rule.peer_group or "",
        "description": rule.description,
    }


def _rule(visit: Visit) -> SecurityGroupRule:
    rule_id = visit.params["rule_id"]
    for rule in get_group(visit).rules:
        if rule.rule_id == rule_id and rule.direction == _direction(visit):
            return rule
    raise NotFound("rule", rule_id)


def _direction(visit: Visit) -> Direction:
    text = visit.params["direction"]
    if text not in ("ingress", "egress"):
        raise NotFound("rule", text)
    return cast(Direction, text)


def _back(visit: Visit) -> str:
    return f"{group_path(visit)}?tab={_direction(visit)}"


_OF_GROUP = LIST + "/{group_id}/rules/{direction}"
PAGES = (
    Page(_OF_GROUP + "/new", get=ask_new, post=add_rule),
    Page(_OF_GROUP + "/{rule_id}", get=ask_change, post=change_rule),
    Page(_OF_GROUP + "/{rule_id}/delete", get=ask_delete, post=delete_rule),
)
