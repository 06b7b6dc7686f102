"""Security groups: the list, one with its members and references, create, rename, policy, delete.

Their rules: ``security_group_rules.py``.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.paging import take_slice
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import load_vpcs, vpc_option
from tidegate.console.vpc.naming import show_naming
from tidegate.console.vpc.regions import HERE, find_region, in_region, show
from tidegate.console.words import _
from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.refusals import Refusal
from tidegate.domain.security_groups import GroupKind, ordered
from tidegate.operations import interfaces, security_group_rules, security_groups, vpcs
from tidegate.operations.security_group_rules import RuleSpec
from tidegate.operations.security_groups import SecurityGroupView

LIST = "/vpc/security-groups"
_TABS = ("ingress", "egress", "members", "references")
_KINDS: dict[str, GroupKind] = {"basic": "basic", "advanced": "advanced"}
_FIELDS: dict[Any, str] = {"SecurityGroupName": "name", "Description": "description", "vpc": "vpc", "VpcId": "vpc"}
_ALL_OUTBOUND = RuleSpec("all", "-1/-1", peer_cidr="0.0.0.0/0")


def list_groups(visit: Visit, region: Region) -> Response:
    found = security_groups.find_security_groups(visit.context, visit.alicloud, region_id=region.region_id)
    part = take_slice(found, visit.query.get("page", ""))
    vpc_ids = sorted({view.group.vpc_id for view in part.items})
    known = vpcs.find_vpcs(visit.context, visit.alicloud, region.region_id, vpc_ids)
    return show(
        visit,
        "vpc/security_groups.html",
        region.region_id,
        found=part,
        vpc_names={view.vpc.vpc_id: view.vpc.name for view in known},
        watch=[("security_group", ""), ("endpoint", ""), ("interface", "")],
    )


def show_group(visit: Visit) -> Response:
    view = get_group(visit)
    group = view.group
    tab = visit.query.get("tab", "")
    tab = tab if tab in _TABS else _TABS[0]
    rows: Any = [rule for rule in ordered(view.rules) if rule.direction == tab]
    if tab == "members":
        guarded = interfaces.find_interfaces(
            visit.context, visit.alicloud, region_id=group.region_id, vpc_id=group.vpc_id
        )
        rows = [each for each in guarded if group.group_id in each.group_ids]
    if tab == "references":
        found = security_groups.find_references(
            visit.context, visit.alicloud, [group.group_id], region_id=group.region_id
        )
        rows = found[group.group_id]
    vpc = vpcs.find_vpcs(visit.context, visit.alicloud, group.region_id, [group.vpc_id])
    return show(
        visit,
        "vpc/security_group.html",
        group.region_id,
        view=view,
        tab=tab,
        found=take_slice(rows, visit.query.get("page", "")),
        vpc_name=vpc[0].vpc.name if vpc else "",
        watch=[("security_group", group.group_id), ("endpoint", ""), ("interface", "")],
    )


# creating


def ask_new(visit: Visit, region: Region) -> Response:
    return _show_new(visit, region, {"vpc": visit.query.get("vpc", ""), "kind": "basic"})


def create_group(visit: Visit) -> Response:
    """An advanced group gets a rule that lets everything out, which the cloud's form adds and its API does not."""
    form = visit.form
    typed = {name: form.get(name) for name in ("vpc", "name", "description", "kind")}
    region = find_region(form.get("region")) or HERE[0]
    try:
        made = security_groups.create_security_group(
            visit.context,
            visit.alicloud,
            region_id=region.region_id,
            vpc_id=typed["vpc"],
            name=typed["name"],
            description=typed["description"],
            kind=_KINDS.get(typed["kind"], "basic"),
        )
        if made.kind == "advanced":
            security_group_rules.authorize_rules(
                visit.context, visit.alicloud, made.group_id, "egress", [_ALL_OUTBOUND]
            )
    except Refusal as refusal:
        return _show_new(visit, region, typed, refusal)
    return visit.redirect(f"{LIST}/{made.group_id}", _("The security group is created. Now say who may connect."))


def _show_new(visit: Visit, region: Region, typed: dict[str, str], refusal: Refusal | None = None) -> Response:
    mine = load_vpcs(visit, region.region_id, typed["vpc"])
    return show(
        visit,
        "vpc/security_group_new.html",
        region.region_id,
        status=422 if refusal else 200,
        typed=dict.fromkeys(("name", "description"), "") | typed,
        vpcs=[vpc_option(view) for view in mine],
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


# words, policy, deleting


def ask_words(visit: Visit) -> Response:
    group = get_group(visit).group
    return _words_form(visit, group.name, group.description)


def change_words(visit: Visit) -> Response:
    name, description = visit.form.get("name"), visit.form.get("description")
    try:
        security_groups.modify_security_group(
            visit.context, visit.alicloud, visit.params["group_id"], name=name, description=description
        )
    except Refusal as refusal:
        return _words_form(visit, name, description, refusal)
    return visit.redirect(group_path(visit), _("Saved."))


def _words_form(visit: Visit, name: str, description: str, refusal: Refusal | None = None) -> Response:
    get_group(visit)
    return show_naming(
        visit, _("Edit the security group"), (name, description), ROOT + group_path(visit), _FIELDS, refusal
    )


def ask_policy(visit: Visit, refusal: Refusal | None = None) -> Response:
    opens = get_group(visit).group.inner_access == "drop"
    return visit.ask(
        title=_("Let the members reach each other?") if opens else _("Isolate the members from each other?"),
        text=_("Members of the group then reach each other whatever the rules say.")
        if opens
        else _("Members of the group then reach each other only where a rule accepts it."),
        button=_("Allow") if opens else _("Isolate"),
        tone="primary",
        back=ROOT + group_path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def change_policy(visit: Visit) -> Response:
    group = get_group(visit).group
    try:
        security_groups.set_inner_access(
            visit.context, visit.alicloud, group.group_id, "accept" if group.inner_access == "drop" else "drop"
        )
    except Refusal as refusal:
        return ask_policy(visit, refusal)
    return visit.redirect(group_path(visit), _("Saved."))


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    group = get_group(visit).group
    return visit.ask(
        title=_("Delete the security group {name}?").format(name=group.name or group.group_id),
        text=_("Its rules go with it. Nothing may be a member of it any more, and no other group's rule may name it."),
        button=_("Delete"),
        back=ROOT + group_path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_group(visit: Visit) -> Response:
    group = get_group(visit).group
    try:
        security_groups.delete_security_group(visit.context, visit.alicloud, group.group_id)
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    code = require_region(group.region_id).code
    return visit.redirect(f"{LIST}?region={code}", _("The security group is deleted."))


def get_group(visit: Visit) -> SecurityGroupView:
    """Raises NotFound, also for another account's."""
    return security_groups.get_security_group(visit.context, visit.alicloud, visit.params["group_id"])


def group_path(visit: Visit) -> str:
    return f"{LIST}/{visit.params['group_id']}"


_ONE = LIST + "/{group_id}"
PAGES = (
    Page(LIST, get=in_region(list_groups)),
    Page(f"{LIST}/new", get=in_region(ask_new), post=create_group),
    Page(_ONE, get=show_group),
    Page(_ONE + "/edit", get=ask_words, post=change_words),
    Page(_ONE + "/policy", get=ask_policy, post=change_policy),
    Page(_ONE + "/delete", get=ask_delete, post=delete_group),
)
