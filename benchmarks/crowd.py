"""A thousand tenants: each its own VPC with an endpoint of the region's service, made through the API.

They belong to several accounts, since one account may have 500 security groups in a region.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.site import REGION, ZONE, Site, open_group, poll
from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import AlibabaClient
from tidegate.domain.accounts import AccessKey, Account
from tidegate.domain.names import MIXED
from tidegate.operations.context import draw, utc_now
from tidegate.store.store import Store

ACCOUNTS = 4


def make_crowd(site: Site, count: int) -> dict[str, float]:
    """Five calls per tenant, one client per account; seconds until all calls were answered, and all were Connected."""
    service, apis, start = clusters.private_service(site.cluster)[0], _clients(site), time.monotonic()
    with ThreadPoolExecutor(ACCOUNTS) as pool:
        list(pool.map(lambda i: _make_tenants(apis[i], service, range(i, count, ACCOUNTS)), range(ACCOUNTS)))
    made_s = time.monotonic() - start
    poll(lambda: sum(map(_count_connected, apis)) >= count, "the crowd", every_s=0.5, limit_s=900)
    return {"made_s": made_s, "connected_s": time.monotonic() - start}


def _clients(site: Site) -> list[AlibabaClient]:
    """Each for a new account, which is written where the first start wrote the first one."""
    store, made = Store(site.settings.store_url), []
    for _ in range(ACCOUNTS):
        account = Account("1" + draw("0123456789", 15), "alicloud", "bench", utc_now())
        key = AccessKey("LTAI" + draw(MIXED, 20), account.account_id, "alicloud", draw(MIXED, 30))
        with store.write() as tx:
            tx.accounts.add(account)
            tx.access_keys.add(key)
        made.append(AlibabaClient(site.access.server, key.key_id, key.secret))
    store.close()
    return made


def _make_tenants(api: AlibabaClient, service: str, numbers: range) -> None:
    for number in numbers:
        vpc = networks.create_vpc(api, REGION, f"tenant-{number}", "10.0.0.0/16", [ZONE])
        group_id = open_group(api, vpc)
        subnets = [{"ZoneId": ZONE, "VSwitchId": vpc["VSwitchIds"][0]}]
        endpoints.create_endpoint(api, vpc, service, f"tenant-{number}", [group_id], subnets)


def _count_connected(api: AlibabaClient) -> int:
    found = endpoints.list_endpoints(api, [REGION])
    return sum(1 for e in found if e["EndpointStatus"] == "Active" and e["ConnectionStatus"] == "Connected")
