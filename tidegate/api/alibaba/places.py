"""Regions and zones, in each product's version of the call; and where the products are (Location).

``RegionEndpoint`` is the host that was called: a client that follows it stays here.
"""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import ECS, LOCATION, PRIVATELINK, VPC
from tidegate.domain.catalogue import REGIONS, Region, Zone, require_cloud_region

_REGIONS = tuple(region for region in REGIONS if region.cloud == "alicloud")
_SERVICE_CODES = frozenset({"vpc", "ecs", "privatelink", "sts", "location"})


@action(VPC, "DescribeRegions", "", "RegionId AcceptLanguage ProductType")
def describe_vpc_regions(call: Call) -> dict[str, Any]:
    return {"Regions": {"Region": [_region(call, region) for region in _REGIONS]}}


@action(ECS, "DescribeRegions", "", "RegionId AcceptLanguage InstanceChargeType")
def describe_ecs_regions(call: Call) -> dict[str, Any]:
    return {"Regions": {"Region": [{**_region(call, region), "Status": "available"} for region in _REGIONS]}}


@action(PRIVATELINK, "DescribeRegions", "", "RegionId ServiceResourceType")
def describe_privatelink_regions(call: Call) -> dict[str, Any]:
    types = {"ServiceResourceTypes": {"ServiceResourceType": ["slb"]}}
    wanted = _REGIONS if call.parameters.text("ServiceResourceType") in (None, "slb") else ()
    return {"Regions": {"Region": [{**_region(call, region), **types} for region in wanted]}}


@action(VPC, "DescribeZones", "RegionId", "AcceptLanguage ZoneType")
def describe_vpc_zones(call: Call) -> dict[str, Any]:
    zones = call.region.zones if call.parameters.text("ZoneType") in (None, "AvailabilityZone") else ()
    return {"Zones": {"Zone": [{**_zone(call, zone), "ZoneType": "AvailabilityZone"} for zone in zones]}}


@action(ECS, "DescribeZones", "RegionId", "AcceptLanguage InstanceChargeType SpotStrategy Verbose")
def describe_ecs_zones(call: Call) -> dict[str, Any]:
    """There are no instances and disks to offer, so those lists are empty."""
    more = {
        "ZoneType": "AvailabilityZone",
        "AvailableInstanceTypes": {"InstanceTypes": []},
        "AvailableDiskCategories": {"DiskCategories": []},
        "AvailableResourceCreation": {"ResourceTypes": ["VSwitch"]},
        "AvailableResources": {"ResourcesInfo": []},
    }
    return {"Zones": {"Zone": [{**_zone(call, zone), **more} for zone in call.region.zones]}}


@action(PRIVATELINK, "DescribeZones", "RegionId", "ServiceResourceType")
def describe_privatelink_zones(call: Call) -> dict[str, Any]:
    return {"Zones": {"Zone": [_zone(call, zone) for zone in call.region.zones]}}


@action(LOCATION, "DescribeEndpoints", "Id ServiceCode", "Type RegionId")
def describe_endpoints(call: Call) -> dict[str, Any]:
    """Clients without an endpoint setting ask here; every product is at this very host[:port]."""
    p = call.parameters
    region, code = require_cloud_region("alicloud", p.require("Id")), p.require("ServiceCode").lower()
    found = {
        "Endpoint": call.host,
        "Id": region.code,
        "Namespace": "",
        "ServiceCode": code,
        "SerivceCode": code,  # sic: the cloud's field
        "Type": p.text("Type") or "openAPI",
        "Protocols": {"Protocols": ["HTTP", "HTTPS"]},
    }
    return {"Success": True, "Endpoints": {"Endpoint": [found] if code in _SERVICE_CODES else []}}


def _region(call: Call, region: Region) -> dict[str, Any]:
    return {"RegionId": region.code, "LocalName": _local(call, region), "RegionEndpoint": call.host}


def _zone(call: Call, zone: Zone) -> dict[str, Any]:
    region = next(region for region in _REGIONS if zone in region.zones)
    letter = zone.zone_id.removeprefix(region.code).upper()
    chinese = _chinese(call)
    return {"ZoneId": zone.zone_id, "LocalName": f"{_local(call, region)} {'可用区' if chinese else 'Zone '}{letter}"}


def _local(call: Call, region: Region) -> str:
    return region.local_name if _chinese(call) else region.city


def _chinese(call: Call) -> bool:
    """``AcceptLanguage`` is ``zh-CN`` by default, and today's clients ask for ``en-US``."""
    return (call.parameters.text("AcceptLanguage") or "zh-CN").lower().startswith("zh")
