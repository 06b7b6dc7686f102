"""Every action of PrivateLink's provider side with Alibaba's official Python SDK: one account publishes, one connects.

What the SDK's models read must be what we wrote, with the types they name: each answer is compared with its model.
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
from sdk_models import require_model

REGION = "ap-southeast-1"
ZONE = f"{REGION}a"
HOW = {"acs3": {}, "v1": {"signature_algorithm": "v2"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_site(tmp_path_factory.mktemp("site")) as site:
        yield site


class Account:
    """One account's clients, a VPC with the range that everybody has, and a program's place in it."""

    def __init__(self, site: Site, clients: Clients) -> None:
        self.site, self.account_id, self.api = site, site.key.account_id, clients.privatelink
        self.vpc = clients.vpc.create_vpc(vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.7.0.0/16")).body.vpc_id
        self.vswitch = clients.vpc.create_vswitch(
            vpc.CreateVSwitchRequest(region_id=REGION, vpc_id=self.vpc, zone_id=ZONE, cidr_block="10.7.1.0/24")
        ).body.v_switch_id
        self.group = clients.ecs.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=self.vpc)
        ).body.security_group_id
        self.eni = clients.ecs.create_network_interface(
            ecs.CreateNetworkInterfaceRequest(region_id=REGION, v_switch_id=self.vswitch, security_group_id=self.group)
        ).body.network_interface_id
        site.converge()

    def call(self, action: str, **parameters: Any) -> Any:
        """The answer's body, held against its model."""
        request = getattr(pl, f"{action}Request")(region_id=REGION, **parameters)
        method = getattr(self.api, "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_"))
        answer = method(request)
        assert answer.status_code == 200 and answer.body.request_id
        require_model(answer.body)
        return answer.body

    def refused(self, action: str, **parameters: Any) -> tuple[int, str, str]:
        with pytest.raises(ClientException) as caught:
            self.call(action, **parameters)
        error = caught.value
        text = error.message.removeprefix(f"code: {error.status_code}, ").partition(" request id: ")[0]
        assert error.request_id and error.request_id.isupper()
        return error.status_code, error.code, text


@pytest.fixture(params=sorted(HOW))
def both(site: Site, request: pytest.FixtureRequest) -> tuple[Account, Account]:
    """Who publishes, and who connects."""
    how = HOW[request.param]
    other = site.other_account()
    return Account(other, other.clients(**how)), Account(site, site.clients(**how))


def until(site: Site, look: Callable[[], str], wanted: str) -> None:
    site.converge()
    assert look() == wanted


def test_publish_connect_and_take_down(site: Site, both: tuple[Account, Account]) -> None:
    """Terraform's order of calls (service, resource, user, endpoint, zone, connection), every step read back."""
    owner, guest = both
    made = owner.call(
        "CreateVpcEndpointService", service_description="orders", payer="Endpoint", client_token=uuid.uuid4().hex
    )
    of = {"service_id": made.service_id}
    assert (made.service_status, made.auto_accept_enabled) == ("Active", False)
    owner.call("UpdateVpcEndpointServiceAttribute", **of, connect_bandwidth=200, service_description="billing")
    resource = {"resource_id": owner.eni, "resource_type": "slb"}
    owner.call("AttachResourceToVpcEndpointService", **of, **resource)
    until(site, lambda: owner.call("GetVpcEndpointServiceAttribute", **of).service_status, "Active")
    shown = owner.call("GetVpcEndpointServiceAttribute", **of)
    assert (shown.connect_bandwidth, shown.service_description, shown.zones) == (200, "billing", [ZONE])
    (attached,) = owner.call("ListVpcEndpointServiceResources", **of).resources
    assert (attached.resource_id, attached.ip, attached.zone_id) == (owner.eni, "10.7.1.1", ZONE)

    assert guest.call("ListVpcEndpointServicesByEndUser", service_name=shown.service_name).services == []
    owner.call("AddUserToVpcEndpointService", **of, user_id=int(guest.account_id))
    users = owner.call("ListVpcEndpointServiceUsers", **of)
    assert {user.user_id for user in users.users} == {int(guest.account_id), int(owner.account_id)}
    (verified,) = guest.call("ListVpcEndpointServicesByEndUser", service_name=shown.service_name).services
    assert (verified.service_id, verified.zones) == (made.service_id, [ZONE])

    endpoint = guest.call(
        "CreateVpcEndpoint", **of, vpc_id=guest.vpc, security_group_id=[guest.group], protected_enabled=False
    ).endpoint_id
    it = {"endpoint_id": endpoint}
    until(site, lambda: guest.call("GetVpcEndpointAttribute", **it).endpoint_status, "Active")
    guest.call("AddZoneToVpcEndpoint", **it, zone_id=ZONE, v_switch_id=guest.vswitch)
    until(site, lambda: guest.call("ListVpcEndpointZones", **it).zones[0].zone_status, "Wait")

    def connection() -> Any:
        (row,) = owner.call("ListVpcEndpointConnections", **of).connections
        return row

    waiting = connection()
    assert (waiting.connection_status, waiting.endpoint_owner_id) == ("Disconnected", int(guest.account_id))
    assert (waiting.zones[0].resource_id, waiting.bandwidth) == (owner.eni, 200)
    owner.call("EnableVpcEndpointConnection", **of, **it, bandwidth=300, traffic_control_mode="BandwidthLimit")
    assert connection().connection_status == "Connecting"
    until(site, lambda: connection().connection_status, "Connected")
    owner.call("UpdateVpcEndpointConnectionAttribute", **of, **it, bandwidth=400)
    until(site, lambda: str(guest.call("GetVpcEndpointAttribute", **it).bandwidth), "400")
    owner.call("DisableVpcEndpointZoneConnection", **of, **it, zone_id=ZONE)
    until(site, lambda: guest.call("ListVpcEndpointZones", **it).zones[0].zone_status, "Disconnected")
    owner.call("EnableVpcEndpointZoneConnection", **of, **it, zone_id=ZONE)
    until(site, lambda: guest.call("ListVpcEndpointZones", **it).zones[0].zone_status, "Connected")

    dependence = (
        400,
        "EndpointServiceConnectionDependence",
        "You cannot delete EndpointService with Endpoint connected.",
    )
    assert owner.refused("DeleteVpcEndpointService", **of) == dependence
    assert owner.refused("DetachResourceFromVpcEndpointService", **of, **resource) == dependence
    owner.call("DisableVpcEndpointConnection", **of, **it)
    until(site, lambda: connection().connection_status, "Disconnected")
    owner.call("RemoveUserFromVpcEndpointService", **of, user_id=int(guest.account_id))
    guest.call("RemoveZoneFromVpcEndpoint", **it, zone_id=ZONE)
    site.converge()
    guest.call("DeleteVpcEndpoint", **it)
    site.converge()
    owner.call("DetachResourceFromVpcEndpointService", **of, **resource)
    site.converge()
    owner.call("DeleteVpcEndpointService", **of)
    gone = (400, "EndpointServiceNotFound", "The specified Service does not exist.")
    assert owner.refused("GetVpcEndpointServiceAttribute", **of) == gone


def test_lists_read_as_the_models_say(both: tuple[Account, Account]) -> None:
    owner, _ = both
    owner.call("CreateVpcEndpointService", tag=[pl.CreateVpcEndpointServiceRequestTag(key="k", value="v")])
    owner.call("CreateVpcEndpointService", auto_accept_enabled=True)
    page = owner.call("ListVpcEndpointServices", max_results=1)
    assert page.total_count == 2 and page.next_token and page.services[0].max_bandwidth == 10240
    rest = owner.call("ListVpcEndpointServices", max_results=1, next_token=page.next_token)
    assert len({page.services[0].service_id, rest.services[0].service_id}) == 2
    tagged = owner.call("ListVpcEndpointServices", tag=[pl.ListVpcEndpointServicesRequestTag(key="k", value="v")])
    assert [(tag.key, tag.value) for service in tagged.services for tag in service.tags] == [("k", "v")]
    assert len(owner.call("ListVpcEndpointServices", auto_accept_enabled=True).services) == 1
    assert owner.call("ListVpcEndpointConnections").total_count == "0"
    service = {"service_id": tagged.services[0].service_id}
    owner.call("AddUserToVpcEndpointService", **service, user_arn="acs:ram:*:1234567890123456:*")
    arns = owner.call("ListVpcEndpointServiceUsers", **service, user_list_type="UserARNs")
    assert (arns.total_count, arns.user_arns[0].user_arn) == ("1", "acs:ram:*:1234567890123456:*")


def test_refusals_as_the_sdk_reads_them(site: Site, both: tuple[Account, Account]) -> None:
    owner, guest = both
    service_id = owner.call("CreateVpcEndpointService", client_token="one" + owner.account_id).service_id
    assert owner.call("CreateVpcEndpointService", client_token="one" + owner.account_id).service_id == service_id
    of = {"service_id": service_id}
    no_service = (400, "EndpointServiceNotFound", "The specified Service does not exist.")
    assert guest.refused("GetVpcEndpointServiceAttribute", **of) == no_service
    assert guest.refused("DeleteVpcEndpointService", **of) == no_service
    assert guest.refused("AddUserToVpcEndpointService", **of, user_id=int(guest.account_id)) == no_service
    theirs = {"resource_id": guest.eni, "resource_type": "slb"}
    assert owner.refused("AttachResourceToVpcEndpointService", **of, **theirs)[:2] == (400, "LoadBalancerNotFound")
    missing = owner.refused("DetachResourceFromVpcEndpointService", **of, **theirs)
    assert missing[:2] == (400, "EndpointServiceResourceNotFound")
    connection = {**of, "endpoint_id": "ep-no"}
    for action in ("EnableVpcEndpointConnection", "DisableVpcEndpointConnection"):
        assert owner.refused(action, **connection)[:2] == (400, "EndpointConnectionNotFound")
    zone = owner.refused("EnableVpcEndpointZoneConnection", **connection, zone_id=ZONE)
    assert zone[:2] == (404, "ResourceNotFound.VpcEndpointConnection")
    assert owner.refused("DeleteVpcEndpointService", **of, dry_run=True)[:2] == (400, "DryRunOperation")
    assert owner.call("GetVpcEndpointServiceAttribute", **of).service_status == "Active"
    assert owner.refused("GetVpcEndpointServiceAttribute")[:2] == (400, "MissingServiceId")
    reused = owner.refused("CreateVpcEndpointService", client_token="one" + owner.account_id, payer="Endpoint")
    assert reused[:2] == (400, "IdempotentParameterMismatch")
