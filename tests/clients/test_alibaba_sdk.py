"""The three steps with Alibaba's official Python SDKs, in both signatures, over http and https.

Unit tests speak as we read the documents; these speak as the clients do that people have: their encoding, their
models' types (a text where a number is meant makes ``from_map`` keep the text), and how they read our errors.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alibaba_site import Clients, Site, serve_site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_privatelink20200415 import models as pl
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vpc20160428 import models as vpc

from tidegate.api.alibaba.actions import ACTIONS
from tidegate.operations.services import region_service

REGION = "ap-southeast-1"
HOW = {
    "acs3-http": {},
    "acs3-https": {"protocol": "https"},
    "v1-http": {"signature_algorithm": "v2"},
    "v1-https": {"signature_algorithm": "v2", "protocol": "https"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(params=sorted(HOW))
def clients(site: Site, request: pytest.FixtureRequest) -> Clients:
    return site.clients(**HOW[request.param])


def refusal(call: Callable[..., Any], *arguments: Any) -> tuple[int, str, str]:
    """How the SDK reads our error: status, code, and our message out of ``code: 400, ... request id: ...``."""
    with pytest.raises(ClientException) as caught:
        call(*arguments)
    error = caught.value
    text = error.message.removeprefix(f"code: {error.status_code}, ").partition(" request id: ")[0]
    assert error.request_id and error.request_id.isupper()
    return error.status_code, error.code, text


class World:
    """The three steps' own objects, made with the clients given."""

    def __init__(self, site: Site, clients: Clients) -> None:
        self.vpc = clients.vpc.create_vpc(vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.9.0.0/16")).body.vpc_id
        self.vswitch = clients.vpc.create_vswitch(
            vpc.CreateVSwitchRequest(
                region_id=REGION, vpc_id=self.vpc, zone_id=f"{REGION}a", cidr_block="10.9.1.0/24", v_switch_name="app-a"
            )
        ).body.v_switch_id
        self.group = clients.ecs.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=self.vpc, security_group_name="app")
        ).body.security_group_id
        service = region_service(site.context, f"alicloud-{REGION}")
        assert service is not None
        self.service, self.service_id = service.name, service.service_id

    def create_request(self, **more: Any) -> pl.CreateVpcEndpointRequest:
        values = {
            "region_id": REGION,
            "vpc_id": self.vpc,
            "service_name": self.service,
            "security_group_id": [self.group],
            "zone": [pl.CreateVpcEndpointRequestZone(zone_id=f"{REGION}a", v_switch_id=self.vswitch)],
        } | more
        return pl.CreateVpcEndpointRequest(**values)


def test_the_three_steps(site: Site, clients: Clients) -> None:
    path = World(site, clients)
    clients.ecs.authorize_security_group(
        ecs.AuthorizeSecurityGroupRequest(
            region_id=REGION,
            security_group_id=path.group,
            permissions=[
                ecs.AuthorizeSecurityGroupRequestPermissions(
                    ip_protocol="tcp", port_range="4000/4000", source_cidr_ip="10.9.0.0/16", description="a b*~ü 中"
                )
            ],
        )
    )
    shown = clients.ecs.describe_security_group_attribute(
        ecs.DescribeSecurityGroupAttributeRequest(region_id=REGION, security_group_id=path.group, direction="ingress")
    ).body
    (rule,) = shown.permissions.permission
    assert (rule.ip_protocol, rule.port_range, rule.policy) == ("TCP", "4000/4000", "Accept")
    assert rule.description == "a b*~ü 中" and shown.inner_access_policy == "Accept"

    verified = clients.privatelink.list_vpc_endpoint_services_by_end_user(
        pl.ListVpcEndpointServicesByEndUserRequest(region_id=REGION, service_name=path.service)
    ).body
    assert verified.services[0].service_id == path.service_id and f"{REGION}a" in verified.services[0].zones

    made = clients.privatelink.create_vpc_endpoint(path.create_request(endpoint_name="tidb")).body
    assert (made.endpoint_status, made.connection_status) == ("Creating", "Connecting")
    asked = pl.GetVpcEndpointAttributeRequest(region_id=REGION, endpoint_id=made.endpoint_id)
    assert clients.privatelink.get_vpc_endpoint_attribute(asked).body.endpoint_status == "Creating"
    site.converge()
    endpoint = clients.privatelink.get_vpc_endpoint_attribute(asked).body
    assert (endpoint.endpoint_status, endpoint.connection_status) == ("Active", "Connected")
    assert endpoint.endpoint_domain == f"{made.endpoint_id}.{path.service_id}.{REGION}.privatelink.aliyuncs.com"
    zones = clients.privatelink.list_vpc_endpoint_zones(
        pl.ListVpcEndpointZonesRequest(region_id=REGION, endpoint_id=made.endpoint_id)
    ).body
    (zone,) = zones.zones
    assert (zone.zone_status, zone.eni_ip, zones.total_count) == ("Connected", "10.9.1.1", 1)
    groups = clients.privatelink.list_vpc_endpoint_security_groups(
        pl.ListVpcEndpointSecurityGroupsRequest(region_id=REGION, endpoint_id=made.endpoint_id)
    ).body
    assert [group.security_group_id for group in groups.security_groups] == [path.group]
    vpcs = clients.vpc.describe_vpcs(vpc.DescribeVpcsRequest(region_id=REGION, vpc_id=path.vpc)).body
    assert vpcs.vpcs.vpc[0].status == "Available" and vpcs.vpcs.vpc[0].v_switch_ids.v_switch_id == [path.vswitch]
    _take_down(site, clients, path, made.endpoint_id)


def _take_down(site: Site, clients: Clients, path: World, endpoint: str) -> None:
    """In the order the documents ask for; each step too early is refused in its own words."""
    of = {"region_id": REGION, "endpoint_id": endpoint}
    delete = pl.DeleteVpcEndpointRequest(**of)
    assert refusal(clients.privatelink.delete_vpc_endpoint, delete) == (
        400,
        "EndpointDependenceViolation",
        "The specified endpoint has dependent zone(s).",
    )
    assert refusal(clients.vpc.delete_vswitch, vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=path.vswitch))[
        :2
    ] == (400, "DependencyViolation")
    clients.privatelink.remove_zone_from_vpc_endpoint(pl.RemoveZoneFromVpcEndpointRequest(**of, zone_id=f"{REGION}a"))
    site.converge()
    clients.privatelink.delete_vpc_endpoint(delete)
    site.converge()
    gone = refusal(clients.privatelink.get_vpc_endpoint_attribute, pl.GetVpcEndpointAttributeRequest(**of))
    assert gone == (400, "EndpointNotFound", "The specified Endpoint does not exist.")
    clients.vpc.delete_vswitch(vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=path.vswitch))
    clients.ecs.delete_security_group(ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=path.group))
    clients.vpc.delete_vpc(vpc.DeleteVpcRequest(region_id=REGION, vpc_id=path.vpc))


def test_refusals_as_the_sdk_reads_them(site: Site, clients: Clients) -> None:
    path = World(site, clients)
    create = clients.privatelink.create_vpc_endpoint
    no_service = (400, "EndpointServiceNotFound", "The specified Service does not exist.")
    other = region_service(site.context, "alicloud-ap-northeast-1")
    assert other is not None
    assert refusal(create, path.create_request(service_name=other.name)) == no_service
    assert refusal(create, path.create_request(service_region_id="ap-northeast-1")) == no_service
    assert refusal(create, path.create_request(vpc_id="vpc-no"))[:2] == (400, "VpcNotFound")
    assert refusal(create, path.create_request(vpc_id=None)) == (
        400,
        "MissingVpcId",
        "VpcId is mandatory for this action.",
    )
    assert refusal(create, path.create_request(dry_run=True))[:2] == (400, "DryRunOperation")
    listed = pl.ListVpcEndpointsRequest(region_id=REGION, vpc_id=path.vpc)
    assert clients.privatelink.list_vpc_endpoints(listed).body.endpoints == []
    broken = pl.ListVpcEndpointsRequest(region_id=REGION, next_token="AAAA")
    assert refusal(clients.privatelink.list_vpc_endpoints, broken)[:2] == (400, "IllegalParamFormat.NextToken")
    attribute = vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id="vpc-no")
    assert refusal(clients.vpc.describe_vpc_attribute, attribute) == (
        404,
        "InvalidVpcId.NotFound",
        "Specified VPC does not exist.",
    )


def test_a_client_token_makes_one_endpoint(site: Site, clients: Clients) -> None:
    path, token = World(site, clients), uuid.uuid4().hex
    first = clients.privatelink.create_vpc_endpoint(path.create_request(client_token=token)).body.endpoint_id
    assert clients.privatelink.create_vpc_endpoint(path.create_request(client_token=token)).body.endpoint_id == first
    assert refusal(clients.privatelink.create_vpc_endpoint, path.create_request())[1] == "EndpointDuplicated"


def test_a_program_gets_its_place(site: Site, clients: Clients) -> None:
    path = World(site, clients)
    made = clients.ecs.create_network_interface(
        ecs.CreateNetworkInterfaceRequest(region_id=REGION, v_switch_id=path.vswitch, security_group_id=path.group)
    ).body
    site.converge()
    found = clients.ecs.describe_network_interfaces(
        ecs.DescribeNetworkInterfacesRequest(region_id=REGION, network_interface_id=[made.network_interface_id])
    ).body.network_interface_sets.network_interface_set
    assert [(eni.status, eni.private_ip_address) for eni in found] == [("Available", "10.9.1.1")]
    clients.ecs.delete_network_interface(
        ecs.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=made.network_interface_id)
    )


def test_places(clients: Clients) -> None:
    zones = clients.privatelink.describe_zones(pl.DescribeZonesRequest(region_id=REGION)).body.zones.zone
    assert [zone.zone_id for zone in zones] == [f"{REGION}{letter}" for letter in "abc"]
    regions = clients.ecs.describe_regions(ecs.DescribeRegionsRequest(accept_language="en-US")).body.regions.region
    assert "Singapore" in [region.local_name for region in regions]
    assert clients.vpc.describe_regions(vpc.DescribeRegionsRequest()).body.regions.region
    assert clients.vpc.describe_zones(vpc.DescribeZonesRequest(region_id=REGION)).body.zones.zone


@pytest.mark.parametrize("how", sorted(HOW))
def test_a_wrong_secret(site: Site, how: str) -> None:
    """The SDK's own words for it, so that people find them in the cloud's help pages."""
    wrong = site.clients(access_key_secret="x" * 30, **HOW[how])
    status, code, text = refusal(wrong.vpc.describe_vpcs, vpc.DescribeVpcsRequest(region_id=REGION))
    assert (status, code) == (400, "SignatureDoesNotMatch") and "server string to sign is:" in text
    unknown = site.clients(access_key_id="LTAInobody", **HOW[how])
    answer = refusal(unknown.vpc.describe_vpcs, vpc.DescribeVpcsRequest(region_id=REGION))
    assert answer == (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")


def test_https_needs_our_ca(site: Site) -> None:
    """A client that does not know the CA must not talk: otherwise the CA would be worth nothing.

    By another name of the host, because the SDK keeps open connections per host and takes one that knew the CA.
    """
    stranger = site.clients(protocol="https", ca=None, endpoint=site.host.replace("127.0.0.1", "localhost"))
    with pytest.raises(Exception, match=r"(?i)certificate"):
        stranger.vpc.describe_vpcs(vpc.DescribeVpcsRequest(region_id=REGION))


MODULES = {"2016-04-28": vpc, "2014-05-26": ecs, "2020-04-15": pl}
MODELLED = [key for key in sorted(ACTIONS) if key[0] in MODULES and key[1] != "CheckProductOpen"]


@pytest.mark.parametrize(("version", "name"), MODELLED, ids=str)
def test_our_parameters_are_the_sdks(version: str, name: str) -> None:
    """Each parameter in our table is one of the SDK's model: a misspelt name would never be sent by anyone."""
    action = ACTIONS[version, name]
    known = _wire_names(getattr(MODULES[version], f"{name}Request")) | {"RegionId"}
    ours = {take.partition("=")[0].removesuffix(".N") for take in (*action.needs, *action.takes)}
    assert ours <= known


def _wire_names(model: Any) -> set[str]:
    """The names that the model writes, found by filling each field in turn."""
    names: set[str] = set()
    for field in vars(model()):
        value = model()
        setattr(value, field, [])
        try:
            names |= set(value.to_map())
        except AttributeError:  # a field that holds a model of its own
            names.add("".join(part.capitalize() for part in field.split("_")))
    return names
