"""What a parameter may look like: real objects' ids, documented words, and any text; as hypothesis strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alibaba_site import Clients, Site
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_privatelink20200415 import models as pl
from alibabacloud_vpc20160428 import models as vpc
from hypothesis import strategies as st

from tidegate.api.alibaba.actions import Action, words
from tidegate.api.alibaba.errors import ECS, PRIVATELINK, VPC
from tidegate.operations.services import region_service

REGION = "ap-southeast-1"
ZONE = f"{REGION}a"


@dataclass(frozen=True, slots=True)
class Known:
    """Ids of one account's objects; of each kind one, and ``spare`` ones that nothing depends on."""

    values: Mapping[str, list[Any]]

    def of(self, name: str) -> list[Any]:
        return self.values.get(name, [])


def make_known(site: Site, clients: Clients) -> Known:
    """A VPC, vSwitches, groups, a rule, an interface, a published service, an endpoint in a zone; all converged."""
    api, here = clients.privatelink, {"region_id": REGION}
    made = clients.vpc.create_vpc(vpc.CreateVpcRequest(**here, cidr_block="10.4.0.0/16")).body
    vswitches = [
        clients.vpc.create_vswitch(
            vpc.CreateVSwitchRequest(**here, vpc_id=made.vpc_id, zone_id=ZONE, cidr_block=f"10.4.{number}.0/24")
        ).body.v_switch_id
        for number in (1, 2)
    ]
    groups = [
        clients.ecs.create_security_group(
            ecs.CreateSecurityGroupRequest(**here, vpc_id=made.vpc_id)
        ).body.security_group_id
        for _ in range(2)
    ]
    rule = ecs.AuthorizeSecurityGroupRequestPermissions(
        ip_protocol="tcp", port_range="1/9", source_cidr_ip="10.4.0.0/16"
    )
    clients.ecs.authorize_security_group(
        ecs.AuthorizeSecurityGroupRequest(**here, security_group_id=groups[0], permissions=[rule])
    )
    shown = clients.ecs.describe_security_group_attribute(
        ecs.DescribeSecurityGroupAttributeRequest(**here, security_group_id=groups[0])
    ).body
    enis = [
        clients.ecs.create_network_interface(
            ecs.CreateNetworkInterfaceRequest(**here, v_switch_id=vswitches[0], security_group_id=groups[0])
        ).body.network_interface_id
        for _ in range(2)
    ]
    site.converge()
    own = api.create_vpc_endpoint_service(pl.CreateVpcEndpointServiceRequest(**here)).body
    api.attach_resource_to_vpc_endpoint_service(
        pl.AttachResourceToVpcEndpointServiceRequest(
            **here, service_id=own.service_id, resource_id=enis[0], resource_type="slb"
        )
    )
    shared = region_service(site.context, f"alicloud-{REGION}")
    assert shared is not None
    site.converge()
    endpoints = [
        api.create_vpc_endpoint(
            pl.CreateVpcEndpointRequest(
                **here,
                vpc_id=made.vpc_id,
                service_id=service_id,
                security_group_id=[groups[0]],
                zone=[pl.CreateVpcEndpointRequestZone(zone_id=ZONE, v_switch_id=vswitches[0])],
            )
        ).body.endpoint_id
        for service_id in (shared.service_id, own.service_id)
    ]
    site.converge()
    rules = [each.security_group_rule_id for each in shown.permissions.permission]
    return Known(
        {
            "VpcId": [made.vpc_id],
            "RouterId": [made.vrouter_id],
            "RouteTableId": [made.route_table_id],
            "VSwitchId": vswitches,
            "SecurityGroupId": groups,
            "SourceGroupId": groups,
            "DestGroupId": groups,
            "SecurityGroupIds": ["[" + ",".join(f'"{group}"' for group in groups) + "]"],
            "SecurityGroupRuleId": rules,
            "NetworkInterfaceId": enis,
            "InstanceId": enis,
            "EniId": enis,
            "EndpointId": endpoints[::-1],
            "ServiceId": [own.service_id, shared.service_id],
            "ServiceName": [own.service_name, shared.name],
            "ResourceId": [enis[0], made.vpc_id, endpoints[0], groups[0]],
            "UserId": [int(site.key.account_id), 1],
        }
    )


WORDS: Mapping[str, list[Any]] = {
    "AddressIpVersion": ["IPv4", "DualStack"],
    "CidrBlock": ["10.4.9.0/24", "192.168.0.0/16", "10.0.0.0/33", "::/0"],
    "ConnectionStatus": ["Connected", "Disconnected"],
    "DestCidrIp": ["10.0.0.0/8", "10.0.0.1/8"],
    "DestinationResource": ["Zone", "InstanceType", "Anything"],
    "Direction": ["ingress", "egress", "all", "up"],
    "EndpointStatus": ["Active", "Creating"],
    "EndpointType": ["Interface", "GatewayLoadBalancer"],
    "Format": ["JSON"],
    "InnerAccessPolicy": ["Accept", "drop", "maybe"],
    "IpProtocol": ["tcp", "udp", "icmp", "all", "gre", "sctp"],
    "NicType": ["intranet", "internet"],
    "Payer": ["Endpoint", "EndpointService"],
    "Policy": ["accept", "drop", "Allow"],
    "PortRange": ["1/65535", "-1/-1", "80/80", "9/1", "0/0", "1/70000"],
    "Priority": ["1", "100", "101", "0"],
    "ProductCode": ["vpc", "slb"],
    "Region": [REGION],
    "RegionId": [REGION, "cn-hangzhou", "us-east-1", "mars"],
    "ResourceType": ["vpc", "VSWITCH", "securitygroup", "eni", "VpcEndpoint", "VpcEndpointService", "instance", "slb"],
    "SecurityGroupType": ["normal", "enterprise", "other"],
    "ServiceRegionId": [REGION, "cn-hangzhou"],
    "ServiceResourceType": ["slb", "nlb", "alb"],
    "SourceCidrIp": ["0.0.0.0/0", "10.4.0.0/16", "10.4.0.1/16", "::/0"],
    "UserARN": ["acs:ram:*:1000000000000001:*", "acs:ram:*:*:*", "nobody"],
    "ZoneId": [ZONE, f"{REGION}b", "mars-a"],
    "ip": ["10.4.1.77", "10.4.1.0", "1.2.3.4"],
}
FLAGS = words(
    "All AutoAcceptEnabled DryRun EnableIpv6 ForceDelete FuzzyQuery IsDefault IsQueryEcsCount ProtectedEnabled "
    "ResetPolicy ServiceManaged SourceDestCheck Verbose ZoneAffinityEnabled"
)
NUMBERS = words("Bandwidth ConnectBandwidth EndpointOwnerId MaxResults OwnerId PageNum PageNumber PageSize")
STRUCTS: Mapping[str, tuple[str, ...]] = {
    "Tag": ("Key", "Value"),
    "Zone": ("ZoneId", "VSwitchId", "ip"),
    "Permissions": ("IpProtocol", "PortRange", "SourceCidrIp", "SourceGroupId", "Policy", "Priority", "Description"),
    "Resource": ("ResourceId", "ResourceType", "ZoneId"),
}
TAGGED = {VPC: ("VpcId", "VPC"), ECS: ("SecurityGroupId", "securitygroup"), PRIVATELINK: ("EndpointId", "VpcEndpoint")}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


def one_value(known: Known, name: str) -> st.SearchStrategy[Any]:
    """Mostly what makes sense; sometimes anything that can be sent."""
    if name in FLAGS:
        return st.booleans()
    if name in NUMBERS:
        return st.integers(-1, 30) | st.integers(0, 2**40)
    sensible = [*known.of(name), *WORDS.get(name, [])]
    return st.sampled_from(sensible) | TEXT if sensible else TEXT


def value_of(known: Known, take: str) -> st.SearchStrategy[Any]:
    """A parameter as an action's table names it: ``Name``, ``Name.N`` or ``Name=value``."""
    name, _, only = take.partition("=")
    if only:
        return st.just(int(only) if only.isdigit() else only)
    if not name.endswith(".N"):
        return one_value(known, name)
    name = name.removesuffix(".N")
    if name in STRUCTS:
        fields = {field: one_value(known, field) for field in STRUCTS[name]}
        return st.lists(st.fixed_dictionaries({}, optional=fields), min_size=1, max_size=3)
    return st.lists(one_value(known, name), min_size=1, max_size=4)


def parameters_of(known: Known, action: Action) -> st.SearchStrategy[dict[str, Any]]:
    """All that it needs, and some of what it takes; the region is mostly the one where the objects are."""
    needs = {name: value_of(known, name) for name in action.needs}
    takes = {take.partition("=")[0].removesuffix(".N"): value_of(known, take) for take in action.takes}
    needs["RegionId"] = st.sampled_from([REGION] * 9 + ["cn-hangzhou"])
    return st.fixed_dictionaries(needs, optional={name: value for name, value in takes.items() if name not in needs})


def plain_parameters(known: Known, action: Action) -> dict[str, Any]:
    """The least that can be asked, sensibly."""
    plain = {name: ([*known.of(name), *WORDS.get(name, ["plain"])])[0] for name in action.needs}
    if action.name == "DescribeSecurityGroupReferences":
        plain["SecurityGroupId"] = known.of("SecurityGroupId")
    if action.name == "ListTagResources":
        name, kind = TAGGED[action.version]
        plain |= {"ResourceType": kind, "ResourceId": known.of(name)}
    return {**plain, "RegionId": REGION}
