"""*Create Endpoint*, as the clouds' how-to walks through it: region, name, service and Verify, VPC, group, zones, OK.

One form.  Its buttons say what is asked: ``verify``, ``look`` (a choice was made on which others depend) or ``create``.
The first two draw the form again with all that was typed; htmx puts only the part below the service's name in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.visit import Page, Visit
from tidegate.console.vpc.choices import group_option, load_vpcs, subnet_option, vpc_option
from tidegate.console.vpc.endpoints import LIST
from tidegate.console.vpc.regions import HERE, find_region, in_region, show
from tidegate.console.words import _
from tidegate.domain import refusals as r
from tidegate.domain.catalogue import Region
from tidegate.domain.refusals import Missing, Refusal
from tidegate.domain.services import EndpointService
from tidegate.operations import endpoints, security_groups, services, subnets
from tidegate.operations.endpoints import ZoneSpec
from tidegate.operations.subnets import SubnetView

_FIELDS: dict[str | type[Refusal], str] = {
    "EndpointName": "name",
    "EndpointDescription": "description",
    "ServiceName": "service_name",
    "VpcId": "vpc",
    "vpc": "vpc",
    "SecurityGroupId": "group",
    "security_group": "group",
    "ZoneId": "zone",
    "subnet": "zone",
    r.ServiceUnknown: "service_name",
    r.CrossRegion: "service_name",
    r.EndpointExists: "vpc",
    r.GroupRequired: "group",
    r.GroupOfOtherVpc: "group",
    r.ZoneNotServed: "zone",
    r.SubnetFull: "zone",
    r.AddressUnavailable: "zone",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What has been typed so far.  ``zones``: zone -> the vSwitch chosen in it, ticked or not."""

    region: Region
    name: str = ""
    description: str = ""
    service_name: str = ""
    asked: str = ""
    """the service name that Verify was last pressed for"""
    vpc_id: str = ""
    group_id: str = ""
    ticked: frozenset[str] = frozenset()
    zones: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneChoice:
    """``why_not``: why the zone cannot be chosen; empty when it can."""

    zone_id: str
    options: list[tuple[str, str]]
    chosen: str
    ticked: bool
    why_not: str


def show_form(visit: Visit, region: Region) -> Response:
    """The query may bring what another page knows already: ``service`` and ``vpc``."""
    query = visit.query
    return _show(visit, Draft(region, service_name=query.get("service", ""), vpc_id=query.get("vpc", "")))


def answer_form(visit: Visit) -> Response:
    draft = _read(visit)
    if visit.form.get("step") != "create":
        return _show(visit, draft)
    try:
        made = _create(visit, draft)
    except Refusal as refusal:
        return _show(visit, draft, describe_refusal(refusal, _FIELDS))
    return visit.redirect(f"{LIST}/{made}", _("The endpoint is being created."))


def _read(visit: Visit) -> Draft:
    form = visit.form
    region = find_region(form.get("region")) or HERE[0]
    service_name = form.get("service_name")
    return Draft(
        region=region,
        name=form.get("name"),
        description=form.get("description"),
        service_name=service_name,
        asked=service_name if form.get("step") in ("verify", "create") else form.get("asked"),
        vpc_id=form.get("vpc"),
        group_id=form.get("group"),
        ticked=frozenset(form.getlist("zone")),
        zones=tuple((zone.zone_id, form.get(f"vswitch-{zone.zone_id}")) for zone in region.zones),
    )


def _create(visit: Visit, draft: Draft) -> str:
    """The new endpoint's id.  A console's endpoint has a group and a zone: without, no program could reach it."""
    chosen = {zone: subnet for zone, subnet in draft.zones if zone in draft.ticked and subnet}
    required = {
        "EndpointName": draft.name,
        "ServiceName": draft.service_name,
        "VpcId": draft.vpc_id,
        "SecurityGroupId": draft.group_id,
        "ZoneId": chosen,
    }
    for name, value in required.items():
        if not value:
            raise Missing(name)
    made = endpoints.create_endpoint(
        visit.context,
        visit.alicloud,
        region_id=draft.region.region_id,
        vpc_id=draft.vpc_id,
        service=draft.service_name,
        group_ids=[draft.group_id],
        zones=[ZoneSpec(zone, subnet) for zone, subnet in chosen.items()],
        name=draft.name,
        description=draft.description,
    )
    return made.endpoint.endpoint_id


def _show(visit: Visit, draft: Draft, problem: Problem | None = None) -> Response:
    service, why_not = _verify(visit, draft)
    region_id, known = draft.region.region_id, []
    mine = load_vpcs(visit, region_id, draft.vpc_id)
    here = any(view.vpc.vpc_id == draft.vpc_id for view in mine)
    if here:
        known = subnets.find_subnets(visit.context, visit.alicloud, vpc_id=draft.vpc_id)
    groups = security_groups.find_security_groups(
        visit.context, visit.alicloud, region_id=region_id, vpc_id=draft.vpc_id if here else "-"
    )
    return show(
        visit,
        "vpc/endpoint_form.html",
        region_id,
        status=422 if problem else 200,
        draft=draft,
        service=service,
        why_not=why_not,
        vpcs=[vpc_option(view) for view in mine],
        vpc_chosen=here,
        groups=[group_option(group) for group in groups],
        zones=_zone_choices(draft, service, known) if here else [],
        problem=problem,
    )


def _verify(visit: Visit, draft: Draft) -> tuple[EndpointService | None, str]:
    """The service and why not, for the name that Verify was pressed for; neither before that."""
    if not draft.asked or draft.asked != draft.service_name:
        return None, ""
    try:
        region_id = draft.region.region_id
        return services.verify_service(visit.context, visit.alicloud, region_id=region_id, name=draft.asked), ""
    except Refusal as refusal:
        return None, describe_refusal(refusal).text


def _zone_choices(draft: Draft, service: EndpointService | None, known: Sequence[SubnetView]) -> list[ZoneChoice]:
    """Every zone of the region, with the reason where one cannot be chosen."""
    chosen = dict(draft.zones)
    choices = []
    for zone in draft.region.zones:
        options = [subnet_option(view) for view in known if view.subnet.zone_id == zone.zone_id]
        why_not = ""
        if service is None:
            why_not = _("Verify the endpoint service first.")
        elif zone.zone_id not in service.zone_ids:
            why_not = _("The service is not offered in this zone.")
        elif not options:
            why_not = _("The VPC has no vSwitch in this zone.")
        choices.append(
            ZoneChoice(zone.zone_id, options, chosen.get(zone.zone_id, ""), zone.zone_id in draft.ticked, why_not)
        )
    return choices


PAGES = (Page(f"{LIST}/new", get=in_region(show_form), post=answer_form),)
