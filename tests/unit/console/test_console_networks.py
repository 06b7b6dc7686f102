"""VPCs, vSwitches, security groups and their rules in the browser: what is made, shown and refused there."""

from __future__ import annotations

import pytest
from console_browser import Browser, World
from vpc_world import REGION, Site

from tidegate.operations import endpoints, interfaces, security_groups, users, vpcs

VPC = {"region": "ap-southeast-1", "name": "data", "cidr": "10.1.0.0/16", "vswitch_cidr": "10.1.0.0/24"}
RULE = {"protocol": "tcp", "ports": "4000", "policy": "accept", "priority": "1", "cidr": "10.0.0.0/16"}


@pytest.fixture
def site(world: World) -> Site:
    return Site(world)


def test_a_vpc_comes_with_its_vswitch(console: Browser, site: Site) -> None:
    """Both or neither: a second try after a refusal must not leave two VPCs."""
    new = "/console/vpc/vpcs/new"
    refused = console.post(new, {**VPC, "zone": "ap-southeast-1b", "vswitch_cidr": "10.9.0.0/24"})
    assert refused.status == 422 and "does not lie within" in refused.text and 'value="data"' in refused.html
    with site.world.store.read() as tx:
        assert tx.vpcs.count() == 1  # one that was made and deleted again would still be being deleted
    shown = console.post(new, {**VPC, "zone": "ap-southeast-1b"})
    assert "10.1.0.0/24" in shown.text and "ap-southeast-1b" in shown.text
    names = [view.vpc.name for view in vpcs.find_vpcs(site.world.context, site.caller, REGION)]
    assert sorted(names) == ["data", "web"]
    assert console.post(new, {**VPC, "cidr": "100.64.0.0/16", "zone": "ap-southeast-1a"}).status == 422


def test_a_vpcs_tabs(console: Browser, site: Site) -> None:
    """What is in it, and the line that runs a program there."""
    endpoint_id, one = site.add_endpoint(), f"/console/vpc/vpcs/{site.vpc}"
    assert site.subnet in console.get(one).text
    assert "door" in console.get(f"{one}?tab=groups").text
    assert endpoint_id in console.get(f"{one}?tab=endpoints").text
    shown = console.get(f"{one}?tab=programs")
    assert f'data-copy="tidegate vpc exec {site.vpc} -- ip address"' in shown.html
    assert endpoint_id not in shown.text
    form = {"name": "worker-1", "vswitch": site.subnet, "group": site.group}
    shown = console.post(f"{one}/interfaces/new", form)
    assert f"tidegate vpc exec {site.vpc} --host worker-1 -- ip address" in shown.html
    (host,) = (
        view.interface
        for view in interfaces.find_interfaces(site.world.context, site.caller, region_id=REGION)
        if view.interface.kind == "host"
    )
    assert "worker-1" in console.get(f"/console/vpc/security-groups/{site.group}?tab=members").text
    assert "worker-1" in console.get(f"{one}/interfaces/{host.interface_id}/detach").text
    assert "worker-1" not in console.post(f"{one}/interfaces/{host.interface_id}/detach").text.replace("exec", "")


def test_what_is_in_use_is_not_deleted(console: Browser, site: Site) -> None:
    """The dialog says what is in the way; then, emptied from the inside, all of it goes."""
    endpoint_id = site.add_endpoint()
    site.settle(endpoint_id)
    for path in (f"vpcs/{site.vpc}", f"vswitches/{site.subnet}", f"security-groups/{site.group}"):
        shown = console.post(f"/console/vpc/{path}/delete")
        assert shown.status == 422 and "is still used by" in shown.text
    with site.world.store.write() as tx:
        for zone in tx.endpoint_zones.find(endpoint_id=endpoint_id):
            tx.endpoint_zones.remove(endpoint_id, zone.zone_id)
            tx.interfaces.remove(zone.interface_id)
        tx.endpoints.remove(endpoint_id)
    assert console.post(f"/console/vpc/security-groups/{site.group}/delete").path == "/console/vpc/security-groups"
    assert console.post(f"/console/vpc/vswitches/{site.subnet}/delete").path == f"/console/vpc/vpcs/{site.vpc}"
    shown = console.post(f"/console/vpc/vpcs/{site.vpc}/delete")
    assert shown.path == "/console/vpc/vpcs" and site.vpc not in shown.text


def test_vswitches(console: Browser, site: Site) -> None:
    new = "/console/vpc/vswitches/new"
    assert f'value="{site.vpc}" selected' in console.get(f"{new}?vpc={site.vpc}").html
    form = {"region": "ap-southeast-1", "vpc": site.vpc, "zone": "ap-southeast-1b", "name": "web-b"}
    for cidr, words in (("10.0.1.128/25", "overlaps"), ("10.9.0.0/24", "does not lie"), ("10.0.0.0/12", "too large")):
        shown = console.post(new, {**form, "cidr": cidr})
        assert shown.status == 422 and words in shown.text and "web-b" in shown.html
    shown = console.post(new, {**form, "cidr": "10.0.2.0/24"})
    assert shown.path == f"/console/vpc/vpcs/{site.vpc}" and "web-b" in shown.text
    listed = console.get("/console/vpc/vswitches")
    assert "10.0.2.0/24" in listed.text and "252" in listed.text
    assert "renamed" in console.post(f"/console/vpc/vswitches/{site.subnet}/edit", {"name": "renamed"}).text


def test_a_groups_rules(console: Browser, site: Site) -> None:
    """Add with what the how-to needs filled in, modify, delete; both directions."""
    one = f"/console/vpc/security-groups/{site.group}"
    form = console.get(f"{one}/rules/ingress/new")
    assert 'value="10.0.0.0/16"' in form.html and 'value="4000"' in form.html
    shown = console.post(f"{one}/rules/ingress/new", RULE)
    assert "4000/4000" in shown.text and "10.0.0.0/16" in shown.text
    (rule,) = security_groups.get_security_group(site.world.context, site.caller, site.group).rules
    rule_id = rule.rule_id
    changed = {**RULE, "policy": "drop", "ports": "4000-4010", "priority": "7"}
    shown = console.post(f"{one}/rules/ingress/{rule_id}", changed)
    assert "4000/4010" in shown.text and "Drop" in shown.text
    asked = console.get(f"{one}/rules/ingress/{rule_id}/delete")
    assert "Drop TCP 4000/4010, 10.0.0.0/16, priority 7." in asked.text
    assert "nothing may connect" in console.post(f"{one}/rules/ingress/{rule_id}/delete").text
    out = console.post(f"{one}/rules/egress/new", {**RULE, "protocol": "all", "ports": "4000"})
    assert "-1/-1" in out.text and str(out.reply.url).endswith("tab=egress")
    assert console.get(f"{one}/rules/ingress/{rule_id}").status == 404
    assert console.get(f"{one}/rules/sideways/new").status == 404


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ports": "x"}, "is no range of ports"),
        ({"ports": "0/99999"}, "do not fit"),
        ({"priority": "0"}, "A priority goes from 1 to 100"),
        ({"cidr": "10.0.0.1/16"}, "is no range of addresses"),
        ({"cidr": ""}, "needs an address range or a security group"),
        ({"cidr": "", "group": "sg-none"}, "sg-none"),
    ],
)
def test_rules_that_cannot_be(console: Browser, site: Site, changed: dict[str, str], words: str) -> None:
    """At the field, with what was typed."""
    shown = console.post(f"/console/vpc/security-groups/{site.group}/rules/ingress/new", {**RULE, **changed})
    assert shown.status == 422 and words in shown.text and 'class="field-error"' in shown.html


def test_kinds_of_groups_and_their_policy(console: Browser, site: Site) -> None:
    """An advanced group lets out what its form adds a rule for, and has no policy to change."""
    new = "/console/vpc/security-groups/new"
    form = {"region": "ap-southeast-1", "vpc": site.vpc, "name": "strict", "kind": "advanced"}
    shown = console.post(new, form)
    assert "Advanced Security Group" in shown.text and "Isolated" in shown.text
    assert "0.0.0.0/0" in console.get(f"{shown.path}?tab=egress").text
    assert console.post(f"{shown.path}/policy").status == 422
    basic = f"/console/vpc/security-groups/{site.group}"
    assert "Isolate" in console.get(f"{basic}/policy").text
    assert "Isolated" in console.post(f"{basic}/policy").text
    assert "Allowed" in console.post(f"{basic}/policy").text


def test_members_and_references(console: Browser, site: Site) -> None:
    """Why a group cannot be deleted."""
    endpoint_id, other = site.add_endpoint(), site.add_group("programs")
    console.post(f"/console/vpc/security-groups/{site.group}/rules/ingress/new", {**RULE, "cidr": "", "group": other})
    assert endpoint_id in console.get(f"/console/vpc/security-groups/{site.group}?tab=members").text
    assert "door" in console.get(f"/console/vpc/security-groups/{other}?tab=references").text
    listed = console.get("/console/vpc/security-groups")
    assert "door" in listed.text and "programs" in listed.text


def test_another_accounts_network_is_not_found(world: World, site: Site) -> None:
    users.create_user(world.context, "other", {})
    stranger = world.enter("other")
    console = world.enter("admin")
    console.post(f"/console/vpc/security-groups/{site.group}/rules/ingress/new", RULE)
    (rule,) = security_groups.get_security_group(world.context, site.caller, site.group).rules
    paths = [
        *(f"vpcs/{site.vpc}{rest}" for rest in ("/edit", "/delete", "/interfaces/new", "/interfaces/eni-1/detach")),
        *(f"vswitches/{site.subnet}{rest}" for rest in ("/edit", "/delete")),
        *(f"security-groups/{site.group}{rest}" for rest in ("/edit", "/delete", "/policy")),
        *(f"security-groups/{site.group}/rules/ingress/{rest}" for rest in ("new", rule.rule_id)),
        f"security-groups/{site.group}/rules/ingress/{rule.rule_id}/delete",
    ]
    for path in paths:
        assert stranger.get(f"/console/vpc/{path}").status == 404, path
        assert stranger.post(f"/console/vpc/{path}", RULE | {"name": "mine"}).status == 404, path
    for path in (f"vpcs/{site.vpc}", f"security-groups/{site.group}"):
        assert stranger.get(f"/console/vpc/{path}").status == 404
    for path in ("vpcs", "vswitches", "security-groups"):
        assert site.vpc not in stranger.get(f"/console/vpc/{path}").html
    assert not endpoints.list_endpoints(world.context, world.caller("other", "alicloud"), region_id=REGION)[0]
