"""What calls do to the store: all of it or nothing, owners apart, tokens once, wakes after the commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.domain.refusals import (
    AddressUnavailable,
    CrossRegion,
    DryRunPassed,
    EndpointExists,
    EndpointHasZones,
    GroupRequired,
    InUse,
    Malformed,
    NotFound,
    Refusal,
    ServiceUnknown,
    TokenReused,
    ZoneNotServed,
    ZoneUnknown,
)
from tidegate.domain.status import Status
from tidegate.operations import (
    clusters,
    endpoints,
    interfaces,
    security_group_rules,
    security_groups,
    services,
    subnets,
    vpcs,
)
from tidegate.operations.context import Caller
from tidegate.operations.endpoints import ZoneSpec
from tidegate.operations.security_group_rules import RuleSpec

REGION = "alicloud-ap-southeast-1"
OTHER = Caller("1000000000000099")


def make_endpoint(world: Any, vpc: str, subnet: str, group: str, /, **more: Any) -> Any:
    wish: dict[str, Any] = {
        "region_id": REGION,
        "vpc_id": vpc,
        "service": world.service_name(),
        "group_ids": [group],
        "zones": [ZoneSpec("ap-southeast-1a", subnet)],
    }
    return endpoints.create_endpoint(world.context, world.caller, **{**wish, **more})


def test_the_three_steps_leave_wishes_and_wakes(world: Any) -> None:
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    view = make_endpoint(world, vpc, subnet, group)
    assert view.endpoint.domain.startswith(view.endpoint.endpoint_id + ".epsrv-")
    assert len(view.endpoint.endpoint_id) == 23  # reference/tidbcloud.md 6.3
    assert ("endpoint", view.endpoint.endpoint_id) in world.woken
    [zone] = endpoints.list_zones(world.context, world.caller, view.endpoint.endpoint_id)
    assert zone.zone.address == "10.0.1.1"
    assert zone.zone.fabric_address == "100.64.0.1"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"service": "com.aliyuncs.privatelink.ap-southeast-1.epsrv-nothing"}, ServiceUnknown),
        ({"vpc_id": "vpc-nothing"}, NotFound),
        ({"group_ids": []}, GroupRequired),
        ({"group_ids": ["sg-nothing"]}, NotFound),
        ({"zones": [ZoneSpec("ap-southeast-1b", "SUBNET")]}, Malformed),
        ({"zones": [ZoneSpec("ap-southeast-1a", "vsw-nothing")]}, NotFound),
        ({"zones": [ZoneSpec("ap-southeast-1a", "SUBNET", "10.0.1.253")]}, AddressUnavailable),
        ({"name": "1"}, Malformed),
    ],
)
def test_a_refused_endpoint_leaves_nothing_half_made(
    world: Any, change: dict[str, Any], refusal: type[Refusal]
) -> None:
    """The zone fails after the endpoint row was written: only the transaction keeps the store clean."""
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    if change.get("zones") and change["zones"][0].subnet_id == "SUBNET":
        change = {"zones": [replace(change["zones"][0], subnet_id=subnet)]}
    world.woken.clear()
    with pytest.raises(refusal):
        make_endpoint(world, vpc, subnet, group, **change)
    with world.context.store.read() as tx:
        assert (tx.endpoints.count(), tx.endpoint_zones.count(), tx.interfaces.count()) == (0, 0, 0)
    assert world.woken == []


def test_cross_region_is_refused(world: Any) -> None:
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    with pytest.raises(CrossRegion):
        make_endpoint(world, vpc, subnet, group, service=world.service_name("alicloud-ap-northeast-1"))


def test_a_second_endpoint_of_the_service_in_the_vpc_is_refused(world: Any) -> None:
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    make_endpoint(world, vpc, subnet, group)
    with pytest.raises(EndpointExists):
        make_endpoint(world, vpc, subnet, group)


def test_a_dry_run_checks_and_does_nothing(world: Any) -> None:
    with pytest.raises(DryRunPassed):
        vpcs.create_vpc(world.context, replace(world.caller, dry_run=True), region_id=REGION)
    with pytest.raises(Malformed):
        vpcs.create_vpc(world.context, replace(world.caller, dry_run=True), region_id=REGION, cidr="x")
    assert vpcs.find_vpcs(world.context, world.caller, REGION) == []


def test_a_client_token_gives_the_first_result_for_a_day(world: Any) -> None:
    """A client that lost the answer asks again; it must not get a second VPC."""
    caller = replace(world.caller, token="t", action="CreateVpc", digest="d")
    first = vpcs.create_vpc(world.context, caller, region_id=REGION)
    assert vpcs.create_vpc(world.context, caller, region_id=REGION).vpc_id == first.vpc_id
    with pytest.raises(TokenReused):
        vpcs.create_vpc(world.context, replace(caller, digest="e"), region_id=REGION)
    world.pass_time(timedelta(hours=25))
    assert vpcs.create_vpc(world.context, caller, region_id=REGION).vpc_id != first.vpc_id


def test_what_is_used_cannot_be_deleted_and_the_way_back_works(world: Any) -> None:
    context, caller = world.context, world.caller
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    endpoint = make_endpoint(world, vpc, subnet, group).endpoint.endpoint_id
    for delete in (
        lambda: vpcs.delete_vpc(context, caller, vpc),
        lambda: subnets.delete_subnet(context, caller, subnet),
        lambda: security_groups.delete_security_group(context, caller, group),
    ):
        with pytest.raises(InUse):
            delete()
    with pytest.raises(EndpointHasZones):
        endpoints.delete_endpoint(context, caller, endpoint)
    endpoints.remove_zone(context, caller, endpoint, "ap-southeast-1a")
    endpoints.delete_endpoint(context, caller, endpoint)
    with pytest.raises(InUse):  # the kernel has not let go of the address yet
        subnets.delete_subnet(context, caller, subnet)


@pytest.mark.parametrize(
    "ask",
    [
        lambda c, who, ids: vpcs.get_vpc(c, who, ids["vpc"]),
        lambda c, who, ids: vpcs.delete_vpc(c, who, ids["vpc"]),
        lambda c, who, ids: subnets.get_subnet(c, who, ids["subnet"]),
        lambda c, who, ids: subnets.create_subnet(
            c, who, vpc_id=ids["vpc"], zone_id="ap-southeast-1a", cidr="10.0.9.0/24"
        ),
        lambda c, who, ids: security_groups.get_security_group(c, who, ids["group"]),
        lambda c, who, ids: security_group_rules.authorize_rules(
            c, who, ids["group"], "ingress", [RuleSpec("tcp", "1/1", peer_cidr="0.0.0.0/0")]
        ),
        lambda c, who, ids: endpoints.get_endpoint(c, who, ids["endpoint"]),
        lambda c, who, ids: endpoints.remove_zone(c, who, ids["endpoint"], "ap-southeast-1a"),
        lambda c, who, ids: interfaces.create_interface(c, who, subnet_id=ids["subnet"], group_ids=[ids["group"]]),
        lambda c, who, ids: clusters.get_cluster(c, who, ids["cluster"]),
        lambda c, who, ids: clusters.delete_cluster(c, who, ids["cluster"]),
    ],
)
def test_another_accounts_id_is_not_found(world: Any, ask: Callable[..., Any]) -> None:
    vpc = world.vpc()
    ids = {"vpc": vpc, "subnet": world.subnet(vpc), "group": world.group(vpc)}
    ids["endpoint"] = make_endpoint(world, vpc, ids["subnet"], ids["group"]).endpoint.endpoint_id
    made = clusters.create_cluster(world.context, world.caller, region_id=REGION, display_name="orders")
    ids["cluster"] = made.cluster.cluster_id
    with pytest.raises(NotFound):
        ask(world.context, OTHER, ids)
    assert vpcs.find_vpcs(world.context, OTHER, REGION) == []


def test_zones_are_those_of_the_region(world: Any) -> None:
    with pytest.raises(ZoneUnknown):
        world.subnet(world.vpc(), zone_id="cn-hangzhou-a")


def test_a_service_with_fewer_zones_refuses_the_others(world: Any) -> None:
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    with world.context.store.write() as tx:
        [service] = tx.services.find(region_id=REGION)
        tx.services.put(replace(service, zone_ids=("ap-southeast-1b",)))
    with pytest.raises(ZoneNotServed):
        make_endpoint(world, vpc, subnet, group)


def test_rules_again_and_revoked_twice_are_success(world: Any) -> None:
    group = world.group(world.vpc())
    spec = RuleSpec("tcp", "4000/4000", peer_cidr="10.0.0.0/8")
    for _ in range(2):
        security_group_rules.authorize_rules(world.context, world.caller, group, "ingress", [spec])
    assert len(security_groups.get_security_group(world.context, world.caller, group).rules) == 1
    for _ in range(2):
        security_group_rules.revoke_rules(world.context, world.caller, group, "ingress", specs=[spec])
    assert security_groups.get_security_group(world.context, world.caller, group).rules == ()


def test_services_are_made_once_and_only_where_there_are_private_endpoints(world: Any) -> None:
    services.ensure_region_services(world.context)
    with world.context.store.read() as tx:
        regions = [service.region_id for service in tx.services.find()]
    assert len(regions) == len(set(regions)) == 9
    assert not any(region.startswith(("gcp", "azure")) for region in regions)


def test_verify_finds_nothing_of_another_region(world: Any) -> None:
    name = world.service_name()
    find = services.find_visible_services
    assert len(find(world.context, world.caller, region_id=REGION, name=name)) == 1
    assert find(world.context, world.caller, region_id="alicloud-ap-northeast-1", name=name) == []


def test_a_thousand_logins_are_one_wake(world: Any) -> None:
    made = clusters.create_cluster(world.context, world.caller, region_id=REGION, display_name="orders").cluster
    clusters.sleep_cluster(world.context, made.cluster_id)
    for _ in range(5):
        clusters.wake_cluster(world.context, made.cluster_id)
    asked = clusters.get_cluster(world.context, world.caller, made.cluster_id).cluster
    assert (asked.awake, asked.start_seq) == (True, 2)
    with world.context.store.write() as tx:
        tx.statuses.put(Status("cluster", made.cluster_id, asked.generation, "failed", "disk full"))
    clusters.wake_cluster(world.context, made.cluster_id)
    again = clusters.get_cluster(world.context, world.caller, made.cluster_id).cluster
    assert again.start_seq == 3  # a failed start is tried again by the next login


def test_addresses_of_the_fabric_are_not_reused_at_once(world: Any) -> None:
    """A late packet to a dead endpoint's address must not reach a new one's."""
    vpc = world.vpc()
    subnet, group = world.subnet(vpc), world.group(vpc)
    endpoint = make_endpoint(world, vpc, subnet, group).endpoint.endpoint_id
    with world.context.store.write() as tx:
        [zone] = tx.endpoint_zones.find(endpoint_id=endpoint)
        tx.endpoint_zones.remove(endpoint, zone.zone_id)
        tx.interfaces.remove(zone.interface_id)
    endpoints.add_zone(world.context, world.caller, endpoint, ZoneSpec("ap-southeast-1a", subnet))
    [again] = endpoints.list_zones(world.context, world.caller, endpoint)
    assert again.zone.fabric_address == "100.64.0.2"
