"""The older Python SDK (``aliyun-python-sdk-core``, ``-vpc``, ``-ecs``): V1 signatures, plain http, GET, JSON text.

It is what scripts of the last decade use, and it reads errors by itself: a body that it cannot read becomes
``SDK.UnknownServerError`` whatever our code was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from alibaba_site import Site, serve_site
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkecs.request.v20140526.AuthorizeSecurityGroupRequest import AuthorizeSecurityGroupRequest
from aliyunsdkecs.request.v20140526.CreateSecurityGroupRequest import CreateSecurityGroupRequest
from aliyunsdkecs.request.v20140526.DeleteSecurityGroupRequest import DeleteSecurityGroupRequest
from aliyunsdkecs.request.v20140526.DescribeSecurityGroupAttributeRequest import DescribeSecurityGroupAttributeRequest
from aliyunsdkecs.request.v20140526.DescribeSecurityGroupsRequest import DescribeSecurityGroupsRequest
from aliyunsdkecs.request.v20140526.ModifySecurityGroupRuleRequest import ModifySecurityGroupRuleRequest
from aliyunsdkvpc.request.v20160428.CreateVpcRequest import CreateVpcRequest
from aliyunsdkvpc.request.v20160428.CreateVSwitchRequest import CreateVSwitchRequest
from aliyunsdkvpc.request.v20160428.DeleteVpcRequest import DeleteVpcRequest
from aliyunsdkvpc.request.v20160428.DeleteVSwitchRequest import DeleteVSwitchRequest
from aliyunsdkvpc.request.v20160428.DescribeVpcAttributeRequest import DescribeVpcAttributeRequest
from aliyunsdkvpc.request.v20160428.DescribeVpcsRequest import DescribeVpcsRequest
from aliyunsdkvpc.request.v20160428.ListTagResourcesRequest import ListTagResourcesRequest
from aliyunsdkvpc.request.v20160428.TagResourcesRequest import TagResourcesRequest

REGION = "ap-southeast-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


class OldClient:
    """``call`` sends one request of the SDK's to the site and reads the answer."""

    def __init__(self, site: Site, secret: str | None = None) -> None:
        self.host = site.host
        self.client = AcsClient(site.key.key_id, secret or site.key.secret, REGION, auto_retry=False)

    def call(self, request: Any, **parameters: Any) -> dict[str, Any]:
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        request.set_endpoint(self.host)
        request.set_protocol_type("http")
        answer: dict[str, Any] = json.loads(self.client.do_action_with_exception(request))
        return answer


def test_a_network_comes_and_goes(site: Site) -> None:
    old = OldClient(site)
    made = old.call(CreateVpcRequest(), CidrBlock="10.6.0.0/16", VpcName="old-中", Description="a b*~")
    name = made["VpcId"]
    site.converge()
    shown = old.call(DescribeVpcAttributeRequest(), VpcId=name)
    assert (shown["VpcName"], shown["Description"], shown["Status"]) == ("old-中", "a b*~", "Available")
    old.call(TagResourcesRequest(), ResourceType="VPC", ResourceIds=[name], Tags=[{"Key": "env", "Value": "ci"}])
    tags = old.call(ListTagResourcesRequest(), ResourceType="VPC", ResourceIds=[name])
    assert [(row["TagKey"], row["TagValue"]) for row in tags["TagResources"]["TagResource"]] == [("env", "ci")]
    found = old.call(DescribeVpcsRequest(), Tags=[{"Key": "env", "Value": "ci"}])
    assert [row["VpcId"] for row in found["Vpcs"]["Vpc"]] == [name]
    zone = {"ZoneId": f"{REGION}a", "CidrBlock": "10.6.1.0/24"}
    subnet = old.call(CreateVSwitchRequest(), VpcId=name, **zone)["VSwitchId"]
    old.call(DeleteVSwitchRequest(), VSwitchId=subnet)
    site.converge()
    old.call(DeleteVpcRequest(), VpcId=name)


def test_a_group_and_its_rules(site: Site) -> None:
    old = OldClient(site)
    name = old.call(CreateVpcRequest(), CidrBlock="10.7.0.0/16")["VpcId"]
    group = old.call(CreateSecurityGroupRequest(), VpcId=name, SecurityGroupName="old")["SecurityGroupId"]
    rule = {"IpProtocol": "tcp", "PortRange": "4000/4000", "SourceCidrIp": "10.7.0.0/16", "Priority": 1}
    old.call(AuthorizeSecurityGroupRequest(), SecurityGroupId=group, **rule)
    old.call(ModifySecurityGroupRuleRequest(), SecurityGroupId=group, **rule, Description="the database")
    shown = old.call(DescribeSecurityGroupAttributeRequest(), SecurityGroupId=group)
    (row,) = shown["Permissions"]["Permission"]
    assert (row["IpProtocol"], row["PortRange"], row["Description"]) == ("TCP", "4000/4000", "the database")
    listed = old.call(DescribeSecurityGroupsRequest(), VpcId=name)
    assert listed["TotalCount"] == 1
    old.call(DeleteSecurityGroupRequest(), SecurityGroupId=group)
    old.call(DeleteVpcRequest(), VpcId=name)


def test_refusals_as_the_sdk_reads_them(site: Site) -> None:
    old = OldClient(site)
    with pytest.raises(ServerException) as caught:
        old.call(DescribeVpcAttributeRequest(), VpcId="vpc-no")
    error = caught.value
    assert (error.get_http_status(), error.get_error_code()) == (404, "InvalidVpcId.NotFound")
    assert error.get_error_msg() == "Specified VPC does not exist." and error.get_request_id()
    with pytest.raises(ServerException) as caught:
        OldClient(site, secret="x" * 30).call(DescribeVpcsRequest())
    assert caught.value.get_error_code() in ("SignatureDoesNotMatch", "InvalidAccessKeySecret")
