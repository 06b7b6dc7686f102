"""The how-to page, followed word for word in a browser, in Chinese and in English, to rows in a program in the VPC."""

from __future__ import annotations

import re
import shlex

import pytest
from console_person import Enter, Person
from playwright.sync_api import expect

from tidegate.cli.calls import networks
from tidegate.testing import Client, Vpc, World

LANGUAGES = ("zh", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_three_steps(world: World, enter: Enter, language: str) -> None:
    person = enter("admin", language)
    name = f"shop-{language}"
    vpc = world.vpc(f"howto-{language}")
    group_id = networks.create_group(vpc.api, {"VpcId": vpc.vpc_id, "RegionId": vpc.region}, f"db-{language}")
    networks.allow_ingress(vpc.api, vpc.region, group_id, "4000/4000", vpc.cidr)
    create_cluster(person, name)

    service, zone, region = step_1(person, name)
    endpoint_domain = step_2(person, service, zone, region, vpc, group_id)
    command = step_3(person, name, endpoint_domain)
    assert language == "en" or person.page.locator("html").get_attribute("lang") == "zh-CN"
    assert ask(vpc.client(), command) == "1"


def create_cluster(person: Person, name: str) -> None:
    """Before the how-to begins: a cluster in Singapore, seen becoming Active without a reload."""
    person.go("/clusters")
    person.click("link", "Create Cluster")
    person.field("Cluster Name").fill(name)
    person.click("button", "Create")
    person.page.wait_for_url(re.compile(r"/clusters/\d+$"))
    expect(person.page.locator("h1")).to_contain_text(person.say("Active"))


def step_1(person: Person, cluster: str) -> tuple[str, str, str]:
    """*Choose a cluster*: what the dialog's copy buttons give."""
    open_dialog(person, cluster)
    copied = []
    for word, button in (
        ("Service Name", "Copy the service name"),
        ("Availability Zone ID", "Copy the zone IDs"),
        ("Region ID", "Copy the region ID"),
    ):
        dialog = person.page.locator("dialog[open]")
        person.click("button", button, dialog)
        expect(person.find("button", button, dialog)).to_have_class(re.compile("copied"))
        copied.append(person.clipboard())
        assert copied[-1] == person.fact(word, dialog).inner_text().strip()
    person.picture(f"howto-1-{person.language}")
    person.click("button", "Close")
    expect(person.page.locator("dialog[open]")).to_have_count(0)
    return copied[0], copied[1], copied[2]


def open_dialog(person: Person, cluster: str) -> None:
    """Clusters page, the cluster's name, Connect at the top right, Connection Type = Private Endpoint."""
    person.go("/clusters")
    person.page.get_by_role("link", name=cluster, exact=True).click()
    person.click("link", "Connect")
    dialog = person.page.get_by_role("dialog")
    person.field("Connection Type", dialog).select_option(label=person.say("Private Endpoint"))
    expect(person.fact("Service Name", dialog)).to_be_visible()


def step_2(person: Person, service: str, zones: str, region: str, vpc: Vpc, group_id: str) -> str:
    """*Create a private endpoint*, and see it become Active and Connected; returns its domain name."""
    page = person.page
    page.get_by_role("banner").get_by_role("link", name="VPC").click()
    page.wait_for_url(re.compile("/console/vpc/"))
    if not person.find("heading", "Endpoints").count():
        person.click("link", "Endpoints")
    expect(page.get_by_role("link", name=person.say("Interface Endpoints"))).to_have_attribute("aria-current", "page")
    person.click("link", "Create Endpoint")
    form = page.locator("#endpoint-form")
    person.field("Region", form).select_option(region)
    person.field("Endpoint Name").fill(f"orders-{person.language}")
    expect(page.get_by_role("radio", name=person.say("Interface Endpoint"))).to_be_checked()
    expect(page.get_by_role("radio", name=person.say("Other Endpoint Services"))).to_be_checked()
    person.field("Endpoint Service Name").fill(service)
    person.click("button", "Verify")
    expect(page.get_by_text(person.say("The endpoint service is valid."))).to_be_visible()
    person.field("VPC", form).select_option(vpc.vpc_id)
    person.field("Security Group", form).select_option(group_id)
    choose_zone(person, zones, vpc)
    person.picture(f"howto-2-{person.language}")
    person.click("button", "OK")
    page.wait_for_url(re.compile(r"/vpc/endpoints/ep-\w+$"))
    page.evaluate("window.stays = true")
    expect(person.fact("Endpoint Status")).to_have_text(person.say("Active"))
    expect(person.fact("Connection Status")).to_have_text(person.say("Connected"))
    assert page.evaluate("window.stays"), "it came by itself, not by a reload"
    person.picture(f"howto-3-{person.language}")
    person.page.get_by_role("button", name=person.say("Copy the domain name")).first.click()
    domain = person.clipboard()
    assert domain == person.fact("Domain Name of Endpoint Service").inner_text().strip()
    return domain


def choose_zone(person: Person, zones: str, vpc: Vpc) -> None:
    """The zone where the VPC has its vSwitch; the dialog has named it."""
    boxes = person.page.get_by_role("checkbox")
    free = [box for box in boxes.all() if box.is_enabled()]
    assert len(free) == 1, "one vSwitch is one zone"
    assert free[0].input_value() in zones.split(", ")
    free[0].check()


def step_3(person: Person, cluster: str, domain: str) -> str:
    """*Connect*: the string, with the endpoint's domain name as its host and a password that is made here."""
    open_dialog(person, cluster)
    dialog = person.page.get_by_role("dialog")
    person.field("Connect With", dialog).select_option("MySQL CLI")
    shown = person.page.locator("#connection_string")
    expect(shown).to_contain_text("mysql --comments")
    person.field("Host", dialog).select_option(domain)
    expect(shown).to_contain_text(f"-h {domain}")
    person.click("button", "Generate Password", dialog)
    expect(dialog.get_by_text(person.say("Reset Password"))).to_be_visible()
    expect(shown).not_to_contain_text("<PASSWORD>")
    person.picture(f"howto-4-{person.language}")
    person.click("button", "Copy the connection string", dialog)
    command = person.clipboard()
    assert command == shown.inner_text()
    assert domain in shlex.split(command)
    return command


def ask(client: Client, command: str) -> str:
    """The shown line as it is, in a program's place in the VPC, with a question added."""
    done = client.run(["sh", "-c", f"{command} -N -B -e 'SELECT 1'"])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
