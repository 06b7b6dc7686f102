"""A service of one account, reached by another through an endpoint: the official SDK says it, packets prove it.

A whole installation runs here (serve and agent; no database), and a program listens inside the publisher's VPC.  Both
VPCs have the same range, and both programs the same address: nothing but the endpoint can be what joins them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_privatelink20200415 import models as pl
from alibabacloud_privatelink20200415.client import Client as PrivateLink
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as Vpc
from languages import open_client

from tidegate.cli.access import open_operator
from tidegate.testing import wait_until
from tidegate.testing.world import World

REGION = "ap-southeast-1"
ZONE, OTHER_ZONE = f"{REGION}a", f"{REGION}b"
PORT = 8080
FABRIC = "100.64.0.0/10"
DROP = {"IpProtocol": "tcp", "PortRange": "1/65535", "SourceCidrIp": "10.7.0.0/16", "Policy": "drop", "Priority": "1"}
PROGRAM = Path(__file__).with_name("tcp_program.py")


class Side:
    """One account: its clients, its VPC with a vSwitch in two zones, and a program in the first."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        made = open_operator(world.settings).call("POST", "/accounts", realm="alicloud", name=name)
        self.account_id, self.key = int(made["account_id"]), (made["key_id"], made["secret"])
        config = {
            "access_key_id": made["key_id"],
            "access_key_secret": made["secret"],
            "endpoint": world.access.server.address,
            "protocol": "http",
            "region_id": REGION,
        }
        self.vpcs, self.ecs, self.api = Vpc(Config(**config)), Ecs(Config(**config)), PrivateLink(Config(**config))
        here = {"region_id": REGION}
        self.vpc = self.vpcs.create_vpc(vpc.CreateVpcRequest(**here, cidr_block="10.7.0.0/16")).body.vpc_id
        self.vswitches = {
            zone: self.vpcs.create_vswitch(
                vpc.CreateVSwitchRequest(**here, vpc_id=self.vpc, zone_id=zone, cidr_block=f"10.7.{number}.0/24")
            ).body.v_switch_id
            for number, zone in enumerate((ZONE, OTHER_ZONE))
        }
        self.group = self.ecs.create_security_group(
            ecs.CreateSecurityGroupRequest(**here, vpc_id=self.vpc)
        ).body.security_group_id
        self.eni = self.place(ZONE)

    def place(self, zone: str) -> str:
        request = ecs.CreateNetworkInterfaceRequest(
            region_id=REGION, v_switch_id=self.vswitches[zone], security_group_id=self.group
        )
        return str(self.ecs.create_network_interface(request).body.network_interface_id)

    def allow(self, cidr: str, ports: str = "1/65535") -> None:
        rule = ecs.AuthorizeSecurityGroupRequestPermissions(ip_protocol="tcp", port_range=ports, source_cidr_ip=cidr)
        self.ecs.authorize_security_group(
            ecs.AuthorizeSecurityGroupRequest(region_id=REGION, security_group_id=self.group, permissions=[rule])
        )
        self.world.settle()

    def call(self, action: str, **parameters: Any) -> Any:
        request = getattr(pl, f"{action}Request")(region_id=REGION, **parameters)
        method = "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_")
        return getattr(self.api, method)(request).body

    def program(self, *arguments: str, eni: str | None = None) -> Process:
        return Process(self.world, eni or self.eni, *arguments)

    def reaches(self, host: str, port: int = PORT) -> str:
        with self.program("dial", host, str(port)) as process:
            return str(process.read()["outcome"])


class Process:
    """One of ``tcp_program.py`` in a program's place; lines of JSON from it, empty lines to it."""

    def __init__(self, world: World, eni: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*world.enter_argv(f"host-{eni}"), sys.executable, "-u", str(PROGRAM), *arguments],
            env=world.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the program inside ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.read()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture(scope="module")
def owner(world: World) -> Side:
    side = Side(world, "owner")
    side.allow(FABRIC)  # a consumer speaks from the fabric, as Alibaba's load balancers speak from 100.64.0.0/10
    return side


@pytest.fixture(scope="module")
def guest(world: World) -> Side:
    side = Side(world, "guest")
    side.allow("10.7.0.0/16")
    return side


@pytest.fixture(scope="module")
def listening(owner: Side) -> Iterator[None]:
    with owner.program("serve", str(PORT), "a") as process:
        assert process.read()["outcome"] == "listening"
        yield


class Joined:
    """A service with a resource per zone, and an endpoint of it with both zones, not accepted yet."""

    def __init__(self, owner: Side, guest: Side, second: str) -> None:
        self.owner, self.guest = owner, guest
        service = owner.call("CreateVpcEndpointService")
        self.of = {"service_id": service.service_id}
        for eni in (owner.eni, second):
            owner.call("AttachResourceToVpcEndpointService", **self.of, resource_id=eni, resource_type="slb")
        owner.call("AddUserToVpcEndpointService", **self.of, user_id=guest.account_id)
        wait_until(lambda: self.service() == "Active", "the service to be Active")
        made = guest.call(
            "CreateVpcEndpoint",
            **self.of,
            vpc_id=guest.vpc,
            security_group_id=[guest.group],
            zone=[pl.CreateVpcEndpointRequestZone(zone_id=z, v_switch_id=v) for z, v in guest.vswitches.items()],
        )
        self.it, self.domain = {"endpoint_id": made.endpoint_id}, made.endpoint_domain
        self.wait("Active", "Disconnected")

    def service(self) -> str:
        return str(self.owner.call("GetVpcEndpointServiceAttribute", **self.of).service_status)

    def states(self) -> tuple[str, str]:
        shown = self.guest.call("GetVpcEndpointAttribute", **self.it)
        return shown.endpoint_status, shown.connection_status

    def wait(self, *wanted: str) -> None:
        wait_until(lambda: self.states() == wanted, f"the endpoint to be {wanted}")

    def zones(self) -> dict[str, Any]:
        return {zone.zone_id: zone for zone in self.guest.call("ListVpcEndpointZones", **self.it).zones}

    def change(self, action: str, **more: Any) -> None:
        self.owner.call(action, **self.of, **self.it, **more)
        wait_until(lambda: self.states()[0] == "Active", f"{action} to be carried out")


@pytest.fixture(scope="module")
def joined(owner: Side, guest: Side, listening: None) -> Iterator[Joined]:
    second = owner.place(OTHER_ZONE)
    owner.world.settle()
    with owner.program("serve", str(PORT), "b", eni=second) as process:
        assert process.read()["outcome"] == "listening"
        yield Joined(owner, guest, second)


def test_a_connection_is_what_the_api_says(joined: Joined, guest: Side) -> None:
    """Disconnected: no packet. Enabled: it flows. Disabled: what ran is cut. Zone by zone the same. Removed: gone."""
    zones = joined.zones()
    assert {zone.zone_status for zone in zones.values()} == {"Wait"}
    first, second = zones[ZONE].eni_ip, zones[OTHER_ZONE].eni_ip
    assert guest.reaches(first) == "timeout"

    joined.change("EnableVpcEndpointConnection")
    assert joined.states() == ("Active", "Connected")
    assert (guest.reaches(first), guest.reaches(second)) == ("a", "b")  # each zone to its zone's resource
    assert guest.reaches(joined.domain) in ("a", "b") and guest.reaches(zones[OTHER_ZONE].zone_domain) == "b"
    assert guest.reaches(first, PORT + 1) == "refused"  # every port is the resource's; nobody listens on this one

    with guest.program("talk", first, str(PORT)) as running:
        assert running.read()["outcome"] == "a" and running.ask()["outcome"] == "a"
        joined.change("DisableVpcEndpointZoneConnection", zone_id=ZONE)
        assert running.ask()["outcome"] != "a"
    assert joined.zones()[ZONE].zone_status == "Disconnected"
    assert (guest.reaches(first), guest.reaches(second), guest.reaches(joined.domain)) == ("timeout", "b", "b")
    joined.change("EnableVpcEndpointZoneConnection", zone_id=ZONE)
    assert guest.reaches(first) == "a"

    with guest.program("talk", second, str(PORT)) as running:
        assert running.read()["outcome"] == "b"
        joined.change("DisableVpcEndpointConnection")
        assert running.ask()["outcome"] != "b"
    assert joined.states() == ("Active", "Disconnected") and guest.reaches(second) == "timeout"
    joined.change("EnableVpcEndpointConnection")
    assert guest.reaches(second) == "b"

    guest.call("RemoveZoneFromVpcEndpoint", **joined.it, zone_id=OTHER_ZONE)
    wait_until(lambda: OTHER_ZONE not in joined.zones(), "the zone to be gone")
    assert guest.reaches(second) in ("timeout", "unreachable")
    assert guest.reaches(joined.domain) == "a"


def test_bandwidth_holds(joined: Joined, guest: Side) -> None:
    """16 MB at 100 Mbit/s take 1.3 s; without the limit, which is the machine's, a small part of it."""
    address = joined.zones()[ZONE].eni_ip
    joined.change("UpdateVpcEndpointConnectionAttribute", bandwidth=100)
    slow = _seconds(guest, address)
    joined.change("UpdateVpcEndpointConnectionAttribute", bandwidth=10240)
    fast = _seconds(guest, address)
    assert 1.0 < slow < 8.0 and fast < slow / 2, (slow, fast)


def _seconds(guest: Side, address: str) -> float:
    started = time.monotonic()
    with guest.program("pull", address, str(PORT), "16000000") as process:
        assert process.read()["outcome"] == "16000000"
    return time.monotonic() - started


def test_a_stranger_and_a_removed_user_get_nothing(world: World, joined: Joined, owner: Side, guest: Side) -> None:
    """A third account cannot name the service; a removed one keeps its connection and can make no other."""
    stranger = Side(world, "stranger")
    stranger.allow("10.7.0.0/16")
    asked = {**joined.of, "vpc_id": stranger.vpc, "security_group_id": [stranger.group]}
    with pytest.raises(Exception, match="does not exist"):
        stranger.call("CreateVpcEndpoint", **asked)
    assert stranger.reaches(joined.domain) == "nxdomain"
    owner.call("RemoveUserFromVpcEndpointService", **joined.of, user_id=guest.account_id)
    assert guest.reaches(joined.zones()[ZONE].eni_ip) == "a"
    again = guest.vpcs.create_vpc(vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.8.0.0/16")).body.vpc_id
    with pytest.raises(Exception, match="does not exist"):
        guest.call("CreateVpcEndpoint", **joined.of, vpc_id=again, security_group_id=[guest.group])


@pytest.mark.parametrize("language", ["go", "node"])
def test_an_endpoint_made_by_another_language_carries_packets(
    world: World, owner: Side, listening: None, language: str
) -> None:
    """What Go and Node send must mean the same to the kernel as what Python sends, zone and group lists included."""
    consumer = Side(world, f"consumer-{language}")
    consumer.allow("10.7.0.0/16")
    service = {"service_id": owner.call("CreateVpcEndpointService", auto_accept_enabled=True).service_id}
    owner.call("AttachResourceToVpcEndpointService", **service, resource_id=owner.eni, resource_type="slb")
    owner.call("AddUserToVpcEndpointService", **service, user_id=consumer.account_id)
    wait_until(lambda: owner.call("GetVpcEndpointServiceAttribute", **service).service_status == "Active", "it is up")
    key_id, secret = consumer.key
    where = {"Host": world.access.server.address, "Scheme": "http", "Region": REGION, "Key": key_id, "Secret": secret}
    with open_client(language, "acs3", where) as client:
        made = client.call(
            "privatelink",
            "CreateVpcEndpoint",
            ServiceId=service["service_id"],
            VpcId=consumer.vpc,
            SecurityGroupId=[consumer.group],
            Zone=[{"ZoneId": ZONE, "VSwitchId": consumer.vswitches[ZONE], "ip": "10.7.0.77"}],
        )
        it = {"EndpointId": made["EndpointId"]}
        states = ("Active", "Connected")
        wait_until(lambda: _states(client.call("privatelink", "GetVpcEndpointAttribute", **it)) == states, "connected")
        assert consumer.reaches("10.7.0.77") == consumer.reaches(made["EndpointDomain"]) == "a"
        client.call("ecs", "ModifySecurityGroupPolicy", SecurityGroupId=consumer.group, InnerAccessPolicy="Drop")
        rules = {"SecurityGroupId": consumer.group, "Permissions": [DROP]}
        client.call("ecs", "AuthorizeSecurityGroup", **rules)
        world.settle()
        assert consumer.reaches("10.7.0.77") == "timeout"
        client.call("ecs", "RevokeSecurityGroup", **rules)
        world.settle()
        assert consumer.reaches("10.7.0.77") == "a"


def _states(shown: dict[str, str]) -> tuple[str, str]:
    return shown["EndpointStatus"], shown["ConnectionStatus"]
