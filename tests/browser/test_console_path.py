"""The picture of the path and the tour: what packets really do, seen in a browser while they do it."""

from __future__ import annotations

import pytest
from console_person import Enter
from playwright.sync_api import expect

from tidegate.testing import Cluster, World


def test_a_refused_connection_is_seen_where_it_was_refused(world: World, orders: Cluster, enter: Enter) -> None:
    """A group without 4000 drops the program's packets: the picture says which group, without a reload."""
    vpc = world.vpc("denied")
    client = vpc.client()
    endpoint = vpc.endpoint(orders, open_port=False)
    person = enter("admin")
    person.go("/topology")
    page = person.page
    page.evaluate("window.stays = true")
    refused = page.locator(f"svg.map [id^='map-refused-{vpc.vpc_id}-{client.address}-']")
    expect(refused).to_have_count(0)
    assert client.dial(endpoint.domain).outcome == "timeout"
    expect(refused.first).to_be_visible()
    assert page.evaluate("window.stays")
    expect(page.locator("#facts")).to_contain_text(f"{endpoint.addresses[0]}:4000")
    person.picture("topology-refused")
    refused.first.click()
    expect(page.locator("main")).to_contain_text(endpoint.group_id)

    endpoint.allow()
    assert client.dial(endpoint.domain)


@pytest.mark.parametrize(("language", "region"), [("zh", "ap-northeast-1"), ("en", "ap-southeast-5")])
def test_the_tour_ticks_itself(world: World, enter: Enter, language: str, region: str) -> None:
    """Each step becomes done because it is true, whoever did it, while the page stands open.

    In a region of its own: all clusters of a region share a service, so any endpoint in it is a way to this one.
    """
    person = enter("admin", language)
    cluster = world.cluster(f"tour-{language}", f"alicloud-{region}", rcu=(2000, 4000))
    person.go(f"/guide?cluster={cluster.cluster_id}")
    page = person.page
    page.evaluate("window.stays = true")
    vpc = world.vpc(f"tour-{language}", region=region)
    endpoint = vpc.endpoint(cluster)
    connected = page.locator("li", has=page.locator("#go-connected"))
    expect(connected).to_have_class("done")
    expect(connected).to_contain_text(endpoint.domain)
    assert vpc.client().login(endpoint)
    expect(page.locator("li", has=page.locator("#go-used"))).to_have_class("done")
    assert page.evaluate("window.stays")
    person.picture(f"guide-{language}")
