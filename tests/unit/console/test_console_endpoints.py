"""The how-to's second step in the browser: Create Endpoint, Verify, Endpoint Details; and what is refused there."""

from __future__ import annotations

import pytest
from console_browser import Browser, World
from vpc_world import REGION, Site

from tidegate.console.vpc import choices
from tidegate.operations import endpoints, users, vpcs

NEW = "/console/vpc/endpoints/new"


@pytest.fixture
def site(world: World) -> Site:
    return Site(world)


def filled(site: Site, **changed: str) -> dict[str, str]:
    form = {
        "region": "ap-southeast-1",
        "name": "orders-ep",
        "service_name": site.service,
        "vpc": site.vpc,
        "group": site.group,
        "zone": "ap-southeast-1a",
        "vswitch-ap-southeast-1a": site.subnet,
        "step": "create",
    }
    return form | changed


def test_the_second_step_of_the_how_to(console: Browser, site: Site) -> None:
    """Verify with a green check, OK, Creating; then Active and Connected in the live part alone."""
    shown = console.post(NEW, filled(site, step="verify", zone=""))
    assert shown.status == 200 and "The endpoint service is valid." in shown.text
    shown = console.post(NEW, filled(site))
    assert "Creating" in shown.text and "Connecting" in shown.text
    endpoint_id = shown.path.rpartition("/")[2]
    domain = endpoints.get_endpoint(site.world.context, site.caller, endpoint_id).endpoint.domain
    assert f'data-copy="{domain}"' in shown.html
    assert f"watch=endpoint:{endpoint_id}" in shown.html
    site.settle(endpoint_id)
    part = console.fragment(shown.path, "part_state")
    assert part.html.startswith('<div id="part_state"')
    assert "Active" in part.text and "Connected" in part.text and "10.0.1.1" in part.text
    assert "<form" not in part.html, "a form in a live part would lose what is typed"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"service_name": "com.aliyuncs.privatelink.ap-southeast-1.epsrv-none"}, "No endpoint service"),
        ({"region": "ap-northeast-1"}, "Endpoints across regions are not supported"),
    ],
)
@pytest.mark.parametrize("step", ["verify", "create"])
def test_a_service_that_is_not_valid(
    console: Browser, site: Site, changed: dict[str, str], words: str, step: str
) -> None:
    """The reason stands at the field, for Verify and for OK alike, and nothing typed is lost."""
    shown = console.post(NEW, filled(site, step=step, **changed))
    assert shown.status == (200 if step == "verify" else 422)
    assert words in shown.text and shown.text.count(words) == 1
    assert 'value="orders-ep"' in shown.html and "is valid" not in shown.text


def test_a_zone_that_cannot_be_chosen_says_why(console: Browser, site: Site) -> None:
    """Not verified, no vSwitch: a box that cannot be ticked is no riddle."""
    assert "Verify the endpoint service first." in console.post(NEW, filled(site, step="look")).text
    text = console.post(NEW, filled(site, step="verify")).text
    assert text.count("The VPC has no vSwitch in this zone.") == 2
    site.add_subnet("ap-southeast-1b", "10.0.2.0/24")
    assert console.post(NEW, filled(site, step="verify")).text.count("The VPC has no vSwitch") == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "1"}, "A name has 2 to 128"),
        ({"name": ""}, "This is required."),
        ({"vpc": ""}, "This is required."),
        ({"group": ""}, "This is required."),
        ({"zone": ""}, "This is required."),
        ({"vswitch-ap-southeast-1a": "vsw-none"}, "There is no vSwitch vsw-none"),
        ({"group": "sg-none"}, "There is no security group sg-none"),
    ],
)
def test_refusals_stand_at_their_fields(console: Browser, site: Site, changed: dict[str, str], words: str) -> None:
    """And the form keeps what was typed."""
    shown = console.post(NEW, filled(site, **changed))
    assert shown.status == 422 and words in shown.text and site.service in shown.html
    assert 'class="field-error"' in shown.html and 'role="alert"' not in shown.html


def test_a_second_endpoint_of_the_vpc(console: Browser, site: Site) -> None:
    """EndpointDuplicated in the cloud: here with the endpoint that should be used."""
    first = site.add_endpoint()
    shown = console.post(NEW, filled(site))
    assert shown.status == 422 and first in shown.text


def test_htmx_gets_the_part_below_the_service_name(console: Browser, site: Site) -> None:
    """What is typed above is not touched, so the cursor stays where it is."""
    htmx = {"HX-Request": "true", "HX-Target": "part_rest"}
    part = console.post(NEW, filled(site, step="verify"), **htmx)
    assert part.html.startswith('<div id="part_rest">') and "is valid" in part.text
    assert 'name="service_name"' not in part.html


def test_another_pages_knowledge_is_taken_over(console: Browser, site: Site) -> None:
    """Links from a cluster's page and from a VPC's."""
    shown = console.get(f"{NEW}?region=ap-southeast-1&service={site.service}&vpc={site.vpc}")
    assert f'value="{site.service}"' in shown.html and "door" in shown.text


def test_a_vpc_of_a_great_many_can_be_chosen(console: Browser, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms list the first few hundred, so that they stay light; the one whose page led here is among them."""
    monkeypatch.setattr(choices, "VPCS_OFFERED", 1)
    other = vpcs.create_vpc(site.world.context, site.caller, region_id=REGION, name="second").vpc_id
    for vpc_id in (site.vpc, other):
        for path in ("endpoints", "vswitches", "security-groups"):
            html = console.get(f"/console/vpc/{path}/new?region=ap-southeast-1&vpc={vpc_id}").html
            assert f'<option value="{vpc_id}" selected>' in html


def test_zones_and_groups_come_and_go(console: Browser, site: Site) -> None:
    """Each through a form that is a dialog for htmx and a page without script."""
    one = "/console/vpc/endpoints/" + (endpoint_id := site.add_endpoint())
    site.settle(endpoint_id)
    second, other = site.add_subnet("ap-southeast-1b", "10.0.2.0/24"), site.add_group("second")
    dialog = console.get(one + "/zones/new", **{"HX-Request": "true", "HX-Target": "dialog_place"})
    assert dialog.html.startswith("<dialog") and second in dialog.html
    shown = console.post(one + "/zones/new", {"vswitch": second, "address": "10.0.2.99"})
    assert "10.0.2.99" in shown.text and "Pending" in shown.text
    taken = console.post(one + "/zones/new", {"vswitch": second, "address": ""})
    assert taken.status == 422 and "already" in taken.text
    assert "second" in console.post(one + "/groups/new", {"group": other}).text
    site.settle(endpoint_id)
    assert "ap-southeast-1b" in console.get(one + "/zones/ap-southeast-1b/remove").text
    console.post(one + "/zones/ap-southeast-1b/remove")
    assert "Deleting" in console.get(one).text
    console.post(f"{one}/groups/{other}/detach")
    last = console.post(f"{one}/groups/{site.group}/detach")
    assert last.status == 422 and "must keep at least one" in last.text


def test_words_and_deletion(console: Browser, site: Site) -> None:
    """Zones go with the endpoint: the page says so, and asks first."""
    one = "/console/vpc/endpoints/" + (endpoint_id := site.add_endpoint())
    site.settle(endpoint_id)
    shown = console.post(one + "/edit", {"name": "sales", "description": "for sales"})
    assert "sales" in shown.text and "for sales" in shown.text
    assert console.post(one + "/edit", {"name": "9", "description": ""}).status == 422
    asked = console.get(one + "/delete")
    assert "ap-southeast-1a" in asked.text and endpoints.get_endpoint(site.world.context, site.caller, endpoint_id)
    shown = console.post(one + "/delete")
    assert shown.path == "/console/vpc/endpoints" and "Deleting" in shown.text


def test_what_became_of_it_is_listed(console: Browser, site: Site) -> None:
    """The newest first, down to the wish; Chinese pages tell it in Chinese."""
    endpoint_id = site.add_endpoint()
    site.settle(endpoint_id)
    site.settle(endpoint_id, "The service's owner has not accepted the connection; no packet passes.")
    text = console.get(f"/console/vpc/endpoints/{endpoint_id}").text.partition("Events")[2]
    places = [text.index(words) for words in ("has not accepted", "Connected to epsrv-1", "was asked for")]
    assert places == sorted(places)
    chinese = site.world.enter("admin", "zh").get(f"/console/vpc/endpoints/{endpoint_id}").text
    assert "Connected to" not in chinese and "已通过 ap-southeast-1a 连接到 epsrv-1" in chinese


def test_another_accounts_endpoint_is_not_found(world: World, site: Site) -> None:
    """Whatever is asked about it; neither its name nor that it exists is told."""
    endpoint_id = site.add_endpoint()
    users.create_user(world.context, "other", {})
    stranger = world.enter("other")
    for path in ("", "/edit", "/zones/new", "/groups/new", "/delete", "/zones/ap-southeast-1a/remove"):
        shown = stranger.get(f"/console/vpc/endpoints/{endpoint_id}{path}")
        assert shown.status == 404 and "orders-ep" not in shown.text
    for path in ("/edit", "/zones/new", "/groups/new", "/delete", "/zones/ap-southeast-1a/remove"):
        assert stranger.post(f"/console/vpc/endpoints/{endpoint_id}{path}", {"name": "mine"}).status == 404
    assert "orders-ep" not in stranger.get("/console/vpc/endpoints").text
    assert endpoints.get_endpoint(world.context, site.caller, endpoint_id).endpoint.name == "orders-ep"
    shown = stranger.post(NEW, filled(site))
    assert shown.status == 422 and site.vpc in shown.text


def test_the_region_stands_in_the_url(console: Browser, site: Site) -> None:
    """A link can be passed on; the last region is where the next list begins."""
    site.add_endpoint()
    assert "orders-ep" in console.get("/console/vpc/endpoints").text
    assert "orders-ep" not in console.get("/console/vpc/endpoints?region=ap-northeast-1").text
    shown = console.get("/console/vpc/endpoints?q=x")
    assert str(shown.reply.url).endswith("/console/vpc/endpoints?q=x&region=ap-northeast-1")


def test_long_lists_page_by_cursor(console: Browser, site: Site) -> None:
    """There and back; a page weighs the same however many there are."""
    with site.world.store.write() as tx:
        first = site.add_endpoint_row(tx, 0)
        rows = [first, *(site.add_endpoint_row(tx, number) for number in range(1, 120))]
    names = [row.name for row in sorted(rows, key=lambda row: row.endpoint_id)]
    base = "/console/vpc/endpoints?region=ap-southeast-1"
    one = console.get(base)
    assert names[0] in one.text and names[50] not in one.text and "120 in all" in one.text
    two = console.get(f"{base}&after={sorted(r.endpoint_id for r in rows)[49]}")
    assert names[50] in two.text and names[49] not in two.text and "Previous" in two.text
    back = console.get(f"{base}&before={sorted(r.endpoint_id for r in rows)[50]}")
    assert back.text.count("ep-row") == one.text.count("ep-row") and "Previous" not in back.text
    found = console.get(f"{base}&q={names[77]}")
    assert names[77] in found.text and names[78] not in found.text
    assert names[3] in console.get(f"{base}&q={sorted(r.endpoint_id for r in rows)[3]}").text
    assert "Nothing was found." in console.get(f"{base}&q=com.aliyuncs.none").text
