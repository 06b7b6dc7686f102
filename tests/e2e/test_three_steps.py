"""The how-to page's three steps by the clients that people already have: official SDKs, digest clients, PyMySQL.

Nothing of ours stands between client and installation but ``Client.run``, which enters the VPC.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
from alibabacloud_ecs20140526 import models as em
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_privatelink20200415 import models as pm
from alibabacloud_privatelink20200415.client import Client as PrivateLink
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vm
from alibabacloud_vpc20160428.client import Client as Vpc

from tidegate.testing import Cluster, World, wait_until

REGION, ZONE = "ap-southeast-1", "ap-southeast-1a"
PASSWORD = "Secret-Pass-1"
Call = Callable[..., Any]

PROGRAM = """
import json, sys, pymysql
host, user, password, ca = sys.argv[1:]
with pymysql.connect(host=host, port=4000, user=user, password=password, ssl_ca=ca, ssl_verify_cert=True,
                     ssl_verify_identity=True, autocommit=True) as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE test.tide (id INT PRIMARY KEY, word VARCHAR(16))")
    cursor.executemany("INSERT INTO test.tide VALUES (%s, %s)", [(1, "ebb"), (2, "slack"), (3, "flood")])
    cursor.execute("SELECT id, word FROM test.tide ORDER BY id")
    print(json.dumps(cursor.fetchall()))
"""


def by_requests(env: dict[str, str]) -> Call:
    session = requests.Session()
    session.trust_env = False
    session.auth = requests.auth.HTTPDigestAuth(env["TIDBCLOUD_PUBLIC_KEY"], env["TIDBCLOUD_PRIVATE_KEY"])
    session.verify = env["TIDEGATE_CA"]
    base = f"https://{env['TIDEGATE_HTTPS']}"
    return lambda method, path, **options: session.request(method, base + path, timeout=30, **options).json()


def by_httpx(env: dict[str, str]) -> Call:
    auth = httpx.DigestAuth(env["TIDBCLOUD_PUBLIC_KEY"], env["TIDBCLOUD_PRIVATE_KEY"])
    client = httpx.Client(base_url=f"http://{env['TIDEGATE_HTTP']}", auth=auth, trust_env=False, timeout=30)
    return lambda method, path, **options: client.request(method, path, **options).json()


@pytest.mark.parametrize(
    ("tidbcloud", "signed"),
    [(by_requests, {"protocol": "https"}), (by_httpx, {"signature_algorithm": "v2", "protocol": "http"})],
    ids=["requests-https-ACS3", "httpx-http-V1"],
)
def test_the_three_steps(world: World, tidbcloud: Callable[[dict[str, str]], Call], signed: dict[str, str]) -> None:
    """A cluster's service name, an endpoint from it, rows through it over verified TLS."""
    env = world.environment()
    config = lambda: Config(  # noqa: E731
        access_key_id=env["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        endpoint=env["TIDEGATE_HTTP"],
        region_id=REGION,
        ca=env["TIDEGATE_CA"] if signed["protocol"] == "https" else None,
        **signed,
    )
    vpc, ecs, privatelink = Vpc(config()), Ecs(config()), PrivateLink(config())

    # 1. Choose a cluster
    call = tidbcloud(env)
    body = {"displayName": "steps", "region": {"name": f"regions/alicloud-{REGION}"}, "rootPassword": PASSWORD}
    cluster_id = call("POST", "/v1beta1/clusters", json=body)["clusterId"]
    path = f"/v1beta1/clusters/{cluster_id}"
    wait_until(lambda: call("GET", path)["state"] == "ACTIVE", "ACTIVE")
    cluster = call("GET", path)
    service = cluster["endpoints"]["private"]["alicloud"]["serviceName"]
    assert ZONE in cluster["endpoints"]["private"]["alicloud"]["availabilityZone"]

    # 2. Create a private endpoint
    vpc_id = vpc.create_vpc(vm.CreateVpcRequest(region_id=REGION, cidr_block="10.7.0.0/16")).body.vpc_id
    attribute = vm.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
    wait_until(lambda: vpc.describe_vpc_attribute(attribute).body.status == "Available", "Available")
    subnet = vm.CreateVSwitchRequest(region_id=REGION, vpc_id=vpc_id, zone_id=ZONE, cidr_block="10.7.1.0/24")
    subnet_id = vpc.create_vswitch(subnet).body.v_switch_id
    group = em.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id, security_group_name="db")
    group_id = ecs.create_security_group(group).body.security_group_id
    rule = em.AuthorizeSecurityGroupRequestPermissions(
        ip_protocol="tcp", port_range="4000/4000", source_cidr_ip="10.7.0.0/16"
    )
    ecs.authorize_security_group(
        em.AuthorizeSecurityGroupRequest(region_id=REGION, security_group_id=group_id, permissions=[rule])
    )
    verify = pm.ListVpcEndpointServicesByEndUserRequest(region_id=REGION, service_name=service)
    assert [s.service_name for s in privatelink.list_vpc_endpoint_services_by_end_user(verify).body.services] == [
        service
    ]
    endpoint_id = privatelink.create_vpc_endpoint(
        pm.CreateVpcEndpointRequest(
            region_id=REGION,
            vpc_id=vpc_id,
            service_name=service,
            endpoint_name="steps",
            security_group_id=[group_id],
            zone=[pm.CreateVpcEndpointRequestZone(zone_id=ZONE, v_switch_id=subnet_id)],
        )
    ).body.endpoint_id
    look = pm.GetVpcEndpointAttributeRequest(region_id=REGION, endpoint_id=endpoint_id)

    def connected() -> Any:
        found = privatelink.get_vpc_endpoint_attribute(look).body
        return found if (found.endpoint_status, found.connection_status) == ("Active", "Connected") else None

    domain = wait_until(connected, "Active and Connected").endpoint_domain

    # 3. Connect, from inside
    eni = em.CreateNetworkInterfaceRequest(
        region_id=REGION, v_switch_id=subnet_id, security_group_id=group_id, network_interface_name="app"
    )
    eni_id = ecs.create_network_interface(eni).body.network_interface_id
    place = em.DescribeNetworkInterfacesRequest(region_id=REGION, network_interface_id=[eni_id])
    found = lambda: ecs.describe_network_interfaces(place).body.network_interface_sets.network_interface_set  # noqa: E731
    wait_until(lambda: found()[0].status == "Available", "the program's interface")
    user = f"{cluster['userPrefix']}.root"
    done = world.run_at(f"host-{eni_id}", [sys.executable, "-c", PROGRAM, domain, user, PASSWORD, env["TIDEGATE_CA"]])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[1, "ebb"], [2, "slack"], [3, "flood"]]
    world.settle()
    call("DELETE", path)


def test_tls_that_cannot_be_verified_is_not_used(world: World, orders: Cluster) -> None:
    """A client that trusts other CAs must not send its password; one that trusts ours gets in by TLS 1.2 or 1.3."""
    vpc = world.vpc("tls")
    endpoint, client = vpc.endpoint(orders), vpc.client()
    ca = world.environment()["TIDEGATE_CA"]
    assert client.login(endpoint, ca=ca)
    assert client.login(endpoint, ca="/etc/ssl/certs/ca-certificates.crt").outcome == "tls"
    by_address = client.login(endpoint, ca=ca, host=endpoint.addresses[0])
    assert by_address.outcome == "tls", "the certificate is for names"


def test_all_is_said_to_be_well(world: World, orders: Cluster) -> None:
    """`tidegate status` after all of the above: every resource ready, and the generation answered is the wish's."""
    world.settle()
    resources = world.status()["resources"]
    assert {entry["phase"] for entry in resources} == {"ready"}
    behind = [e["id"] for e in resources if e["kind"] != "service" and e["observed_generation"] < e["generation"]]
    assert behind == []
