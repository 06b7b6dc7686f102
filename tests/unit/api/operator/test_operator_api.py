"""The operator's API through ASGI: who may ask, and that each answer is what the rows say."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tidegate.api.operator.adapter import OperatorAdapter
from tidegate.api.operator.errors import describe_refusal
from tidegate.api.operator.inventory import AgentHealth
from tidegate.api.operator.token import ensure_token
from tidegate.domain import refusals
from tidegate.domain.clusters import Cluster
from tidegate.domain.status import Status
from tidegate.operations.accounts import ensure_first_accounts
from tidegate.operations.clusters import create_cluster
from tidegate.operations.context import Caller, Context
from tidegate.operations.interfaces import create_interface
from tidegate.operations.security_groups import create_security_group
from tidegate.operations.services import ensure_region_services
from tidegate.operations.subnets import create_subnet
from tidegate.operations.users import ensure_first_user, find_link_user
from tidegate.operations.vpcs import create_vpc
from tidegate.store.store import Store

TOKEN = "t" * 43
SINGAPORE = "alicloud-ap-southeast-1"


class Site:
    """An installation whose controller the test plays."""

    def __init__(self, folder: Path) -> None:
        self.context = Context(Store(f"sqlite:///{folder / 'tidegate.db'}"))
        self.context.store.migrate()
        keys = ensure_first_accounts(self.context)
        ensure_region_services(self.context)
        self.tidb = Caller(keys.tidbcloud.account_id, key_id=keys.tidbcloud.key_id)
        self.alibaba = Caller(keys.alicloud.account_id, key_id=keys.alicloud.key_id)
        self.health = AgentHealth(True, "The agent answers.", {})
        self.adapter = OperatorAdapter(self.context, token=TOKEN, agent_health=lambda: self.health)

    def ask(
        self, path: str, method: str = "GET", token: str | None = TOKEN, **query: str
    ) -> tuple[int, dict[str, Any]]:
        headers = {} if token is None else {"authorization": f"Bearer {token}".encode()}

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
                return await http.request(method, f"/tidegate/v1{path}", params=query, headers=headers)

        reply = asyncio.run(go())
        return reply.status_code, reply.json()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self.adapter.handle(request, await request.body())
        await response(scope, receive, send)

    def cluster(self, region: str = SINGAPORE, **more: Any) -> Cluster:
        return create_cluster(self.context, self.tidb, region_id=region, display_name="orders", **more).cluster

    def say(self, status: Status) -> None:
        with self.context.store.write() as tx:
            tx.statuses.put(status)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.context.store.close()


def entry(site: Site, resource_id: str) -> dict[str, Any]:
    code, answer = site.ask("/status")
    assert code == 200
    (found,) = [e for e in answer["resources"] if e["id"] == resource_id]
    return found


@pytest.mark.parametrize("token", [None, "", "x", TOKEN[:-1], TOKEN + "t", "ü" * 43])
@pytest.mark.parametrize("path", ["/status", "/clusters/1/connection", "/nothing"])
def test_without_the_token_nothing_is_told(site: Site, token: str | None, path: str) -> None:
    """Not even whether a path or a cluster exists."""
    code, answer = site.ask(path, token=token)
    assert (code, answer["code"]) == (401, "Unauthenticated")
    assert set(answer) == {"code", "message"}


def test_an_empty_token_opens_nothing(site: Site) -> None:
    """An app that forgot to pass the token must not have let everybody in."""
    site.adapter = OperatorAdapter(site.context, token="", agent_health=lambda: site.health)
    assert site.ask("/status", token="")[0] == 401


def test_status_follows_the_rows(site: Site) -> None:
    """ "Not done yet", "done" and "failed" never look alike, and an old answer is not shown as today's."""
    cluster = site.cluster()
    found = entry(site, cluster.cluster_id)
    assert (found["kind"], found["name"], found["account_id"]) == ("cluster", "orders", site.tidb.account_id)
    assert (found["state"], found["phase"], found["observed_generation"]) == ("creating", "working", 0)
    assert found["reason"] == "The controller has not looked at it yet."

    site.say(Status("cluster", cluster.cluster_id, 1, "failed", "Its server ran out of memory."))
    found = entry(site, cluster.cluster_id)
    assert (found["phase"], found["reason"]) == ("failed", "Its server ran out of memory.")

    with site.context.store.write() as tx:
        tx.clusters.put(replace(cluster, generation=2, awake=False, ready_generation=1))
    found = entry(site, cluster.cluster_id)
    assert (found["state"], found["phase"]) == ("asleep", "working")
    assert found["reason"] == "Its last change is not carried out yet; before it: Its server ran out of memory."


def test_status_has_every_kind_and_the_agent(site: Site) -> None:
    vpc, interface_id = host(site)
    site.health = AgentHealth(False, "No agent.", {"networks/vpc-1": "nft is missing."})
    code, answer = site.ask("/status")
    assert code == 200
    assert answer["agent"] == {
        "connected": False,
        "reason": "No agent.",
        "errors": {"networks/vpc-1": "nft is missing."},
    }
    kinds = [e["kind"] for e in answer["resources"]]
    assert kinds == sorted(
        kinds, key=["cluster", "endpoint", "vpc", "subnet", "security_group", "interface", "service"].index
    )
    assert {vpc, interface_id} < {e["id"] for e in answer["resources"]}
    assert sum(answer["phases"].values()) == len(answer["resources"])
    keys = {
        "kind",
        "id",
        "name",
        "account_id",
        "region_id",
        "state",
        "generation",
        "observed_generation",
        "phase",
        "reason",
        "endpoints",
    }
    services = [e for e in answer["resources"] if e["kind"] == "service"]
    assert services and all((e["state"], e["endpoints"]) == ("offered", 0) for e in services)
    assert all(set(e) == keys and e["reason"].endswith(".") for e in answer["resources"])


@pytest.mark.parametrize(("region", "code"), [(SINGAPORE, "ap-southeast-1"), ("aws-us-east-1", "us-east-1")])
def test_connection_has_what_the_dialog_shows(site: Site, region: str, code: str) -> None:
    cluster = site.cluster(region, root_password="correct horse")
    status, answer = site.ask(f"/clusters/{cluster.cluster_id}/connection", type="private")
    assert status == 200
    assert answer["region_id"] == code
    assert code in answer["service_name"]
    assert len(answer["availability_zone_ids"]) == 3
    assert (answer["port"], answer["username"], answer["has_password"]) == (4000, f"{cluster.prefix}.root", True)
    assert "correct horse" not in str(answer)


@pytest.mark.parametrize(("region", "cloud"), [("gcp-us-central1", "gcp"), ("azure-eastus", "azure")])
def test_connection_is_refused_where_there_are_no_private_endpoints(site: Site, region: str, cloud: str) -> None:
    """The how-to page's first limit, met where a client meets it."""
    cluster = site.cluster(region)
    assert site.ask(f"/clusters/{cluster.cluster_id}/connection") == (
        409,
        {
            "code": "NoPrivateEndpoint",
            "message": "Private endpoints are available only when the cluster is hosted on Alibaba Cloud or AWS; "
            f"cluster {cluster.cluster_id} is hosted on {cloud}.",
        },
    )


@pytest.mark.parametrize(
    ("path", "method", "query", "status", "code"),
    [
        ("/clusters/1/connection", "GET", {}, 404, "NotFound"),
        ("/clusters/{id}/connection", "GET", {"type": "public"}, 501, "NotOffered"),
        ("/clusters/{id}/connection", "GET", {"type": "other"}, 400, "Malformed"),
        ("/clusters/{id}/connection", "POST", {}, 405, "MethodNotAllowed"),
        ("/vpcs/vpc-none/host-interfaces", "GET", {}, 404, "NotFound"),
        ("/clusters", "GET", {}, 404, "NotFound"),
        ("/status/", "GET", {}, 404, "NotFound"),
    ],
)
def test_each_refusal(site: Site, path: str, method: str, query: dict[str, str], status: int, code: str) -> None:
    cluster = site.cluster()
    got, answer = site.ask(path.replace("{id}", cluster.cluster_id), method, **query)
    assert (got, answer["code"]) == (status, code)
    assert answer["message"].endswith(".")


def host(site: Site) -> tuple[str, str]:
    vpc = create_vpc(site.context, site.alibaba, region_id=SINGAPORE, cidr="10.0.0.0/16")
    subnet = create_subnet(site.context, site.alibaba, vpc_id=vpc.vpc_id, zone_id="ap-southeast-1a", cidr="10.0.1.0/24")
    group = create_security_group(site.context, site.alibaba, region_id=SINGAPORE, vpc_id=vpc.vpc_id)
    interface = create_interface(site.context, site.alibaba, subnet_id=subnet.subnet_id, group_ids=[group.group_id])
    return vpc.vpc_id, interface.interface_id


def test_host_interfaces_name_their_namespaces(site: Site) -> None:
    """``vpc exec`` enters the namespace that is named here."""
    vpc_id, interface_id = host(site)
    code, answer = site.ask(f"/vpcs/{vpc_id}/host-interfaces")
    (found,) = answer["host_interfaces"]
    assert code == 200
    assert (found["interface_id"], found["namespace"]) == (interface_id, f"host-{interface_id}")
    assert (found["address"][:7], found["available"]) == ("10.0.1.", False)
    site.say(Status("interface", interface_id, 1, "ready", "It has its address."))
    assert site.ask(f"/vpcs/{vpc_id}/host-interfaces")[1]["host_interfaces"][0]["available"]


def test_every_refusal_has_an_answer() -> None:
    samples = [kind(*[f"<{f.name}>" for f in fields(kind)]) for kind in refusals.Refusal.__subclasses__()]
    for refusal in samples:
        failure = describe_refusal(refusal)
        assert 400 <= failure.http_status < 600 and failure.message


def test_the_token_is_made_once_and_private(tmp_path: Path) -> None:
    first = ensure_token(tmp_path / "keys")
    path = tmp_path / "keys" / "operator-token"
    assert len(first) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert ensure_token(tmp_path / "keys") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in (tmp_path / "keys").iterdir()] == ["operator-token"]


def test_a_stump_of_a_token_is_replaced(tmp_path: Path) -> None:
    """An empty file, as a full disk leaves it, must not become a secret that everybody can guess."""
    (tmp_path / "operator-token").write_text("\n")
    assert len(ensure_token(tmp_path)) >= 32


def test_two_first_starts_agree_on_one_token(tmp_path: Path) -> None:
    seen: list[str] = []
    threads = [Thread(target=lambda: seen.append(ensure_token(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 and len(set(seen)) == 1


def test_users_are_made_listed_and_let_in(site: Site) -> None:
    """A link is a path that logs its user in; accounts that are not named are made."""
    ensure_first_user(site.context)
    status, made = site.ask("/users", "POST", name="Alice", tidbcloud=site.tidb.account_id)
    assert status == 200 and made["name"] == "alice" and made["tidbcloud"] == site.tidb.account_id
    assert made["alicloud"] != site.alibaba.account_id and not made["has_password"]
    listed = site.ask("/users")[1]["users"]
    assert [user["name"] for user in listed] == ["admin", "alice"]
    assert (listed[0]["alicloud"], listed[0]["tidbcloud"]) == (site.alibaba.account_id, site.tidb.account_id)
    _, answer = site.ask("/users/alice/link", "POST")
    user = find_link_user(site.context, answer["path"].removeprefix("/console/link/"))
    assert user is not None and user.name == "alice"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/users", {"name": "admin"}, 409),
        ("/users", {"name": "A B"}, 400),
        ("/users", {}, 400),
        ("/users", {"name": "bob", "alicloud": "1"}, 404),
        ("/users/nobody/link", {}, 404),
    ],
)
def test_users_that_cannot_be(site: Site, path: str, query: dict[str, str], status: int) -> None:
    ensure_first_user(site.context)
    assert site.ask(path, "POST", **query)[0] == status
    assert len(site.ask("/users")[1]["users"]) == 1
