"""*Endpoint Services*, for who publishes them: the list, one with its tabs, create, change, delete.

Its connections, resources and whitelist are changed in ``service_connections.py``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.paging import take_cursor, take_slice
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import host_option
from tidegate.console.vpc.regions import HERE, find_region, in_region, show
from tidegate.console.words import _
from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.refusals import Malformed, Refusal
from tidegate.operations import connections, interfaces, published_services, service_resources, service_users
from tidegate.operations.interfaces import InterfaceView
from tidegate.operations.published_services import ServiceView
from tidegate.operations.service_resources import ResourceSpec

LIST = "/vpc/endpoint-services"
TABS = ("connections", "resources", "whitelist")
_FIELDS: dict[Any, str] = {
    "ServiceDescription": "description",
    "ConnectBandwidth": "bandwidth",
    "interface": "resource",
    "service_resource": "resource",
}


def list_services(visit: Visit, region: Region) -> Response:
    """The account's own; those of the regions belong to TiDB Cloud."""
    found = published_services.list_services(visit.context, visit.alicloud, region_id=region.region_id)
    part = take_slice(found, visit.query.get("page", ""))
    watch = [("service", ""), ("service_resource", "")]
    return show(visit, "vpc/services.html", region.region_id, found=part, watch=watch)


def show_service(visit: Visit) -> Response:
    view = get_service(visit)
    service = view.service
    tab = visit.query.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    rows: Any
    if tab == "connections":
        load = partial(
            connections.list_connections,
            visit.context,
            visit.alicloud,
            region_id=service.region_id,
            service_id=service.service_id,
        )
        rows = take_cursor(load, visit.query, lambda each: each.endpoint.endpoint_id)
    elif tab == "resources":
        rows = service_resources.list_resources(visit.context, visit.alicloud, service.service_id)
    else:
        rows = service_users.list_users(visit.context, visit.alicloud, service.service_id)
    return show(
        visit,
        "vpc/service.html",
        service.region_id,
        view=view,
        tab=tab,
        rows=rows,
        watch=[("service", service.service_id), ("service_resource", ""), ("endpoint", "")],
    )


# creating


def ask_new(visit: Visit, region: Region) -> Response:
    return _show_new(visit, region, {"resource_type": "nlb", "auto_accept": "no", "affinity": "no"}, [])


def create_service(visit: Visit) -> Response:
    form = visit.form
    typed = {name: form.get(name) for name in ("description", "resource_type", "auto_accept", "affinity")}
    chosen = [resource for resource in form.getlist("resource") if resource]
    region = find_region(form.get("region")) or HERE[0]
    zones = {host.interface.interface_id: host.interface.zone_id for host in find_hosts(visit, region.region_id)}
    try:
        made = published_services.create_service(
            visit.context,
            visit.alicloud,
            region_id=region.region_id,
            description=typed["description"],
            auto_accept=typed["auto_accept"] == "yes",
            resource_type=typed["resource_type"],
            zone_affinity=typed["affinity"] == "yes",
            resources=[ResourceSpec(each, typed["resource_type"], zones.get(each)) for each in chosen],
        )
    except Refusal as refusal:
        return _show_new(visit, region, typed, chosen, refusal)
    return visit.redirect(f"{LIST}/{made.service.service_id}", _("The endpoint service is being created."))


def _show_new(
    visit: Visit, region: Region, typed: dict[str, str], chosen: list[str], refusal: Refusal | None = None
) -> Response:
    return show(
        visit,
        "vpc/service_new.html",
        region.region_id,
        status=422 if refusal else 200,
        typed={"description": ""} | typed,
        chosen=chosen,
        hosts=[host_option(host) for host in find_hosts(visit, region.region_id)],
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


def find_hosts(visit: Visit, region_id: str) -> list[InterfaceView]:
    """What can be published: programs' interfaces of this account."""
    found = interfaces.find_interfaces(visit.context, visit.alicloud, region_id=region_id)
    return [view for view in found if view.interface.kind == "host" and not view.interface.deleting]


# changing, deleting


def ask_change(visit: Visit) -> Response:
    service = get_service(visit).service
    return _change_form(
        visit,
        {
            "description": service.description,
            "auto_accept": "yes" if service.auto_accept else "no",
            "affinity": "yes" if service.zone_affinity else "no",
            "bandwidth": str(service.bandwidth_mbit),
        },
    )


def change_service(visit: Visit) -> Response:
    typed = {name: visit.form.get(name) for name in ("description", "auto_accept", "affinity", "bandwidth")}
    scales = get_service(visit).service.scales
    try:
        published_services.update_service(
            visit.context,
            visit.alicloud,
            visit.params["service_id"],
            description=typed["description"],
            auto_accept=typed["auto_accept"] == "yes",
            zone_affinity=typed["affinity"] == "yes",
            bandwidth_mbit=None if scales else require_mbit("ConnectBandwidth", typed["bandwidth"]),
        )
    except Refusal as refusal:
        return _change_form(visit, typed, refusal)
    return visit.redirect(service_path(visit), _("Saved."))


def _change_form(visit: Visit, typed: dict[str, str], refusal: Refusal | None = None) -> Response:
    return visit.render(
        "vpc/service_change.html",
        status=422 if refusal else 200,
        typed=typed,
        service=get_service(visit).service,
        back=ROOT + service_path(visit),
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


def require_mbit(field: str, text: str) -> int:
    """Raises Malformed for what is no number; the domain knows how large it may be."""
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise Malformed(field, text)
    return int(text)


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    service = get_service(visit).service
    return visit.ask(
        title=_("Delete the endpoint service {name}?").format(name=service.service_id),
        text=_("Refuse its connections and remove its resources before. Nobody can connect to it any more."),
        button=_("Delete"),
        back=ROOT + service_path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_service(visit: Visit) -> Response:
    service = get_service(visit).service
    try:
        published_services.delete_service(visit.context, visit.alicloud, service.service_id)
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    code = require_region(service.region_id).code
    return visit.redirect(f"{LIST}?region={code}", _("The endpoint service is deleted."))


def get_service(visit: Visit) -> ServiceView:
    """Raises NotFound, also for another account's."""
    return published_services.get_service(visit.context, visit.alicloud, visit.params["service_id"])


def service_path(visit: Visit, tab: str = "") -> str:
    return f"{LIST}/{visit.params['service_id']}" + (f"?tab={tab}" if tab else "")


_ONE = LIST + "/{service_id}"
PAGES = (
    Page(LIST, get=in_region(list_services)),
    Page(f"{LIST}/new", get=in_region(ask_new), post=create_service),
    Page(_ONE, get=show_service),
    Page(_ONE + "/edit", get=ask_change, post=change_service),
    Page(_ONE + "/delete", get=ask_delete, post=delete_service),
)
