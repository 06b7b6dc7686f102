"""Rooms link to each other's pages by path: a page that moved is found here, not by a reader."""

from __future__ import annotations

import re
from html import unescape

from console_browser import Browser, World
from vpc_world import REGION, Site

from tidegate.console.pages import PAGES
from tidegate.operations import clusters, interfaces, published_services
from tidegate.operations.service_resources import ResourceSpec

_LINK = re.compile(r'(?:href|hx-get)="(/console/[^"#]*)"')


def furnish(world: World) -> Site:
    """One of everything that has a page."""
    site = Site(world)
    clusters.create_cluster(world.context, world.caller("admin"), region_id=REGION, display_name="orders")
    site.settle(site.add_endpoint())
    host = interfaces.create_interface(
        world.context, site.caller, subnet_id=site.subnet, group_ids=[site.group], name="worker-1"
    ).interface_id
    published_services.create_service(
        world.context, site.caller, region_id=REGION, resources=[ResourceSpec(host, "slb")]
    )
    return site


def test_every_link_leads_to_a_page(world: World, console: Browser) -> None:
    """From the first page on, with one of everything there; each pattern of a path is looked at twice at most."""
    site = furnish(world)
    console.post(
        f"/console/vpc/security-groups/{site.group}/rules/ingress/new",
        {"protocol": "tcp", "ports": "4000", "policy": "accept", "priority": "1", "cidr": "10.0.0.0/16"},
    )
    waiting, seen, lost = ["/console/"], {"/console/"}, []
    looked: dict[str, int] = {}
    while waiting:
        url = waiting.pop()
        shown = console.get(url)
        if shown.status >= 400:
            lost.append((shown.status, url))
        for link in {unescape(found) for found in _LINK.findall(shown.html)}:
            shape = re.sub(r"\b(?:[a-z]+-t4n\w+|\d{8,}|[a-z]+-t4n[\w-]+)\b", "*", link)
            if "/static/" in link or link in seen or looked.get(shape, 0) > 1:
                continue
            looked[shape] = looked.get(shape, 0) + 1
            seen.add(link)
            waiting.append(link)
    assert not lost
    rooms = {url.split("/")[2].partition("?")[0] for url in seen if url.count("/") > 1}
    assert {"clusters", "vpc"} <= rooms and len(seen) > len(PAGES) / 2
