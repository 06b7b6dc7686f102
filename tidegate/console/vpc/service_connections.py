"""What the owner of an endpoint service decides: whom to accept and how wide, which resources, who may see it."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from tidegate.console.errors import describe_refusal
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.vpc.choices import host_option
from tidegate.console.vpc.published_services import LIST, find_hosts, get_service, require_mbit, service_path
from tidegate.console.words import _
from tidegate.domain.connections import traffic_control
from tidegate.domain.refusals import Missing, NotFound, Refusal
from tidegate.operations import connections, service_resources, service_users
from tidegate.operations.connections import ConnectionView
from tidegate.operations.service_resources import ResourceSpec

_BANDWIDTH_FIELDS: dict[Any, str] = {"Bandwidth": "bandwidth", "TrafficControlMode": "control"}
_RESOURCE_FIELDS: dict[Any, str] = {"interface": "resource", "ResourceId": "resource", "ZoneId": "resource"}
_USER_FIELDS: dict[Any, str] = {"UserId": "accounts", "UserArn": "accounts"}


# connections


def ask_accept(visit: Visit, refusal: Refusal | None = None) -> Response:
    endpoint = _connection(visit).endpoint
    return visit.ask(
        title=_("Allow the connection of {endpoint}?").format(endpoint=endpoint.endpoint_id),
        text=_("Programs in {vpc} of the account {account} then reach your resources.").format(
            vpc=endpoint.vpc_id, account=endpoint.account_id
        ),
        button=_("Allow"),
        tone="primary",
        back=ROOT + service_path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def accept(visit: Visit) -> Response:
    params = visit.params
    try:
        connections.enable_connection(visit.context, visit.alicloud, params["service_id"], params["endpoint_id"])
    except Refusal as refusal:
        return ask_accept(visit, refusal)
    return visit.redirect(service_path(visit), _("The connection is being made."))


def ask_refuse(visit: Visit, refusal: Refusal | None = None) -> Response:
    endpoint = _connection(visit).endpoint
    return visit.ask(
        title=_("Refuse the connection of {endpoint}?").format(endpoint=endpoint.endpoint_id),
        text=_("What is open through it is cut. It can be allowed again."),
        button=_("Refuse"),
        back=ROOT + service_path(visit),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def refuse(visit: Visit) -> Response:
    params = visit.params
    try:
        connections.disable_connection(visit.context, visit.alicloud, params["service_id"], params["endpoint_id"])
    except Refusal as refusal:
        return ask_refuse(visit, refusal)
    return visit.redirect(service_path(visit), _("The connection is being cut."))


def ask_bandwidth(visit: Visit) -> Response:
    endpoint = _connection(visit).endpoint
    return _bandwidth_form(visit, str(endpoint.bandwidth_mbit), traffic_control(endpoint))


def change_bandwidth(visit: Visit) -> Response:
    text, control = visit.form.get("bandwidth"), visit.form.get("control") or None
    params = visit.params
    try:
        connections.update_connection(
            visit.context,
            visit.alicloud,
            params["service_id"],
            params["endpoint_id"],
            bandwidth_mbit=require_mbit("Bandwidth", text),
            control=control,
        )
    except Refusal as refusal:
        return _bandwidth_form(visit, text, control or "", refusal)
    return visit.redirect(service_path(visit), _("Saved."))


def _bandwidth_form(visit: Visit, bandwidth: str, control: str, refusal: Refusal | None = None) -> Response:
    view = _connection(visit)
    return visit.render(
        "vpc/connection_bandwidth.html",
        status=422 if refusal else 200,
        bandwidth=bandwidth,
        control=control,
        service=view.service,
        back=ROOT + service_path(visit),
        problem=describe_refusal(refusal, _BANDWIDTH_FIELDS) if refusal else None,
    )


def _connection(visit: Visit) -> ConnectionView:
    service = get_service(visit).service
    endpoint_id = visit.params["endpoint_id"]
    found, _count = connections.list_connections(
        visit.context,
        visit.alicloud,
        region_id=service.region_id,
        service_id=service.service_id,
        endpoint_id=endpoint_id,
    )
    if not found:
        raise NotFound("connection", endpoint_id)
    return found[0]


# resources


def ask_new_resource(visit: Visit) -> Response:
    return _resource_form(visit)


def attach_resource(visit: Visit) -> Response:
    service = get_service(visit).service
    wanted = visit.form.get("resource")
    zones = {host.interface.interface_id: host.interface.zone_id for host in find_hosts(visit, service.region_id)}
    try:
        if not wanted:
            raise Missing("ResourceId")
        spec = ResourceSpec(wanted, service.resource_type, zones.get(wanted))
        service_resources.attach_resource(visit.context, visit.alicloud, service.service_id, spec)
    except Refusal as refusal:
        return _resource_form(visit, refusal)
    return visit.redirect(service_path(visit, "resources"), _("The resource is being published."))


def _resource_form(visit: Visit, refusal: Refusal | None = None) -> Response:
    service = get_service(visit).service
    known = service_resources.list_resources(visit.context, visit.alicloud, service.service_id)
    used = {view.resource.resource_id for view in known}
    hosts = find_hosts(visit, service.region_id)
    return visit.render(
        "vpc/service_resource.html",
        status=422 if refusal else 200,
        hosts=[host_option(host) for host in hosts if host.interface.interface_id not in used],
        chosen=visit.form.get("resource"),
        back=ROOT + service_path(visit, "resources"),
        problem=describe_refusal(refusal, _RESOURCE_FIELDS) if refusal else None,
    )


def ask_detach_resource(visit: Visit, refusal: Refusal | None = None) -> Response:
    get_service(visit)
    return visit.ask(
        title=_("Remove the resource {resource}?").format(resource=visit.params["resource_id"]),
        text=_("New connections no longer lead to it. Connected endpoints must not use it any more."),
        button=_("Remove"),
        back=ROOT + service_path(visit, "resources"),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def detach_resource(visit: Visit) -> Response:
    params = visit.params
    try:
        service_resources.detach_resource(visit.context, visit.alicloud, params["service_id"], params["resource_id"])
    except Refusal as refusal:
        return ask_detach_resource(visit, refusal)
    return visit.redirect(service_path(visit, "resources"), _("The resource is being removed."))


# whitelist


def ask_new_users(visit: Visit) -> Response:
    return _users_form(visit, "")


def add_users(visit: Visit) -> Response:
    """Account ids separated by commas, as the cloud's form takes them."""
    text = visit.form.get("accounts")
    try:
        wanted = [part for part in re.split(r"[\s,，]+", text) if part]
        if not wanted:
            raise Missing("UserId")
        for account_id in wanted:
            service_users.add_user(visit.context, visit.alicloud, visit.params["service_id"], account_id, None)
    except Refusal as refusal:
        return _users_form(visit, text, refusal)
    return visit.redirect(service_path(visit, "whitelist"), _("Saved."))


def _users_form(visit: Visit, accounts: str, refusal: Refusal | None = None) -> Response:
    get_service(visit)
    return visit.render(
        "vpc/service_user.html",
        status=422 if refusal else 200,
        accounts=accounts,
        back=ROOT + service_path(visit, "whitelist"),
        problem=describe_refusal(refusal, _USER_FIELDS) if refusal else None,
    )


def ask_remove_user(visit: Visit, refusal: Refusal | None = None) -> Response:
    get_service(visit)
    return visit.ask(
        title=_("Remove {account} from the whitelist?").format(account=visit.params["user_id"]),
        text=_("The account no longer sees the service. What is connected stays so until you refuse it."),
        button=_("Remove"),
        back=ROOT + service_path(visit, "whitelist"),
        refusal=describe_refusal(refusal) if refusal else None,
    )


def remove_user(visit: Visit) -> Response:
    params = visit.params
    try:
        service_users.remove_user(visit.context, visit.alicloud, params["service_id"], params["user_id"], None)
    except Refusal as refusal:
        return ask_remove_user(visit, refusal)
    return visit.redirect(service_path(visit, "whitelist"), _("Saved."))


_ONE = LIST + "/{service_id}"
_CONNECTION = _ONE + "/connections/{endpoint_id}"
PAGES = (
    Page(_CONNECTION + "/allow", get=ask_accept, post=accept),
    Page(_CONNECTION + "/refuse", get=ask_refuse, post=refuse),
    Page(_CONNECTION + "/bandwidth", get=ask_bandwidth, post=change_bandwidth),
    Page(_ONE + "/resources/new", get=ask_new_resource, post=attach_resource),
    Page(_ONE + "/resources/{resource_id}/remove", get=ask_detach_resource, post=detach_resource),
    Page(_ONE + "/whitelist/new", get=ask_new_users, post=add_users),
    Page(_ONE + "/whitelist/{user_id}/remove", get=ask_remove_user, post=remove_user),
)
