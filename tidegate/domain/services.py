"""Endpoint services: what an endpoint connects to.

Two kinds.  A region's shared TiDB service has one ``address``, its gateway's, and takes everyone.  A *published*
service is a user's own: its address is empty, each of its resources has one (``service_resources.py``), and its owner
says who may see it and whom it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from tidegate.domain.catalogue import Cloud, Region
from tidegate.domain.refusals import (
    BandwidthFixed,
    CrossRegion,
    InUse,
    Malformed,
    QuotaReached,
    ResourceTypeNotServed,
    ServiceUnknown,
)

ANYONE = "*"
DEFAULT_BANDWIDTH_MBIT = 3072
MIN_BANDWIDTH_MBIT = 100
USERS_PER_SERVICE = 1000

_MOST_MBIT = {"slb": 10240, "alb": 25000, "nlb": 50000}
"""by the kind of load balancer (``reference/alibaba.md`` 3.6)"""
_MOST_BY_DEFAULT_MBIT = 10240
_ARN = re.compile(r"acs:ram:\*:([0-9]{1,19}|\*):\*")

Payer = Literal["Endpoint", "EndpointService"]


class ServiceState(StrEnum):
    CREATING = "creating"
    ACTIVE = "active"
    PENDING = "pending"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class EndpointService:
    """``allowed_accounts`` is the whitelist; ``("*",)`` lets every account of this installation see it.

    ``allowed_arns`` is the same for accounts named by ARN.  ``zone_ids`` of a published service are its resources'.
    ``deleting`` stays while endpoints are left that were once connected.
    """

    service_id: str
    account_id: str
    region_id: str
    cloud: Cloud
    name: str
    domain: str
    zone_ids: tuple[str, ...]
    auto_accept: bool
    address: str
    port: int
    allowed_accounts: tuple[str, ...]
    created_at: datetime
    generation: int = 1
    deleting: bool = False
    description: str = ""
    resource_type: str = "slb"
    bandwidth_mbit: int = DEFAULT_BANDWIDTH_MBIT
    zone_affinity: bool = False
    payer: Payer = "Endpoint"
    resource_group_id: str = ""
    allowed_arns: tuple[str, ...] = ()

    @property
    def published(self) -> bool:
        """Is it a user's own?"""
        return not self.address

    @property
    def scales(self) -> bool:
        """Network load balancers give a connection what it takes, unless a limit is asked for."""
        return self.resource_type == "nlb"

    @property
    def max_bandwidth_mbit(self) -> int:
        return _MOST_MBIT.get(self.resource_type, _MOST_BY_DEFAULT_MBIT)


def service_name(region: Region, service_id: str) -> str:
    """``reference/alibaba.md`` 3.5, ``reference/aws.md`` 3.3."""
    if region.cloud == "aws":
        return f"com.amazonaws.vpce.{region.code}.{service_id}"
    return f"com.aliyuncs.privatelink.{region.code}.{service_id}"


def service_domain(region: Region, service_id: str) -> str:
    if region.cloud == "aws":
        return f"{service_id}.{region.code}.vpce.amazonaws.com"
    return f"{service_id}.{region.code}.privatelink.aliyuncs.com"


def decide_service_state(service: EndpointService, changing: bool) -> ServiceState:
    """``changing``: one of its resources is not yet published, or not yet let go."""
    if service.deleting:
        return ServiceState.DELETING
    if not changing:
        return ServiceState.ACTIVE
    return ServiceState.CREATING if service.generation == 1 else ServiceState.PENDING


def decide_visible(service: EndpointService, account_id: str) -> bool:
    """May this account query the service and connect to it?  Its owner too only while on the list."""
    if service.deleting:
        return False
    arns = {f"acs:ram:*:{account_id}:*", "acs:ram:*:*:*"}
    return not {ANYONE, account_id}.isdisjoint(service.allowed_accounts) or not arns.isdisjoint(service.allowed_arns)


def require_visible(service: EndpointService | None, asked: str, account_id: str) -> EndpointService:
    """The service, or the one answer for unknown and for not allowed."""
    if service is None or not decide_visible(service, account_id):
        raise ServiceUnknown(asked)
    return service


def require_same_region(service: EndpointService, region_id: str) -> None:
    """No cross-region endpoints: the how-to page's second limit."""
    if service.region_id != region_id:
        raise CrossRegion(service.service_id, service.region_id, region_id)


def require_resource_type(text: str) -> str:
    """``slb``, ``alb``, ``nlb``.  ``gwlb`` forwards whole packets, which no endpoint here does."""
    if text not in _MOST_MBIT:
        raise ResourceTypeNotServed(text)
    return text


def require_default_bandwidth(service: EndpointService, mbit: int) -> int:
    """What new connections get.  Those through network load balancers have no such default."""
    if service.scales:
        raise BandwidthFixed(service.service_id)
    return _require_between("ConnectBandwidth", mbit, _MOST_BY_DEFAULT_MBIT)


def require_bandwidth(service: EndpointService, mbit: int) -> int:
    return _require_between("Bandwidth", mbit, service.max_bandwidth_mbit)


def _require_between(field: str, mbit: int, most: int) -> int:
    if not MIN_BANDWIDTH_MBIT <= mbit <= most:
        raise Malformed(field, str(mbit))
    return mbit


def require_user(user_id: str) -> str:
    """An account id: a positive number that an int64 holds."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", user_id, re.ASCII):
        raise Malformed("UserId", user_id)
    return user_id


def require_arn(arn: str) -> str:
    if not _ARN.fullmatch(arn):
        raise Malformed("UserARN", arn)
    return arn


def arn_account(arn: str) -> str:
    """The account that a checked ARN names, or ``*``."""
    match = _ARN.fullmatch(arn)
    return match[1] if match else ""


def allow(service: EndpointService, user_ids: Iterable[str], arns: Iterable[str]) -> EndpointService:
    """On the list; being there already is fine."""
    accounts = tuple(dict.fromkeys((*service.allowed_accounts, *user_ids)))
    named = tuple(dict.fromkeys((*service.allowed_arns, *arns)))
    if len(accounts) + len(named) > USERS_PER_SERVICE:
        raise QuotaReached("users per service", USERS_PER_SERVICE)
    return replace(service, allowed_accounts=accounts, allowed_arns=named)


def disallow(service: EndpointService, user_ids: Iterable[str], arns: Iterable[str]) -> EndpointService:
    """Off the list; not having been there is fine.  What is connected stays so: that is Disable's."""
    gone, gone_arns = set(user_ids), set(arns)
    return replace(
        service,
        allowed_accounts=tuple(a for a in service.allowed_accounts if a not in gone),
        allowed_arns=tuple(a for a in service.allowed_arns if a not in gone_arns),
    )


def require_deletable(service: EndpointService, *, resources: int, connected: bool) -> None:
    """Connections are refused first, then resources taken off; what was refused does not keep a service."""
    if connected:
        raise InUse("service", service.service_id, "connection")
    if resources:
        raise InUse("service", service.service_id, "service_resource")
