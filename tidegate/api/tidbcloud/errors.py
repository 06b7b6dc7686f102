"""One table: refusal -> google.rpc.Status, HTTP status and text.

Shapes (``reference/tidbcloud.md`` 1.5): the serverless API answers ``{"code": number, "message", "details": []}``, IAM
``{"code": string, "status", "msgPrefix", "error"}`` (a number there makes its client report a decode error instead).
Which codes the cloud gives beside 400, 401, 403, 429 and 500 is not documented; ours are google.rpc's with the HTTP
statuses that grpc-gateway, whose swagger this API has, gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from tidegate.domain import refusals as r
from tidegate.domain.refusals import Refusal

RATE_LIMIT_CODE = 49900007
"""the cloud's own number for it (``reference/tidbcloud.md`` 1.4)"""


class Code(IntEnum):
    """google.rpc.Code, those that occur here."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


HTTP_STATUS: Mapping[Code, int] = {
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer.  ``label`` names it in log and metrics; ``code`` is google.rpc's or a business number."""

    label: str
    code: int
    http_status: int
    message: str

    def build_status(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "details": []}

    def build_iam(self) -> dict[str, Any]:
        return {"code": str(self.code), "status": self.http_status, "msgPrefix": self.message, "error": {}}


TABLE: Mapping[type[Refusal], tuple[Code, str]] = {
    r.NotFound: (Code.NOT_FOUND, "{kind} {id} does not exist in this organization."),
    r.Missing: (Code.INVALID_ARGUMENT, "{field} is required. Nothing was changed."),
    r.Malformed: (Code.INVALID_ARGUMENT, "{field} cannot be used: {value}. Nothing was changed."),
    r.Conflict: (Code.ALREADY_EXISTS, "{kind} {id} exists already."),
    r.InUse: (Code.FAILED_PRECONDITION, "{kind} {id} is still needed by a {by}. Remove that first."),
    r.Busy: (Code.ABORTED, "{kind} {id} is being changed or deleted. Wait until that is done."),
    r.QuotaReached: (Code.RESOURCE_EXHAUSTED, "The limit of {limit} {quota} is reached. Delete one first."),
    r.TokenReused: (Code.ALREADY_EXISTS, "The request token {token} was used with other parameters. Take a new one."),
    r.DryRunPassed: (Code.ABORTED, "All checks passed and, as asked, nothing was done."),
    # networks and security groups: no call of this API leads there
    r.CidrOutsideVpc: (Code.INVALID_ARGUMENT, "{cidr} is not inside {vpc_cidr}."),
    r.CidrOverlaps: (Code.INVALID_ARGUMENT, "{cidr} overlaps {other}."),
    r.AddressUnavailable: (Code.FAILED_PRECONDITION, "{address} cannot be had in {subnet_id}. Choose another one."),
    r.SubnetFull: (Code.RESOURCE_EXHAUSTED, "{subnet_id} has no free address left."),
    r.ZoneUnknown: (Code.INVALID_ARGUMENT, "Zone {zone_id} is unknown."),
    r.RegionUnknown: (Code.INVALID_ARGUMENT, "Region {region} is unknown. GET /v1beta1/regions lists them."),
    r.PortsDoNotFit: (Code.INVALID_ARGUMENT, "The ports {ports} do not fit {protocol}."),
    r.PeerMissing: (Code.INVALID_ARGUMENT, "The {direction} rule names no peer."),
    r.GroupPeerNotAllowed: (Code.INVALID_ARGUMENT, "Rules of {group_id} cannot name groups."),
    r.PolicyNotChangeable: (Code.FAILED_PRECONDITION, "{group_id} has no in-group access to change."),
    r.GroupOfOtherVpc: (Code.INVALID_ARGUMENT, "{group_id} is not of {vpc_id}."),
    r.GroupKindsMixed: (Code.INVALID_ARGUMENT, "{group_id} is of another kind than the other groups."),
    r.GroupRequired: (Code.FAILED_PRECONDITION, "{endpoint_id} keeps at least one security group."),
    r.GroupAttached: (Code.ALREADY_EXISTS, "{group_id} guards {endpoint_id} already."),
    # endpoints
    r.ServiceUnknown: (Code.NOT_FOUND, "Endpoint service {service} does not exist, or not for you."),
    r.CrossRegion: (
        Code.INVALID_ARGUMENT,
        "{service} is in {service_region_id}, not in {region_id}: there are no cross-region endpoints.",
    ),
    r.EndpointExists: (Code.ALREADY_EXISTS, "{vpc_id} has the endpoint {endpoint_id} of {service_id} already. Use it."),
    r.ZoneNotServed: (Code.INVALID_ARGUMENT, "{service_id} is not offered in zone {zone_id}."),
    r.ZoneDuplicated: (Code.ALREADY_EXISTS, "{endpoint_id} has the zone {zone_id} already."),
    r.EndpointHasZones: (Code.FAILED_PRECONDITION, "{endpoint_id} still has zones. Remove them first."),
    # clusters
    r.NoPrivateEndpoint: (
        Code.FAILED_PRECONDITION,
        "Private endpoints are available only when the cluster is hosted on Alibaba Cloud or AWS; "
        "cluster {cluster_id} is hosted on {cloud}.",
    ),
    r.PlanConflict: (
        Code.INVALID_ARGUMENT,
        "spendingLimit (Starter) and autoScaling (Essential) exclude each other. Send one of them.",
    ),
    r.NotUpdatable: (Code.INVALID_ARGUMENT, "{path} cannot be updated after the cluster was created."),
    r.NotOffered: (Code.UNIMPLEMENTED, "{what} is not offered by this version of Tidegate. Nothing was changed."),
}

_RULES: Mapping[str, str] = {
    "displayName": "Use 4 to 64 letters, digits and inner dashes.",
    "password": "Use 8 to 64 characters.",
    "autoScaling": "Use minRcu from 2000, maxRcu up to 100000, and not less than minRcu.",
    "updateMask": "GET a cluster to see the names of its fields.",
    "filter": 'Use key=value joined with AND, such as: projectId=1 AND region.provider="aws".',
    "pageToken": "Begin again without one.",
}
"""what a field must be, added to the text of Malformed"""


def describe_refusal(refusal: Refusal) -> Failure:
    """The answer to a refusal.  Total: a test holds TABLE against all classes of refusals."""
    code, text = TABLE[type(refusal)]
    facts = {f.name: shown(str(getattr(refusal, f.name))) for f in fields(refusal)}
    message = text.format_map(facts)
    if isinstance(refusal, r.Malformed) and refusal.field in _RULES:
        message = f"{message} {_RULES[refusal.field]}"
    return describe(code, message)


def describe(code: Code, message: str, http_status: int | None = None) -> Failure:
    return Failure(code.name, int(code), http_status or HTTP_STATUS[code], message)


def describe_rate_limit(limit: int) -> Failure:
    """The cloud's own words (``reference/tidbcloud.md`` 1.4), without its address for more quota."""
    text = f"The request exceeded the limit of {limit} times per apikey per minute. Wait until the next minute."
    return Failure("RATE_LIMITED", RATE_LIMIT_CODE, 429, text)


def shown(text: str) -> str:
    """A client's own word in a message: short, and on one line."""
    line = "".join(letter if letter.isprintable() else "�" for letter in text)
    return line if len(line) <= _SHOWN_LETTERS else line[:_SHOWN_LETTERS] + "…"


_SHOWN_LETTERS = 96
