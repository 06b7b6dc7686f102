"""Endpoints: the list, *Endpoint Details*, and what is changed there.  Making one: ``endpoint_form.py``."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.paging import take_cursor
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import group_option, subnet_option
from tidegate.console.vpc.regions import in_region, show
from tidegate.console.words import _
from tidegate.domain.catalogue import Region, require_region
from tidegate.domain.endpoints import EndpointState
from tidegate.domain.refusals import Refusal
from tidegate.operations import endpoints, security_groups, services, subnets, vpcs
from tidegate.operations.endpoints import EndpointView, ZoneSpec
from tidegate.operations.security_groups import SecurityGroupView

LIST = "/vpc/endpoints"
_FIELDS = {"EndpointName": "name", "EndpointDescription": "description"}


def list_endpoints(visit: Visit, region: Region) -> Response:
    """``q`` is an endpoint's or VPC's id, a service's name, or an endpoint's name, whole."""
    asked = visit.query.get("q", "").strip()
    load = partial(
        endpoints.list_endpoints, visit.context, visit.alicloud, region_id=region.region_id, **_filters(visit, asked)
    )
    found = take_cursor(load, visit.query, lambda view: view.endpoint.endpoint_id)
    vpc_ids = {view.endpoint.vpc_id for view in found.items}
    known = vpcs.find_vpcs(visit.context, visit.alicloud, region.region_id, sorted(vpc_ids))
    return show(
        visit,
        "vpc/endpoints.html",
        region.region_id,
        found=found,
        asked=asked,
        vpc_names={view.vpc.vpc_id: view.vpc.name for view in known},
        watch=[("endpoint", "")],
    )


def _filters(visit: Visit, asked: str) -> dict[str, Any]:
    if asked.startswith("ep-"):
        return {"endpoint_id": asked}
    if asked.startswith("vpc-"):
        return {"vpc_id": asked}
    if asked.startswith("com."):
        # A name that no service has must match nothing, not everything.
        return {"service_id": services.find_service_id(visit.context, asked) or "-"}
    return {"name": asked or None}


def show_endpoint(visit: Visit) -> Response:
    view = _endpoint(visit)
    endpoint = view.endpoint
    vpc = vpcs.find_vpcs(visit.context, visit.alicloud, endpoint.region_id, [endpoint.vpc_id])
    watch = [("endpoint", endpoint.endpoint_id), ("service", endpoint.service_id)]
    watch += [("security_group", group_id) for group_id in endpoint.group_ids]
    return show(
        visit,
        "vpc/endpoint.html",
        endpoint.region_id,
        view=view,
        vpc_name=vpc[0].vpc.name if vpc else "",
        zones=endpoints.list_zones(visit.context, visit.alicloud, endpoint.endpoint_id),
        groups=_groups(visit, view, attached=True),
        events=endpoints.list_events(visit.context, visit.alicloud, endpoint.endpoint_id),
        group_state="attached" if view.state is EndpointState.ACTIVE else "attaching",
        settled=view.status is not None and view.status.observed_generation >= endpoint.generation,
        watch=watch,
    )


# words


def ask_words(visit: Visit) -> Response:
    endpoint = _endpoint(visit).endpoint
    return _words_form(visit, endpoint.name, endpoint.description)


def change_words(visit: Visit) -> Response:
    name, description = visit.form.get("name"), visit.form.get("description")
    try:
        endpoints.update_endpoint(
            visit.context, visit.alicloud, visit.params["endpoint_id"], name=name, description=description
        )
    except Refusal as refusal:
        return _words_form(visit, name, description, refusal)
    return visit.redirect(_path(visit), _("Saved."))


def _words_form(visit: Visit, name: str, description: str, refusal: Refusal | None = None) -> Response:
    _endpoint(visit)
    return visit.render(
        "vpc/endpoint_words.html",
        status=422 if refusal else 200,
        name=name,
        description=description,
        back=ROOT + _path(visit),
        problem=describe_refusal(refusal, _FIELDS) if refusal else None,
    )


# zones


def ask_new_zone(visit: Visit) -> Response:
    return _zone_form(visit)


def add_zone(visit: Visit) -> Response:
    subnet_id = visit.form.get("vswitch")
    try:
        subnet = subnets.get_subnet(visit.context, visit.alicloud, subnet_id).subnet
        spec = ZoneSpec(subnet.zone_id, subnet_id, visit.form.get("address") or None)
        endpoints.add_zone(visit.context, visit.alicloud, visit.params["endpoint_id"], spec)
    except Refusal as refusal:
        return _zone_form(visit, refusal)
    return visit.redirect(_path(visit), _("The zone is being added."))


def _zone_form(visit: Visit, refusal: Refusal | None = None) -> Response:
    view = _endpoint(visit)
    used = {
        zone.zone.zone_id for zone in endpoints.list_zones(visit.context, visit.alicloud, view.endpoint.endpoint_id)
    }
    mine = subnets.find_subnets(visit.context, visit.alicloud, vpc_id=view.endpoint.vpc_id)
    offered = set(view.service.zone_ids if view.service else ()) - used
    return visit.render(
        "vpc/endpoint_zone.html",
        status=422 if refusal else 200,
        groups=[
            (zone_id, [subnet_option(view) for view in mine if view.subnet.zone_id == zone_id])
            for zone_id in sorted(offered & {view.subnet.zone_id for view in mine})
        ],
        vswitch=visit.form.get("vswitch"),
        address=visit.form.get("address"),
        back=ROOT + _path(visit),
        problem=describe_refusal(refusal, {"subnet": "vswitch", "ip": "address"}) if refusal else None,
    )


def ask_remove_zone(visit: Visit, refusal: Refusal | None = None) -> Response:
    _endpoint(visit)
    return visit.ask(
        title=_("Remove the zone {zone}?").format(zone=visit.params["zone_id"]),
        text=_("Its address and its domain name go, and connections through it are cut."),
        button=_("Remove"),
        back=ROOT + _path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def remove_zone(visit: Visit) -> Response:
    try:
        endpoints.remove_zone(visit.context, visit.alicloud, visit.params["endpoint_id"], visit.params["zone_id"])
    except Refusal as refusal:
        return ask_remove_zone(visit, refusal)
    return visit.redirect(_path(visit), _("The zone is being removed."))


# security groups


def ask_new_group(visit: Visit) -> Response:
    return _group_form(visit)


def attach_group(visit: Visit) -> Response:
    group_id = visit.form.get("group")
    try:
        endpoints.attach_security_group(visit.context, visit.alicloud, visit.params["endpoint_id"], group_id)
    except Refusal as refusal:
        return _group_form(visit, refusal)
    return visit.redirect(_path(visit), _("The security group is being attached."))


def _group_form(visit: Visit, refusal: Refusal | None = None) -> Response:
    view = _endpoint(visit)
    return visit.render(
        "vpc/endpoint_group.html",
        status=422 if refusal else 200,
        choices=[group_option(group) for group in _groups(visit, view, attached=False)],
        group=visit.form.get("group"),
        back=ROOT + _path(visit),
        problem=describe_refusal(refusal, {"security_group": "group"}) if refusal else None,
    )


def ask_detach_group(visit: Visit, refusal: Refusal | None = None) -> Response:
    _endpoint(visit)
    return visit.ask(
        title=_("Detach the security group {group}?").format(group=visit.params["group_id"]),
        text=_("Its rules no longer hold for the endpoint. Open connections that no other rule accepts are cut."),
        button=_("Detach"),
        back=ROOT + _path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def detach_group(visit: Visit) -> Response:
    try:
        endpoints.detach_security_group(
            visit.context, visit.alicloud, visit.params["endpoint_id"], visit.params["group_id"]
        )
    except Refusal as refusal:
        return ask_detach_group(visit, refusal)
    return visit.redirect(_path(visit), _("The security group is being detached."))


# deleting


def ask_delete(visit: Visit, refusal: Refusal | None = None) -> Response:
    endpoint = _endpoint(visit).endpoint
    zones = [view.zone.zone_id for view in endpoints.list_zones(visit.context, visit.alicloud, endpoint.endpoint_id)]
    text = _("Programs in {vpc} no longer reach its service; open connections are cut.").format(vpc=endpoint.vpc_id)
    if zones:
        text += " " + _("Its zones are removed with it: {zones}.").format(zones=", ".join(zones))
    return visit.ask(
        title=_("Delete the endpoint {name}?").format(name=endpoint.name or endpoint.endpoint_id),
        text=text,
        button=_("Delete"),
        back=ROOT + _path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def delete_endpoint(visit: Visit) -> Response:
    """Zones first, as the API wants it, then the endpoint."""
    endpoint = _endpoint(visit).endpoint
    try:
        for view in endpoints.list_zones(visit.context, visit.alicloud, endpoint.endpoint_id):
            if not view.zone.deleting:
                endpoints.remove_zone(visit.context, visit.alicloud, endpoint.endpoint_id, view.zone.zone_id)
        endpoints.delete_endpoint(visit.context, visit.alicloud, endpoint.endpoint_id)
    except Refusal as refusal:
        return ask_delete(visit, refusal)
    code = require_region(endpoint.region_id).code
    return visit.redirect(f"{LIST}?region={code}", _("The endpoint is being deleted."))


def _endpoint(visit: Visit) -> EndpointView:
    """Raises NotFound, also for another account's."""
    return endpoints.get_endpoint(visit.context, visit.alicloud, visit.params["endpoint_id"])


def _path(visit: Visit) -> str:
    return f"{LIST}/{visit.params['endpoint_id']}"


def _groups(visit: Visit, view: EndpointView, *, attached: bool) -> list[SecurityGroupView]:
    """The endpoint's groups, or those of its VPC that it does not have."""
    endpoint = view.endpoint
    found = security_groups.find_security_groups(
        visit.context, visit.alicloud, region_id=endpoint.region_id, vpc_id=endpoint.vpc_id
    )
    return [group for group in found if (group.group.group_id in endpoint.group_ids) is attached]


_ONE = LIST + "/{endpoint_id}"
PAGES = (
    Page(LIST, get=in_region(list_endpoints)),
    Page(_ONE, get=show_endpoint),
    Page(_ONE + "/edit", get=ask_words, post=change_words),
    Page(_ONE + "/zones/new", get=ask_new_zone, post=add_zone),
    Page(_ONE + "/zones/{zone_id}/remove", get=ask_remove_zone, post=remove_zone),
    Page(_ONE + "/groups/new", get=ask_new_group, post=attach_group),
    Page(_ONE + "/groups/{group_id}/detach", get=ask_detach_group, post=detach_group),
    Page(_ONE + "/delete", get=ask_delete, post=delete_endpoint),
)
