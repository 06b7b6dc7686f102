"""The plan is pure: rows in, configurations out.  Incremental parts and the whole host must be the same world."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tidegate.controller.plan import PlanSettings, gateway_names, plan_host, plan_network, plan_policy, policy_id
from tidegate.controller.world import Network, World
from tidegate.domain.clusters import Cluster
from tidegate.domain.endpoints import Endpoint, EndpointZone
from tidegate.domain.interfaces import NetworkInterface
from tidegate.domain.security_groups import SecurityGroup, SecurityGroupRule
from tidegate.domain.services import EndpointService
from tidegate.domain.subnets import Subnet
from tidegate.domain.vpcs import Vpc

NOW = datetime(2026, 11, 23, tzinfo=UTC)
REGION = "alicloud-ap-southeast-1"
SETTINGS = PlanSettings()

VPC = Vpc("vpc-1", "a", REGION, "10.0.0.0/16", "", "", "", "", NOW)
SUBNET = Subnet("vsw-1", "vpc-1", "a", REGION, "xa", "10.0.1.0/24", "", "", NOW)
GROUP = SecurityGroup("sg-1", "a", REGION, "vpc-1", "", "", "basic", "accept", NOW)
SERVICE = EndpointService("epsrv-1", "p", REGION, "alicloud", "n", "d", ("xa",), True, "100.112.0.1", 4000, ("*",), NOW)
ENDPOINT = Endpoint("ep-1", "a", REGION, "vpc-1", "epsrv-1", "", "", "ep-1.d", ("sg-1",), True, NOW)
ZONE = EndpointZone("ep-1", "xa", "vpc-1", REGION, "vsw-1", "eni-e", "10.0.1.1", "100.64.0.1", "ep-1-xa.d", 1)
HOST = NetworkInterface(
    "eni-h", "a", REGION, "vpc-1", "vsw-1", "xa", "host", "10.0.1.2", "", "", NOW, group_ids=("sg-1",)
)
ENI = NetworkInterface(
    "eni-e", "a", REGION, "vpc-1", "vsw-1", "xa", "endpoint", "10.0.1.1", "", "", NOW, endpoint_id="ep-1"
)
NETWORK = Network(VPC, (SUBNET,), (GROUP,), (), (HOST, ENI), (ENDPOINT,), (ZONE,), {"epsrv-1": SERVICE})
CLUSTER = Cluster("1", "o", "p", REGION, "orders", "2abc", "STARTER", "100.104.0.1", "k", NOW, NOW)


def rule(priority: int, verdict: str, group: str = "sg-1", direction: str = "ingress") -> SecurityGroupRule:
    return SecurityGroupRule(
        f"sgr-{group}-{priority}-{verdict}",
        group,
        direction,
        "tcp",
        (4000, 4000),
        verdict,
        priority,
        "0.0.0.0/0",
        None,
        "",
        NOW,  # type: ignore[arg-type]
    )


def test_an_endpoint_becomes_an_interface_a_name_and_a_consumer() -> None:
    parts = plan_network(NETWORK, SETTINGS)
    assert parts.network is not None
    [endpoint] = parts.network.endpoints
    assert (endpoint.address, endpoint.fabric_address, endpoint.service_address) == (
        "10.0.1.1",
        "100.64.0.1",
        "100.112.0.1",
    )
    assert parts.names["ep-1.d"].addresses == ("10.0.1.1",)
    assert parts.consumers["100.64.0.1"].endpoint_id == "ep-1"
    assert parts.network.group_members == (("sg-1", ("10.0.1.1", "10.0.1.2")),)
    assert parts.network.subnet_gateways == (("10.0.1.0/24", "10.0.1.253"),)


def test_an_endpoint_that_is_not_accepted_is_unknown_to_the_gateway() -> None:
    """Deny by default: the address exists, the kernel lets nothing through, and nobody is known behind it."""
    waiting = replace(NETWORK, endpoints=(replace(ENDPOINT, accepted=False),))
    parts = plan_network(waiting, SETTINGS)
    assert parts.network is not None
    assert not parts.network.endpoints[0].connected
    assert parts.consumers == {}


def test_what_is_being_deleted_is_not_planned() -> None:
    for gone in (
        replace(NETWORK, endpoints=(replace(ENDPOINT, deleting=True),)),
        replace(NETWORK, zones=(replace(ZONE, deleting=True),)),
    ):
        parts = plan_network(gone, SETTINGS)
        assert parts.network is not None
        assert (parts.network.endpoints, parts.consumers) == ((), {})
    assert plan_network(replace(NETWORK, vpc=replace(VPC, deleting=True)), SETTINGS).network is None


def test_policies_are_shared_by_sets_of_groups_and_in_order() -> None:
    other = replace(GROUP, group_id="sg-2", inner_access="drop")
    policy = plan_policy([other, GROUP], [rule(2, "accept"), rule(1, "accept", "sg-2"), rule(1, "drop")])
    assert [row.rule_id for row in policy.ingress] == [
        "sg-1:inner-access",  # InnerAccessPolicy Accept outranks all rules; sg-2's Drop gives nothing
        "sgr-sg-1-1-drop",
        "sgr-sg-2-1-accept",
        "sgr-sg-1-2-accept",
    ]
    assert (policy.ingress_default, policy.egress_default) == ("drop", "accept")
    assert policy.policy_id == policy_id(["sg-1", "sg-2"]) == policy_id(["sg-2", "sg-1"])


def test_advanced_groups_trust_nobody() -> None:
    policy = plan_policy([replace(GROUP, kind="advanced", inner_access="drop")], [])
    assert (policy.ingress, policy.egress, policy.egress_default) == ((), (), "drop")


def test_the_whole_host_is_made_of_the_same_parts() -> None:
    """What the loop patches part by part must equal what a restart plans from nothing."""
    parts = {"vpc-1": plan_network(NETWORK, SETTINGS)}
    host = plan_host(World((NETWORK,), (CLUSTER,)), parts, SETTINGS)
    assert host.networks["vpc-1"] == parts["vpc-1"].network
    assert host.consumers == parts["vpc-1"].consumers
    assert host.regions[REGION].cluster_addresses == ("100.104.0.1",)
    assert host.routes["2abc"].address == host.databases["1"].address == "100.104.0.1"
    assert not host.routes["2abc"].ready
    assert set(host.gateways) == {REGION}


def test_a_cluster_being_deleted_has_no_route_and_its_database_is_named_as_deleted() -> None:
    """Merely left out it would be forgotten by an agent that starts meanwhile, data and all."""
    host = plan_host(World((), (replace(CLUSTER, deleting=True),)), {}, SETTINGS)
    assert host.routes == {}
    database = host.databases[CLUSTER.cluster_id]
    assert database.deleted and not database.running


def test_certificates_are_for_the_names_people_use() -> None:
    assert gateway_names(REGION, ["epsrv-1"]) == [
        "gateway01-privatelink.ap-southeast-1.prod.alicloud.tidbcloud.com",
        "*.epsrv-1.ap-southeast-1.privatelink.aliyuncs.com",
    ]
