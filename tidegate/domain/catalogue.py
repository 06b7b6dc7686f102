"""Regions and zones, as data.

Sources: ``reference/tidbcloud.md`` 4.3 (TiDB Cloud release notes 2025 and 2026) for which regions offer which plans;
``reference/aws.md`` 2.5 for AWS zone ids.  Alibaba names its zones ``<region>a``, ``<region>b``...
gcp and azure are in the API's enum only; one region of each is listed so that their refusal can be met.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidegate.domain.refusals import RegionUnknown, ZoneUnknown

Cloud = Literal["alicloud", "aws", "gcp", "azure"]
PRIVATE_ENDPOINT_CLOUDS: frozenset[Cloud] = frozenset({"alicloud", "aws"})


@dataclass(frozen=True, slots=True)
class Zone:
    """``zone_id`` is what the private-endpoint dialog shows; ``name`` what the cloud's own API calls it."""

    zone_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Region:
    """``region_id`` is ours (``alicloud-ap-southeast-1``); ``code`` the cloud's (``ap-southeast-1``)."""

    cloud: Cloud
    code: str
    city: str
    local_name: str
    zones: tuple[Zone, ...]
    plans: tuple[str, ...]
    id_infix: str
    """what Alibaba puts first into ids of this region (``bp1`` in Hangzhou); those of these regions are our choice"""

    @property
    def region_id(self) -> str:
        return f"{self.cloud}-{self.code}"

    @property
    def private_endpoints(self) -> bool:
        return self.cloud in PRIVATE_ENDPOINT_CLOUDS

    def require_zone(self, zone_id: str) -> Zone:
        for zone in self.zones:
            if zone.zone_id == zone_id:
                return zone
        raise ZoneUnknown(zone_id)


def _alicloud(code: str, city: str, local: str, letters: str, infix: str, plans: tuple[str, ...]) -> Region:
    zones = tuple(Zone(f"{code}{letter}", f"{code}{letter}") for letter in letters)
    return Region("alicloud", code, city, local, zones, plans, infix)


def _aws(code: str, city: str, short: str, numbers: tuple[int, ...]) -> Region:
    zones = tuple(Zone(f"{short}-az{n}", f"{code}{letter}") for letter, n in zip("abc", numbers, strict=True))
    return Region("aws", code, city, city, zones, ("Starter", "Essential"), short)


_BOTH = ("Starter", "Essential")

REGIONS: tuple[Region, ...] = (
    _alicloud("ap-southeast-1", "Singapore", "新加坡", "abc", "t4n", _BOTH),
    _alicloud("ap-northeast-1", "Tokyo", "日本（东京）", "abc", "6we", ("Essential",)),
    _alicloud("ap-southeast-5", "Jakarta", "印度尼西亚（雅加达）", "abc", "k1a", ("Essential",)),
    _alicloud("na-south-1", "Mexico", "墨西哥", "a", "4hf", ("Essential",)),
    _aws("us-east-1", "N. Virginia", "use1", (6, 1, 2)),
    _aws("us-west-2", "Oregon", "usw2", (1, 2, 3)),
    _aws("eu-central-1", "Frankfurt", "euc1", (2, 3, 1)),
    _aws("ap-northeast-1", "Tokyo", "apne1", (4, 1, 2)),
    _aws("ap-southeast-1", "Singapore", "apse1", (1, 2, 3)),
    Region("gcp", "us-central1", "Iowa", "Iowa", (), ("Starter",), "gcp"),
    Region("azure", "eastus", "Virginia", "Virginia", (), ("Starter",), "az"),
)

_BY_ID = {region.region_id: region for region in REGIONS}


def require_region(region_id: str) -> Region:
    """The region with our id, or :class:`RegionUnknown`."""
    region = _BY_ID.get(region_id)
    if region is None:
        raise RegionUnknown(region_id)
    return region


def require_cloud_region(cloud: Cloud, code: str) -> Region:
    """The region that ``cloud`` calls ``code``, or :class:`RegionUnknown`."""
    return require_region(f"{cloud}-{code}") if f"{cloud}-{code}" in _BY_ID else _unknown(code)


def _unknown(code: str) -> Region:
    raise RegionUnknown(code)
