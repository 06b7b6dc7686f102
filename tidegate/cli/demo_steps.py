"""The three steps of the how-to page, each through the public APIs."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import CliError, Json
from tidegate.cli.demo_stage import Stage
from tidegate.cli.reports import make_password
from tidegate.domain.connection_strings import Target, build_strings

REGION = networks.DEFAULT_REGION


@dataclass(frozen=True, slots=True)
class Orders:
    """The demo's cluster, and how to log in."""

    cluster_id: str
    user: str
    password: str
    service_name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A VPC with its subnet, and once there is one its endpoint."""

    vpc: Json
    subnet: Json
    name: str
    endpoint: Json
    address: str


def choose_cluster(stage: Stage) -> Orders:
    """Step 1: a cluster, and what the Connect dialog says of it."""
    stage.heading("step1")
    api, started = stage.access.tidbcloud, time.monotonic()
    name, password = f"demo-{secrets.token_hex(2)}", make_password()
    with stage.step("cluster", name=name):
        cluster_id = clusters.create_cluster(api, name, clusters.DEFAULT_REGION, password)["clusterId"]
        stage.removal.callback(clusters.delete_cluster, api, cluster_id)
        cluster = stage.wait(lambda: clusters.look_active(api, cluster_id), f"ACTIVE of cluster {name}")
    found = stage.findings
    found.elapsed_s["cluster"] = time.monotonic() - started
    found.service_name, found.availability_zone_ids, found.region_id = clusters.private_service(cluster)
    stage.fact("service_name", found.service_name)
    stage.fact("zones", ", ".join(found.availability_zone_ids))
    stage.fact("region_id", found.region_id)
    return Orders(cluster_id, f"{cluster['userPrefix']}.root", password, found.service_name)


def create_endpoint(stage: Stage, orders: Orders, cidr: str) -> Place:
    """Step 2: a network, Verify, the endpoint; until it is Active and Connected."""
    stage.heading("step2")
    api, name = stage.access.alibaba, "app"
    with stage.step("network", name=name, cidr=cidr):
        vpc, subnet = make_network(stage, REGION, name, cidr)
        group_id = networks.create_group(api, vpc, "allow-4000")
        networks.allow_ingress(api, REGION, group_id, "4000/4000", cidr)
        # The program's place takes the first address, in the second VPC too: so the endpoint's address is nobody's
        # there, and who dials it there cannot meet itself.
        networks.ensure_interface(api, vpc, networks.EXEC_NAME)
    with stage.step("verify"):
        if endpoints.verify_service(api, REGION, orders.service_name) is None:
            raise CliError(f"Verify found no service {orders.service_name} in {REGION} (Tidegate's side).")
    started = time.monotonic()
    with stage.step("endpoint") as facts:
        endpoint = connect_endpoint(stage, vpc, subnet, orders.service_name, group_id)
        facts |= {
            "id": endpoint["EndpointId"],
            "status": endpoint["EndpointStatus"],
            "connection": endpoint["ConnectionStatus"],
        }
    stage.findings.elapsed_s["endpoint"] = time.monotonic() - started
    stage.findings.endpoint = {
        "id": endpoint["EndpointId"],
        "status": endpoint["EndpointStatus"],
        "connection_status": endpoint["ConnectionStatus"],
        "domain": endpoint["EndpointDomain"],
    }
    stage.fact("domain", endpoint["EndpointDomain"])
    address = endpoints.list_zones(api, REGION, endpoint["EndpointId"])[0]["EniIp"]
    return Place(vpc, subnet, name, endpoint, address)


def connect_program(stage: Stage, orders: Orders, place: Place) -> None:
    """Step 3: the connection string, and a program inside the VPC that uses the endpoint's domain name."""
    stage.heading("step3")
    domain = place.endpoint["EndpointDomain"]
    stage.fact("string", build_strings(Target(orders.user, domain))["General > Connection String"])
    with stage.step("rows", name=place.name) as facts:
        answer = stage.probe(place.vpc["VpcId"], task="rows", host=domain, user=orders.user, password=orders.password)
        stage.findings.rows = answer["rows"]
        stage.findings.elapsed_s["first_row"] = answer["first_row_s"]
        facts |= {"count": len(answer["rows"]), "rows": ", ".join(f"{n} {word}" for n, word in answer["rows"])}
    stage.fact("version", str(answer["version"]))


def make_network(stage: Stage, region: str, name: str, cidr: str) -> tuple[Json, Json]:
    """A VPC with one subnet; both are removed at the end, with all that is in them."""
    api = stage.access.alibaba
    made = networks.create_vpc(api, region, name, cidr, networks.list_zones(api, region)[:1])
    vpc = networks.find_vpc(api, made["VpcId"], region)
    stage.removal.callback(remove_network, stage, vpc)
    return vpc, networks.find_subnet(api, vpc)


def connect_endpoint(stage: Stage, vpc: Json, subnet: Json, service_name: str, group_id: str) -> Json:
    api, region = stage.access.alibaba, vpc["RegionId"]
    endpoint_id = endpoints.create_endpoint(api, vpc, service_name, "tidb", [group_id], [subnet])
    return stage.wait(lambda: endpoints.look_connected(api, region, endpoint_id), f"Connected of {endpoint_id}")


def remove_network(stage: Stage, vpc: Json) -> None:
    api = stage.access.alibaba
    for endpoint in endpoints.list_endpoints(api, [vpc["RegionId"]], VpcId=vpc["VpcId"]):
        endpoints.delete_endpoint(api, vpc["RegionId"], endpoint["EndpointId"], stage.wait)
    networks.delete_vpc(api, vpc, stage.wait)
