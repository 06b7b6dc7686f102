"""Refusals as sentences for people: what happened and what to do, in the reader's language, never a stack.

One table for all pages; a test proves it total, and that every sentence can be filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tidegate.console.reasons import translate_reason
from tidegate.console.words import N_, _
from tidegate.domain import refusals as r
from tidegate.domain.refusals import Refusal

_SHOWN_LETTERS = 120
_PLACES = frozenset({"region", "region_id", "service_region_id"})


@dataclass(frozen=True, slots=True)
class Problem:
    """``field``: the form's field it belongs to; empty: it is about the whole."""

    text: str
    field: str = ""


QUOTAS: Mapping[str, str] = {
    "active keys per account": N_("active keys of an account"),
    "branches per organization": N_("branches of an organization"),
    "clusters and branches per organization": N_("clusters and branches of an organization"),
    "endpoints per vpc": N_("endpoints of a VPC"),
    "resources per call": N_("resources in one step"),
    "resources per create": N_("resources in one step"),
    "resources per service": N_("resources of a service"),
    "resources per service and zone": N_("resources of a service in one zone"),
    "rules per security group": N_("rules of a security group"),
    "security groups per endpoint": N_("security groups of an endpoint"),
    "security groups per interface": N_("security groups of an interface"),
    "security groups per region": N_("security groups of a region"),
    "services per account": N_("endpoint services of an account"),
    "subnets per vpc": N_("vSwitches of a VPC"),
    "tags per call": N_("tags in one step"),
    "tags per resource": N_("tags of a resource"),
    "users": N_("users"),
    "users per service": N_("whitelist entries of a service"),
    "vpcs per region": N_("VPCs of a region"),
    "zones per endpoint": N_("zones of an endpoint"),
}
"""what can be used up -> what pages call it"""

KINDS: Mapping[str, str] = {
    "account": N_("account"),
    "branch": N_("branch"),
    "cluster": N_("cluster"),
    "connection": N_("endpoint connection"),
    "endpoint": N_("endpoint"),
    "endpoint_zone": N_("zone of the endpoint"),
    "instance": N_("instance"),
    "interface": N_("network interface"),
    "key": N_("key"),
    "link": N_("login link"),
    "organization": N_("organization"),
    "parent": N_("parent of the branch"),
    "peer_group": N_("security group"),
    "project": N_("project"),
    "resource_group": N_("resource group"),
    "revoked_rule": N_("rule"),
    "role": N_("role"),
    "route_table": N_("route table"),
    "rule": N_("rule"),
    "rule_id": N_("rule"),
    "security_group": N_("security group"),
    "service": N_("endpoint service"),
    "service_resource": N_("service resource"),
    "service_user": N_("whitelist entry"),
    "SQL user": N_("SQL user"),
    "subnet": N_("vSwitch"),
    "tag": N_("tag"),
    "user": N_("user"),
    "vpc": N_("VPC"),
    "zone": N_("zone"),
}
"""what refusals call things -> what pages call them"""

_NAME = N_("A name has 2 to 128 letters, digits and . _ : -, and begins with a letter or a Chinese character.")
_DESCRIPTION = N_("A description has 2 to 256 letters and does not begin with http:// or https://.")

FIELDS: Mapping[str, str] = {
    "EndpointName": _NAME,
    "VpcName": _NAME,
    "VSwitchName": _NAME,
    "SecurityGroupName": _NAME,
    "Description": _DESCRIPTION,
    "EndpointDescription": _DESCRIPTION,
    "ServiceDescription": _DESCRIPTION,
    "CidrBlock": N_(
        "{value} is no usable range. Write the first address and a mask, such as 10.0.0.0/16; 100.64.0.0/10, "
        "127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/4 are taken."
    ),
    "CidrMask": N_("{value} is too large or too small: a vSwitch has a mask of /16 to /29."),
    "PortRange": N_("{value} is no range of ports. Write first and last, such as 4000/4000; -1/-1 means all."),
    "Priority": N_("A priority goes from 1 to 100; the smaller number is asked first."),
    "SourceCidrIp": N_("{value} is no range of addresses. Write it as 10.0.0.0/16, without host bits."),
    "DestCidrIp": N_("{value} is no range of addresses. Write it as 10.0.0.0/16, without host bits."),
    "Bandwidth": N_("{value} Mbit/s is outside what this service's kind of resource can have."),
    "ConnectBandwidth": N_("{value} Mbit/s is outside of 100 to 10,240."),
    "UserId": N_("{value} is no account id; it is a number of up to 19 digits."),
    "ZoneId": N_("The vSwitch is not in the zone {value}."),
    "SQL user": N_("The cluster's server refused it: {value}"),
    "clusterId": N_("There can be no new branch now: {value}."),
    "spendingLimit.monthly": N_("A limit cannot be below what this month has cost already: {value}."),
    "displayName": N_("A cluster's name has 4 to 64 letters, digits and dashes, and no dash at either end."),
    "password": N_("A password has 8 to 64 characters."),
    "new password": N_("A password has 10 to 128 characters and is not the user name."),
    "user name": N_("A user name has 2 to 63 small letters, digits or . _ @ -."),
    "autoScaling": N_("RCUs go from 2,000 to 100,000, and the minimum is not above the maximum."),
    "userName": N_(
        "{value} cannot be a SQL user's name. Use letters, digits and . _ @ + -; together with the prefix at most 32, "
        "and not root."
    ),
    "endpoints.public.authorizedNetworks": N_("The addresses are no range: {value}."),
    "endpoints.public.authorizedNetworks.displayName": N_("A rule's name has at most 256 letters."),
    "endpoints.public.authorizedNetworks.startIpAddress": N_("{value} is no IPv4 address; write it as 203.0.113.7."),
    "endpoints.public.authorizedNetworks.endIpAddress": N_("{value} is no IPv4 address; write it as 203.0.113.7."),
    "region.name": N_("This region does not offer the plan. Choose another region or plan."),
}
"""Malformed values of these fields get a sentence of their own"""

TABLE: Mapping[type[Refusal], str] = {
    r.NotFound: N_("There is no {kind} {id}. It may have been deleted, or belong to another account."),
    r.Missing: N_("A value is missing: {field}."),
    r.Malformed: N_("{value} cannot be used for {field}."),
    r.Conflict: N_("The {kind} {id} exists already. Choose another name."),
    r.InUse: N_("The {kind} {id} is still used by a {by}. Remove that first."),
    r.Busy: N_("Another change of the {kind} {id} is still being carried out. Try again in a moment."),
    r.QuotaReached: N_("There are {limit} {quota} already, which is the limit. Delete one first."),
    r.WrongState: N_("The {kind} {id} is {state}; this cannot be done now. Wait for it, then try again."),
    r.TokenReused: N_("The form was sent before with other values. Load the page again."),
    r.DryRunPassed: N_("All checks passed; nothing was changed."),
    r.CidrOutsideVpc: N_("{cidr} does not lie within the VPC's range {vpc_cidr}."),
    r.CidrOverlaps: N_("{cidr} overlaps with {other}. Choose a range that is free."),
    r.AddressUnavailable: N_("The address {address} is not free in {subnet_id}. Choose another, or leave it empty."),
    r.SubnetFull: N_("{subnet_id} has no free address. Make another vSwitch."),
    r.ZoneUnknown: N_("There is no zone {zone_id} in this region."),
    r.RegionUnknown: N_("There is no region {region}."),
    r.PortsDoNotFit: N_("Ports {ports} do not fit the protocol {protocol}."),
    r.PeerMissing: N_("A rule needs an address range or a security group it is about."),
    r.GroupPeerNotAllowed: N_("Rules of the advanced group {group_id} cannot name groups."),
    r.PolicyNotChangeable: N_("The advanced group {group_id} has no access within the group to change."),
    r.GroupOfOtherVpc: N_("The security group {group_id} is not in the VPC {vpc_id}. Choose one of this VPC."),
    r.GroupKindsMixed: N_(
        "Basic and advanced security groups cannot be used together; {group_id} is of the other kind."
    ),
    r.RuleRepeats: N_("This rule is there already: {rule_id}."),
    r.PeerKindFixed: N_("The rule {rule_id} cannot change from addresses to a group or back. Make a new rule."),
    r.GroupJoined: N_("{interface_id} is in the group {group_id} already."),
    r.GroupNotJoined: N_("{interface_id} is not in the group {group_id}."),
    r.LastGroup: N_("{interface_id} must keep at least one security group."),
    r.GroupRequired: N_("The endpoint {endpoint_id} must keep at least one security group."),
    r.GroupAttached: N_("The endpoint {endpoint_id} has the group {group_id} already."),
    r.TagMalformed: N_("{text} cannot be used as {part} of a tag."),
    r.TagRepeated: N_("The tag {key} is there twice."),
    r.ServiceUnknown: N_(
        "No endpoint service {service} was found here. Check the name and the region: the endpoint must be in the "
        "region of the service."
    ),
    r.CrossRegion: N_(
        "The service {service} is in {service_region_id}, the endpoint would be in {region_id}. Endpoints across "
        "regions are not supported: choose the service's region."
    ),
    r.EndpointExists: N_("The VPC {vpc_id} has an endpoint of this service already: {endpoint_id}. Use that one."),
    r.ZoneNotServed: N_("The service {service_id} is not offered in the zone {zone_id}. Choose one of its zones."),
    r.ZoneDuplicated: N_("The endpoint {endpoint_id} is in the zone {zone_id} already."),
    r.EndpointHasZones: N_("The endpoint {endpoint_id} still has zones. Remove them first."),
    r.EndpointProtected: N_("The endpoint {endpoint_id} is protected by its maker and cannot be changed here."),
    r.ServiceGone: N_("The service of {endpoint_id} was deleted by its owner. The endpoint can only be deleted."),
    r.ResourceTypeNotServed: N_("Services of type {resource_type} are not offered."),
    r.BandwidthFixed: N_("The service {service_id} has no default bandwidth to change."),
    r.UserMismatch: N_("The entries {user_id} and {arn} do not name the same account."),
    r.NoPrivateEndpoint: N_(
        "Private endpoints exist only for clusters on Alibaba Cloud or AWS. This cluster is hosted on {cloud}, which "
        "has none: use the public endpoint."
    ),
    r.PlanConflict: N_(
        "A spending limit belongs to the Starter plan, RCUs to Essential. A plan cannot be changed later."
    ),
    r.ClusterUnavailable: N_("The cluster's server cannot be asked now. {why}"),
    r.RootUserKept: N_("{name} cannot be deleted and keeps its role; only its password can be changed."),
    r.NotUpdatable: N_("{path} cannot be changed."),
    r.NotOffered: N_("{what} is not offered by this version."),
}


def describe_refusal(refusal: Refusal, form: Mapping[Any, str] | None = None) -> Problem:
    """The sentence.  ``form``: what is refused -> the form's field it is shown at.

    What is refused is the refusal's field, the kind of what was not found, or the refusal's type.
    """
    facts = {f.name: str(getattr(refusal, f.name))[:_SHOWN_LETTERS] for f in fields(refusal)}
    field = facts.get("field", "") if isinstance(refusal, r.Missing | r.Malformed) else ""
    named = field or (facts["kind"] if isinstance(refusal, r.NotFound) else "")
    shown_at = (form or {}).get(type(refusal), (form or {}).get(named, ""))
    if isinstance(refusal, r.Missing) and shown_at:
        return Problem(_("This is required."), shown_at)
    text = _sentence(refusal, field)
    for name in ("kind", "by"):
        if name in facts:
            facts[name] = _(KINDS[facts[name]]) if facts[name] in KINDS else facts[name]
    if isinstance(refusal, r.QuotaReached):
        facts["quota"] = _(QUOTAS[refusal.quota]) if refusal.quota in QUOTAS else refusal.quota
    if isinstance(refusal, r.Malformed):
        facts["value"] = translate_reason(facts["value"]) or facts["value"]
    if isinstance(refusal, r.ClusterUnavailable):
        facts["why"] = translate_reason(refusal.why) or refusal.why
    for name in _PLACES & facts.keys():
        facts[name] = facts[name].removeprefix("alicloud-")  # pages call a region of Alibaba Cloud as the cloud does
    return Problem(text.format_map(facts), shown_at)


def refusal_status(refusal: Refusal) -> int:
    return 404 if isinstance(refusal, r.NotFound) else 422


def _sentence(refusal: Refusal, field: str) -> str:
    if isinstance(refusal, r.Malformed) and field in FIELDS:
        return _(FIELDS[field])
    # A refusal that the table does not know cannot be (a test proves it); a reader would rather see its facts.
    return _(TABLE[type(refusal)]) if type(refusal) in TABLE else str(refusal).replace("{", "(").replace("}", ")")
