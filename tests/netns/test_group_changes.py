"""What the calls of security groups do to packets: call, plan, kernel, then a connection is tried.

The endpoint and the programs stand before each change is made: a rule that only held for what is made after it would
pass every test of a fresh world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from netns_world import World

from tidegate.controller.plan import PlanSettings, host_namespace, plan_network, plan_region
from tidegate.controller.world import load_network
from tidegate.domain import fabric
from tidegate.domain.security_groups import GroupKind
from tidegate.operations import endpoints, interfaces, security_group_rules, security_groups, services, subnets, vpcs
from tidegate.operations.context import Caller, Context
from tidegate.operations.endpoints import ZoneSpec
from tidegate.operations.security_group_rules import RuleChange, RuleSpec
from tidegate.store.store import Store

REGION = "alicloud-ap-southeast-1"
PORT = 4000
CALLER = Caller("1000000000000042")


@dataclass
class Site:
    """A VPC with an endpoint in group ``doors`` and a program in group ``apps``; both basic, without rules."""

    world: World
    context: Context
    woken: list[tuple[str, str]]
    ids: dict[str, str] = field(default_factory=dict)

    def build(self) -> None:
        c = self.context
        vpc = vpcs.create_vpc(c, CALLER, region_id=REGION, cidr="10.0.0.0/16").vpc_id
        zone = "ap-southeast-1a"
        subnet = subnets.create_subnet(c, CALLER, vpc_id=vpc, zone_id=zone, cidr="10.0.1.0/24").subnet_id
        self.ids |= {"vpc": vpc, "subnet": subnet}
        for name in ("doors", "apps", "others"):
            self.group(name)
        service = services.region_service(c, REGION)
        assert service is not None
        made = endpoints.create_endpoint(
            c,
            CALLER,
            region_id=REGION,
            vpc_id=vpc,
            service=service.name,
            group_ids=[self.ids["doors"]],
            zones=[ZoneSpec(zone, subnet, "10.0.1.9")],
        )
        self.ids["endpoint"] = made.endpoint.endpoint_id
        self.ids["app"] = interfaces.create_interface(
            c, CALLER, subnet_id=subnet, group_ids=[self.ids["apps"]], address="10.0.1.10"
        ).interface_id
        self.world.plane.apply_region(plan_region(REGION, []))
        self.converge()
        self.world.serve(REGION, fabric.GATEWAY_ADDRESS, PORT)

    def group(self, name: str, kind: GroupKind = "basic") -> str:
        made = security_groups.create_security_group(
            self.context, CALLER, region_id=REGION, vpc_id=self.ids["vpc"], kind=kind
        )
        self.ids[name] = made.group_id
        return made.group_id

    def call(self, operation: Callable[..., Any], *arguments: Any, **more: Any) -> None:
        """Carry out one operation, and what the controller does when it is woken, and only then."""
        self.woken.clear()
        operation(self.context, CALLER, *arguments, **more)
        assert self.woken, "nobody was woken: the kernel would learn of it at the next resync"
        self.converge()

    def converge(self) -> None:
        with self.context.store.read() as tx:
            network = load_network(tx, self.ids["vpc"])
        assert network is not None
        config = plan_network(network, PlanSettings()).network
        assert config is not None
        self.world.plane.apply_network(config)

    def allow(self, *, group: str = "doors", direction: str = "ingress", **spec: str) -> str:
        """One more rule on port 4000; its id."""
        wanted = RuleSpec("tcp", f"{PORT}/{PORT}", **spec)
        before = {rule.rule_id for rule in self.rules(group)}
        self.call(security_group_rules.authorize_rules, self.ids[group], direction, [wanted])
        (made,) = {rule.rule_id for rule in self.rules(group)} - before
        return made

    def rules(self, group: str) -> tuple[Any, ...]:
        return security_groups.get_security_group(self.context, CALLER, self.ids[group]).rules

    def modify(self, rule_id: str, **fields: str) -> None:
        self.call(security_group_rules.modify_rule, self.ids["doors"], "ingress", rule_id, RuleChange(**fields))

    def regroup(self, *groups: str) -> None:
        ids = [self.ids[name] for name in groups]
        self.call(interfaces.modify_interface, self.ids["app"], group_ids=ids)

    def reaches(self) -> bool:
        return self.world.place(host_namespace(self.ids["app"])).reaches("10.0.1.9", PORT)


@pytest.fixture
def site(bare_world: World, tmp_path: Path) -> Iterator[Site]:
    store = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    store.migrate()
    woken: list[tuple[str, str]] = []
    context = Context(store, wake=lambda kind, name: woken.append((kind, name)))
    services.ensure_region_services(context)
    made = Site(bare_world, context, woken)
    made.build()
    yield made
    store.close()


def test_a_rule_that_names_a_group_follows_its_members(site: Site) -> None:
    """The program joins and leaves; the rule stays as it is, and the endpoint is never touched."""
    assert not site.reaches()
    site.allow(peer_group=site.ids["apps"])
    assert site.reaches()
    site.call(interfaces.join_group, site.ids["app"], site.ids["others"])
    assert site.reaches()
    site.call(interfaces.leave_group, site.ids["app"], site.ids["apps"])
    assert not site.reaches()
    site.call(interfaces.join_group, site.ids["app"], site.ids["apps"])
    assert site.reaches()
    site.regroup("others")
    assert not site.reaches()


def test_a_modified_rule_is_in_force_at_once(site: Site) -> None:
    rule_id = site.allow(peer_cidr="10.0.0.0/16")
    assert site.reaches()
    site.modify(rule_id, ports="4001/4001")
    assert not site.reaches()
    site.modify(rule_id, ports="1/65535")
    assert site.reaches()
    site.modify(rule_id, policy="drop")
    assert not site.reaches()
    site.modify(rule_id, policy="accept", peer_cidr="10.0.1.11/32")
    assert not site.reaches()
    site.modify(rule_id, peer_cidr="10.0.1.10/32")
    assert site.reaches()
    site.call(security_group_rules.revoke_rules, site.ids["doors"], "ingress", rule_ids=[rule_id])
    assert not site.reaches()


def test_priorities_and_ties(site: Site) -> None:
    """The smaller number wins; at a tie drop wins, whichever rule was made first."""
    accepting = site.allow(peer_cidr="10.0.0.0/16", priority="10")
    site.allow(peer_cidr="0.0.0.0/0", policy="drop", priority="20")
    assert site.reaches()
    site.modify(accepting, priority="20")
    assert not site.reaches()
    site.modify(accepting, priority="19")
    assert site.reaches()


def test_members_of_one_group_and_its_inner_policy(site: Site) -> None:
    """Accept comes before every rule, a drop of all included; with Drop members are strangers to each other."""
    site.regroup("doors")
    assert site.reaches()
    site.allow(peer_cidr="0.0.0.0/0", policy="drop")
    assert site.reaches()
    site.call(security_groups.set_inner_access, site.ids["doors"], "drop")
    assert not site.reaches()
    site.call(security_groups.set_inner_access, site.ids["doors"], "accept")
    assert site.reaches()


def test_enterprise_groups_let_nothing_in_or_out(site: Site) -> None:
    """No trust among members, and nothing leaves without a rule, when the group was made by the API."""
    site.group("apps2", "advanced")
    site.regroup("apps2")
    site.allow(peer_cidr="10.0.0.0/16")
    assert not site.reaches()
    egress = site.allow(group="apps2", direction="egress", peer_cidr="10.0.1.9/32")
    assert site.reaches()
    site.call(security_group_rules.revoke_rules, site.ids["apps2"], "egress", rule_ids=[egress])
    assert not site.reaches()


def test_the_endpoints_groups_change_under_it(site: Site) -> None:
    site.allow(group="others", peer_cidr="10.0.0.0/16")
    assert not site.reaches()
    site.call(endpoints.attach_security_group, site.ids["endpoint"], site.ids["others"])
    assert site.reaches()
    site.call(endpoints.detach_security_group, site.ids["endpoint"], site.ids["others"])
    assert not site.reaches()
