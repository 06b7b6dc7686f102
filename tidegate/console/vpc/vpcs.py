"""VPCs: the list, one with what is in it, create, rename, delete; and where programs run in it."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.paging import PAGE_SIZE, load_slice, take_cursor, take_slice
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.naming import show_naming
from tidegate.console.vpc.regions import HERE, find_region, in_region, show
from tidegate.console.words import _
from tidegate.domain import refusals as r
from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.refusals import Refusal
from tidegate.operations import endpoints, interfaces, security_groups, subnets, vpcs
from tidegate.operations.subnets import NewSubnet, SubnetView
from tidegate.operations.vpcs import NewVpc, VpcView

LIST = "/vpc/vpcs"
DEFAULTS = {"cidr": "10.0.0.0/16", "vswitch_cidr": "10.0.0.0/24"}
_FIELDS: dict[Any, str] = {"VpcName": "name", "Description": "description", "CidrBlock": "cidr"}
_SUBNET_FIELDS: dict[Any, str] = {
    "VSwitchName": "vswitch_name",
    "CidrBlock": "vswitch_cidr",
    "CidrMask": "vswitch_cidr",
    r.CidrOutsideVpc: "vswitch_cidr",
    r.ZoneUnknown: "zone",
}
_TABS = ("vswitches", "groups", "endpoints", "programs")


def list_vpcs(visit: Visit, region: Region) -> Response:
    """``q`` is a VPC's id, or its name, whole."""
    asked = visit.query.get("q", "").strip()
    equal = {("vpc_id" if asked.startswith("vpc-") else "name"): asked} if asked else {}

    def load(start: int, limit: int) -> tuple[list[VpcView], int]:
        here = region.region_id
        return vpcs.page_vpcs(visit.context, visit.alicloud, here, start=start, limit=limit, **equal)

    found = load_slice(load, visit.query.get("page", ""))
    watch = [("vpc", ""), ("subnet", "")]
    return show(visit, "vpc/vpcs.html", region.region_id, found=found, asked=asked, watch=watch)


def show_vpc(visit: Visit) -> Response:
    """One tab's rows are read, not all four."""
    view = _vpc(visit)
    tab = visit.query.get("tab", "")
    tab = tab if tab in _TABS else _TABS[0]
    watch = [("vpc", view.vpc.vpc_id), ("subnet", ""), ("security_group", ""), ("endpoint", ""), ("interface", "")]
    rows = {"vswitches": _subnets, "groups": _groups, "endpoints": _endpoints, "programs": _programs}[tab](visit, view)
    return show(visit, "vpc/vpc.html", view.vpc.region_id, view=view, tab=tab, rows=rows, watch=watch)


def _subnets(visit: Visit, view: VpcView) -> Any:
    load = partial(_load_subnets, visit, view.vpc.vpc_id)
    return load_slice(load, visit.query.get("page", ""))


def _load_subnets(visit: Visit, vpc_id: str, start: int, limit: int) -> tuple[list[SubnetView], int]:
    return subnets.page_subnets(visit.context, visit.alicloud, start=start, limit=limit, vpc_id=vpc_id)


def _groups(visit: Visit, view: VpcView) -> Any:
    region_id = view.vpc.region_id
    return security_groups.find_security_groups(
        visit.context, visit.alicloud, region_id=region_id, vpc_id=view.vpc.vpc_id
    )


def _endpoints(visit: Visit, view: VpcView) -> Any:
    def load(*, after: str, before: str, limit: int) -> Any:
        return endpoints.list_endpoints(
            visit.context,
            visit.alicloud,
            region_id=view.vpc.region_id,
            vpc_id=view.vpc.vpc_id,
            after=after,
            before=before,
            limit=limit,
        )

    return take_cursor(load, visit.query, lambda endpoint: endpoint.endpoint.endpoint_id)


def _programs(visit: Visit, view: VpcView) -> Any:
    found = interfaces.find_interfaces(
        visit.context, visit.alicloud, region_id=view.vpc.region_id, vpc_id=view.vpc.vpc_id
    )
    hosts = [each for each in found if each.interface.kind == "host" and not each.interface.deleting]
    return take_slice(hosts, visit.query.get("page", ""), PAGE_SIZE)


# creating


def ask_new(visit: Visit, region: Region) -> Response:
    return _show_new(visit, region, {**DEFAULTS, "zone": region.zones[0].zone_id})


def create_vpc(visit: Visit) -> Response:
    """A VPC with one vSwitch, as the cloud's form makes them: both or neither."""
    form = visit.form
    region = find_region(form.get("region")) or HERE[0]
    names = ("name", "description", "cidr", "vswitch_name", "vswitch_cidr", "zone")
    typed = {name: form.get(name) for name in names}
    vpc = NewVpc(region.region_id, typed["cidr"], typed["name"], typed["description"])
    subnet = NewSubnet(typed["zone"], typed["vswitch_cidr"], typed["vswitch_name"])
    try:
        made = subnets.create_vpc_with_subnet(visit.context, visit.alicloud, vpc, subnet)
    except Refusal as refusal:
        return _show_new(visit, region, typed, refusal)
    return visit.redirect(f"{LIST}/{made.vpc_id}", _("The VPC is being created."))


def _show_new(
    visit: Visit,
    region: Region,
    typed: dict[str, str],
    refusal: Refusal | None = None,
) -> Response:
    typed = dict.fromkeys(("name", "description", "vswitch_name"), "") | typed
    problem = describe_refusal(refusal, _new_fields(refusal, typed)) if refusal else None
    status = 422 if refusal else 200
    return show(visit, "vpc/vpc_new.html", region.region_id, status=status, typed=typed, problem=problem)


def _new_fields(refusal: Refusal, typed: dict[str, str]) -> dict[Any, str]:
    """Both have a range: where the same text was typed for both, it is the VPC's that was refused first."""
    of_vpc = isinstance(refusal, r.Malformed) and refusal.value == typed["cidr"]
    return {**_SUBNET_FIELDS, **_FIELDS} if of_vpc else {**_FIELDS, **_SUBNET_FIELDS}


# words, deleting


def ask_words(visit: Visit) -> Response:
    vpc = _vpc(visit).vpc
    return _words_form(visit, vpc.name, vpc.description)


def change_words(visit: Visit) -> Response:
    name, description = visit.form.get("name"), visit.form.get("description")
    vpc_id = visit.params["vpc_id"]
    try:
        vpcs.modify_vpc(visit.context, visit.alicloud, vpc_id, name=name, description=description)
    except Refusal as refusal:
        return _words_form(visit, name, description, refusal)
    return visit.redirect(_path(visit), _("Saved."))


def _words_form(visit: Visit, name: str, description: str, refusal: Refusal | None = None) -> Response:
    _vpc(visit)
    return show_naming(visit, _("Edit the VPC"), (name, description), ROOT + _path(visit), _FIELDS, refusal)


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    vpc = _vpc(visit).vpc
    return visit.ask(
        title=_("Delete the VPC {name}?").format(name=vpc.name or vpc.vpc_id),
        text=_("Its network goes. Endpoints, security groups and vSwitches in it must be deleted before."),
        button=_("Delete"),
        back=ROOT + _path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_vpc(visit: Visit) -> Response:
    vpc = _vpc(visit).vpc
    try:
        vpcs.delete_vpc(visit.context, visit.alicloud, vpc.vpc_id)
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    return visit.redirect(f"{LIST}?region={require_region(vpc.region_id).code}", _("The VPC is deleted."))


def _vpc(visit: Visit) -> VpcView:
    """Raises NotFound, also for another account's."""
    return vpcs.get_vpc(visit.context, visit.alicloud, visit.params["vpc_id"])


def _path(visit: Visit) -> str:
    return f"{LIST}/{visit.params['vpc_id']}"


_ONE = LIST + "/{vpc_id}"
PAGES = (
    Page(LIST, get=in_region(list_vpcs)),
    Page(f"{LIST}/new", get=in_region(ask_new), post=create_vpc),
    Page(_ONE, get=show_vpc),
    Page(_ONE + "/edit", get=ask_words, post=change_words),
    Page(_ONE + "/delete", get=ask_delete, post=delete_vpc),
)
