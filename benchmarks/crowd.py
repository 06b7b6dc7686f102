"""A thousand tenants: each its own VPC with an endpoint of the region's service, made through the API."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import local

from benchmarks.site import REGION, ZONE, Site, open_group, poll
from tidegate.cli.access import open_access
from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import AlibabaClient

CLIENTS = 4
_mine = local()


def make_crowd(site: Site, count: int) -> dict[str, float]:
    """Five calls per tenant, several clients at once; returns seconds until all were made and all were Connected."""
    service, start = clusters.private_service(site.cluster)[0], time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda number: _make_tenant(site, service, number), range(count)))
    made_s = time.monotonic() - start
    poll(lambda: count_connected(site) >= count, "a thousand endpoints", every_s=0.5, limit_s=600)
    return {"made_s": made_s, "connected_s": time.monotonic() - start}


def _make_tenant(site: Site, service: str, number: int) -> None:
    api = _client(site)
    vpc = networks.create_vpc(api, REGION, f"tenant-{number}", "10.0.0.0/16", [ZONE])
    group_id = open_group(api, vpc)
    subnets = [{"ZoneId": ZONE, "VSwitchId": vpc["VSwitchIds"][0]}]
    endpoints.create_endpoint(api, vpc, service, f"tenant-{number}", [group_id], subnets)


def _client(site: Site) -> AlibabaClient:
    """One connection per thread."""
    if not hasattr(_mine, "api"):
        _mine.api = open_access(site.settings).alibaba
    return _mine.api  # type: ignore[no-any-return]


def count_connected(site: Site) -> int:
    found = endpoints.list_endpoints(site.access.alibaba, [REGION])
    return sum(1 for e in found if e["EndpointStatus"] == "Active" and e["ConnectionStatus"] == "Connected")
