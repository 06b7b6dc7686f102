"""Endpoint services: what an endpoint connects to.  The first kind is a region's shared TiDB gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.catalogue import Cloud, Region
from tidegate.domain.refusals import CrossRegion, ServiceUnknown

ANYONE = "*"


@dataclass(frozen=True, slots=True)
class EndpointService:
    """``allowed_accounts`` is the whitelist; ``("*",)`` lets every account of this installation see it."""

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


def service_name(region: Region, service_id: str) -> str:
    """``reference/alibaba.md`` 3.5, ``reference/aws.md`` 3.3."""
    if region.cloud == "aws":
        return f"com.amazonaws.vpce.{region.code}.{service_id}"
    return f"com.aliyuncs.privatelink.{region.code}.{service_id}"


def service_domain(region: Region, service_id: str) -> str:
    if region.cloud == "aws":
        return f"{service_id}.{region.code}.vpce.amazonaws.com"
    return f"{service_id}.{region.code}.privatelink.aliyuncs.com"


def decide_visible(service: EndpointService, account_id: str) -> bool:
    """May this account query the service and connect to it?"""
    allowed = service.allowed_accounts
    return not service.deleting and (ANYONE in allowed or account_id in allowed or account_id == service.account_id)


def require_visible(service: EndpointService | None, asked: str, account_id: str) -> EndpointService:
    """The service, or the one answer for unknown and for not allowed."""
    if service is None or not decide_visible(service, account_id):
        raise ServiceUnknown(asked)
    return service


def require_same_region(service: EndpointService, region_id: str) -> None:
    """No cross-region endpoints: the how-to page's second limit."""
    if service.region_id != region_id:
        raise CrossRegion(service.service_id, service.region_id, region_id)
