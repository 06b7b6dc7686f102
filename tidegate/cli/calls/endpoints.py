"""Endpoints, through Alibaba's PrivateLink API: the how-to page's second step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidegate.cli.clients import AlibabaClient, ApiError, CliError, Json

PORT = 4000
SERVICE_PREFIX = "com.aliyuncs.privatelink."


def region_of_service(service_name: str) -> str | None:
    """``com.aliyuncs.privatelink.<region>.epsrv-...``; None when it has another shape."""
    parts = service_name.removeprefix(SERVICE_PREFIX).split(".")
    return parts[0] if service_name.startswith(SERVICE_PREFIX) and len(parts) == 2 else None


def verify_service(api: AlibabaClient, region: str, service_name: str) -> Json | None:
    """The console's *Verify*: the service, or None when this account cannot connect to it from this region."""
    reply = api.call("privatelink", "ListVpcEndpointServicesByEndUser", region, ServiceName=service_name)
    services: list[Json] = reply["Services"]
    return services[0] if services else None


def create_endpoint(
    api: AlibabaClient, vpc: Json, service_name: str, name: str, group_ids: Sequence[str], subnets: Sequence[Json]
) -> str:
    """The new endpoint's id; one zone per subnet.  Raises :class:`ApiError`."""
    zones = [{"ZoneId": subnet["ZoneId"], "VSwitchId": subnet["VSwitchId"]} for subnet in subnets]
    reply = api.call(
        "privatelink",
        "CreateVpcEndpoint",
        vpc["RegionId"],
        VpcId=vpc["VpcId"],
        ServiceName=service_name,
        EndpointName=name,
        EndpointType="Interface",
        SecurityGroupId=list(group_ids),
        Zone=zones,
    )
    return str(reply["EndpointId"])


def get_endpoint(api: AlibabaClient, region: str, endpoint_id: str) -> Json:
    return api.call("privatelink", "GetVpcEndpointAttribute", region, EndpointId=endpoint_id)


def look_connected(api: AlibabaClient, region: str, endpoint_id: str) -> Json | None:
    """The endpoint when it is Active and Connected, else None."""
    endpoint = get_endpoint(api, region, endpoint_id)
    done = endpoint["EndpointStatus"] == "Active" and endpoint["ConnectionStatus"] == "Connected"
    return endpoint if done else None


def list_endpoints(api: AlibabaClient, regions: Sequence[str], **wanted: Any) -> list[Json]:
    found: list[Json] = []
    for region in regions:
        token: str | None = None
        while True:
            reply = api.call("privatelink", "ListVpcEndpoints", region, MaxResults=50, NextToken=token, **wanted)
            found += reply["Endpoints"]
            token = reply.get("NextToken")
            if not token:
                break
    return found


def find_endpoint(api: AlibabaClient, regions: Sequence[str], name_or_id: str) -> Json:
    """Raises :class:`CliError` for none, and for several of one name."""
    found = [e for e in list_endpoints(api, regions) if name_or_id in (e["EndpointId"], e["EndpointName"])]
    if not found:
        raise CliError(f"There is no endpoint {name_or_id}. See what there is: tidegate endpoint list.")
    if len(found) > 1:
        ids = ", ".join(endpoint["EndpointId"] for endpoint in found)
        raise CliError(f"{len(found)} endpoints are named {name_or_id}. Give the id: {ids}.")
    return found[0]


def list_zones(api: AlibabaClient, region: str, endpoint_id: str) -> list[Json]:
    zones: list[Json] = api.call("privatelink", "ListVpcEndpointZones", region, EndpointId=endpoint_id)["Zones"]
    return zones


def list_groups(api: AlibabaClient, region: str, endpoint_id: str) -> list[str]:
    reply = api.call("privatelink", "ListVpcEndpointSecurityGroups", region, EndpointId=endpoint_id)
    return [group["SecurityGroupId"] for group in reply["SecurityGroups"]]


def delete_endpoint(
    api: AlibabaClient, region: str, endpoint_id: str, wait: Callable[[Callable[[], Any], str], Any]
) -> None:
    """Its zones first, as the cloud wants it (EndpointDependenceViolation), then the endpoint; waits for its end."""
    for zone in list_zones(api, region, endpoint_id):
        if zone["ZoneStatus"] != "Deleting":
            api.call("privatelink", "RemoveZoneFromVpcEndpoint", region, EndpointId=endpoint_id, ZoneId=zone["ZoneId"])
    wait(lambda: True if not list_zones(api, region, endpoint_id) else None, f"the zones of {endpoint_id} to go")
    api.call("privatelink", "DeleteVpcEndpoint", region, EndpointId=endpoint_id)
    wait(lambda: look_gone(api, region, endpoint_id), f"{endpoint_id} to go")


def look_gone(api: AlibabaClient, region: str, endpoint_id: str) -> bool | None:
    try:
        get_endpoint(api, region, endpoint_id)
    except ApiError as error:
        if error.code == "EndpointNotFound":
            return True
        raise
    return None
