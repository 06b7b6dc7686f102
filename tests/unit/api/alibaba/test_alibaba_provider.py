"""One account publishes, another connects: every action of both sides on the wire, and each refusal that they have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alibaba_world import (
    ECS,
    PRIVATELINK,
    REGION,
    Cloud,
    Network,
    make_endpoint,
    make_network,
    other_account,
    play_controller,
    zone_of,
)

from tidegate.controller.plan import PlanSettings, plan_network
from tidegate.controller.world import load_network
from tidegate.dataplane.config import NetworkConfig
from tidegate.domain import refusals
from tidegate.operations import connections, published_services
from tidegate.operations.context import Caller
from tidegate.operations.published_services import SERVICES_PER_ACCOUNT
from tidegate.store.store import Store

ZONE = f"{REGION}a"
NO_SERVICE = (400, "EndpointServiceNotFound", "The specified Service does not exist.")
NO_CONNECTION = (400, "EndpointConnectionNotFound", "The specified endpoint connection does not exist.")
BUSY = (400, "EndpointConnectionOperationDenied", "The endpoint is being connected.")


class Publisher:
    """An account of its own with a VPC of the same range as everybody's, a program in it, and a service."""

    def __init__(self, cloud: Cloud, store: Store, **service: Any) -> None:
        self.cloud, self.store = other_account(cloud), store
        self.network = make_network(self.cloud)
        self.eni = self.make_eni()
        play_controller(store)
        self.service = self.cloud.ok(PRIVATELINK, "CreateVpcEndpointService", **service)["ServiceId"]

    def make_eni(self) -> str:
        asked = {"VSwitchId": self.network.subnet, "SecurityGroupId": self.network.group}
        return str(self.cloud.ok(ECS, "CreateNetworkInterface", **asked)["NetworkInterfaceId"])

    def ok(self, action: str, **parameters: Any) -> dict[str, Any]:
        return self.cloud.ok(PRIVATELINK, action, **{"ServiceId": self.service, **parameters})

    def refused(self, action: str, **parameters: Any) -> tuple[int, str, str]:
        return self.cloud.refused(PRIVATELINK, action, **{"ServiceId": self.service, **parameters})

    def attach(self, eni: str | None = None) -> None:
        self.ok("AttachResourceToVpcEndpointService", ResourceId=eni or self.eni, ResourceType="slb")
        play_controller(self.store)

    def admit(self, guest: Cloud) -> None:
        self.ok("AddUserToVpcEndpointService", UserId=guest.key.account_id)

    def shown(self) -> dict[str, Any]:
        return self.ok("GetVpcEndpointServiceAttribute")

    def connection(self, **filters: Any) -> dict[str, Any]:
        (row,) = self.ok("ListVpcEndpointConnections", **filters)["Connections"]
        return dict(row)


@pytest.fixture
def publisher(cloud: Cloud, store: Store) -> Publisher:
    """A published service with a resource, that admits ``cloud`` and accepts nobody by itself."""
    made = Publisher(cloud, store)
    made.attach()
    made.admit(cloud)
    return made


def connect(cloud: Cloud, network: Network, publisher: Publisher, **more: Any) -> str:
    """An endpoint of ``cloud`` with a zone, converged."""
    asked = {"ServiceName": None, "ServiceId": publisher.service, **zone_of(network), **more}
    endpoint = str(make_endpoint(cloud, network, **asked)["EndpointId"])
    play_controller(publisher.store)
    return endpoint


def planned(store: Store, vpc_id: str) -> NetworkConfig:
    with store.read() as tx:
        network = load_network(tx, vpc_id)
    assert network is not None
    config = plan_network(network, PlanSettings()).network
    assert config is not None
    return config


def endpoint_states(cloud: Cloud, endpoint: str) -> tuple[str, str, str]:
    """Of endpoint, connection, and its only zone."""
    shown = cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)
    (zone,) = cloud.ok(PRIVATELINK, "ListVpcEndpointZones", EndpointId=endpoint)["Zones"]
    return shown["EndpointStatus"], shown["ConnectionStatus"], zone["ZoneStatus"]


# the service


def test_the_life_of_a_service(cloud: Cloud, store: Store) -> None:
    publisher = Publisher(cloud, store, ServiceDescription="orders", Payer="EndpointService")
    shown = publisher.shown()
    service = publisher.service
    assert shown | {"RequestId": "", "CreateTime": ""} == {
        "ServiceId": service,
        "ServiceName": f"com.aliyuncs.privatelink.{REGION}.{service}",
        "ServiceDomain": f"{service}.{REGION}.privatelink.aliyuncs.com",
        "ServiceStatus": "Active",
        "ServiceBusinessStatus": "Normal",
        "ServiceDescription": "orders",
        "ServiceType": "Interface",
        "ServiceResourceType": "slb",
        "ServiceSupportIPv6": False,
        "AutoAcceptEnabled": False,
        "AddressIpVersion": "IPv4",
        "ConnectBandwidth": 3072,
        "MinBandwidth": 100,
        "MaxBandwidth": 10240,
        "Payer": "EndpointService",
        "RegionId": REGION,
        "ResourceGroupId": "",
        "CreateTime": "",
        "ZoneAffinityEnabled": False,
        "SupportedRegionSet": [],
        "Zones": [],
        "RequestId": "",
    }
    publisher.ok("AttachResourceToVpcEndpointService", ResourceId=publisher.eni, ResourceType="slb")
    assert (publisher.shown()["ServiceStatus"], publisher.shown()["Zones"]) == ("Pending", [ZONE])
    play_controller(store)
    assert publisher.shown()["ServiceStatus"] == "Active"
    change = {"ServiceDescription": "billing", "AutoAcceptEnabled": "true", "ConnectBandwidth": 200}
    publisher.ok("UpdateVpcEndpointServiceAttribute", **change)
    shown = publisher.shown()
    assert [shown[name] for name in change] == ["billing", True, 200]
    assert publisher.refused("DeleteVpcEndpointService") == (
        400,
        "EndpointServiceDependenceViolation",
        "The specified EndpointService already contains a resource.",
    )
    publisher.ok("DetachResourceFromVpcEndpointService", ResourceId=publisher.eni, ResourceType="slb")
    assert publisher.refused("DeleteVpcEndpointService")[:2] == (400, "ConcurrentCallNotSupported")
    play_controller(store)
    publisher.ok("DeleteVpcEndpointService")
    for action in ("GetVpcEndpointServiceAttribute", "DeleteVpcEndpointService"):
        assert publisher.refused(action) == NO_SERVICE
    with store.read() as tx:
        assert tx.services.get(service) is None and tx.service_resources.count() == 0
        assert tx.statuses.find(kind="service_resource") == []


def test_a_service_made_with_its_resources(cloud: Cloud, store: Store) -> None:
    publisher = Publisher(cloud, store)
    resource = {"Resource.1.ResourceId": publisher.eni, "Resource.1.ResourceType": "nlb", "Resource.1.ZoneId": ZONE}
    made = publisher.cloud.ok(PRIVATELINK, "CreateVpcEndpointService", ServiceResourceType="nlb", **resource)
    assert made["ServiceStatus"] == "Creating"
    play_controller(store)
    asked = {"ServiceId": made["ServiceId"]}
    shown = publisher.ok("GetVpcEndpointServiceAttribute", **asked)
    assert (shown["ServiceStatus"], shown["Zones"], shown["MaxBandwidth"]) == ("Active", [ZONE], 50000)
    (row,) = publisher.ok("ListVpcEndpointServiceResources", **asked)["Resources"]
    assert row == {
        "ResourceId": publisher.eni,
        "ResourceType": "nlb",
        "ResourceSupportIPv6": False,
        "ZoneId": ZONE,
        "VpcId": publisher.network.vpc,
        "VSwitchId": publisher.network.subnet,
        "RegionId": REGION,
        "Ip": "10.0.0.1",
        "AutoAllocatedEnabled": True,
        "RelatedEndpointCount": 0,
        "RelatedDeprecatedEndpointCount": 0,
    }
    fixed = publisher.refused("UpdateVpcEndpointServiceAttribute", **asked, ConnectBandwidth=200)
    assert fixed[:2] == (400, "UpdateBandWidthUnSupported")


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"ServiceDescription": "x"}, (400, "IllegalParamFormat.ServiceDescription")),
        ({"ServiceResourceType": "gwlb"}, (400, "EndpointServiceResourceTypeNotSupport")),
        ({"Payer": "Nobody"}, (400, "IllegalParamFormat.Payer")),
        ({"AutoAcceptEnabled": "perhaps"}, (400, "IllegalParamFormat.AutoAcceptEnabled")),
        ({"ServiceSupportIPv6": "true"}, (400, "UnsupportedParameter")),
        ({"AddressIpVersion": "DualStack"}, (400, "UnsupportedParameter")),
        ({"SupportedRegionList.1": "cn-hangzhou"}, (400, "UnsupportedParameter")),
        ({"Resource.1.ResourceId": "lb-no", "Resource.1.ResourceType": "slb"}, (400, "LoadBalancerNotFound")),
        ({"Resource.1.ResourceType": "slb"}, (400, "MissingParam.Resource.1.ResourceId")),
        ({"ResourceGroupId": "no"}, (400, "InvalidResourceGroup")),
        ({"RegionId": "eu-nowhere-1"}, (404, "InvalidRegionId.NotFound")),
        ({"DryRun": "true"}, (400, "DryRunOperation")),
    ],
)
def test_create_service_refusals_leave_nothing(
    cloud: Cloud, store: Store, change: dict[str, str], answer: tuple[int, str]
) -> None:
    with store.read() as tx:
        before = tx.services.count()
    assert cloud.refused(PRIVATELINK, "CreateVpcEndpointService", **change)[:2] == answer
    with store.read() as tx:
        assert (tx.services.count(), tx.service_resources.count()) == (before, 0)


def test_lists_of_services(cloud: Cloud, store: Store) -> None:
    publisher = Publisher(cloud, store)
    publisher.attach()
    second = publisher.cloud.ok(
        PRIVATELINK, "CreateVpcEndpointService", AutoAcceptEnabled="true", **{"Tag.1.Key": "k", "Tag.1.Value": "v"}
    )["ServiceId"]
    both = sorted([publisher.service, second])

    def listed(**filters: Any) -> list[str]:
        answer = publisher.cloud.ok(PRIVATELINK, "ListVpcEndpointServices", **filters)
        assert answer["TotalCount"] == len(answer["Services"])
        return [row["ServiceId"] for row in answer["Services"]]

    assert listed() == both == listed(ServiceStatus="Active", AddressIpVersion="IPv4", ServiceBusinessStatus="Normal")
    assert listed(ServiceId=second) == [second] == listed(AutoAcceptEnabled="true") == listed(**{"Tag.1.Key": "k"})
    assert listed(AutoAcceptEnabled="false") == [publisher.service] == listed(ResourceId=publisher.eni)
    assert listed(ServiceName=publisher.shown()["ServiceName"]) == [publisher.service]
    for nothing in ({"ServiceResourceType": "nlb"}, {"RegionId": "ap-northeast-1"}, {"ZoneAffinityEnabled": "true"}):
        assert listed(**nothing) == []
    page = publisher.cloud.ok(PRIVATELINK, "ListVpcEndpointServices", MaxResults=1)
    assert page["TotalCount"] == 2 and page["NextToken"] and "Zones" not in page["Services"][0]
    rest = publisher.cloud.ok(PRIVATELINK, "ListVpcEndpointServices", MaxResults=1, NextToken=page["NextToken"])
    assert [row["ServiceId"] for row in page["Services"] + rest["Services"]] == both and rest["NextToken"] == ""


def test_an_account_has_so_many_services(cloud: Cloud, store: Store) -> None:
    publisher = Publisher(cloud, store)
    with store.write() as tx:
        row = tx.services.get(publisher.service)
        assert row is not None
        for number in range(SERVICES_PER_ACCOUNT - 1):
            tx.services.add(replace(row, service_id=f"epsrv-{number:03}", name=f"n{number}"))
    full = publisher.cloud.refused(PRIVATELINK, "CreateVpcEndpointService")
    assert full[:2] == (400, "QuotaExceeded")


# resources


def test_resources_and_their_refusals(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    attach, detach = "AttachResourceToVpcEndpointService", "DetachResourceFromVpcEndpointService"
    mine = {"ResourceId": publisher.eni, "ResourceType": "slb"}
    assert publisher.refused(attach, **mine)[:2] == (400, "EndpointServiceResourceExist")
    assert publisher.refused(attach, **mine | {"ResourceId": "eni-no"})[:2] == (400, "LoadBalancerNotFound")
    second = publisher.make_eni()
    another = {"ResourceId": second, "ResourceType": "slb"}
    wrong = publisher.refused(attach, **another, ZoneId=f"{REGION}b")
    assert wrong[:2] == (400, "IllegalParamFormat.ZoneId")
    nlb = publisher.refused(attach, **another | {"ResourceType": "nlb"})
    assert nlb[:2] == (400, "MissingParam.ZoneId")
    gwlb = publisher.refused(attach, **another | {"ResourceType": "gwlb"})
    assert gwlb[:2] == (400, "EndpointServiceResourceTypeNotSupport")
    publisher.ok(attach, **another)
    answer = publisher.ok("ListVpcEndpointServiceResources", MaxResults=1)
    assert "TotalCount" not in answer and answer["NextToken"]
    assert publisher.refused("ListVpcEndpointServiceResources", MaxResults=51)[1] == "IllegalParamFormat.MaxResults"
    kept = publisher.cloud.refused(ECS, "DeleteNetworkInterface", NetworkInterfaceId=second)
    assert kept[0] == 403 and "detach" in kept[2]
    assert publisher.refused(detach, **mine | {"ResourceId": "eni-no"})[:2] == (400, "EndpointServiceResourceNotFound")
    publisher.ok(detach, **another)
    assert publisher.refused(detach, **another)[:2] == (400, "EndpointServiceResourceNotFound")
    play_controller(publisher.store)
    publisher.cloud.ok(ECS, "DeleteNetworkInterface", NetworkInterfaceId=second)


def test_a_resource_in_use_stays(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """And one that only a refused connection has does not: or a guest could keep a service from being deleted."""
    endpoint = connect(cloud, network, publisher)
    mine = {"ResourceId": publisher.eni, "ResourceType": "slb"}
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint)
    play_controller(publisher.store)
    (row,) = publisher.ok("ListVpcEndpointServiceResources")["Resources"]
    assert row["RelatedEndpointCount"] == 1
    needed = (400, "EndpointServiceConnectionDependence", "You cannot delete EndpointService with Endpoint connected.")
    assert publisher.refused("DetachResourceFromVpcEndpointService", **mine) == needed
    assert publisher.refused("DeleteVpcEndpointService") == needed
    publisher.ok("DisableVpcEndpointConnection", EndpointId=endpoint)
    assert publisher.refused("DetachResourceFromVpcEndpointService", **mine) == needed  # packets may still pass
    play_controller(publisher.store)
    publisher.ok("DetachResourceFromVpcEndpointService", **mine)
    play_controller(publisher.store)
    assert publisher.refused("EnableVpcEndpointConnection", EndpointId=endpoint)[:2] == (
        400,
        "EndpointServiceNotSupportedZone",
    )
    publisher.attach()
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint)
    play_controller(publisher.store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Connected")
    assert publisher.connection()["Zones"][0]["ResourceId"] == publisher.eni


def test_a_deleted_service_leaves_endpoints_that_can_only_be_deleted(
    publisher: Publisher, cloud: Cloud, network: Network
) -> None:
    endpoint = connect(cloud, network, publisher)
    publisher.ok("DetachResourceFromVpcEndpointService", ResourceId=publisher.eni, ResourceType="slb")
    play_controller(publisher.store)
    publisher.ok("DeleteVpcEndpointService")
    assert publisher.refused("GetVpcEndpointServiceAttribute") == NO_SERVICE
    shown = cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)
    assert (shown["ConnectionStatus"], shown["ServiceId"]) == ("ServiceDeleted", publisher.service)
    assert shown["ServiceName"]
    gone = (400, "EndpointServiceDeleted", "The specified Service is already deleted.")
    assert cloud.refused(PRIVATELINK, "UpdateVpcEndpointAttribute", EndpointId=endpoint, EndpointName="nn") == gone
    asked = {"VpcId": network.vpc, "SecurityGroupId.1": network.group, "ServiceId": publisher.service}
    assert cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked)[1] in ("EndpointServiceNotFound",)
    assert not planned(publisher.store, network.vpc).endpoints[0].connected
    cloud.ok(PRIVATELINK, "RemoveZoneFromVpcEndpoint", EndpointId=endpoint, ZoneId=ZONE)
    play_controller(publisher.store)
    cloud.ok(PRIVATELINK, "DeleteVpcEndpoint", EndpointId=endpoint)
    play_controller(publisher.store)
    with publisher.store.read() as tx:
        assert tx.services.get(publisher.service) is None  # gone with the last that named it


# the whitelist


def test_the_whitelist(cloud: Cloud, store: Store, network: Network) -> None:
    publisher = Publisher(cloud, store)
    me, name = cloud.key.account_id, publisher.shown()["ServiceName"]
    owner = int(publisher.cloud.key.account_id)
    users = publisher.ok("ListVpcEndpointServiceUsers")
    assert (users["TotalCount"], users["Users"], users["UserARNs"]) == ("1", [{"UserId": owner}], [])
    asked = {"VpcId": network.vpc, "SecurityGroupId.1": network.group, "ServiceName": name}

    def verified() -> int:
        return len(cloud.ok(PRIVATELINK, "ListVpcEndpointServicesByEndUser", ServiceName=name)["Services"])

    assert verified() == 0 and cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked) == NO_SERVICE
    for _ in range(2):
        publisher.admit(cloud)
    assert verified() == 1
    ids = publisher.ok("ListVpcEndpointServiceUsers", UserId=me)["Users"]
    assert ids == [{"UserId": int(me)}]
    for _ in range(2):
        publisher.ok("RemoveUserFromVpcEndpointService", UserId=me)
    assert verified() == 0 and cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked) == NO_SERVICE
    arn = f"acs:ram:*:{me}:*"
    publisher.ok("AddUserToVpcEndpointService", UserARN=arn)
    shown = publisher.ok("ListVpcEndpointServiceUsers", UserListType="UserARNs")
    assert verified() == 1 and (shown["TotalCount"], shown["UserARNs"]) == ("1", [{"UserARN": arn}])
    cloud.ok(PRIVATELINK, "CreateVpcEndpoint", **asked)


def test_whitelist_refusals(publisher: Publisher) -> None:
    for action in ("AddUserToVpcEndpointService", "RemoveUserFromVpcEndpointService"):
        assert publisher.refused(action)[:2] == (400, "MissingParam.UserArn")
        assert publisher.refused(action, UserId="x")[:2] == (400, "IllegalParamFormat.UserId")
        assert publisher.refused(action, UserARN="acs:ram")[:2] == (400, "IllegalParamFormat.UserARN")
        two = publisher.refused(action, UserId="1", UserARN="acs:ram:*:2:*")
        assert two[:2] == (400, "Mismatch.UserIdAndUserArn")
    wrong = publisher.refused("ListVpcEndpointServiceUsers", UserListType="x")
    assert wrong[:2] == (400, "IllegalParamFormat.UserListType")


def test_who_is_taken_off_keeps_its_connection(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """As with AWS: permissions are about new connections; a provider that wants it cut says so (Disable)."""
    endpoint = connect(cloud, network, publisher)
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint)
    play_controller(publisher.store)
    publisher.ok("RemoveUserFromVpcEndpointService", UserId=cloud.key.account_id)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Connected")
    name = publisher.shown()["ServiceName"]
    rows = cloud.ok(PRIVATELINK, "ListVpcEndpoints", ServiceName=name)["Endpoints"]
    assert [row["EndpointId"] for row in rows] == [endpoint]


# connections


def test_a_connection_waits_until_it_is_accepted(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    endpoint = connect(cloud, network, publisher)
    assert endpoint_states(cloud, endpoint) == ("Active", "Disconnected", "Wait")
    shown = publisher.connection()
    (zone,) = shown.pop("Zones")
    assert shown | {"ModifiedTime": ""} == {
        "EndpointId": endpoint,
        "EndpointOwnerId": int(cloud.key.account_id),
        "EndpointRegionId": REGION,
        "EndpointVpcId": network.vpc,
        "ServiceId": publisher.service,
        "ServiceRegionId": REGION,
        "ConnectionStatus": "Disconnected",
        "Bandwidth": 3072,
        "TrafficControlMode": "BandwidthLimit",
        "ModifiedTime": "",
        "ResourceGroupId": "",
        "ResourceOwner": False,
    }
    assert (zone["ZoneStatus"], zone["ResourceId"], zone["VSwitchId"]) == ("Wait", publisher.eni, network.subnet)
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint, Bandwidth=500)
    assert endpoint_states(cloud, endpoint) == ("Pending", "Connecting", "Connecting")
    play_controller(publisher.store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Connected")
    publisher.ok("DisableVpcEndpointConnection", EndpointId=endpoint)
    assert endpoint_states(cloud, endpoint) == ("Pending", "Disconnecting", "Disconnecting")
    play_controller(publisher.store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Disconnected", "Disconnected")
    assert publisher.connection()["Bandwidth"] == 500


def test_what_is_planned_follows(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """What the API says and what the kernel is told are one thing."""
    store, endpoint = publisher.store, connect(cloud, network, publisher)
    (publication,) = planned(store, publisher.network.vpc).publications
    assert (publication.service_id, publication.target_address) == (publisher.service, "10.0.0.1")
    (interface,) = planned(store, network.vpc).endpoints
    assert (interface.connected, interface.service_port) == (False, 0)
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint)
    (interface,) = planned(store, network.vpc).endpoints
    assert (interface.connected, interface.service_address) == (True, publication.address)
    assert interface.bandwidth_mbit == 3072
    play_controller(store)
    publisher.ok("UpdateVpcEndpointConnectionAttribute", EndpointId=endpoint, Bandwidth=100)
    assert planned(store, network.vpc).endpoints[0].bandwidth_mbit == 100
    play_controller(store)
    publisher.ok("DisableVpcEndpointZoneConnection", EndpointId=endpoint, ZoneId=ZONE)
    assert not planned(store, network.vpc).endpoints[0].connected
    play_controller(store)
    publisher.ok("EnableVpcEndpointZoneConnection", EndpointId=endpoint, ZoneId=ZONE)
    assert planned(store, network.vpc).endpoints[0].connected
    play_controller(store)
    cloud.ok(PRIVATELINK, "RemoveZoneFromVpcEndpoint", EndpointId=endpoint, ZoneId=ZONE)
    assert planned(store, network.vpc).endpoints == ()


def test_zones_alone(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    endpoint = connect(cloud, network, publisher)
    of = {"EndpointId": endpoint, "ZoneId": ZONE}
    off, on = "DisableVpcEndpointZoneConnection", "EnableVpcEndpointZoneConnection"
    assert publisher.refused(on, **of)[:2] == (400, "IncorrectStatus.VpcEndpointConnection")
    publisher.ok("EnableVpcEndpointConnection", EndpointId=endpoint)
    play_controller(publisher.store)
    assert publisher.refused(on, **of)[:2] == (400, "IncorrectStatus.VpcEndpointZone")
    publisher.ok(off, **of)
    assert endpoint_states(cloud, endpoint) == ("Pending", "Connected", "Disconnecting")
    play_controller(publisher.store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Disconnected")
    assert publisher.refused(off, **of)[:2] == (400, "IncorrectStatus.VpcEndpointZone")
    publisher.ok(on, **of)
    play_controller(publisher.store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Connected")
    assert publisher.refused(off, **of | {"ZoneId": f"{REGION}b"})[:2] == (404, "ResourceNotFound.VpcEndpointZone")
    assert publisher.refused(on, **of, ServiceId="epsrv-no")[:2] == (404, "ResourceNotFound.VpcEndpointService")
    gone = publisher.refused(off, **of | {"EndpointId": "ep-no"})
    assert gone[:2] == (404, "ResourceNotFound.VpcEndpointConnection")


def test_each_side_waits_for_the_others_change(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """Transient codes, which clients retry: nothing is changed by both at once."""
    endpoint = connect(cloud, network, publisher)
    of = {"EndpointId": endpoint}
    group = cloud.ok(ECS, "CreateSecurityGroup", VpcId=network.vpc)["SecurityGroupId"]
    cloud.ok(PRIVATELINK, "AttachSecurityGroupToVpcEndpoint", **of, SecurityGroupId=group)
    for action in ("EnableVpcEndpointConnection", "DisableVpcEndpointConnection"):
        assert publisher.refused(action, **of) == BUSY
    assert publisher.refused("UpdateVpcEndpointConnectionAttribute", **of, Bandwidth=200) == BUSY
    play_controller(publisher.store)
    publisher.ok("EnableVpcEndpointConnection", **of)
    zone = {"ZoneId": f"{REGION}b", "VSwitchId": "vsw-no"}
    for action, more in (
        ("UpdateVpcEndpointAttribute", {"EndpointName": "nn"}),
        ("DetachSecurityGroupFromVpcEndpoint", {"SecurityGroupId": group}),
        ("AddZoneToVpcEndpoint", zone),
        ("RemoveZoneFromVpcEndpoint", {"ZoneId": ZONE}),
    ):
        assert cloud.refused(PRIVATELINK, action, **of, **more) == BUSY
    assert cloud.refused(PRIVATELINK, "DeleteVpcEndpoint", **of)[:2] == (400, "EndpointOperationDenied")
    play_controller(publisher.store)
    cloud.ok(PRIVATELINK, "RemoveZoneFromVpcEndpoint", **of, ZoneId=ZONE)
    again = {"ZoneId": ZONE, "VSwitchId": network.subnet}
    locked = cloud.refused(PRIVATELINK, "AddZoneToVpcEndpoint", **of, **again)
    assert locked == (400, "EndpointLocked", "The specified Endpoint is locked.")
    play_controller(publisher.store)
    cloud.ok(PRIVATELINK, "AddZoneToVpcEndpoint", **of, **again)


def test_a_service_without_resources(cloud: Cloud, store: Store, network: Network) -> None:
    """Terraform makes the endpoint first: it is there, it is Connected, and no zone can be had yet."""
    publisher = Publisher(cloud, store, AutoAcceptEnabled="true")
    publisher.admit(cloud)
    asked = {"VpcId": network.vpc, "SecurityGroupId.1": network.group, "ServiceId": publisher.service}
    unserved = cloud.refused(PRIVATELINK, "CreateVpcEndpoint", **asked, **zone_of(network))
    assert unserved[:2] == (400, "EndpointServiceNotSupportedZone")
    endpoint = cloud.ok(PRIVATELINK, "CreateVpcEndpoint", **asked)["EndpointId"]
    play_controller(store)
    shown = cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)
    assert (shown["EndpointStatus"], shown["ConnectionStatus"]) == ("Active", "Connected")
    publisher.ok("AttachResourceToVpcEndpointService", ResourceId=publisher.eni, ResourceType="slb")
    zone = {"EndpointId": endpoint, "ZoneId": ZONE, "VSwitchId": network.subnet}
    early = cloud.refused(PRIVATELINK, "AddZoneToVpcEndpoint", **zone)
    assert early[:2] == (400, "IncorrectStatus.VpcEndpointService")
    play_controller(store)
    cloud.ok(PRIVATELINK, "AddZoneToVpcEndpoint", **zone)
    play_controller(store)
    assert endpoint_states(cloud, endpoint) == ("Active", "Connected", "Connected")


def test_bandwidth_and_its_refusals(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    endpoint = connect(cloud, network, publisher)
    update = "UpdateVpcEndpointConnectionAttribute"
    publisher.ok(update, EndpointId=endpoint, Bandwidth=200)
    play_controller(publisher.store)
    assert cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)["Bandwidth"] == 200
    for wrong in ("99", "10241", "x"):
        refused = publisher.refused(update, EndpointId=endpoint, Bandwidth=wrong)
        assert refused[:2] == (400, "IllegalParamFormat.Bandwidth")
    scaled = publisher.refused(update, EndpointId=endpoint, TrafficControlMode="Scalability")
    assert scaled[:2] == (400, "IllegalParamFormat.TrafficControlMode")
    for action in (update, "EnableVpcEndpointConnection", "DisableVpcEndpointConnection"):
        assert publisher.refused(action, EndpointId="ep-no") == NO_CONNECTION
        assert publisher.refused(action, EndpointId=endpoint, ServiceId="epsrv-no") == NO_SERVICE


def test_lists_of_connections(publisher: Publisher, cloud: Cloud) -> None:
    networks = [make_network(cloud) for _ in range(3)]
    play_controller(publisher.store)
    endpoints = sorted(connect(cloud, network, publisher) for network in networks)

    def listed(**filters: Any) -> list[str]:
        answer = publisher.cloud.ok(PRIVATELINK, "ListVpcEndpointConnections", **filters)
        assert answer["TotalCount"] == str(len(answer["Connections"]))
        return [row["EndpointId"] for row in answer["Connections"]]

    assert listed() == endpoints == listed(ServiceId=publisher.service) == listed(ResourceId=publisher.eni)
    assert listed(EndpointOwnerId=cloud.key.account_id) == endpoints == listed(ConnectionStatus="Disconnected")
    eni = publisher.connection(EndpointId=endpoints[0])["Zones"][0]["EniId"]
    assert listed(EniId=eni) == [endpoints[0]] == listed(EndpointId=endpoints[0])
    nothing = ({"ConnectionStatus": "Connected"}, {"ConnectionStatus": "x"}, {"EndpointOwnerId": "1"})
    for filters in (*nothing, {"ServiceId": "epsrv-no"}, {"RegionId": "ap-northeast-1"}, {"ReplacedResourceId": "x"}):
        assert listed(**filters) == []
    page = publisher.ok("ListVpcEndpointConnections", MaxResults=2)
    rest = publisher.ok("ListVpcEndpointConnections", MaxResults=2, NextToken=page["NextToken"])
    assert [row["EndpointId"] for row in page["Connections"] + rest["Connections"]] == endpoints
    assert (page["TotalCount"], rest["NextToken"]) == ("3", "")


# all writes


def writes(publisher: Publisher, endpoint: str) -> list[tuple[str, dict[str, Any]]]:
    of, user = {"EndpointId": endpoint}, {"UserId": "1234567890123456"}
    resource = {"ResourceId": publisher.eni, "ResourceType": "slb"}
    return [
        ("UpdateVpcEndpointServiceAttribute", {"ServiceDescription": "changed"}),
        ("AddUserToVpcEndpointService", user),
        ("RemoveUserFromVpcEndpointService", user),
        ("EnableVpcEndpointConnection", of),
        ("UpdateVpcEndpointConnectionAttribute", {**of, "Bandwidth": 200}),
        ("DisableVpcEndpointZoneConnection", {**of, "ZoneId": ZONE}),
        ("EnableVpcEndpointZoneConnection", {**of, "ZoneId": ZONE}),
        ("DisableVpcEndpointConnection", of),
        ("DetachResourceFromVpcEndpointService", resource),
        ("AttachResourceToVpcEndpointService", resource),
        ("DetachResourceFromVpcEndpointService", {**resource, "ZoneId": ZONE}),
        ("DeleteVpcEndpointService", {}),
    ]


def test_every_write_dry_and_once(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """Each write: a dry run changes nothing, a repetition under its token is the first one's success."""
    endpoint = connect(cloud, network, publisher)
    for number, (action, parameters) in enumerate(writes(publisher, endpoint)):
        before = rows_of(publisher.store)
        assert publisher.refused(action, **parameters, DryRun="true")[:2] == (400, "DryRunOperation"), action
        assert rows_of(publisher.store) == before, action
        token = {"ClientToken": f"t{number}"}
        assert set(publisher.ok(action, **parameters, **token)) == {"RequestId"}, action
        after = rows_of(publisher.store)
        assert after != before, action
        publisher.ok(action, **parameters, **token)
        assert rows_of(publisher.store) == after, action
        other = publisher.refused(action, **parameters | {"ServiceId": "epsrv-other"}, **token)
        assert other[:2] == (400, "IdempotentParameterMismatch"), action
        play_controller(publisher.store)
        publisher.ok(action, **parameters, **token)  # also when what it named is gone
    made = [publisher.ok("CreateVpcEndpointService", ServiceId=None, ClientToken="new")["ServiceId"] for _ in range(2)]
    assert made[0] == made[1]


def rows_of(store: Store) -> list[Any]:
    with store.read() as tx:
        return [
            *tx.services.find(),
            *tx.service_resources.find(),
            *(replace(endpoint, modified_at=None) for endpoint in tx.endpoints.find()),
            *tx.endpoint_zones.find(),
        ]


def test_nothing_of_it_is_anybody_elses(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """A third account, and the consumer: to all of the owner's actions the service does not exist."""
    endpoint = connect(cloud, network, publisher)
    reads: list[tuple[str, dict[str, Any]]] = [
        ("GetVpcEndpointServiceAttribute", {}),
        ("ListVpcEndpointServiceUsers", {}),
        ("ListVpcEndpointServiceResources", {}),
    ]
    before = rows_of(publisher.store)
    for stranger in (cloud, other_account(cloud)):
        for action, parameters in reads + writes(publisher, endpoint):
            answer = stranger.refused(PRIVATELINK, action, **{"ServiceId": publisher.service, **parameters})
            assert answer == stranger.refused(PRIVATELINK, action, **{"ServiceId": "epsrv-no", **parameters})
            assert answer[1] in ("EndpointServiceNotFound", "ResourceNotFound.VpcEndpointService"), action
        for action in ("ListVpcEndpointServices", "ListVpcEndpointConnections"):
            assert stranger.ok(PRIVATELINK, action)["TotalCount"] in (0, "0")
        resource = {"ResourceId": publisher.eni, "ResourceType": "slb"}
        own = stranger.ok(PRIVATELINK, "CreateVpcEndpointService")["ServiceId"]
        taken = stranger.refused(PRIVATELINK, "AttachResourceToVpcEndpointService", ServiceId=own, **resource)
        assert taken[:2] == (400, "LoadBalancerNotFound")  # somebody else's interface
        stranger.ok(PRIVATELINK, "DeleteVpcEndpointService", ServiceId=own)
    for action in ("GetVpcEndpointAttribute", "DeleteVpcEndpoint", "ListVpcEndpointZones"):
        answer = publisher.cloud.refused(PRIVATELINK, action, EndpointId=endpoint)
        assert answer[:2] == (400, "EndpointNotFound")  # the provider sees the connection, not the endpoint
    assert rows_of(publisher.store) == before


def test_a_service_is_of_its_region(publisher: Publisher) -> None:
    for action in ("GetVpcEndpointServiceAttribute", "DeleteVpcEndpointService", "ListVpcEndpointServiceUsers"):
        assert publisher.refused(action, RegionId="ap-northeast-1") == NO_SERVICE


def test_a_protected_endpoint(publisher: Publisher, cloud: Cloud, network: Network, store: Store) -> None:
    """Only calls with STS tokens can protect in the cloud, so no call here can; what is protected stays so."""
    endpoint = connect(cloud, network, publisher, ProtectedEnabled="true")
    assert not cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)["ProtectedEnabled"]
    with store.write() as tx:
        row = tx.endpoints.get(endpoint)
        assert row is not None
        tx.endpoints.put(replace(row, protected=True))
    protected = (400, "EndpointProtected", "The specified Endpoint is protected.")
    for action, more in (
        ("DeleteVpcEndpoint", {}),
        ("UpdateVpcEndpointAttribute", {"EndpointName": "nn"}),
        ("RemoveZoneFromVpcEndpoint", {"ZoneId": ZONE}),
        ("AttachSecurityGroupToVpcEndpoint", {"SecurityGroupId": "sg-no"}),
    ):
        assert cloud.refused(PRIVATELINK, action, EndpointId=endpoint, **more) == protected


def test_the_endpoints_own_attributes(cloud: Cloud, network: Network, store: Store) -> None:
    endpoint = make_endpoint(cloud, network, **{"Tag.1.Key": "team", "Tag.1.Value": "a"})["EndpointId"]
    play_controller(store)
    policy = cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)["PolicyDocument"]
    change = {"EndpointName": "door", "EndpointDescription": "to orders", "ZoneAffinityEnabled": "true"}
    update = "UpdateVpcEndpointAttribute"
    cloud.ok(PRIVATELINK, update, EndpointId=endpoint, **change, PolicyDocument=policy, ResetPolicy="true")
    shown = cloud.ok(PRIVATELINK, "GetVpcEndpointAttribute", EndpointId=endpoint)
    assert (shown["EndpointName"], shown["ZoneAffinityEnabled"]) == ("door", True)
    other = cloud.refused(PRIVATELINK, update, EndpointId=endpoint, PolicyDocument='{"Version":"1"}')
    assert other[:2] == (400, "UnsupportedParameter")
    (row,) = cloud.ok(PRIVATELINK, "ListVpcEndpoints", **{"Tag.1.Key": "team"})["Endpoints"]
    assert row["Tags"] == [{"Key": "team", "Value": "a"}]
    for filters in ({"Tag.1.Key": "x"}, {"EndpointType": "Reverse"}, {"AddressIpVersion": "DualStack"}):
        assert cloud.ok(PRIVATELINK, "ListVpcEndpoints", **filters)["Endpoints"] == []


def test_the_regions_own_services_have_no_owner_to_call(cloud: Cloud, network: Network) -> None:
    """TiDB Cloud's services are seen by all and changed by none."""
    for action in ("GetVpcEndpointServiceAttribute", "DeleteVpcEndpointService", "ListVpcEndpointServiceUsers"):
        assert cloud.refused(PRIVATELINK, action, ServiceId=network.service_id) == NO_SERVICE


def test_operations_refuse_alike(publisher: Publisher, cloud: Cloud, network: Network) -> None:
    """The rules are the operations', so that a console which calls them refuses the same."""
    stranger = Caller("1999999999999999")
    with pytest.raises(refusals.NotFound):
        published_services.get_service(cloud.context, stranger, publisher.service)
    with pytest.raises(refusals.NotFound):
        connections.disable_connection(cloud.context, stranger, publisher.service, "ep-x")
