"""Providers, regions and plans as the pages show them."""

from __future__ import annotations

from tidegate.console.words import N_, _, language
from tidegate.domain.catalogue import REGIONS, Region

PROVIDERS = {
    "alicloud": N_("Alibaba Cloud"),
    "aws": N_("AWS"),
    "gcp": N_("Google Cloud"),
    "azure": N_("Azure"),
}


def provider_name(region: Region) -> str:
    return _(PROVIDERS[region.cloud])


def region_name(region: Region) -> str:
    """City first, as people look for it."""
    city = region.local_name if language() == "zh" else region.city
    return f"{city} ({region.code})"


def list_regions(cloud: str, plan: str) -> list[Region]:
    """Those of a provider where this plan is offered."""
    return [region for region in REGIONS if region.cloud == cloud and plan.capitalize() in region.plans]
