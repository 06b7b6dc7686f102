"""What a refusal is called on the wire: one table, read from the top, the first row that fits wins.

A row fits by the refusal's class, and where given by product, action and the refusal's own facts.  ``code`` and
``message`` may name facts in braces.  The last rows of each class fit any product, so the table is total (a test proves
it).  Codes and texts: ``reference/alibaba.md`` 2.2, 2.3, 4, 5.1.  ``(own)``: neither documented nor seen; our choice,
listed in ``docs/fidelity.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import quote

from tidegate.domain import refusals as r
from tidegate.domain.refusals import Refusal

VPC = "2016-04-28"
ECS = "2014-05-26"
PRIVATELINK = "2020-04-15"
STS = "2015-04-01"
LOCATION = "2015-06-12"
BSS = "2017-12-14"

PRODUCTS = {
    VPC: "Vpc",
    ECS: "Ecs",
    PRIVATELINK: "Privatelink",
    STS: "Sts",
    LOCATION: "Location",
    BSS: "BssOpenApi",
}


class ApiError(Exception):
    """An answer that is an error: the cloud's code, HTTP status and text."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(code)
        self.code, self.status, self.message = code, status, message


@dataclass(frozen=True, slots=True)
class Row:
    refusal: type[Refusal]
    code: str
    status: int
    message: str
    product: str = ""
    action: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, refusal: Refusal, product: str, action: str) -> bool:
        return (
            isinstance(refusal, self.refusal)
            and self.product in ("", product)
            and self.action in ("", action)
            and all(getattr(refusal, name) == value for name, value in self.facts.items())
        )


def _vpc(refusal: type[Refusal], code: str, status: int, message: str, action: str = "", **facts: Any) -> Row:
    return Row(refusal, code, status, message, VPC, action, facts)


def _ecs(refusal: type[Refusal], code: str, status: int, message: str, action: str = "", **facts: Any) -> Row:
    return Row(refusal, code, status, message, ECS, action, facts)


def _pl(refusal: type[Refusal], code: str, message: str, action: str = "", **facts: Any) -> Row:
    """PrivateLink answers 400 to nearly everything, not-found included (2.3)."""
    return Row(refusal, code, 400, message, PRIVATELINK, action, facts)


def _of_zone_connections() -> tuple[Row, ...]:
    """The two newest actions have codes of another school: 404 and names of resources (2.3)."""
    names = {
        "service": "VpcEndpointService",
        "connection": "VpcEndpointConnection",
        "endpoint_zone": "VpcEndpointZone",
    }
    return tuple(
        Row(
            r.NotFound,
            f"ResourceNotFound.{name}",
            404,
            f"The specified resource of {name} is not found.",
            PRIVATELINK,
            f"{verb}VpcEndpointZoneConnection",
            {"kind": kind},
        )
        for verb in ("Enable", "Disable")
        for kind, name in names.items()
    )


def _of_resource_ids() -> tuple[Row, ...]:
    """Calls about resources of any type: one code for an id that is none, whatever its type."""
    text = "The specified ResourceId does not exist."
    ecs_text = "The specified ResourceIds are not found in our records."
    group = "The specified ResourceGroupId does not exist."
    rows = [
        *(
            _vpc(r.NotFound, "InvalidInstanceIds.NotFound", 400, "The instanceIds are not found.", f"{verb}Resources")
            for verb in ("Tag", "UnTag")
        ),
        *(
            _ecs(r.NotFound, "InvalidResourceId.NotFound", 404, ecs_text, f"{verb}Resources")
            for verb in ("Tag", "Untag")
        ),
        *(_pl(r.NotFound, "InvalidResourceId.NotFound", text, f"{verb}Resources") for verb in ("Tag", "Untag")),
        _vpc(r.NotFound, "InvalidResourceGroupId", 400, group, kind="resource_group"),
        _vpc(r.NotFound, "InvalidResourceId.NotFound", 400, text, "MoveResourceGroup"),
        _ecs(
            r.NotFound,
            "InvalidResourceGroup.NotFound",
            404,
            "The ResourceGroup provided does not exist in our records.",
            kind="resource_group",
        ),
        _ecs(r.NotFound, "InvalidResourceId.NotFound", 404, text, "JoinResourceGroup"),  # (own)
        _pl(r.NotFound, "InvalidResourceGroup", group, kind="resource_group"),
        _pl(r.NotFound, "ResourceNotFound", "The specified resource is not found.", "ChangeResourceGroup"),
    ]
    return tuple(rows)


def _any(refusal: type[Refusal], code: str, status: int, message: str, **facts: Any) -> Row:
    return Row(refusal, code, status, message, facts=facts)


_QUOTA = "The quota of {quota} is exceeded, usage {limit}/{limit}."
_DUPLICATED = "The endpoint of the service already exists and cannot be created again."

TABLE: tuple[Row, ...] = (
    # --- it does not exist
    *_of_zone_connections(),
    *_of_resource_ids(),
    _vpc(r.NotFound, "InvalidVpcId.NotFound", 404, "Specified VPC does not exist.", kind="vpc"),
    _vpc(r.NotFound, "InvalidVSwitchId.NotFound", 404, "VSwitch not exist.", kind="subnet"),
    _ecs(r.NotFound, "InvalidVpcId.NotFound", 404, "The specified VpcId does not exist.", kind="vpc"),
    _ecs(r.NotFound, "InvalidVSwitchId.NotFound", 404, "The specified VSwitchId does not exist.", kind="subnet"),
    _ecs(
        r.NotFound,
        "InvalidSecurityGroupId.NotFound",
        404,
        "The specified SecurityGroupId does not exist.",
        kind="security_group",
    ),
    _ecs(
        r.NotFound,
        "InvalidSourceGroupId.NotFound",
        404,
        "The specified SourceGroupId does not exist.",
        kind="peer_group",
    ),
    _ecs(r.NotFound, "InvalidEniId.NotFound", 404, "The specified EniId does not exist.", kind="interface"),
    _ecs(r.NotFound, "InvalidInstanceId.NotFound", 404, "The specified InstanceId does not exist.", kind="instance"),
    _ecs(
        r.NotFound,
        "InvalidSecurityGroupRuleId.NotFound",
        404,
        "The specified SecurityGroupRuleId is not exists.",
        kind="rule_id",
    ),
    _ecs(
        r.NotFound,
        "InvalidParam.SecurityGroupRuleId",
        400,
        "The specified parameter SecurityGroupRuleId is not valid.",
        kind="revoked_rule",
    ),
    _ecs(r.NotFound, "SecurityGroupRule.NotFound", 404, "The target security group rule not exist.", kind="rule"),
    _vpc(r.NotFound, "InvalidRouteTableId.NotFound", 404, "Specified route table does not exist.", kind="route_table"),
    _pl(r.NotFound, "EndpointNotFound", "The specified Endpoint does not exist.", kind="endpoint"),
    _pl(r.NotFound, "EndpointZoneNotFound", "The specified zone of Endpoint does not exist.", kind="endpoint_zone"),
    _pl(r.NotFound, "EndpointServiceNotFound", "The specified Service does not exist.", kind="service"),
    _pl(
        r.NotFound,
        "EndpointConnectionNotFound",
        "The specified endpoint connection does not exist.",
        kind="connection",
    ),
    _pl(
        r.NotFound,
        "EndpointServiceResourceNotFound",
        "The specified resource of the endpoint service does not exist.",
        kind="service_resource",
    ),
    _pl(r.NotFound, "LoadBalancerNotFound", "The specified load balancer does not exist.", kind="interface"),
    _pl(r.NotFound, "VpcNotFound", "The specified VPC does not exist.", kind="vpc"),
    _pl(r.NotFound, "VSwitchNotFound", "The specified VSwitch does not exist.", kind="subnet"),
    _pl(r.NotFound, "SecurityGroupNotFound", "The specified security group does not exist.", kind="security_group"),
    _any(r.NotFound, "ResourceNotFound.{kind}", 404, "The specified resource does not exist."),
    # --- values: a missing mandatory one is answered by the gateway before; these are conditional ones
    _pl(
        r.Missing,
        "MissingResourceIdOrTagParam",
        "The param of resource id or tag is missing.",
        field="ResourceIdOrTag",
    ),
    _pl(r.Missing, "MissingParam.{field}", "The param of {field} is missing."),
    _vpc(
        r.Missing,
        "BothEmpty.TagsAndResources",
        403,
        "The specified Tags and ResourcesIds are not allow to both empty.",
        field="ResourceIdOrTag",
    ),
    _ecs(
        r.Missing,
        "MissingParameter.RegionId",
        400,
        "The specified RegionId should not be null.",
        field="RegionIdOfEni",
    ),
    _any(
        r.Missing,
        "MissingParameter",
        400,
        'The input parameter "{field}" that is mandatory for processing this request is not supplied.',
    ),
    _vpc(r.Malformed, "InvalidParameter", 400, "Specified CIDR block is not valid.", "CreateVpc", field="CidrBlock"),
    _vpc(
        r.Malformed,
        "InvalidCirdrBlock.MaskLength",  # sic
        400,
        "The mask length of the specified CIDR block is not valid.",
        field="CidrMask",
    ),
    _vpc(r.Malformed, "InvalidCidrBlock.Malformed", 400, "Specified CIDR block is not valid.", field="CidrBlock"),
    _vpc(
        r.Malformed,
        "InvalidVpcDiscription.Malformed",  # sic
        400,
        "Specified VPC description is not valid.",
        "CreateVpc",
        field="Description",
    ),
    _ecs(
        r.Malformed,
        "InvalidIpProtocol.ValueNotSupported",
        400,
        "The specified IpProtocol is not supported.",
        field="IpProtocol",
    ),
    _ecs(r.Malformed, "InvalidNicType.ValueNotSupported", 400, "The specified NicType is not valid.", field="NicType"),
    *(
        _ecs(
            r.Malformed,
            "InvalidSecurityGroupDiscription.Malformed",  # sic
            400,
            "The specified security group or rule description is not valid.",
            action,
            field="Description",
        )
        for action in (
            "CreateSecurityGroup",
            "ModifySecurityGroupAttribute",
            "AuthorizeSecurityGroup",
            "AuthorizeSecurityGroupEgress",
            "ModifySecurityGroupRule",
            "ModifySecurityGroupEgressRule",
        )
    ),
    _ecs(r.Malformed, "InvalidIpPortRange.Malformed", 400, "The specified PortRange is not valid.", field="PortRange"),
    _vpc(
        r.Malformed,
        "IllegalParam.ResourceType",
        400,
        "Invalid Resource Type value.",
        "MoveResourceGroup",
        field="ResourceType",
    ),
    _vpc(r.Malformed, "InvalidInstanceType.NotFound", 400, "The instance type is not found.", field="ResourceType"),
    _ecs(
        r.Malformed,
        "InvalidResourceType.NotFound",
        404,
        "The ResourceType provided does not exist in our records.",
        field="ResourceType",
    ),
    _pl(r.Malformed, "IllegalParamFormat.{field}", "The param format of {field} is illegal."),
    _any(r.Malformed, "Invalid{field}.Malformed", 400, "The specified {field} is not valid."),
    _any(r.ZoneUnknown, "InvalidZoneId.NotFound", 404, "The specified ZoneId does not exist."),
    _any(r.RegionUnknown, "InvalidRegionId.NotFound", 404, "The specified RegionId does not exist."),
    # --- networks
    _any(r.CidrOutsideVpc, "InvalidParameter", 400, "Specified CIDR block is not valid in VPC."),
    _any(r.CidrOverlaps, "InvalidCidrBlock.Overlapped", 400, "Specified CIDR block overlapped with other subnets."),
    _ecs(
        r.AddressUnavailable, "InvalidIp.IpAssigned", 400, "The specified IP address is not available in the VSwitch."
    ),  # (own)
    _any(r.AddressUnavailable, "EniIpUnavailable", 400, "The specified IP address is unavailable."),
    _ecs(r.SubnetFull, "InvalidVSwitchId.IpNotEnough", 400, "The specified VSwitch has not enough IP."),  # (own)
    _any(r.SubnetFull, "ResourceNotEnough.VSwitchIp", 400, "The VSwitch has no available IP address."),
    _vpc(r.InUse, "DependencyViolation.VSwitch", 400, "Specified object has dependent resources.", by="subnet"),
    _vpc(
        r.InUse,
        "DependencyViolation.SecurityGroup",
        400,
        "Specified object has dependent resources.",
        by="security_group",
    ),
    _vpc(r.InUse, "DependencyViolation", 400, "Specified object has dependent resources."),
    # --- security groups
    _ecs(
        r.InUse,
        "DependencyViolation",
        403,
        "There is still instance(s) in the specified security group.",
        kind="security_group",
        by="interface",
    ),
    _ecs(
        r.InUse,
        "DependencyViolation",
        403,
        "The specified security group has been authorized in another one.",
        kind="security_group",
        by="rule",
    ),
    _ecs(
        r.InUse,
        "InvalidOperation.InvalidEniState",  # (own)
        403,
        "The ENI is a resource of an endpoint service; detach it from the service first.",
        kind="interface",
        by="service",
    ),
    _pl(
        r.InUse,
        "EndpointServiceDependenceViolation",
        "The specified EndpointService already contains a resource.",
        by="service_resource",
    ),
    _pl(
        r.InUse,
        "EndpointServiceConnectionDependence",
        "You cannot delete EndpointService with Endpoint connected.",
        by="connection",
    ),
    _ecs(
        r.InUse,
        "InvalidOperation.EniServiceManaged",  # (own)
        403,
        "The ENI belongs to an endpoint; remove the zone from the endpoint instead.",
        kind="interface",
    ),
    _any(r.InUse, "DependencyViolation", 400, "Specified object has dependent resources."),
    _ecs(
        r.RuleRepeats,
        "InvalidOperation.RuleDuplicate",
        400,
        "The rule would be duplicated with an existing rule.",
    ),
    _any(r.RuleRepeats, "OperationDenied", 400, "The operation is not allowed."),
    _ecs(
        r.PeerKindFixed,
        "InvalidOperation.ModifySgRuleEntityType",
        400,
        "The source or destination type of the rules cannot be modified.",
    ),
    _any(r.PeerKindFixed, "OperationDenied", 400, "The operation is not allowed."),
    _ecs(
        r.GroupJoined,
        "InvalidInstanceId.AlreadyExists",
        403,
        "The specified instance already exists in the specified security group.",
    ),
    _any(r.GroupJoined, "OperationDenied", 400, "The operation is not allowed."),
    _ecs(
        r.GroupNotJoined,
        "InvalidSecurityGroupAssociation.NotFound",
        400,
        "The specified ENI is not associated with the specified security group.",
    ),
    _any(r.GroupNotJoined, "OperationDenied", 400, "The operation is not allowed."),
    _ecs(
        r.LastGroup,
        "InvalidOperation.AtLeastInOneGroup",
        403,
        "The specified security group is the last security group of the ENI.",
    ),
    _any(r.LastGroup, "OperationDenied", 400, "The operation is not allowed."),
    # --- tags
    _pl(r.TagMalformed, "MissingTag{part}Param", "The param of tag {part} is missing.", text=""),
    _vpc(r.TagMalformed, "InvalidTag{part}", 400, "The tag {part} is not valid."),
    _ecs(r.TagMalformed, "InvalidTag{part}.Malformed", 400, "The specified Tag.n.{part} is not valid."),
    _any(r.TagMalformed, "IllegalTag{part}Param", 400, "The param of tag {part} is illegal."),
    _vpc(r.TagRepeated, "Forbidden.TagKey.Duplicated", 400, "The specified tag key already exists."),
    _ecs(r.TagRepeated, "Duplicate.TagKey", 400, "The Tag.N.Key contain duplicate key."),
    _any(r.TagRepeated, "DuplicatedTagKey", 400, "The specified tag key is duplicated."),
    _any(
        r.PortsDoNotFit,
        "OperationDenied",
        400,
        "The specified IpProtocol does not exist or IpProtocol and PortRange do not match.",
    ),
    _any(
        r.PeerMissing,
        "MissingParameter.Source",
        400,
        "One of SourceCidrIp and SourceGroupId must be set.",
        direction="ingress",
    ),
    _any(r.PeerMissing, "MissingParameter.Dest", 400, "One of DestCidrIp and DestGroupId must be set."),
    _any(
        r.GroupPeerNotAllowed,
        "InvalidOperation.SecurityGroupType",  # (own)
        403,
        "Rules of an advanced security group cannot name security groups.",
    ),
    _any(
        r.PolicyNotChangeable,
        "InvalidOperation.SecurityGroupType",  # (own)
        403,
        "The inner access policy of an advanced security group cannot be changed.",
    ),
    _ecs(
        r.GroupOfOtherVpc,
        "InvalidOperation.VpcMismatch",
        403,
        "The specified ENI and security group are not in the same VPC.",
        "JoinSecurityGroup",
    ),
    _pl(r.GroupOfOtherVpc, "SecurityGroupNotFound", "The specified security group does not exist."),
    _any(
        r.GroupOfOtherVpc,
        "InvalidSecurityGroupId.VPCMismatch",  # (own)
        400,
        "The specified security group and VSwitch are not in the same VPC.",
    ),
    _pl(
        r.GroupKindsMixed,
        "SecurityGroupTypeOnlySingleTypeSupporteded",  # sic
        "The specified security group only support one type.",
    ),
    _any(
        r.GroupKindsMixed,
        "InvalidOperation.SecurityGroupType",  # (own)
        400,
        "The specified security groups are not of one type.",
    ),
    # --- endpoints
    _any(
        r.GroupRequired,
        "EndpointMustContainSecurityGroup",
        400,
        "The specified endpoint must have at least one security group.",
    ),
    _any(r.GroupAttached, "SecurityGroupExist", 400, "The specified security group already exists."),
    _any(r.ServiceUnknown, "EndpointServiceNotFound", 400, "The specified Service does not exist."),
    # No code says "cross-region".  To a region's API a service of another region does not exist, so it gets the answer
    # that an unknown name gets; the console and the CLI tell people the true reason.
    _any(r.CrossRegion, "EndpointServiceNotFound", 400, "The specified Service does not exist."),
    _any(r.EndpointExists, "EndpointDuplicated", 400, _DUPLICATED),
    _any(
        r.ZoneNotServed,
        "EndpointServiceNotSupportedZone",
        400,
        "The specified endpoint service does not support the zone.",
    ),
    _any(r.ZoneDuplicated, "EndpointZoneDuplicated", 400, "The zone is duplicated for the Endpoint."),
    _any(r.EndpointHasZones, "EndpointDependenceViolation", 400, "The specified endpoint has dependent zone(s)."),
    # --- state and repetition
    _pl(
        r.EndpointProtected,
        "EndpointProtected",
        "The specified Endpoint is protected.",
    ),
    _any(r.EndpointProtected, "OperationDenied", 400, "The operation is not allowed."),
    _any(r.ServiceGone, "EndpointServiceDeleted", 400, "The specified Service is already deleted."),
    _any(
        r.ResourceTypeNotServed,
        "EndpointServiceResourceTypeNotSupport",
        400,
        "The specified type of the endpoint service resource is not supported.",
    ),
    _any(
        r.BandwidthFixed,
        "UpdateBandWidthUnSupported",
        400,
        "The bandwidth of the specified endpoint service cannot be updated.",
    ),
    _any(r.UserMismatch, "Mismatch.UserIdAndUserArn", 400, "The specified UserId and UserARN do not match."),
    *(
        _pl(r.WrongState, f"IncorrectStatus.{name}", f"The status of {name} [{{id}}] is incorrect.", kind=kind)
        for kind, name in (
            ("service", "VpcEndpointService"),
            ("connection", "VpcEndpointConnection"),
            ("endpoint_zone", "VpcEndpointZone"),
        )
    ),
    _any(r.WrongState, "IncorrectStatus.{kind}", 400, "The status of {kind} [{id}] is incorrect."),
    # Transient: another change runs, and clients try again.
    _pl(
        r.Busy,
        "EndpointOperationDenied",
        "The specified operation of endpoint is not allowed.",
        "DeleteVpcEndpoint",
        kind="connection",
    ),
    _pl(r.Busy, "EndpointConnectionOperationDenied", "The endpoint is being connected.", kind="connection"),
    _pl(r.Busy, "EndpointLocked", "The specified Endpoint is locked.", kind="endpoint_zone"),
    _pl(
        r.Busy,
        "ConcurrentCallNotSupported",
        "The operation conflicts with other operations. Please try again later.",
        kind="service",
    ),
    _pl(r.Busy, "EndpointOperationDenied", "The specified operation of endpoint is not allowed."),
    _vpc(r.Busy, "IncorrectVpcStatus", 400, "The status of the VPC is not valid for this operation.", kind="vpc"),
    _vpc(
        r.Busy,
        "IncorrectVSwitchStatus",
        400,
        "The status of the VSwitch is not valid for this operation.",
        kind="subnet",
    ),
    _any(r.Busy, "OperationConflict", 400, "Another operation on the resource is being carried out."),
    _pl(
        r.Conflict,
        "EndpointServiceResourceExist",
        "The specified resource of the endpoint service already exists.",
        kind="service_resource",
    ),
    _any(r.Conflict, "ResourceAlreadyExist", 400, "The specified resource already exists."),
    _any(
        r.TokenReused,
        "IdempotentParameterMismatch",
        400,
        "The request uses the same client token as a previous, but non-identical request.",
    ),
    _any(r.DryRunPassed, "DryRunOperation", 400, "Request validation has been passed with DryRun flag set."),
    # --- quotas
    _vpc(
        r.QuotaReached,
        "SizeLimitExceeded.TagNum",
        400,
        "The maximum number of tags is exceeded.",
        quota="tags per call",
    ),
    _vpc(
        r.QuotaReached,
        "SizeLimitExceeded.ResourceId",
        400,
        "The maximum number of resource IDs is exceeded.",
        quota="resources per call",
    ),
    _ecs(
        r.QuotaReached,
        "NumberExceed.Tags",
        400,
        "The Tags parameter's number is exceed, Valid : {limit}.",
        quota="tags per call",
    ),
    _ecs(
        r.QuotaReached,
        "NumberExceed.ResourceIds",
        400,
        "The ResourceIds parameter's number is exceed, Valid : {limit}.",
        quota="resources per call",
    ),
    _vpc(r.QuotaReached, "QuotaExceeded.TagNum", 400, "Custom Tags quota exceeded.", quota="tags per resource"),
    _ecs(
        r.QuotaReached,
        "OperationDenied.QuotaExceed",
        400,
        "The quota of tags on resource is beyond permitted range.",
        quota="tags per resource",
    ),
    _pl(
        r.QuotaReached,
        "QuotaExceed.TagsPerResource",
        "The quota of tags on resource is beyond permitted range.",
        quota="tags per resource",
    ),
    _ecs(
        r.QuotaReached,
        "InstanceSecurityGroupLimitExceeded",
        403,
        "Exceeding the allowed amount of security groups that an ENI can be in.",
        quota="security groups per interface",
    ),
    _vpc(r.QuotaReached, "QuotaExceeded.Vpc", 400, "VPC quota exceeded.", "CreateVpc"),
    _vpc(r.QuotaReached, "QuotaExceeded.VSwitch", 400, "VSwitch quota exceeded.", "CreateVSwitch"),
    _ecs(
        r.QuotaReached,
        "QuotaExceed.SecurityGroup",
        403,
        "The maximum number of security groups is reached.",
        "CreateSecurityGroup",
    ),
    _ecs(
        r.QuotaReached,
        "AuthorizationLimitExceed",
        403,
        "The limit of authorization records in the security group is reached.",
    ),
    _pl(r.QuotaReached, "QuotaExceeded.totalEpPerVpc", _QUOTA, quota="endpoints per vpc"),
    _pl(r.QuotaReached, "QuotaExceeded.epZonePerEndpoint", _QUOTA, quota="zones per endpoint"),
    _any(r.QuotaReached, "QuotaExceeded", 400, _QUOTA),
    # --- never met on this side: words of other clouds
    _any(r.NotOffered, "InvalidApi.NotFound", 404, "Specified api is not found,please check your url and method."),
    _any(r.NoPrivateEndpoint, "OperationDenied", 400, "The operation is not allowed."),
    _any(r.PlanConflict, "OperationDenied", 400, "The operation is not allowed."),
    _any(r.ClusterUnavailable, "OperationDenied", 400, "The operation is not allowed."),
    _any(r.RootUserKept, "OperationDenied", 400, "The operation is not allowed."),
    _any(r.NotUpdatable, "OperationDenied", 400, "The operation is not allowed."),
)


def explain(refusal: Refusal, product: str, action: str) -> ApiError:
    """The wire's words for a refusal.  Raises LookupError for a refusal the table does not know: a fault of ours."""
    for row in TABLE:
        if row.fits(refusal, product, action):
            facts = {f.name: _short(getattr(refusal, f.name)) for f in fields(refusal)}
            return ApiError(row.code.format(**facts), row.status, row.message.format(**facts))
    raise LookupError(f"no row for {type(refusal).__name__}")


def missing(parameter: str) -> ApiError:
    """What the gateway says of a mandatory parameter (2.2)."""
    return ApiError(f"Missing{parameter.replace('.', '')}", 400, f"{parameter} is mandatory for this action.")


def unsupported(parameter: str) -> ApiError:
    """(own) The cloud would act on this parameter, or knows no such; here it would be without effect."""
    name = _short(parameter)
    return ApiError(
        "UnsupportedParameter", 400, f"Tidegate does not carry out the parameter {name} as given; leave it out."
    )


def unknown_api(version: str, *, later: bool) -> ApiError:
    """No such action; ``later``: the cloud has it."""
    if version not in PRODUCTS:
        return ApiError("InvalidProduct.NotFound", 404, "The specified product cannot be found.")
    text = "Specified api is not found,please check your url and method."
    return ApiError("InvalidApi.NotFound", 404, f"{text} (Tidegate does not carry out this one.)" if later else text)


_GATEWAY: dict[str, tuple[int, str]] = {
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidAccessKeyId.Inactive": (400, "Specified access key is disabled."),
    "InvalidSecurityToken.Malformed": (400, "The specified SecurityToken is malformed."),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "IncompleteSignature": (400, "The request signature does not conform to Aliyun standards."),
    "InvalidSignatureMethod": (400, "Specified signature method is not supported."),
    "InvalidSignatureNonce": (400, "Specified signature nonce is not valid."),
    "InvalidParameter.Format": (400, "The parameters are too many, or not percent-encoded UTF-8."),
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "RequestBodyTooLarge": (400, "The request body is larger than 1 MiB."),  # (own)
    "RequestTimeout": (400, "The request body did not arrive in time."),  # (own)
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "InternalError": (500, "The request processing has failed due to some unknown error, exception or failure."),
    "UnsupportedHTTPMethod": (400, "This http method is not supported."),
}


def build_gateway_errors() -> list[ApiError]:
    """All that any action may be refused with, for the page of them; what differs is in braces."""
    return [
        missing("{Parameter}"),
        unsupported("{Parameter}"),
        unknown_api("", later=False),
        unknown_api(VPC, later=False),
        gateway_error("SignatureDoesNotMatch", string_to_sign="{string to sign}"),
        *(ApiError(code, status, message) for code, (status, message) in _GATEWAY.items()),
    ]


def gateway_error(code: str, *, parameter: str = "", string_to_sign: str = "") -> ApiError:
    """The gateway's own refusals (2.2).  ``MissingX`` names its parameter."""
    if code == "SignatureDoesNotMatch":
        # Clients compare what follows the colon with their own: gosdk ``signature_does_not_match_wrapper.go``.
        text = f"Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}"
        return ApiError(code, 400, text)
    if code.startswith("Missing"):
        return missing(parameter or code.removeprefix("Missing"))
    status, message = _GATEWAY.get(code, (400, f"Specified {parameter or 'parameter'} is not valid."))
    return ApiError(code, status, message)


def build_error(error: ApiError, product: str, request_id: str, host: str) -> dict[str, Any]:
    """The envelope of 2.1."""
    return {
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={quote(error.code)}&product={quote(product)}",
    }


def _short(value: object) -> str:
    """Facts may come from the request: never echo more than a line of it."""
    text = str(value)
    return text if len(text) <= 64 else text[:64] + "..."
