"""``tidegate endpoint``: private endpoints, through Alibaba's PrivateLink API."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from tidegate.cli.access import Access, open_access
from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import AlibabaClient, ApiError, CliError, Json, Server
from tidegate.cli.reports import Format, Output, out, print_facts, print_rows, progress, wait_until

app = typer.Typer(
    help="Private endpoints: verify, create, list, show, delete.",
    epilog="Example: tidegate endpoint create orders-ep --vpc web --cluster orders",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="the endpoint's name or id")]
Region = Annotated[str | None, typer.Option(help="Alibaba's region id; none: all regions")]
GROUP_NAME = "tidegate-endpoint"
TIMEOUT_S = 60.0


@app.command(epilog="Example: tidegate endpoint verify com.aliyuncs.privatelink.ap-southeast-1.epsrv-t4n...")
def verify(
    service: Annotated[str, typer.Argument(metavar="SERVICE_NAME")],
    region: Annotated[str, typer.Option(help="the region where the endpoint shall be")] = networks.DEFAULT_REGION,
    output: Output = Format.TABLE,
) -> None:
    """What the console's Verify button does: can an endpoint here connect to this service?"""
    found = endpoints.verify_service(open_access().alibaba, region, service)
    if found is None:
        raise CliError(refuse_service(service, region))
    facts = {"service_name": found["ServiceName"], "region": region, "zones": found["Zones"]}
    print_facts({"verified": "yes", **facts}, output)


@app.command(epilog="Example: tidegate endpoint create orders-ep --vpc web --cluster orders")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="2 to 128 letters, the first a letter")],
    vpc: Annotated[str, typer.Option(help="the VPC's name or id")],
    cluster: Annotated[str | None, typer.Option(help="the cluster to reach: its service is looked up")] = None,
    service: Annotated[str | None, typer.Option(help="or the service name, as the Connect dialog shows it")] = None,
    vswitch: Annotated[list[str] | None, typer.Option(help="one per zone; none: the VPC's first")] = None,
    security_group: Annotated[
        list[str] | None, typer.Option(help="none: `tidegate-endpoint`, which lets the VPC's range reach port 4000")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Create an endpoint and wait until it is Active and Connected."""
    access = open_access()
    api = access.alibaba
    service = choose_service(access, cluster, service)
    network = networks.find_vpc(api, vpc)
    region = network["RegionId"]
    if endpoints.verify_service(api, region, service) is None:
        raise CliError(refuse_service(service, region))
    subnets = [networks.find_subnet(api, network, wanted) for wanted in vswitch or ("",)]
    groups = security_group or [networks.ensure_group(api, network, GROUP_NAME, f"{endpoints.PORT}/{endpoints.PORT}")]
    with progress(f"creating endpoint {name}") as tell:
        try:
            endpoint_id = endpoints.create_endpoint(api, network, service, name, groups, subnets)
        except ApiError as error:
            if error.code != "EndpointDuplicated":
                raise
            raise CliError(refuse_second(api, network, service)) from error
        tell(f"connecting {endpoint_id}")
        found = wait_until(
            lambda: endpoints.look_connected(api, region, endpoint_id),
            f"Active and Connected of {name}",
            TIMEOUT_S,
            api.server,
        )
    print_facts(describe(api, found), output)


@app.command("list", epilog="Example: tidegate endpoint list -o json")
def list_(region: Region = None, output: Output = Format.TABLE) -> None:
    """All endpoints of this account."""
    api = open_access().alibaba
    regions = [region] if region else networks.list_regions(api)
    rows = [summarize(found) for found in endpoints.list_endpoints(api, regions)]
    print_rows(rows, ("name", "endpoint_id", "status", "connection_status", "vpc_id", "domain"), output)


@app.command(epilog="Example: tidegate endpoint show orders-ep")
def show(endpoint: Endpoint, region: Region = None, output: Output = Format.TABLE) -> None:
    """The Endpoint Details page: states, domain names, addresses, security groups."""
    api = open_access().alibaba
    print_facts(describe(api, locate(api, endpoint, region)), output)


@app.command(epilog="Example: tidegate endpoint delete orders-ep --yes")
def delete(
    endpoint: Endpoint,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
) -> None:
    """Remove an endpoint's zones, then the endpoint. Its connections are cut."""
    api = open_access().alibaba
    found = locate(api, endpoint, region)
    if not yes:
        typer.confirm(f"Delete {found['EndpointName'] or endpoint} ({found['EndpointId']})?", abort=True)
    with progress(f"deleting endpoint {endpoint}"):
        endpoints.delete_endpoint(api, found["RegionId"], found["EndpointId"], partial(wait, api.server))
    out.print(f"{endpoint} is deleted.", markup=False)


def wait(server: Server, look: Any, what: str) -> Any:
    return wait_until(look, what, TIMEOUT_S, server)


def locate(api: AlibabaClient, endpoint: str, region: str | None) -> Json:
    return endpoints.find_endpoint(api, [region] if region else networks.list_regions(api), endpoint)


def choose_service(access: Access, cluster: str | None, service: str | None) -> str:
    """Raises :class:`CliError` for both, for none, and for a cluster without private endpoints."""
    if (cluster is None) == (service is None):
        raise CliError("Say what to connect to: either --cluster NAME or --service SERVICE_NAME.")
    if service is not None:
        return service
    return clusters.private_service(clusters.find_cluster(access.tidbcloud, cluster or ""))[0]


def refuse_service(service: str, region: str) -> str:
    """Why Verify found nothing, as far as the name tells."""
    home = endpoints.region_of_service(service)
    if home and home != region:
        return (
            f"The service {service} is in {home}, the endpoint would be in {region}: cross-region endpoints are not "
            f"supported. Use a VPC in {home}."
        )
    return f"No service {service} can be reached from {region}. Copy the name from: tidegate cluster connect CLUSTER."


def refuse_second(api: AlibabaClient, vpc: Json, service: str) -> str:
    """Clusters of a region share one service, so a second cluster in this VPC needs no second endpoint."""
    found = endpoints.list_endpoints(api, [vpc["RegionId"]], VpcId=vpc["VpcId"], ServiceName=service)
    names = ", ".join(endpoint["EndpointName"] or endpoint["EndpointId"] for endpoint in found)
    return (
        f"{vpc['VpcName'] or vpc['VpcId']} has an endpoint of this service already: {names} "
        "(EndpointDuplicated, refused). It reaches every cluster of the region: "
        "tidegate cluster connect CLUSTER --endpoint ENDPOINT."
    )


def summarize(found: Json) -> dict[str, Any]:
    return {
        "name": found["EndpointName"],
        "endpoint_id": found["EndpointId"],
        "status": found["EndpointStatus"],
        "connection_status": found["ConnectionStatus"],
        "vpc_id": found["VpcId"],
        "region": found["RegionId"],
        "service_name": found["ServiceName"],
        "domain": found["EndpointDomain"],
    }


def describe(api: AlibabaClient, found: Json) -> dict[str, Any]:
    region, endpoint_id = found["RegionId"], found["EndpointId"]
    zones = endpoints.list_zones(api, region, endpoint_id)
    return summarize(found) | {
        "zones": [{"zone": zone["ZoneId"], "address": zone["EniIp"], "status": zone["ZoneStatus"]} for zone in zones],
        "zone_domains": [zone["ZoneDomain"] for zone in zones],
        "security_groups": endpoints.list_groups(api, region, endpoint_id),
        "created": found.get("CreateTime", ""),
    }
