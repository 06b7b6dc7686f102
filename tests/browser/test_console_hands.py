"""Without a mouse, without scripts, and with the language changed on the way."""

from __future__ import annotations

import re

from console_person import Enter, Person
from playwright.sync_api import expect

from tidegate.cli.calls import networks
from tidegate.testing import Cluster, Vpc, World

TABS_AT_MOST = 60


def furnish(world: World, name: str) -> tuple[Vpc, str]:
    """A VPC with one group that lets everybody in to the database's port."""
    vpc = world.vpc(name)
    group_id = networks.create_group(vpc.api, {"VpcId": vpc.vpc_id, "RegionId": vpc.region}, name)
    networks.allow_ingress(vpc.api, vpc.region, group_id, "4000/4000", vpc.cidr)
    return vpc, group_id


def tab_to(person: Person, selector: str) -> None:
    """Press Tab until the focus is there, and is seen there."""
    for _ in range(TABS_AT_MOST):
        person.page.keyboard.press("Tab")
        if person.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = person.page.evaluate(
                "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.boxShadow; }"
            )
            assert outline != "nonenone", f"nobody sees that the focus is on {selector}"
            return
    raise AssertionError(f"{TABS_AT_MOST} times Tab, and never at {selector}")


def pick(person: Person, selector: str, value: str) -> None:
    """Choose in a list as a keyboard does: arrows, until the value is there."""
    tab_to(person, selector)
    for _ in range(30):
        if person.page.locator(selector).input_value() == value:
            return
        person.page.keyboard.press("ArrowDown")
    raise AssertionError(f"{value} is not among the choices of {selector}")


def test_create_endpoint_with_the_keyboard_alone(world: World, orders: Cluster, enter: Enter) -> None:
    """From the list of endpoints to Active and Connected, without ever touching a mouse."""
    vpc, group_id = furnish(world, "keys")
    person = enter("admin")
    person.go("/vpc/endpoints")
    keyboard = person.page.keyboard
    keyboard.press("Tab")
    expect(person.page.locator(":focus")).to_have_text(person.say("Skip to the content"))
    keyboard.press("Enter")
    tab_to(person, "a[href*='/vpc/endpoints/new']")
    keyboard.press("Enter")
    person.page.wait_for_url(re.compile("/vpc/endpoints/new"))
    tab_to(person, "#name")
    keyboard.type("by-keyboard")
    tab_to(person, "#service_name")
    keyboard.type(orders.service_name)
    tab_to(person, "button[value=verify]")
    keyboard.press("Enter")
    expect(person.page.get_by_text(person.say("The endpoint service is valid."))).to_be_visible()
    pick(person, "#vpc", vpc.vpc_id)
    expect(person.page.locator("#group")).to_be_enabled()
    pick(person, "#group", group_id)
    tab_to(person, "input[name=zone]:enabled")
    if not person.page.locator("input[name=zone]:enabled").first.is_checked():
        keyboard.press("Space")
    tab_to(person, "button[value=create]")
    keyboard.press("Enter")
    person.page.wait_for_url(re.compile(r"/vpc/endpoints/ep-\w+$"))
    expect(person.fact("Endpoint Status")).to_have_text(person.say("Active"))
    expect(person.fact("Connection Status")).to_have_text(person.say("Connected"))


def test_the_dialog_with_the_keyboard(orders: Cluster, enter: Enter) -> None:
    """It takes the focus, Escape closes it, and the focus is where it was."""
    person = enter("admin")
    person.go(f"/clusters/{orders.cluster_id}")
    tab_to(person, "a[href$='/connect']")
    person.page.keyboard.press("Enter")
    expect(person.page.get_by_role("dialog")).to_be_visible()
    assert person.page.evaluate("document.querySelector('dialog[open]').contains(document.activeElement)")
    person.page.keyboard.press("Escape")
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    assert person.page.evaluate("document.activeElement.matches(\"a[href$='/connect']\")"), "the focus came back"


def test_the_three_steps_without_scripts(world: World, orders: Cluster, enter: Enter) -> None:
    """Pages promise to work where scripts are off: the dialog is a page, choices are sent by a button."""
    vpc, group_id = furnish(world, "noscript")
    person = enter("admin", scripts=False)
    page = person.page
    person.go(f"/clusters/{orders.cluster_id}")
    person.click("link", "Connect")
    page.wait_for_url(re.compile("/connect$"))
    person.field("Connection Type").select_option("private")
    person.click("button", "Show")
    service = person.fact("Service Name").inner_text().strip()
    assert service == orders.service_name

    person.go("/vpc/endpoints/new")
    person.field("Endpoint Name").fill("without-scripts")
    person.field("Endpoint Service Name").fill(service)
    person.click("button", "Verify")
    expect(page.get_by_text(person.say("The endpoint service is valid."))).to_be_visible()
    person.field("VPC", page.locator("#endpoint-form")).select_option(vpc.vpc_id)
    person.click("button", "Update the choices")
    person.field("Security Group", page.locator("#endpoint-form")).select_option(group_id)
    page.locator("input[name=zone]:enabled").first.check()
    person.click("button", "OK")
    page.wait_for_url(re.compile(r"/vpc/endpoints/ep-\w+$"))
    made = page.url.rpartition("/")[2]
    vpc.finish_endpoint(orders, made, group_id)
    page.reload()
    expect(person.fact("Connection Status")).to_have_text(person.say("Connected"))
    domain = person.fact("Domain Name of Endpoint Service").inner_text().strip()
    assert vpc.client().dial(domain), "a door that was made without scripts is as open as any"


def test_the_language_is_switched_where_one_stands(orders: Cluster, enter: Enter) -> None:
    """The same page in the other language, and so it stays on the next."""
    person = enter("admin", "en")
    person.go(f"/clusters/{orders.cluster_id}/networking")
    before = person.page.url
    person.page.get_by_role("button", name="中文").click()
    expect(person.page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert person.page.url == before
    person.language = "zh"
    person.go("/vpc/endpoints")
    expect(person.page.locator("h1")).to_have_text(person.say("Endpoints"))
    person.page.get_by_role("button", name="English").click()
    expect(person.page.locator("h1")).to_have_text("Endpoints")


def test_a_state_that_changes_elsewhere_is_seen(world: World, enter: Enter) -> None:
    """Somebody's SDK deletes the cluster: who looks at it sees it go, without a reload."""
    cluster = world.cluster("fleeting")
    person = enter("admin")
    person.go("/clusters")
    person.page.evaluate("window.stays = true")
    row = person.page.get_by_role("row").filter(has_text="fleeting")
    expect(row).to_contain_text("Active")
    cluster.delete()
    expect(row).to_have_count(0)
    assert person.page.evaluate("window.stays")
