"""What must fail: each case is a real attempt, by packets where packets decide, by an API call where an API does."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from tidegate.cli.calls import clusters, endpoints, networks
from tidegate.cli.clients import ApiError, Json
from tidegate.cli.demo_stage import Stage, probe_environment, run_probe
from tidegate.cli.demo_steps import Orders, Place, connect_endpoint, make_network
from tidegate.cli.demo_verdicts import choose_cidr, decide_refused, parse_routes

TIMEOUT_S = 2.0
OTHER_REGION = "ap-northeast-1"
GCP_REGION = "gcp-us-central1"
PERMITTED = "connected"


def free_cidr() -> str:
    """Where no link of this host is, see :func:`choose_cidr`."""
    return choose_cidr(parse_routes(Path("/proc/net/route").read_text()))


def show_refusals(stage: Stage, orders: Orders, place: Place) -> None:
    """All cases, in the order in which the demo's reader meets them."""
    stage.heading("step4")
    second = try_second_vpc(stage, orders, place)
    try_closed_group(stage, orders, second)
    try_host(stage, orders, place)
    try_wrong_prefix(stage, orders, place)
    try_cross_region(stage, orders)
    try_gcp_cluster(stage)


def try_second_vpc(stage: Stage, orders: Orders, place: Place) -> Place:
    """The same addresses in another VPC are other addresses; and its resolver does not know the name."""
    cidr = place.vpc["CidrBlock"]
    with stage.step("second", cidr=cidr):
        vpc, subnet = make_network(stage, place.vpc["RegionId"], "other", cidr)
    second = Place(vpc, subnet, "other", {}, "")
    attempt(stage, "same_cidr_vpc_by_name", vpc, orders, place.endpoint["EndpointDomain"])
    attempt(stage, "same_cidr_vpc_by_address", vpc, orders, place.address)
    return second


def try_closed_group(stage: Stage, orders: Orders, second: Place) -> None:
    """An endpoint of its own, Active and Connected, but guarded by a group without a rule for 4000."""
    group_id = networks.create_group(stage.access.alibaba, second.vpc, "closed")
    endpoint = connect_endpoint(stage, second.vpc, second.subnet, orders.service_name, group_id)
    attempt(stage, "closed_security_group", second.vpc, orders, endpoint["EndpointDomain"])


def try_host(stage: Stage, orders: Orders, place: Place) -> None:
    """By address and direct: the host's resolver is not asked, it would carry our names to strangers."""
    command = [sys.executable, "-m", "tidegate.cli.probe"]
    request = login(orders, place.address) | {"direct": True}
    answer = run_probe(command, request, probe_environment(stage.settings))
    stage.refusal(decide_refused("from_the_host", answer["outcome"], answer["detail"]))


def try_wrong_prefix(stage: Stage, orders: Orders, place: Place) -> None:
    """The path is open, the name is not: the gateway answers as the database would for a wrong password."""
    user = f"2{secrets.token_hex(7)}.root"
    attempt(stage, "wrong_prefix", place.vpc, orders, place.endpoint["EndpointDomain"], user=user)


def attempt(stage: Stage, case: str, vpc: Json, orders: Orders, host: str, **other: Any) -> None:
    """Log in with the right password from inside ``vpc``, and note how that was refused."""
    answer = stage.probe(vpc["VpcId"], **(login(orders, host) | other))
    stage.refusal(decide_refused(case, answer["outcome"], answer["detail"], stage.settings.resolution))


def login(orders: Orders, host: str) -> dict[str, Any]:
    return {
        "task": "connect",
        "host": host,
        "user": orders.user,
        "password": orders.password,
        "timeout_s": TIMEOUT_S,
    }


def try_cross_region(stage: Stage, orders: Orders) -> None:
    """The API refuses, and nothing half made stays."""
    api = stage.access.alibaba
    vpc, subnet = make_network(stage, OTHER_REGION, "far", "192.168.0.0/16")
    group_id = networks.create_group(api, vpc, "any")
    try:
        endpoints.create_endpoint(api, vpc, orders.service_name, "far", [group_id], [subnet])
    except ApiError as error:
        stage.refusal(decide_refused("cross_region_endpoint", error.code, error.message))
    else:
        stage.refusal(decide_refused("cross_region_endpoint", PERMITTED))


def try_gcp_cluster(stage: Stage) -> None:
    """The cluster may exist; its Connect dialog has no private endpoint to give."""
    api = stage.access.tidbcloud
    cluster = clusters.create_cluster(api, f"gcp-{secrets.token_hex(2)}", GCP_REGION, None)
    stage.removal.callback(clusters.delete_cluster, api, cluster["clusterId"])
    try:
        stage.operator.get(f"/clusters/{cluster['clusterId']}/connection", type="private")
    except ApiError as error:
        stage.refusal(decide_refused("gcp_cluster", error.code, error.message))
    else:
        stage.refusal(decide_refused("gcp_cluster", PERMITTED))
