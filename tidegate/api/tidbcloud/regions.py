"""Regions and cloud providers (``reference/tidbcloud.md`` 2.4)."""

from __future__ import annotations

from typing import get_args

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.wire import Json
from tidegate.domain.catalogue import REGIONS, Cloud, Region
from tidegate.domain.refusals import Malformed

_PREFIX = "regions/"
_PLANS = ("Starter", "Essential", "Premium", "BYOC")


def list_regions(call: Call) -> Json:
    cloud = call.query.get("cloudProvider", "").lower()
    plan = call.query.get("servicePlan", "")
    if cloud and cloud not in get_args(Cloud):
        raise Malformed("cloudProvider", cloud)
    if plan and plan not in _PLANS:
        raise Malformed("servicePlan", plan)
    found = [region for region in REGIONS if cloud in ("", region.cloud) and (not plan or plan in region.plans)]
    return {"regions": [{**build_region(region), "servicePlans": list(region.plans)} for region in found]}


def list_cloud_providers(call: Call) -> Json:
    return {"cloudProviders": list(dict.fromkeys(region.cloud for region in REGIONS))}


def build_region(region: Region) -> Json:
    """``regionId`` is the cloud's short one, as in real responses; the swagger says otherwise (2.4)."""
    return {
        "name": f"{_PREFIX}{region.region_id}",
        "regionId": region.code,
        "cloudProvider": region.cloud,
        "displayName": f"{region.city} ({region.code})",
        "provider": region.cloud,
    }


def parse_region_name(name: str) -> str:
    """``regions/aws-us-east-1`` -> our region id."""
    if not name.startswith(_PREFIX):
        raise Malformed("region.name", name)
    return name.removeprefix(_PREFIX)
