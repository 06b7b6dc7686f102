"""vSwitches: the list of a region, create, rename, delete.  A VPC's own are on its page."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.paging import load_slice
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import load_vpcs, vpc_option
from tidegate.console.vpc.naming import show_naming
from tidegate.console.vpc.regions import HERE, find_region, in_region, show
from tidegate.console.words import _
from tidegate.domain import refusals as r
from tidegate.domain.catalogue import Region
from tidegate.domain.refusals import Refusal
from tidegate.domain.subnets import Subnet
from tidegate.operations import subnets, vpcs
from tidegate.operations.subnets import SubnetView

LIST = "/vpc/vswitches"
_FIELDS: dict[Any, str] = {
    "VSwitchName": "name",
    "Description": "description",
    "CidrBlock": "cidr",
    "CidrMask": "cidr",
    "vpc": "vpc",
    r.CidrOutsideVpc: "cidr",
    r.CidrOverlaps: "cidr",
    r.ZoneUnknown: "zone",
}


def list_subnets(visit: Visit, region: Region) -> Response:
    part = load_slice(partial(_load, visit, region_id=region.region_id), visit.query.get("page", ""))
    vpc_ids = sorted({view.subnet.vpc_id for view in part.items})
    known = vpcs.find_vpcs(visit.context, visit.alicloud, region.region_id, vpc_ids)
    return show(
        visit,
        "vpc/vswitches.html",
        region.region_id,
        found=part,
        vpc_names={view.vpc.vpc_id: view.vpc.name for view in known},
        watch=[("subnet", ""), ("interface", "")],
    )


def _load(visit: Visit, start: int, limit: int, *, region_id: str) -> tuple[list[SubnetView], int]:
    return subnets.page_subnets(visit.context, visit.alicloud, start=start, limit=limit, region_id=region_id)


def ask_new(visit: Visit, region: Region) -> Response:
    return _show_new(visit, region, {"vpc": visit.query.get("vpc", ""), "zone": region.zones[0].zone_id})


def create_subnet(visit: Visit) -> Response:
    form = visit.form
    typed = {name: form.get(name) for name in ("vpc", "zone", "name", "description", "cidr")}
    region = find_region(form.get("region")) or HERE[0]
    try:
        made = subnets.create_subnet(
            visit.context,
            visit.alicloud,
            vpc_id=typed["vpc"],
            zone_id=typed["zone"],
            cidr=typed["cidr"],
            name=typed["name"],
            description=typed["description"],
        )
    except Refusal as refusal:
        return _show_new(visit, region, typed, refusal)
    return visit.redirect(f"/vpc/vpcs/{made.vpc_id}", _("The vSwitch is being created."))


def _show_new(visit: Visit, region: Region, typed: dict[str, str], refusal: Refusal | None = None) -> Response:
    mine = load_vpcs(visit, region.region_id, typed["vpc"])
    return show(
        visit,
        "vpc/vswitch_new.html",
        region.region_id,
        status=422 if refusal else 200,
        typed=dict.fromkeys(("name", "description", "cidr"), "") | typed,
        vpcs=[vpc_option(view) for view in mine],
        back=_back(visit, typed["vpc"]),
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


def ask_words(visit: Visit) -> Response:
    subnet = _subnet(visit)
    return _words_form(visit, subnet.name, subnet.description)


def change_words(visit: Visit) -> Response:
    name, description = visit.form.get("name"), visit.form.get("description")
    subnet = _subnet(visit)
    try:
        subnets.modify_subnet(visit.context, visit.alicloud, subnet.subnet_id, name=name, description=description)
    except Refusal as refusal:
        return _words_form(visit, name, description, refusal)
    return visit.redirect(f"/vpc/vpcs/{subnet.vpc_id}", _("Saved."))


def _words_form(visit: Visit, name: str, description: str, refusal: Refusal | None = None) -> Response:
    back = _back(visit, _subnet(visit).vpc_id)
    return show_naming(visit, _("Edit the vSwitch"), (name, description), back, _FIELDS, refusal)


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    subnet = _subnet(visit)
    return visit.ask(
        title=_("Delete the vSwitch {name}?").format(name=subnet.name or subnet.subnet_id),
        text=_("Its range {cidr} becomes free. Nothing may have an address of it any more.").format(cidr=subnet.cidr),
        button=_("Delete"),
        back=_back(visit, subnet.vpc_id),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_subnet(visit: Visit) -> Response:
    subnet = _subnet(visit)
    try:
        subnets.delete_subnet(visit.context, visit.alicloud, subnet.subnet_id)
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    return visit.redirect(f"/vpc/vpcs/{subnet.vpc_id}", _("The vSwitch is deleted."))


def _subnet(visit: Visit) -> Subnet:
    """Raises NotFound, also for another account's."""
    return subnets.get_subnet(visit.context, visit.alicloud, visit.params["subnet_id"]).subnet


def _back(visit: Visit, vpc_id: str) -> str:
    return f"{ROOT}/vpc/vpcs/{vpc_id}" if vpc_id else f"{ROOT}{LIST}"


_ONE = LIST + "/{subnet_id}"
PAGES = (
    Page(LIST, get=in_region(list_subnets)),
    Page(f"{LIST}/new", get=in_region(ask_new), post=create_subnet),
    Page(_ONE + "/edit", get=ask_words, post=change_words),
    Page(_ONE + "/delete", get=ask_delete, post=delete_subnet),
)
