"""The table of actions, filled by the resources' files; and what an action is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate.api.alibaba.errors import BSS, ECS, LOCATION, PRIVATELINK, STS, VPC
from tidegate.api.alibaba.paging import PageTokens
from tidegate.api.alibaba.wire import Parameters
from tidegate.domain.catalogue import Region, require_cloud_region
from tidegate.domain.refusals import NotFound
from tidegate.operations.context import Caller, Context


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call.  ``host`` is the host[:port] that the client called."""

    context: Context
    caller: Caller
    parameters: Parameters
    host: str
    pages: PageTokens

    @property
    def region(self) -> Region:
        """The region the call names.  Raises Missing, RegionUnknown: other clouds' regions are unknown here."""
        return require_cloud_region("alicloud", self.parameters.require("RegionId"))

    def require_here(self, kind: str, resource_id: str, region_id: str) -> None:
        """A region's API does not know what lives in another region.  Some calls may leave the region out."""
        if self.parameters.text("RegionId") and region_id != self.region.region_id:
            raise NotFound(kind, resource_id)


def words(text: str) -> tuple[str, ...]:
    """Names as one text, separated by blanks: long lists of them stay readable."""
    return tuple(text.split())


Handler = Callable[[Call], dict[str, Any]]


COMMON = words(
    "RegionId Action Version Format AccessKeyId Signature SignatureMethod SignatureVersion SignatureNonce "
    "SignatureType Timestamp SecurityToken AcceptLanguage OwnerId OwnerAccount ResourceOwnerId ResourceOwnerAccount "
    "ClientToken"
)


@dataclass(frozen=True, slots=True)
class Action:
    """``needs`` are mandatory: without one the gateway answers before the handler is asked.

    ``takes`` are optional.  ``Name.N`` is a list; ``Name=value`` is taken with this value only.
    """

    version: str
    name: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    handler: Handler

    def untaken(self, parameters: Parameters) -> str | None:
        """A parameter that the cloud might act on and we would not: refused, because ignoring it would be a lie.

        One that is empty or ``false`` asks for nothing and may stay.
        """
        names = {take.removesuffix(".N"): None for take in (*self.needs, *self.takes) if "=" not in take}
        only = dict(take.split("=") for take in self.takes if "=" in take)
        for name, value in parameters.items():
            base = name.partition(".")[0]
            if base in COMMON or base in names or value.lower() in ("", "false", only.get(base, "").lower()):
                continue
            return base
        return None


ACTIONS: dict[tuple[str, str], Action] = {}

NOT_YET: dict[str, dict[str, str]] = {
    PRIVATELINK: {
        "UpdateVpcEndpointServiceResourceAttribute": "automatic allocation of a resource: there is one way here",
        "UpdateVpcEndpointZoneConnectionResourceAttribute": "moving a connected zone to another resource",
    },
}
"""The cloud has them, we do not: answered with InvalidApi.NotFound, never with a success that did nothing."""

ELSEWHERE: dict[str, str] = {
    VPC: "NAT gateways, elastic addresses, IPv6, VPN, CEN, route entries, peering: a VPC leads to its endpoints only",
    ECS: "instances, disks, images: programs are run in a VPC with `tidegate vpc exec`",
    STS: "roles and tokens: each key is its account's own",
    LOCATION: "other calls than DescribeEndpoints: all products are at one address",
    BSS: "other calls than QueryAvailableInstances: nothing is billed",
}
"""What the products have beside ``ACTIONS`` and why it is not here; answered with InvalidApi.NotFound too."""


def action(version: str, name: str, needs: str = "", takes: str = "") -> Callable[[Handler], Handler]:
    """Register the decorated handler; ``needs`` and ``takes`` are parameter names, separated by blanks."""

    def register(handler: Handler) -> Handler:
        ACTIONS[version, name] = Action(version, name, words(needs), words(takes), handler)
        return handler

    return register


def utc_text(when: datetime) -> str:
    """``2018-04-18T15:02:37Z``, as all these APIs write times."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
