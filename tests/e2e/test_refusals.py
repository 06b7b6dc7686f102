"""What must not pass does not, and the kernel says so: counters of the dropping rule, and tcpdump; never our status."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tidegate.cli.access import open_operator
from tidegate.cli.clients import ApiError, OperatorClient
from tidegate.testing import Client, Cluster, Endpoint, World, wait_until
from tidegate.testing.clients import SessionError

FABRIC = "fabric"
OTHER_REGION, THIRD_REGION = "ap-northeast-1", "ap-southeast-5"


@pytest.fixture(scope="module")
def endpoint(world: World, orders: Cluster) -> Endpoint:
    """In VPC a, whose client has the subnet's first address: so the endpoint's address is nobody's in VPC b."""
    vpc = world.vpc("a")
    vpc.client()
    return vpc.endpoint(orders)


@pytest.fixture(scope="module")
def insider(endpoint: Endpoint) -> Client:
    client = endpoint.vpc.client()
    assert client.reaches(endpoint), "or the refusals here prove nothing"
    return client


@contextmanager
def captured(world: World, namespace: str, link: str, what: str) -> Iterator[list[str]]:
    """The packets of this kind that tcpdump sees on this link, as they come."""
    argv = [*world.enter_argv(namespace, of_world=True), "tcpdump", "-nl", "--immediate-mode", "-i", link, what]
    dump = subprocess.Popen(argv, env=world.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert dump.stdout and dump.stderr
    for line in dump.stderr:
        if "listening on" in line:
            break
    seen: list[str] = []
    reader = threading.Thread(target=seen.extend, args=(dump.stdout,), daemon=True)
    reader.start()
    try:
        yield seen
    finally:
        dump.terminate()
        dump.wait(10)
        reader.join(10)


@contextmanager
def silent(world: World, namespace: str, link: str, what: str) -> Iterator[None]:
    with captured(world, namespace, link, what) as seen:
        yield
    assert [line for line in seen if line.strip()] == []


def passed(world: World, namespace: str) -> int:
    """Packets on the VPC's link to the provider, both ways."""
    (link,) = json.loads(world.witness.look(namespace, "ip", "-json", "-s", "link", "show", "dev", FABRIC))
    return int(link["stats64"]["rx"]["packets"]) + int(link["stats64"]["tx"]["packets"])


def test_a_second_vpc_with_the_same_addresses(world: World, endpoint: Endpoint, insider: Client) -> None:
    """The name means nothing there, the address is nobody's; and not one packet comes near the first VPC."""
    b = world.vpc("b", endpoint.vpc.cidr)
    stranger = b.client()
    assert stranger.address == insider.address, "the same range, the same place in it"
    assert stranger.dial(endpoint.domain).outcome == "nxdomain"
    with (
        silent(world, endpoint.vpc.vpc_id, "any", "tcp port 4000"),
        captured(world, b.vpc_id, "any", "arp or tcp port 4000") as seen,
    ):
        assert stranger.dial(endpoint.addresses[0]).outcome == "timeout"
        assert not stranger.reaches(endpoint)
    assert any(f"who-has {endpoint.addresses[0]}" in line for line in seen), "it did try"
    assert not [line for line in seen if "is-at" in line or ".4000:" in line], "nobody answers for the address"

    other_subnet = endpoint.addresses[0].replace("10.0.0.", "10.0.9.")
    assert stranger.dial(other_subnet).outcome == "timeout"
    assert world.witness.dropped(b.vpc_id, "no such address in this VPC") > 0
    assert passed(world, b.vpc_id) == 0, "nothing has ever left for the provider"
    assert insider.reaches(endpoint), "and the first VPC is not disturbed"


def test_two_vpcs_with_the_same_addresses_side_by_side(world: World, orders: Cluster, insider: Client) -> None:
    """Overlapping ranges are what people have; each VPC's sessions must be its own all the way to the database."""
    twin = world.vpc("twin", insider.vpc.cidr)
    client = twin.client()
    endpoint = twin.endpoint(orders)
    assert (client.address, endpoint.addresses) == (insider.address, insider.vpc.only_endpoint().addresses)
    ours, theirs = insider.session(), client.session()
    ours.query("CREATE TABLE IF NOT EXISTS test.side (vpc VARCHAR(8))")
    ours.query("INSERT INTO test.side VALUES ('a')")
    theirs.query("INSERT INTO test.side VALUES ('twin')")
    assert (
        sorted(ours.query("SELECT vpc FROM test.side"))
        == [["a"], ["twin"]]
        == sorted(theirs.query("SELECT vpc FROM test.side"))
    )
    peers = gateway_peers(world, "alicloud-ap-southeast-1")
    assert len(peers) == 2, f"each endpoint has a fabric address of its own: {peers}"
    ours.close()
    theirs.close()


def gateway_peers(world: World, region: str) -> set[str]:
    lines = world.witness.look(region, "ss", "-HtnO", "state", "established", "sport", "=", ":4000").splitlines()
    peers = {line.split()[3].rpartition(":")[0] for line in lines}
    return {peer for peer in peers if not peer.startswith(("100.112.", "100.127."))} - {gateway(world, region)}


def gateway(world: World, region: str) -> str:
    """Its own address: the gateway dials the databases from it."""
    listening = world.witness.look(region, "ss", "-HltnpO").splitlines()
    return next(line.split()[3].rpartition(":")[0] for line in listening if "python" in line)


def test_a_group_without_4000(world: World, orders: Cluster) -> None:
    """Connected is not reachable: the group decides, at once when it changes, and only on new connections."""
    vpc = world.vpc("closed")
    client = vpc.client()
    endpoint = vpc.endpoint(orders, open_port=False)
    with silent(world, vpc.vpc_id, FABRIC, "tcp"):
        assert client.dial(endpoint.domain).outcome == "timeout"
    closed = world.witness.dropped(vpc.vpc_id, "default")
    assert closed > 0

    endpoint.allow()
    assert client.dial(endpoint.domain), "the same program, without a new start"
    session = client.session(endpoint)
    assert session.query("SELECT 1") == [[1]]

    endpoint.revoke()
    before = world.witness.dropped(vpc.vpc_id, "default")
    assert client.dial(endpoint.domain).outcome == "timeout"
    assert world.witness.dropped(vpc.vpc_id, "default") > before
    assert session.query("SELECT 2") == [[2]], "security groups are stateful: an established session goes on"
    session.close()


def test_another_port_of_the_endpoint(world: World, endpoint: Endpoint, insider: Client) -> None:
    """All ports open in the group is not all ports of the service."""
    endpoint.allow("1/65535")
    drops = world.witness.dropped(endpoint.vpc.vpc_id, "not a connected endpoint's port, or not for the router")
    assert insider.dial(endpoint.addresses[0], port=10080).outcome == "timeout"
    now = world.witness.dropped(endpoint.vpc.vpc_id, "not a connected endpoint's port, or not for the router")
    assert now > drops


def test_the_database_cannot_be_dialled_past_the_gateway(world: World, endpoint: Endpoint, insider: Client) -> None:
    """Whoever guesses a database's or the gateway's own address is stopped in the VPC's router."""
    region = "alicloud-ap-southeast-1"
    lines = world.witness.look(region, "ss", "-HltnO").splitlines()
    addresses = {line.split()[3].rpartition(":")[0] for line in lines}
    assert len(addresses) >= 2, "gateway and database"
    with silent(world, endpoint.vpc.vpc_id, FABRIC, "tcp"):
        outcomes = {insider.dial(address).outcome for address in addresses}
    assert outcomes == {"timeout"}


def test_from_the_host(world: World, endpoint: Endpoint, insider: Client) -> None:
    """The host has no road into a VPC at all: not a packet arrives."""
    with captured(world, endpoint.vpc.vpc_id, "any", "tcp port 4000") as seen:
        assert insider.dial(endpoint.domain)
        wait_until(lambda: seen, "tcpdump to see the SYN: or this witness is blind", 5)
    with silent(world, endpoint.vpc.vpc_id, "any", "tcp port 4000"):
        outcome = world.dial_from_host(endpoint.addresses[0])
    assert outcome in ("unreachable", "timeout")


def test_a_wrong_prefix(endpoint: Endpoint, insider: Client) -> None:
    """The path is open, the name is not: no word tells which prefixes exist."""
    name, password = endpoint.cluster.user.partition(".")[2], endpoint.cluster.password
    unknown = insider.login(endpoint, user=f"2AbcdefghijkLmn.{name}")
    wrong = insider.login(endpoint, password="not-" + password)
    assert (unknown.outcome, wrong.outcome) == ("mysql 1045", "mysql 1045")
    assert unknown.detail.replace("2AbcdefghijkLmn", "") == wrong.detail.replace(endpoint.cluster.user[:-5], "")
    assert insider.login(endpoint, user=name).outcome == "mysql 1105", "no prefix: the cloud's own error"
    assert insider.login(endpoint)


def test_a_cross_region_endpoint(world: World, orders: Cluster) -> None:
    """Refused by the API with the cloud's code, and nothing half made stays in the kernel."""
    far = world.vpc("far", "192.168.0.0/16", OTHER_REGION)
    far.client()
    world.settle()
    before = world.witness.state()
    with pytest.raises(ApiError) as refused:
        far.begin_endpoint(orders)
    assert refused.value.code == "EndpointServiceNotFound"
    world.settle()
    rules = {name: {k: v for k, v in part.items() if k != "rules"} for name, part in world.witness.state().items()}
    assert rules == {name: {k: v for k, v in part.items() if k != "rules"} for name, part in before.items()}
    far.delete()


def test_a_gcp_cluster(world: World) -> None:
    """It lives, and it has no private endpoint to give."""
    cluster = world.cluster("far-away", region="gcp-us-central1")
    assert cluster.service_name == ""
    operator: OperatorClient = open_operator(world.settings)
    with pytest.raises(ApiError) as refused:
        operator.get(f"/clusters/{cluster.cluster_id}/connection", type="private")
    assert refused.value.code == "NoPrivateEndpoint"
    cluster.delete()


# -- what ends ---------------------------------------------------------------------------------------------------


def test_a_removed_zone_cuts_its_sessions(world: World, orders: Cluster) -> None:
    """Taken away means taken away: an established session ends, the address is gone from the router."""
    vpc = world.vpc("zone")
    endpoint, client = vpc.endpoint(orders), vpc.client()
    session = client.session(timeout_s=3.0)
    assert session.query("SELECT 1") == [[1]]
    router = lambda: world.witness.look(vpc.vpc_id, "ip", "-4", "-br", "addr")  # noqa: E731
    assert f"{endpoint.addresses[0]}/32" in router()
    endpoint.remove_zones()
    with pytest.raises(SessionError) as cut:
        session.query("SELECT 2")
    assert cut.value.outcome in ("lost", "timeout")
    wait_until(lambda: f"{endpoint.addresses[0]}/32" not in router(), "the address to be gone", 5)
    assert client.dial(endpoint.addresses[0]).outcome == "timeout"
    assert client.dial(endpoint.domain).outcome in ("nxdomain", "timeout")
    endpoint.delete()
    assert client.dial(endpoint.domain).outcome == "nxdomain"
    vpc.delete()


def test_what_is_deleted_leaves_nothing(world: World) -> None:
    """Endpoint, VPC, cluster, and with the last of them their region: no trace, and the rest as before."""
    world.vpc("stays")
    world.settle()
    before, running = world.witness.state(), world.witness.processes()
    cluster = world.cluster("passing", f"alicloud-{THIRD_REGION}", rcu=(2000, 4000))
    vpc = world.vpc("passing", region=THIRD_REGION)
    endpoint, client = vpc.endpoint(cluster), vpc.client()
    assert client.query("SELECT 1") == [[1]]
    assert f"gateway-alicloud-{THIRD_REGION}" in world.witness.processes()
    endpoint.delete()
    assert not client.reaches(endpoint)
    vpc.delete()
    cluster.delete()
    wait_until(lambda: _state(world) == before, "the world as before", 15, poll_s=0.5)
    wait_until(lambda: world.witness.processes() == running, "the processes as before", 15, poll_s=0.2)
    assert not (world.settings.clusters / cluster.cluster_id).exists()


def _state(world: World) -> object:
    """The world as the witness sees it; None when a namespace went while it was being looked into."""
    try:
        return world.witness.state()
    except AssertionError:
        return None
