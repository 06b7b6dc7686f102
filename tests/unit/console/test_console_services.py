"""Endpoint services as their owners see them: publish, whitelist, accept and refuse."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from console_browser import Browser, World
from vpc_world import REGION, Site

from tidegate.domain.status import Status
from tidegate.operations import endpoints, interfaces, published_services, users

BASE = "/console/vpc/endpoint-services"


@dataclass
class Market:
    """A provider with a published program, and a consumer of another account."""

    provider: Site
    consumer: Site
    service_id: str
    host: str

    @property
    def one(self) -> str:
        return f"{BASE}/{self.service_id}"

    def connect(self) -> str:
        """The consumer's endpoint, whose wish the controller has carried out."""
        site = self.consumer
        service = published_services.get_service(site.world.context, self.provider.caller, self.service_id).service
        made = endpoints.create_endpoint(
            site.world.context,
            site.caller,
            region_id=REGION,
            vpc_id=site.vpc,
            service=service.name,
            group_ids=[site.group],
            zones=[endpoints.ZoneSpec("ap-southeast-1a", site.subnet)],
        )
        site.settle(made.endpoint.endpoint_id)
        return made.endpoint.endpoint_id


@pytest.fixture
def market(world: World, console: Browser) -> Market:
    users.create_user(world.context, "other", {})
    provider, consumer = Site(world), Site(world, user="other")
    host = interfaces.create_interface(
        world.context, provider.caller, subnet_id=provider.subnet, group_ids=[provider.group], name="server"
    ).interface_id
    form = {"region": "ap-southeast-1", "resource_type": "slb", "auto_accept": "no", "resource": host}
    shown = console.post(f"{BASE}/new", {**form, "description": "our queue"})
    assert shown.status == 200, shown.text
    service_id = shown.path.rpartition("/")[2]
    with world.store.write() as tx:
        tx.statuses.put(Status("service_resource", f"{service_id}/{host}", 1, "ready", "Published."))
    return Market(provider, consumer, service_id, host)


def test_a_service_is_published(console: Browser, market: Market) -> None:
    shown = console.get(market.one)
    assert "our queue" in shown.text and "Active" in shown.text and "ap-southeast-1a" in shown.text
    name = f"com.aliyuncs.privatelink.ap-southeast-1.{market.service_id}"
    assert f'data-copy="{name}"' in shown.html
    assert "our queue" in console.get(BASE).text
    assert market.host in console.get(f"{market.one}?tab=resources").text
    assert market.provider.caller.account_id in console.get(f"{market.one}?tab=whitelist").text


def test_who_may_see_it_and_who_is_accepted(console: Browser, world: World, market: Market) -> None:
    """The whitelist first, then the connection: both sides' pages say where it stands."""
    stranger, account_id = world.enter("other"), market.consumer.caller.account_id
    name = f"com.aliyuncs.privatelink.ap-southeast-1.{market.service_id}"
    verify = {"region": "ap-southeast-1", "step": "verify", "service_name": name}
    assert "No endpoint service" in stranger.post("/console/vpc/endpoints/new", verify).text
    shown = console.post(f"{market.one}/whitelist/new", {"accounts": f"{account_id}, 1234567890123456"})
    assert account_id in shown.text and "1234567890123456" in shown.text
    assert "is valid" in stranger.post("/console/vpc/endpoints/new", verify).text
    endpoint_id = market.connect()
    assert "Disconnected" in stranger.get(f"/console/vpc/endpoints/{endpoint_id}").text
    shown = console.get(market.one)
    assert endpoint_id in shown.text and "Allow" in shown.text and account_id in shown.text
    shown = console.post(f"{market.one}/connections/{endpoint_id}/allow")
    assert "Connecting" in shown.text and "Refuse" in shown.text
    market.consumer.settle(endpoint_id)
    assert "Connected" in stranger.get(f"/console/vpc/endpoints/{endpoint_id}").text
    shown = console.post(f"{market.one}/connections/{endpoint_id}/bandwidth", {"bandwidth": "200"})
    assert "200 Mbit/s" in shown.text
    market.consumer.settle(endpoint_id)
    refused = console.post(f"{market.one}/connections/{endpoint_id}/bandwidth", {"bandwidth": "much"})
    assert refused.status == 422 and 'value="much"' in refused.html and "field-error" in refused.html
    assert "Disconnecting" in console.post(f"{market.one}/connections/{endpoint_id}/refuse").text
    shown = console.post(f"{market.one}/whitelist/{account_id}/remove")
    assert account_id not in shown.text
    assert console.post(f"{market.one}/whitelist/new", {"accounts": "me"}).status == 422


def test_a_service_in_use_is_not_deleted(console: Browser, market: Market) -> None:
    """The dialog says what is in the way."""
    shown = console.post(f"{market.one}/delete")
    assert shown.status == 422 and "is still used by" in shown.text
    shown = console.post(f"{market.one}/resources/{market.host}/remove")
    assert market.host not in shown.text.partition("No resource yet")[2]
    with market.provider.world.store.write() as tx:
        tx.service_resources.remove(market.service_id, market.host)
    shown = console.post(f"{market.one}/delete")
    assert shown.path == BASE and market.service_id not in shown.text


def test_changing_a_service(console: Browser, market: Market) -> None:
    form = {"description": "our topic", "auto_accept": "yes", "affinity": "yes", "bandwidth": "500"}
    shown = console.post(f"{market.one}/edit", form)
    assert "our topic" in shown.text and "500 Mbit/s" in shown.text
    for bandwidth in ("", "9", "x"):
        shown = console.post(f"{market.one}/edit", {**form, "bandwidth": bandwidth})
        assert shown.status == 422 and "field-error" in shown.html
    second = interfaces.create_interface(
        market.provider.world.context,
        market.provider.caller,
        subnet_id=market.provider.subnet,
        group_ids=[market.provider.group],
        name="second",
    ).interface_id
    assert "second" in console.get(f"{market.one}/resources/new").text
    assert second in console.post(f"{market.one}/resources/new", {"resource": second}).text
    assert console.post(f"{market.one}/resources/new", {"resource": "eni-none"}).status == 422
    assert console.post(f"{market.one}/resources/new", {}).status == 422


def test_another_accounts_service_is_not_found(world: World, market: Market) -> None:
    """Nor its connections, whoever's the endpoint is."""
    console = world.enter("admin")
    console.post(f"{market.one}/whitelist/new", {"accounts": market.consumer.caller.account_id})
    endpoint_id, stranger = market.connect(), world.enter("other")
    paths = (
        "/edit",
        "/delete",
        "/resources/new",
        f"/resources/{market.host}/remove",
        "/whitelist/new",
        "/whitelist/1/remove",
        f"/connections/{endpoint_id}/allow",
        f"/connections/{endpoint_id}/refuse",
        f"/connections/{endpoint_id}/bandwidth",
    )
    assert stranger.get(market.one).status == 404
    for path in paths:
        assert stranger.get(market.one + path).status == 404, path
        assert stranger.post(market.one + path, {"accounts": "1", "bandwidth": "100"}).status == 404, path
    assert market.service_id not in stranger.get(BASE).text
    assert console.get(f"{market.one}/connections/ep-none/allow").status == 404
