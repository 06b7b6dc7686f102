"""What must not work, as the person who tries it sees it: refused at once, with the reason, and nothing half made."""

from __future__ import annotations

import pytest
from console_person import Enter, Person
from playwright.sync_api import expect

from tidegate.cli.access import open_operator
from tidegate.cli.calls import networks
from tidegate.testing import Cluster, World

TOKYO, SINGAPORE = "ap-northeast-1", "ap-southeast-1"
STRANGER = "com.aliyuncs.privatelink.ap-southeast-1.epsrv-t4nnosuchservice0000"


def verify(person: Person, region: str, service: str) -> None:
    person.go(f"/vpc/endpoints/new?region={region}")
    person.field("Endpoint Service Name").fill(service)
    person.click("button", "Verify")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_verify_with_a_wrong_name(enter: Enter, language: str) -> None:
    """No green check, a sentence that names what was looked for, and no zone can be chosen."""
    person = enter("admin", language)
    verify(person, SINGAPORE, STRANGER)
    verdict = person.page.locator("#part_check")
    expect(verdict.locator(".field-error")).to_contain_text(STRANGER)
    expect(person.page.get_by_text(person.say("The endpoint service is valid."))).to_have_count(0)
    expect(person.page.get_by_role("checkbox", disabled=False)).to_have_count(0)
    person.picture(f"verify-wrong-{language}")


def test_a_service_of_another_region(world: World, orders: Cluster, enter: Enter) -> None:
    """The how-to's second limit: no cross-region endpoint, said by Verify and again by OK."""
    person = enter("admin")
    far = world.vpc("far", region=TOKYO)
    networks.create_group(far.api, {"VpcId": far.vpc_id, "RegionId": TOKYO}, "far")
    verify(person, TOKYO, orders.service_name)
    expect(person.page.locator("#part_check .field-error")).to_contain_text(SINGAPORE)
    person.picture("verify-cross-region")
    expect(person.page.get_by_role("checkbox", disabled=False)).to_have_count(0)
    far.delete()


def test_a_cluster_without_private_endpoints(world: World, enter: Enter) -> None:
    """The first limit: a cluster on another provider says so where its service name would be."""
    cluster = world.cluster("elsewhere", region="gcp-us-central1")
    person = enter("admin", "zh")
    person.go(f"/clusters/{cluster.cluster_id}/connect")
    person.field("Connection Type").select_option(label=person.say("Private Endpoint"))
    expect(person.page.get_by_role("alert")).to_be_visible()
    expect(person.page.locator("#connection_string")).to_have_count(0)
    person.picture("connect-gcp")
    cluster.delete()


def test_two_people_never_see_each_other_s_things(world: World, orders: Cluster, enter: Enter) -> None:
    """Neither in a list, nor by the address of a page, nor by a form that names another's resource."""
    vpc = world.vpc("private")
    endpoint = vpc.endpoint(orders)
    open_operator(world.settings).call("POST", "/users", name="mallory")
    stranger, owner = enter("mallory"), enter("admin")
    pages = {
        f"/clusters/{orders.cluster_id}": "orders",
        f"/clusters/{orders.cluster_id}/connect": "orders",
        f"/clusters/{orders.cluster_id}/users": "orders",
        f"/vpc/vpcs/{vpc.vpc_id}": "test-private",
        f"/vpc/endpoints/{endpoint.endpoint_id}": endpoint.domain,
        f"/vpc/security-groups/{endpoint.group_id}": endpoint.group_id,
    }
    for path, secret in pages.items():
        owner.go(path)
        expect(owner.page.locator("main")).to_contain_text(secret)
        refused = stranger.page.goto(f"/console{path}")
        assert refused is not None and refused.status == 404, path
        expect(stranger.page.locator("main")).not_to_contain_text(secret.replace(endpoint.group_id, "test-"))
    for path in ("/clusters", "/vpc/vpcs", "/vpc/endpoints", "/vpc/security-groups", "/vpc/vswitches"):
        stranger.go(path)
        for mine in ("orders", vpc.vpc_id, endpoint.endpoint_id, endpoint.group_id):
            expect(stranger.page.locator("main")).not_to_contain_text(mine)
    assert delete_by_hand(stranger, f"/console/vpc/endpoints/{endpoint.endpoint_id}/delete") == 404
    assert delete_by_hand(stranger, f"/console/clusters/{orders.cluster_id}/delete") == 404
    assert vpc.client().login(endpoint), "nothing has happened to it"


def delete_by_hand(person: Person, path: str) -> int:
    """The status of a form that the page would never offer, sent with the person's own token."""
    person.go("/clusters")
    return int(
        person.page.evaluate(
            """async (path) => {
                const body = new URLSearchParams({form_token: document.querySelector("[name=form_token]").value});
                return (await fetch(path, {method: "POST", body, redirect: "manual"})).status;
            }""",
            path,
        )
    )
