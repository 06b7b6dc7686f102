"""A Terraform configuration made, read, changed and destroyed, twice in a row, without drift.

Drift is what a user of Terraform sees first: an attribute that reads back other than it was written makes every plan
propose a change for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alibaba_site import Site, serve_site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vpc20160428 import models as vpc
from terraform_resources import (
    REGION,
    Attributes,
    Endpoint,
    EndpointZone,
    Provider,
    SecurityGroup,
    SecurityGroupRule,
    Vpc,
    VSwitch,
)

from tidegate.operations.services import region_service


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


class Terraform:
    """``apply`` makes or changes, and plans again: the second plan must be empty.  ``destroy`` goes backwards."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.state: list[tuple[Any, str]] = []

    def apply(self, resource: Any, wish: Attributes) -> str:
        name = str(resource.create(wish))
        self.state.append((resource, name))
        self._require_no_drift(resource, name, wish)
        return name

    def change(self, name: str, **fields: Any) -> None:
        resource = next(resource for resource, known in self.state if known == name)
        before = resource.read(name)
        wish = {**before, **fields}
        resource.update(name, before, wish)
        self._require_no_drift(resource, name, wish)

    def destroy(self) -> None:
        while self.state:
            resource, name = self.state.pop()
            resource.delete(name)
            assert resource.read(name) is None

    def _require_no_drift(self, resource: Any, name: str, wish: Attributes) -> None:
        for _ in range(2):
            assert resource.read(name) == wish
            self.provider.site.converge()


def _rule(group: str, kind: str, **more: Any) -> Attributes:
    wish = {
        "security_group_id": group,
        "type": kind,
        "ip_protocol": "tcp",
        "port_range": "4000/4000",
        "nic_type": "intranet",
        "policy": "accept",
        "priority": 1,
        "cidr_ip": "10.0.0.0/8",
        "description": "",
    }
    return wish | more


def _configuration(terraform: Terraform, service_name: str) -> dict[str, str]:
    provider = terraform.provider
    made = {}
    made["vpc"] = terraform.apply(
        Vpc(provider),
        {"cidr_block": "10.4.0.0/16", "vpc_name": "tf-app", "description": "of the shop", "tags": {"env": "ci"}},
    )
    made["vswitch"] = terraform.apply(
        VSwitch(provider),
        {
            "vpc_id": made["vpc"],
            "zone_id": f"{REGION}a",
            "cidr_block": "10.4.1.0/24",
            "vswitch_name": "tf-app-a",
            "tags": {},
        },
    )
    for word, policy in (("one", "Accept"), ("two", "Drop")):
        made[word] = terraform.apply(
            SecurityGroup(provider),
            {
                "vpc_id": made["vpc"],
                "security_group_name": f"tf-{word}",
                "description": "",
                "security_group_type": "normal",
                "inner_access_policy": policy,
                "tags": {"env": "ci", "empty": ""},
            },
        )
    rules = SecurityGroupRule(provider)
    made["ingress"] = terraform.apply(rules, _rule(made["one"], "ingress", description="the database"))
    made["egress"] = terraform.apply(
        rules, _rule(made["one"], "egress", ip_protocol="all", port_range="-1/-1", cidr_ip="0.0.0.0/0", priority=100)
    )
    made["drop"] = terraform.apply(rules, _rule(made["two"], "ingress", policy="drop", port_range="1/65535"))
    made["endpoint"] = terraform.apply(
        Endpoint(provider),
        {
            "vpc_id": made["vpc"],
            "service_name": service_name,
            "vpc_endpoint_name": "tf-tidb",
            "endpoint_description": "to the shop's cluster",
            "security_group_ids": {made["one"]},
            "tags": {"env": "ci"},
        },
    )
    made["zone"] = terraform.apply(
        EndpointZone(provider),
        {"endpoint_id": made["endpoint"], "zone_id": f"{REGION}a", "vswitch_id": made["vswitch"]},
    )
    return made


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_configuration_lives_and_goes(site: Site, time: str) -> None:
    """Twice: what the first run left behind (a name, a token, a row) would meet the second."""
    provider = Provider(site)
    terraform = Terraform(provider)
    service = region_service(site.context, f"alicloud-{REGION}")
    assert service is not None
    made = _configuration(terraform, service.name)
    terraform.change(made["vpc"], vpc_name="tf-shop", tags={"env": "prod", "team": "tides"})
    terraform.change(made["vswitch"], vswitch_name="tf-shop-a", tags={"a": "1"})
    terraform.change(made["one"], description="of programs", inner_access_policy="Drop", tags={})
    terraform.change(made["ingress"], description="the shop's database")
    terraform.change(made["egress"], description="anywhere")
    terraform.change(
        made["endpoint"], vpc_endpoint_name="tf-db", security_group_ids={made["two"]}, tags={"team": "tides"}
    )
    _require_order(provider, made)
    terraform.destroy()
    site.converge()  # rows stay until the kernel has let go
    with site.context.store.read() as tx:
        left = (tx.vpcs.count(), tx.subnets.count(), tx.security_groups.count(), tx.security_group_rules.count())
        assert left == (0, 0, 0, 0) and (tx.endpoints.count(), tx.interfaces.count(), tx.tags.count()) == (0, 0, 0)


def _require_order(provider: Provider, made: dict[str, str]) -> None:
    """Destroyed in the wrong order, Terraform is told a code on which it tries again, and not that all is well."""
    for call, asked, codes in (
        (
            provider.plain.vpc.delete_vpc,
            vpc.DeleteVpcRequest(region_id=REGION, vpc_id=made["vpc"]),
            ("DependencyViolation.VSwitch", "DependencyViolation.SecurityGroup"),
        ),
        (
            provider.plain.vpc.delete_vswitch,
            vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=made["vswitch"]),
            ("DependencyViolation",),
        ),
        (
            provider.plain.ecs.delete_security_group,
            ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=made["two"]),
            ("DependencyViolation",),
        ),
    ):
        with pytest.raises(ClientException) as caught:
            call(asked)
        assert caught.value.code in codes


def test_data_sources(site: Site) -> None:
    """``alicloud_zones``, ``alicloud_regions``, ``alicloud_vpcs``: pages of 50 until a short one."""
    clients = Provider(site).plain
    available = clients.ecs.describe_available_resource(
        ecs.DescribeAvailableResourceRequest(
            region_id=REGION, destination_resource="Zone", instance_charge_type="PostPaid"
        )
    ).body.available_zones.available_zone
    zones = clients.ecs.describe_zones(ecs.DescribeZonesRequest(region_id=REGION)).body.zones.zone
    picked = [
        zone.zone_id
        for zone in zones
        if zone.zone_id in {row.zone_id for row in available if row.status != "SoldOut"}
        and zone.available_instance_types.instance_types
        and "cloud_efficiency" in zone.available_disk_categories.disk_categories
        and "VSwitch" in zone.available_resource_creation.resource_types
    ]
    assert picked == [f"{REGION}{letter}" for letter in "abc"]
    regions = clients.ecs.describe_regions(ecs.DescribeRegionsRequest()).body.regions.region
    assert REGION in [region.region_id for region in regions]
    provider = Provider(site)
    mine = [
        Vpc(provider).create({"cidr_block": "10.0.0.0/8", "vpc_name": f"n{n}", "description": "", "tags": {}})
        for n in range(51)
    ]
    seen: list[str] = []
    number, full = 1, True
    while full:
        asked = vpc.DescribeVpcsRequest(region_id=REGION, page_size=50, page_number=number)
        page = clients.vpc.describe_vpcs(asked).body.vpcs.vpc
        seen += [row.vpc_id for row in page]
        number, full = number + 1, len(page) == 50
    assert sorted(seen) == sorted(mine)
    for name in mine:
        Vpc(provider).delete(name)
