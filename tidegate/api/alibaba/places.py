"""Regions and zones, in each product's version of the call; and where the products are (Location).

``RegionEndpoint`` is the host that was called: a client that follows it stays here.
"""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import ECS, LOCATION, PRIVATELINK, VPC
from tidegate.domain.catalogue import REGIONS, Region, Zone, require_cloud_region
from tidegate.domain.refusals import Malformed

_REGIONS = tuple(region for region in REGIONS if region.cloud == "alicloud")
_SERVICE_CODES = frozenset({"vpc", "ecs", "privatelink", "sts", "location", "bssopenapi", "business"})

# Names only: no instance and no disk can be made here.  Terraform's alicloud_zones, by which examples choose the zone
# of a vSwitch, passes over zones without them, and over those without the type or disk that it is asked for.
_INSTANCE_TYPES = (
    "ecs.t6-c1m1.large",
    "ecs.c6.large",
    "ecs.g6.large",
    "ecs.c7.large",
    "ecs.g7.large",
    "ecs.r7.large",
)
_DISKS = ("cloud_essd", "cloud_ssd", "cloud_efficiency", "cloud")
_RESOURCES = {
    "Zone": ("InstanceType", _INSTANCE_TYPES),
    "InstanceType": ("InstanceType", _INSTANCE_TYPES),
    "SystemDisk": ("SystemDisk", _DISKS),
    "DataDisk": ("DataDisk", _DISKS),
    "Network": ("Network", ("vpc",)),
    "IoOptimized": ("IoOptimized", ("optimized",)),
}


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
    info = {
        "IoOptimized": True,
        "InstanceTypes": {"supportedInstanceType": list(_INSTANCE_TYPES)},
        "InstanceTypeFamilies": {"supportedInstanceTypeFamily": _families()},
        "SystemDiskCategories": {"supportedSystemDiskCategory": list(_DISKS)},
        "DataDiskCategories": {"supportedDataDiskCategory": list(_DISKS)},
        "NetworkTypes": {"supportedNetworkCategory": ["vpc"]},
        "InstanceGenerations": {"supportedInstanceGeneration": ["ecs-6"]},
    }
    more = {
        "ZoneType": "AvailabilityZone",
        "AvailableInstanceTypes": {"InstanceTypes": list(_INSTANCE_TYPES)},
        "AvailableDiskCategories": {"DiskCategories": list(_DISKS)},
        "AvailableVolumeCategories": {"VolumeCategories": []},
        "AvailableDedicatedHostTypes": {"DedicatedHostType": []},
        "DedicatedHostGenerations": {"DedicatedHostGeneration": []},
        "AvailableResourceCreation": {"ResourceTypes": ["VSwitch"]},
        "AvailableResources": {"ResourcesInfo": [info]},
    }
    return {"Zones": {"Zone": [{**_zone(call, zone), **more} for zone in call.region.zones]}}


@action(
    ECS,
    "DescribeAvailableResource",
    "RegionId DestinationResource",
    "ZoneId InstanceType InstanceChargeType SpotStrategy SpotDuration NetworkCategory=vpc IoOptimized "
    "SystemDiskCategory DataDiskCategory ResourceType=instance",
)
def describe_available_resource(call: Call) -> dict[str, Any]:
    """Every zone has every name of the list above, and nothing can be made of it."""
    p, region = call.parameters, call.region
    destination = p.require("DestinationResource")
    if destination not in _RESOURCES:
        raise Malformed("DestinationResource", destination)
    kind, names = _RESOURCES[destination]
    if kind == "InstanceType" and p.text("InstanceType"):
        names = tuple(name for name in names if name == p["InstanceType"])
    stock = {"Status": "Available", "StatusCategory": "WithStock"}
    supported = [{"Value": name, **stock} for name in names]
    resources = [{"Type": kind, "SupportedResources": {"SupportedResource": supported}}]
    zones = [
        {
            "RegionId": region.code,
            "ZoneId": zone.zone_id,
            **stock,
            "AvailableResources": {"AvailableResource": resources},
        }
        for zone in region.zones
        if names and p.text("ZoneId") in (None, zone.zone_id)
    ]
    return {"AvailableZones": {"AvailableZone": zones}}


def _families() -> list[str]:
    return sorted({name.rpartition(".")[0] for name in _INSTANCE_TYPES})


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
