"""Which region a page is about: it stands in the URL, and the one looked at last is where the next list begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from tidegate.console.visit import ROOT, Handler, Visit
from tidegate.domain.catalogue import REGIONS, Region, require_region

HERE: tuple[Region, ...] = tuple(region for region in REGIONS if region.cloud == "alicloud")
COOKIE = "tidegate_region"
_YEAR_S = 365 * 24 * 3600


def find_region(code: str) -> Region | None:
    """By Alibaba's own id, such as ``ap-southeast-1``."""
    return next((region for region in HERE if region.code == code), None)


def in_region(handler: Callable[[Visit, Region], Response]) -> Handler:
    """For a page of one region.  Without one in the URL it goes to the URL that has it, so that links can be passed on
    and no other tab changes what this one shows.
    """

    def answer(visit: Visit) -> Response:
        region = find_region(visit.query.get("region", ""))
        if region is not None:
            return handler(visit, region)
        region = find_region(visit.request.cookies.get(COOKIE, "")) or HERE[0]
        query = [(name, value) for name, value in visit.query.multi_items() if name != "region"]
        return visit.redirect(f"{visit.path.removeprefix(ROOT)}?{urlencode([*query, ('region', region.code)])}")

    return answer


def show(visit: Visit, template: str, region_id: str, **values: Any) -> Response:
    """``visit.render`` for a page about this region (ours: ``alicloud-ap-southeast-1``)."""
    region = require_region(region_id)
    if visit.request.cookies.get(COOKIE) != region.code and not visit.fragment:
        visit.set_cookie(COOKIE, region.code, _YEAR_S)
    list_path = "/".join(visit.path.split("/")[:4])
    values |= {"region": region, "regions": HERE, "list_path": list_path}
    values["zone_options"] = [(zone.zone_id, zone.zone_id) for zone in region.zones]
    return visit.render(template, **values)
