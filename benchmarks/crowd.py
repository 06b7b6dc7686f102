"""A thousand tenants: each its own VPC with an endpoint of the region's service, made through the API.

They belong to as many accounts as the quota of security groups asks for.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.site import REGION, ZONE, Site, open_group, poll
from tidegate.cli.access import open_operator
from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import AlibabaClient
from tidegate.operations.security_groups import GROUPS_PER_REGION

CALLERS = 4
"""make tenants at the same time"""


def make_crowd(site: Site, count: int) -> dict[str, float]:
    """Five calls per tenant; seconds until all calls were answered, and until all were Connected."""
    service, start = clusters.private_service(site.cluster)[0], time.monotonic()
    apis = [_make_account(site) for _ in range(math.ceil(count / GROUPS_PER_REGION))]
    with ThreadPoolExecutor(CALLERS) as pool:
        shares = (range(i, count, len(apis)) for i in range(len(apis)))
        list(pool.map(_make_tenants, apis, [service] * len(apis), shares))
    made_s = time.monotonic() - start
    poll(lambda: sum(map(_count_connected, apis)) >= count, "the crowd", every_s=0.5, limit_s=900)
    return {"made_s": made_s, "connected_s": time.monotonic() - start}


def _make_account(site: Site) -> AlibabaClient:
    made = open_operator(site.settings).call("POST", "/accounts", realm="alicloud", name="bench")
    return AlibabaClient(site.access.server, made["key_id"], made["secret"])


def _make_tenants(api: AlibabaClient, service: str, numbers: range) -> None:
    for number in numbers:
        vpc = networks.create_vpc(api, REGION, f"tenant-{number}", "10.0.0.0/16", [ZONE])
        group_id = open_group(api, vpc)
        subnets = [{"ZoneId": ZONE, "VSwitchId": vpc["VSwitchIds"][0]}]
        endpoints.create_endpoint(api, vpc, service, f"tenant-{number}", [group_id], subnets)


def _count_connected(api: AlibabaClient) -> int:
    found = endpoints.list_endpoints(api, [REGION])
    return sum(1 for e in found if e["EndpointStatus"] == "Active" and e["ConnectionStatus"] == "Connected")
