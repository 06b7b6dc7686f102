"""The three steps and their refusals with Alibaba's Go and Node SDKs, current (ACS3) and older (V1).

Each language encodes, signs and reads errors by code of its own.  Incident to keep in mind: a number sent as text is
kept as text by Python's models and is an error for Go's.  PrivateLink's typed Go and Node packages are not on the
registries (2026-11), so the current SDKs call it through their generic client, the older Go SDK through its typed one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alibaba_site import Site, serve_site
from languages import Client, Refused, open_client

from tidegate.operations.services import region_service

REGION = "ap-southeast-1"
ZONE = f"{REGION}a"
CLIENTS = [("go", "acs3"), ("go", "v1"), ("node", "acs3"), ("node", "v1")]
NAMES = ["-".join(each) for each in CLIENTS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


def config(site: Site, **more: str) -> dict[str, str]:
    known = {"Host": site.host, "Scheme": "http", "Region": REGION, "Key": site.key.key_id, "Secret": site.key.secret}
    return known | more


@pytest.fixture(scope="module", params=CLIENTS, ids=NAMES)
def client(site: Site, request: pytest.FixtureRequest) -> Iterator[Client]:
    with open_client(*request.param, config(site)) as client:
        yield client


@dataclass
class Network:
    vpc: str
    vswitch: str
    group: str


@pytest.fixture
def network(client: Client) -> Network:
    vpc = client.call("vpc", "CreateVpc", CidrBlock="10.9.0.0/16", VpcName="语言", Description="a b*~+中")["VpcId"]
    vswitch = client.call("vpc", "CreateVSwitch", VpcId=vpc, ZoneId=ZONE, CidrBlock="10.9.1.0/24")["VSwitchId"]
    group = client.call("ecs", "CreateSecurityGroup", VpcId=vpc, SecurityGroupName="app")["SecurityGroupId"]
    return Network(vpc, vswitch, group)


def endpoint_of(site: Site, client: Client, network: Network) -> dict[str, Any]:
    service = region_service(site.context, f"alicloud-{REGION}")
    assert service is not None
    return client.call(
        "privatelink",
        "CreateVpcEndpoint",
        VpcId=network.vpc,
        ServiceName=service.name,
        EndpointName="from-another-language",
        SecurityGroupId=[network.group],
        Zone=[{"ZoneId": ZONE, "VSwitchId": network.vswitch}],
    )


def test_the_three_steps(site: Site, client: Client, network: Network) -> None:
    """Made, seen, connected and taken away: each answer as the SDK's own model holds it."""
    found = client.call("privatelink", "ListVpcEndpointServicesByEndUser")
    assert any(service["ServiceId"].startswith("epsrv-") for service in found["Services"])
    made = endpoint_of(site, client, network)
    assert made["EndpointStatus"] == "Creating" and made["EndpointDomain"].endswith(".privatelink.aliyuncs.com")
    site.converge()
    shown = client.call("privatelink", "GetVpcEndpointAttribute", EndpointId=made["EndpointId"])
    assert (shown["EndpointStatus"], shown["ConnectionStatus"]) == ("Active", "Connected")
    assert shown["VpcId"] == network.vpc and shown["Bandwidth"] == 3072
    zones = client.call("privatelink", "ListVpcEndpointZones", EndpointId=made["EndpointId"])["Zones"]
    assert [(zone["ZoneId"], zone["ZoneStatus"]) for zone in zones] == [(ZONE, "Connected")]
    assert zones[0]["EniIp"].startswith("10.9.1.")
    take_away(site, client, network, made["EndpointId"])


def take_away(site: Site, client: Client, network: Network, endpoint_id: str) -> None:
    client.call("privatelink", "RemoveZoneFromVpcEndpoint", EndpointId=endpoint_id, ZoneId=ZONE)
    site.converge()
    client.call("privatelink", "DeleteVpcEndpoint", EndpointId=endpoint_id)
    site.converge()
    with pytest.raises(Refused) as caught:
        client.call("privatelink", "GetVpcEndpointAttribute", EndpointId=endpoint_id)
    assert caught.value.code == "EndpointNotFound"
    client.call("ecs", "DeleteSecurityGroup", SecurityGroupId=network.group)
    client.call("vpc", "DeleteVSwitch", VSwitchId=network.vswitch)
    site.converge()
    client.call("vpc", "DeleteVpc", VpcId=network.vpc)
    site.converge()
    assert client.call("vpc", "DescribeVpcs", VpcId=network.vpc)["TotalCount"] == 0


def test_what_is_read_back_is_what_was_written(client: Client, network: Network) -> None:
    """Blanks, an asterisk, a tilde, a plus and Chinese: each is encoded twice on its way, once to be signed."""
    shown = client.call("vpc", "DescribeVpcs", VpcId=network.vpc)
    (vpc,) = shown["Vpcs"]["Vpc"]
    assert (vpc["VpcName"], vpc["Description"], vpc["CidrBlock"]) == ("语言", "a b*~+中", "10.9.0.0/16")
    assert vpc["IsDefault"] is False and vpc["VSwitchIds"]["VSwitchId"] == [network.vswitch]
    assert shown["PageSize"] == 10


def test_rules_and_tags_travel_as_lists(client: Client, network: Network) -> None:
    """``Permissions.1.IpProtocol`` and ``Tag.2.Value``: every SDK flattens by code of its own."""
    rules = [
        {"IpProtocol": "tcp", "PortRange": "4000/4000", "SourceCidrIp": "10.9.0.0/16", "Priority": "1"},
        {"IpProtocol": "udp", "PortRange": "53/53", "SourceCidrIp": "10.9.0.0/16", "Policy": "drop"},
    ]
    client.call("ecs", "AuthorizeSecurityGroup", SecurityGroupId=network.group, Permissions=rules)
    shown = client.call("ecs", "DescribeSecurityGroupAttribute", SecurityGroupId=network.group)
    found = {(rule["PortRange"], rule["Policy"]) for rule in shown["Permissions"]["Permission"]}
    assert found == {("4000/4000", "Accept"), ("53/53", "Drop")}
    tags = [{"Key": "team", "Value": "a b"}, {"Key": "空", "Value": ""}]
    client.call("vpc", "TagResources", ResourceType="VPC", ResourceId=[network.vpc], Tag=tags)
    shown = client.call("vpc", "ListTagResources", ResourceType="VPC", ResourceId=[network.vpc])
    found_tags = {tag["TagKey"]: tag["TagValue"] for tag in shown["TagResources"]["TagResource"]}
    assert found_tags == {"team": "a b", "空": ""}


REFUSALS = {
    "vpc not found": (
        ("vpc", "DescribeVpcAttribute", {"VpcId": "vpc-none"}),
        (404, "InvalidVpcId.NotFound", "Specified VPC does not exist."),
    ),
    "bad range": (
        ("vpc", "CreateVpc", {"CidrBlock": "10.0.0.0/33"}),
        (400, "InvalidParameter", "Specified CIDR block is not valid."),
    ),
    "group not found": (
        ("ecs", "DescribeSecurityGroupAttribute", {"SecurityGroupId": "sg-none"}),
        (404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist."),
    ),
    "endpoint not found": (
        ("privatelink", "GetVpcEndpointAttribute", {"EndpointId": "ep-none"}),
        (400, "EndpointNotFound", "The specified Endpoint does not exist."),
    ),
    "mandatory parameter": (
        ("privatelink", "GetVpcEndpointAttribute", {}),
        (400, "MissingEndpointId", "EndpointId is mandatory for this action."),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_are_read_as_refusals(client: Client, case: str) -> None:
    """Code, status and message, out of each SDK's own error type."""
    (sdk, action, parameters), (status, code, message) = REFUSALS[case]
    with pytest.raises(Refused) as caught:
        client.call(sdk, action, **parameters)
    assert (caught.value.status or status, caught.value.code) == (status, code)
    assert message in caught.value.message


@pytest.mark.parametrize("which", CLIENTS, ids=NAMES)
def test_a_wrong_secret_is_told_as_such(site: Site, which: tuple[str, str]) -> None:
    """The older Go SDK compares the server's string to sign with its own, so the message must contain it."""
    with open_client(*which, config(site, Secret="wrong")) as client, pytest.raises(Refused) as caught:
        client.call("vpc", "DescribeVpcs")
    assert caught.value.code == "SignatureDoesNotMatch" and caught.value.status in (0, 400)


@pytest.mark.parametrize("which", CLIENTS, ids=NAMES)
def test_https_with_our_own_authority(site: Site, which: tuple[str, str]) -> None:
    """Go and Node each check certificates by a library of their own, and are stricter than OpenSSL."""
    with open_client(*which, config(site, Scheme="https"), ca=site.ca) as client:
        assert client.call("vpc", "DescribeVpcs")["PageNumber"] == 1


def test_many_calls_of_one_process_bring_a_nonce_each(client: Client) -> None:
    began = time.monotonic()
    for _ in range(50):
        client.call("vpc", "DescribeVpcs")
    assert time.monotonic() - began < 60


def test_the_programs_are_pinned() -> None:
    """A dependency that is resolved anew at each run is another program at each run, and needs no hash to change."""
    here = Path(__file__).parent
    lock = (here / "node" / "package-lock.json").read_text()
    assert '"resolved"' not in lock  # names a registry's host
    assert "toolchain" not in (here / "go" / "go.mod").read_text()
