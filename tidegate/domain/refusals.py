"""Why something is not done, as facts.  Each cloud's ``api/<cloud>/errors.py`` gives code, status and text.

::

    Refusal
    ├── NotFound(kind, id)                 it does not exist, or belongs to another account: the same answer
    ├── Missing(field)                     a required value was not given
    ├── Malformed(field, value)            a value that can never be right
    ├── Conflict(kind, id)                 it exists already
    ├── InUse(kind, id, by)                something else still needs it
    ├── Busy(kind, id)                     another change of it is still running; try again
    ├── QuotaReached(quota, limit)
    └── one class for each rule with a name of its own, below

Not frozen although values: ``contextlib`` sets ``__traceback__`` on exceptions that pass through it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - the glossary's word
    """Base of all refusals.  ``str()`` gives the facts, for logs; people see the adapter's text."""

    def __str__(self) -> str:
        facts = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"{type(self).__name__}({facts})"


@dataclass(eq=False)
class NotFound(Refusal):
    kind: str
    id: str


@dataclass(eq=False)
class Missing(Refusal):
    field: str


@dataclass(eq=False)
class Malformed(Refusal):
    field: str
    value: str


@dataclass(eq=False)
class Conflict(Refusal):
    kind: str
    id: str


@dataclass(eq=False)
class InUse(Refusal):
    kind: str
    id: str
    by: str
    """the kind of thing that needs it: ``subnet``, ``security_group``, ``interface``, ``rule``, ``zone``"""


@dataclass(eq=False)
class Busy(Refusal):
    kind: str
    id: str


@dataclass(eq=False)
class QuotaReached(Refusal):
    quota: str
    limit: int


@dataclass(eq=False)
class WrongState(Refusal):
    """It is there, but in a state in which this cannot be done."""

    kind: str
    id: str
    state: str


@dataclass(eq=False)
class TokenReused(Refusal):
    """The same client token came with other parameters."""

    token: str


@dataclass(eq=False)
class DryRunPassed(Refusal):
    """All checks passed and, as asked, nothing was done."""


# networks


@dataclass(eq=False)
class CidrOutsideVpc(Refusal):
    cidr: str
    vpc_cidr: str


@dataclass(eq=False)
class CidrOverlaps(Refusal):
    cidr: str
    other: str


@dataclass(eq=False)
class AddressUnavailable(Refusal):
    address: str
    subnet_id: str


@dataclass(eq=False)
class SubnetFull(Refusal):
    subnet_id: str


@dataclass(eq=False)
class ZoneUnknown(Refusal):
    zone_id: str


@dataclass(eq=False)
class RegionUnknown(Refusal):
    region: str


# security groups


@dataclass(eq=False)
class PortsDoNotFit(Refusal):
    """The protocol has no ports, or needs them."""

    protocol: str
    ports: str


@dataclass(eq=False)
class PeerMissing(Refusal):
    """A rule without a source or destination."""

    direction: str


@dataclass(eq=False)
class GroupPeerNotAllowed(Refusal):
    """Rules of advanced groups cannot name groups."""

    group_id: str


@dataclass(eq=False)
class PolicyNotChangeable(Refusal):
    """Advanced groups have no in-group access to change."""

    group_id: str


@dataclass(eq=False)
class GroupOfOtherVpc(Refusal):
    group_id: str
    vpc_id: str


@dataclass(eq=False)
class GroupKindsMixed(Refusal):
    """Basic and advanced groups cannot guard one interface together."""

    group_id: str


@dataclass(eq=False)
class RuleRepeats(Refusal):
    """As asked for, the rule would equal another one of its group."""

    rule_id: str


@dataclass(eq=False)
class PeerKindFixed(Refusal):
    """A rule about addresses cannot become one about a group, nor the other way."""

    rule_id: str


@dataclass(eq=False)
class GroupJoined(Refusal):
    group_id: str
    interface_id: str


@dataclass(eq=False)
class GroupNotJoined(Refusal):
    group_id: str
    interface_id: str


@dataclass(eq=False)
class LastGroup(Refusal):
    """A program's interface keeps at least one security group."""

    interface_id: str


@dataclass(eq=False)
class GroupRequired(Refusal):
    """An endpoint keeps at least one security group."""

    endpoint_id: str


@dataclass(eq=False)
class GroupAttached(Refusal):
    group_id: str
    endpoint_id: str


# tags


@dataclass(eq=False)
class TagMalformed(Refusal):
    part: str
    """``Key`` or ``Value``"""
    text: str


@dataclass(eq=False)
class TagRepeated(Refusal):
    """One key twice in one call."""

    key: str


# endpoints


@dataclass(eq=False)
class ServiceUnknown(Refusal):
    """No such service, or not for this account, or not in this region: indistinguishable on purpose."""

    service: str


@dataclass(eq=False)
class CrossRegion(Refusal):
    """Endpoint and service are in different regions."""

    service: str
    service_region_id: str
    region_id: str


@dataclass(eq=False)
class EndpointExists(Refusal):
    """This VPC has an endpoint of this service already."""

    endpoint_id: str
    service_id: str
    vpc_id: str


@dataclass(eq=False)
class ZoneNotServed(Refusal):
    zone_id: str
    service_id: str


@dataclass(eq=False)
class ZoneDuplicated(Refusal):
    zone_id: str
    endpoint_id: str


@dataclass(eq=False)
class EndpointHasZones(Refusal):
    endpoint_id: str


@dataclass(eq=False)
class EndpointProtected(Refusal):
    """Its maker asked that nobody else delete or change it."""

    endpoint_id: str


@dataclass(eq=False)
class ServiceGone(Refusal):
    """The endpoint's service was deleted by its owner; the endpoint can only be deleted."""

    endpoint_id: str


@dataclass(eq=False)
class ResourceTypeNotServed(Refusal):
    resource_type: str


@dataclass(eq=False)
class BandwidthFixed(Refusal):
    """The service's kind of resource has no default bandwidth to change."""

    service_id: str


@dataclass(eq=False)
class UserMismatch(Refusal):
    """A whitelist entry was named twice, and not the same account both times."""

    user_id: str
    arn: str


# clusters


@dataclass(eq=False)
class NoPrivateEndpoint(Refusal):
    """The cluster's cloud has no private endpoints (gcp, azure)."""

    cluster_id: str
    cloud: str


@dataclass(eq=False)
class PlanConflict(Refusal):
    """Spending limit (Starter) and auto scaling (Essential) exclude each other."""


@dataclass(eq=False)
class ClusterUnavailable(Refusal):
    """Its server cannot be asked now; ``why`` is one sentence."""

    cluster_id: str
    why: str


@dataclass(eq=False)
class RootUserKept(Refusal):
    """A cluster's root cannot be deleted and keeps its roles."""

    name: str


@dataclass(eq=False)
class NotUpdatable(Refusal):
    path: str


@dataclass(eq=False)
class NotOffered(Refusal):
    """A call of the cloud that this installation does not carry out (yet)."""

    what: str
