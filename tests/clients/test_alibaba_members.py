"""Groups, members and the small products with Alibaba's own clients: what Terraform's order of calls leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alibaba_site import Clients, Site, serve_site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_tea_openapi.client import Client as OpenApi
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_vpc20160428 import models as vpc
from darabonba.runtime import RuntimeOptions

REGION = "ap-southeast-1"
HOW = {"acs3": {}, "v1": {"signature_algorithm": "v2"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(params=sorted(HOW))
def clients(site: Site, request: pytest.FixtureRequest) -> Clients:
    return site.clients(**HOW[request.param])


def test_a_programs_groups(site: Site, clients: Clients) -> None:
    """Join, leave, replace; who names whom; and how the SDK reads the refusals."""
    e, of = clients.ecs, {"region_id": REGION}
    name = clients.vpc.create_vpc(vpc.CreateVpcRequest(**of, cidr_block="10.5.0.0/16")).body.vpc_id
    subnet = clients.vpc.create_vswitch(
        vpc.CreateVSwitchRequest(**of, vpc_id=name, zone_id=f"{REGION}a", cidr_block="10.5.1.0/24")
    ).body.v_switch_id
    one, two = (
        e.create_security_group(ecs.CreateSecurityGroupRequest(**of, vpc_id=name)).body.security_group_id
        for _ in range(2)
    )
    eni = e.create_network_interface(
        ecs.CreateNetworkInterfaceRequest(**of, v_switch_id=subnet, security_group_id=one)
    ).body.network_interface_id

    def groups() -> list[str]:
        asked = ecs.DescribeNetworkInterfaceAttributeRequest(**of, network_interface_id=eni)
        ids: list[str] = e.describe_network_interface_attribute(asked).body.security_group_ids.security_group_id
        return ids

    join = ecs.JoinSecurityGroupRequest(**of, network_interface_id=eni, security_group_id=two)
    e.join_security_group(join)
    assert groups() == [one, two]
    with pytest.raises(ClientException) as caught:
        e.join_security_group(join)
    assert (caught.value.status_code, caught.value.code) == (403, "InvalidInstanceId.AlreadyExists")
    e.leave_security_group(ecs.LeaveSecurityGroupRequest(**of, network_interface_id=eni, security_group_id=one))
    assert groups() == [two]
    e.modify_network_interface_attribute(
        ecs.ModifyNetworkInterfaceAttributeRequest(**of, network_interface_id=eni, security_group_id=[one])
    )
    assert groups() == [one]
    rule = ecs.AuthorizeSecurityGroupRequestPermissions(ip_protocol="tcp", port_range="1/2", source_group_id=one)
    e.authorize_security_group(ecs.AuthorizeSecurityGroupRequest(**of, security_group_id=two, permissions=[rule]))
    asked = ecs.DescribeSecurityGroupReferencesRequest(**of, security_group_id=[one, two])
    (row,) = e.describe_security_group_references(asked).body.security_group_references.security_group_reference
    (naming,) = row.referencing_security_groups.referencing_security_group
    assert (row.security_group_id, naming.security_group_id, naming.ali_uid) == (one, two, site.key.account_id)
    e.join_resource_group(
        ecs.JoinResourceGroupRequest(
            **of, resource_type="securitygroup", resource_id=one, resource_group_id="rg-acfmxyz"
        )
    )
    listed = e.describe_security_groups(ecs.DescribeSecurityGroupsRequest(**of, resource_group_id="rg-acfmxyz")).body
    assert [group.security_group_id for group in listed.security_groups.security_group] == [one]
    clients.vpc.move_resource_group(
        vpc.MoveResourceGroupRequest(**of, resource_type="vpc", resource_id=name, new_resource_group_id="rg-acfmother")
    )
    e.join_resource_group(
        ecs.JoinResourceGroupRequest(
            **of, resource_type="securitygroup", resource_id=one, resource_group_id="rg-acfmnext"
        )
    )


@pytest.mark.parametrize("how", sorted(HOW))
def test_the_small_products(site: Site, how: str) -> None:
    """STS, Location and billing have SDKs of their own, each a thin shell around this generic client."""
    config = Config(
        access_key_id=site.key.key_id,
        access_key_secret=site.key.secret,
        endpoint=site.host,
        protocol="http",
        region_id=REGION,
        **HOW[how],
    )
    client = OpenApi(config)

    def call(version: str, action: str, **query: Any) -> dict[str, Any]:
        params = Params(
            action=action,
            version=version,
            protocol="HTTP",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        answer: dict[str, Any] = client.call_api(params, OpenApiRequest(query=query), RuntimeOptions())["body"]
        return answer

    who = call("2015-04-01", "GetCallerIdentity")
    assert (who["AccountId"], who["IdentityType"]) == (site.key.account_id, "Account")
    (place,) = call("2015-06-12", "DescribeEndpoints", Id=REGION, ServiceCode="vpc", Type="openAPI")["Endpoints"][
        "Endpoint"
    ]
    assert place["Endpoint"] == site.host
    assert call("2017-12-14", "QueryAvailableInstances", PageNum="1")["Data"]["InstanceList"] == []
