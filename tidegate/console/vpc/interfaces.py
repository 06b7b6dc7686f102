"""Where programs run: interfaces of a VPC that have a place (a namespace) of their own; attach and detach."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import group_option, subnet_option
from tidegate.console.words import _
from tidegate.domain.refusals import NotFound, Refusal
from tidegate.operations import interfaces, security_groups, subnets, vpcs
from tidegate.operations.interfaces import InterfaceView

_FIELDS: dict[Any, str] = {
    "NetworkInterfaceName": "name",
    "SecurityGroupId": "group",
    "security_group": "group",
    "subnet": "vswitch",
}


def ask_new(visit: Visit) -> Response:
    return _form(visit)


def attach(visit: Visit) -> Response:
    form = visit.form
    try:
        interfaces.create_interface(
            visit.context,
            visit.alicloud,
            subnet_id=form.get("vswitch"),
            group_ids=[group for group in form.getlist("group") if group],
            address=form.get("address") or None,
            name=form.get("name"),
        )
    except Refusal as refusal:
        return _form(visit, refusal)
    return visit.redirect(_back(visit), _("The interface is being attached."))


def _form(visit: Visit, refusal: Refusal | None = None) -> Response:
    vpc = vpcs.get_vpc(visit.context, visit.alicloud, visit.params["vpc_id"]).vpc
    mine = subnets.find_subnets(visit.context, visit.alicloud, vpc_id=vpc.vpc_id)
    groups = security_groups.find_security_groups(
        visit.context, visit.alicloud, region_id=vpc.region_id, vpc_id=vpc.vpc_id
    )
    return visit.render(
        "vpc/interface_new.html",
        status=422 if refusal else 200,
        vswitches=[subnet_option(view) for view in mine],
        groups=[group_option(view) for view in groups],
        typed={name: visit.form.get(name) for name in ("name", "vswitch", "group", "address")},
        back=ROOT + _back(visit),
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


def ask_detach(visit: Visit, refusal: Refusal | None = None) -> Response:
    interface = _interface(visit).interface
    return visit.ask(
        title=_("Detach {name}?").format(name=interface.name or interface.interface_id),
        text=_("What still runs there loses its network; the address {address} becomes free.").format(
            address=interface.address
        ),
        button=_("Detach"),
        back=ROOT + _back(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def detach(visit: Visit) -> Response:
    try:
        interfaces.delete_interface(visit.context, visit.alicloud, _interface(visit).interface.interface_id)
    except Refusal as refusal:
        return ask_detach(visit, refusal)
    return visit.redirect(_back(visit), _("The interface is being detached."))


def _interface(visit: Visit) -> InterfaceView:
    vpc = vpcs.get_vpc(visit.context, visit.alicloud, visit.params["vpc_id"]).vpc
    interface_id = visit.params["interface_id"]
    found = interfaces.find_interfaces(
        visit.context, visit.alicloud, region_id=vpc.region_id, vpc_id=vpc.vpc_id, interface_ids=[interface_id]
    )
    if not found:
        raise NotFound("interface", interface_id)
    return found[0]


def _back(visit: Visit) -> str:
    return f"/vpc/vpcs/{visit.params['vpc_id']}?tab=programs"


_OF_VPC = "/vpc/vpcs/{vpc_id}/interfaces"
PAGES = (
    Page(f"{_OF_VPC}/new", get=ask_new, post=attach),
    Page(_OF_VPC + "/{interface_id}/detach", get=ask_detach, post=detach),
)
