"""The TiDB Cloud side's pages: what they show, what they change, whose it is."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from console_browser import Browser, World

from tidegate.domain.connection_strings import DOWNLOADED_CA, ENTRIES
from tidegate.domain.public_endpoints import PublicListener
from tidegate.domain.refusals import NotFound
from tidegate.domain.sql_users import SqlReply, SqlUser
from tidegate.domain.status import Status
from tidegate.operations import clusters, endpoints, subnets, users, vpcs
from tidegate.operations.services import region_service

SINGAPORE = "alicloud-ap-southeast-1"
STARTER = {"plan": "STARTER", "cloud": "alicloud", "region": SINGAPORE, "name": "orders", "limit": "0"}


def make(world: World, name: str = "orders", user: str = "admin", region_id: str = SINGAPORE, **more: Any) -> str:
    made = clusters.create_cluster(
        world.context, world.caller(user), region_id=region_id, display_name=name, **more
    )  # fmt: skip
    return f"/console/clusters/{made.cluster.cluster_id}"


def cluster_of(world: World, path: str) -> Any:
    with world.store.read() as tx:
        return tx.clusters.get(path.rpartition("/")[2])


def settle(world: World, path: str, phase: str = "ready", reason: str = "Running.") -> None:
    """In the controller's place."""
    from dataclasses import replace

    cluster = cluster_of(world, path)
    with world.store.write() as tx:
        tx.clusters.put(replace(cluster, ready_generation=cluster.generation))
        tx.statuses.put(Status("cluster", cluster.cluster_id, cluster.generation, phase, reason))  # type: ignore[arg-type]


def string_of(html: str) -> str:
    found = re.search(r'<pre id="connection_string"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert found is not None, html
    return unescape(found[1])


# -- list, create, overview --------------------------------------------------------------------------------------------


def test_create_from_the_form(world: World, console: Browser) -> None:
    """To the new cluster's page, with a message; the list has it."""
    shown = console.post("/console/clusters/new", STARTER)
    assert shown.path.startswith("/console/clusters/1") and "The cluster is being created." in shown.text
    assert "orders" in console.get("/console/clusters").text
    assert cluster_of(world, shown.path).created_by == "admin"


def test_essential_with_its_capacity(world: World, console: Browser) -> None:
    form = STARTER | {"plan": "ESSENTIAL", "min_rcu": "3000", "max_rcu": "9000", "public": "yes"}
    cluster = cluster_of(world, console.post("/console/clusters/new", form).path)
    assert (cluster.plan, cluster.min_rcu, cluster.max_rcu, cluster.public_open) == ("ESSENTIAL", 3000, 9000, True)


@pytest.mark.parametrize(
    ("change", "text", "field"),
    [
        ({"name": "x"}, "4 to 64 letters", "name"),
        ({"limit": "ten"}, "This is required", "limit"),
        ({"plan": "ESSENTIAL", "min_rcu": "9000", "max_rcu": "3000"}, "RCUs go from", "min_rcu"),
        ({"plan": "ESSENTIAL", "min_rcu": "", "max_rcu": "3000"}, "This is required", "min_rcu"),
    ],
)
def test_refusals_are_shown_at_their_field(console: Browser, change: dict[str, str], text: str, field: str) -> None:
    """What was typed stays, and a screen reader is told which field is wrong."""
    shown = console.post("/console/clusters/new", STARTER | change)
    assert shown.status == 422 and text in shown.text
    assert f'aria-describedby="{field}-error"' in shown.html


def test_regions_follow_plan_and_provider(console: Browser) -> None:
    """Tokyo of Alibaba Cloud has Essential only; gcp and azure have no Essential."""
    starter = console.fragment("/console/clusters/new?plan=STARTER&cloud=alicloud", "new_form").html
    essential = console.fragment("/console/clusters/new?plan=ESSENTIAL&cloud=gcp", "new_form").html
    assert "ap-northeast-1" not in starter and "ap-northeast-1" in essential
    assert 'value="gcp" disabled' in essential and 'value="gcp" disabled' not in starter


@pytest.mark.parametrize(
    ("phase", "reason", "word"),
    [("ready", "Running.", "Active"), ("failed", "The disk is full.", "Failed"), ("working", "x", "Active")],
)
def test_the_state_is_one_word_and_one_sentence(
    world: World, console: Browser, phase: str, reason: str, word: str
) -> None:
    path = make(world)
    assert "Creating" in console.get(path).text
    settle(world, path, phase, reason)
    head = console.fragment(path, "part_head").text
    assert word in head and reason in head


def test_a_sleeping_cluster_says_so(world: World, console: Browser) -> None:
    path = make(world)
    settle(world, path)
    clusters.sleep_cluster(world.context, path.rpartition("/")[2])
    assert "Active (asleep)" in console.get(path).text


def test_live_parts_come_alone(world: World, console: Browser) -> None:
    """What changes is fetched without the page around it."""
    path = make(world)
    world.sessions[path.rpartition("/")[2]] = 7
    part = console.fragment(path, "part_usage")
    assert part.html.lstrip().startswith('<section id="part_usage"') and "Open sessions 7" in part.text
    assert 'data-live="/console/live?since=' in console.get(path).html


def test_change_and_delete(world: World, console: Browser) -> None:
    """Deleting takes the name, typed; the plan's capacity can be changed, the plan not."""
    path = make(world)
    assert "saved" in console.post(f"{path}/settings", {"name": "orders-2", "limit": "25"}).text
    cluster = cluster_of(world, path)
    assert (cluster.display_name, cluster.spending_limit_cents) == ("orders-2", 2500)
    assert "4 to 64" in console.post(f"{path}/settings", {"name": "x", "limit": "25"}).text
    assert "nothing was deleted" in console.post(f"{path}/delete", {"word": "orders"}).text
    assert not cluster_of(world, path).deleting
    assert "is being deleted" in console.post(f"{path}/delete", {"word": "orders-2"}).text
    assert cluster_of(world, path).deleting


def test_long_lists_come_in_pages(world: World, console: Browser) -> None:
    for number in range(60):
        make(world, f"cluster-{number:02}")
    first, second = console.get("/console/clusters"), console.get("/console/clusters?page=2")
    assert "cluster-49" in first.text and "cluster-50" not in first.text and "60 in all" in first.text
    assert "cluster-59" in second.text and console.get("/console/clusters?page=9").text == second.text
    assert len(first.reply.content) < 100_000


# -- whose it is -------------------------------------------------------------------------------------------------------

PATHS = ["", "/connect", "/networking", "/users", "/users/new", "/branches", "/branches/new"]
POSTS = ["/settings", "/delete", "/connect", "/networking/public", "/networking/add", "/networking/delete",
         "/users/new", "/users/password", "/users/delete",
         "/branches/new", "/branches/reset", "/branches/delete"]  # fmt: skip


@pytest.fixture
def stranger(world: World) -> Browser:
    users.create_user(world.context, "bob", {})
    return world.enter("bob")


@pytest.mark.parametrize("page", PATHS)
def test_nobody_sees_anothers_cluster(world: World, stranger: Browser, page: str) -> None:
    """Not found, as a cluster that never was."""
    path = make(world)
    assert "orders" not in stranger.get("/console/clusters").text
    shown, never = stranger.get(path + page), stranger.get(f"/console/clusters/10000000000000000000{page}")
    assert shown.status == never.status == 404
    assert "orders" not in shown.text


@pytest.mark.parametrize("page", POSTS)
def test_nobody_changes_anothers_cluster(world: World, stranger: Browser, page: str) -> None:
    path = make(world)
    before = cluster_of(world, path)
    form = {"word": "orders", "do": "password", "open": "yes", "start": "1.2.3.4", "rule": "r", "name": "x.app"}
    assert stranger.post(path + page, form).status in (404, 422)
    assert cluster_of(world, path) == before and not world.asked


def test_two_users_of_one_organization_share_it(world: World) -> None:
    admin = world.caller("admin")
    users.create_user(world.context, "eve", {"tidbcloud": admin.account_id})
    make(world)
    assert "orders" in world.enter("eve").get("/console/clusters").text
    with pytest.raises(NotFound):
        users.create_user(world.context, "mallory", {"tidbcloud": world.caller("admin", "alicloud").account_id})


# -- connect -----------------------------------------------------------------------------------------------------------


def test_connect_shows_what_to_paste(world: World, console: Browser) -> None:
    """Service Name, Availability Zone ID and Region ID, each with its copy button, and the string."""
    path = make(world)
    service = region_service(world.context, SINGAPORE)
    assert service is not None
    shown = console.post(f"{path}/connect", {"type": "private", "with": "MySQL CLI"})
    assert {service.name, "ap-southeast-1a, ap-southeast-1b, ap-southeast-1c", "ap-southeast-1"} <= set(
        re.findall(r'data-copy="([^"]*)"', shown.html)
    )
    user = cluster_of(world, path).root_user
    assert string_of(shown.html) == f"mysql --comments -u '{user}' -h <HOST> -P 4000 -D 'test' -p'<PASSWORD>'"


@pytest.mark.parametrize("entry", [entry.label for entry in ENTRIES])
def test_every_entry_is_shown_for_both_types(world: World, console: Browser, entry: str) -> None:
    path = make(world, public_open=True)
    for kind in ("public", "private"):
        shown = console.post(f"{path}/connect", {"type": kind, "with": entry, "system": "Alpine", "database": "it's"})
        cluster = cluster_of(world, path)
        assert shown.status == 200 and cluster.prefix in string_of(shown.html)


def test_public_is_greyed_while_it_is_disabled(world: World, console: Browser) -> None:
    path = make(world)
    html = console.post(f"{path}/connect", {"type": "public"}).html
    assert '<option value="public" disabled>' in html and "&lt;HOST&gt;" in html


def test_public_with_the_real_listener(world: World, console: Browser) -> None:
    """Host and port of this installation, the CA's path of the system, and the CA to download."""
    path = make(world, public_open=True)
    with world.store.write() as tx:
        tx.public_listeners.add(PublicListener(SINGAPORE, "db.example", 4123))
    shown = console.post(f"{path}/connect", {"with": "MariaDB CLI", "system": "OpenSUSE"})
    assert "-h db.example -P 4123" in string_of(shown.html)
    assert "--ssl-ca=/etc/ssl/ca-bundle.pem" in string_of(shown.html)
    assert f"/console/{DOWNLOADED_CA}" in shown.html
    reply = world.browser().get(f"/console/{DOWNLOADED_CA}").reply
    assert reply.status_code == 200 and "attachment" in reply.headers["content-disposition"]


def test_the_password_is_shown_until_the_dialog_closes(world: World, console: Browser) -> None:
    """Made here, valid at once, carried along by the dialog alone: opened again, it is gone."""
    path = make(world)
    assert "Generate Password" in console.get(f"{path}/connect").text
    shown = console.post(f"{path}/connect", {"do": "password", "type": "private"})
    password = re.findall(r'name="password" value="([^"]+)"', shown.html)[0]
    assert len(password) == 16 and f"PASSWORD {password}" in string_of(shown.html)
    assert cluster_of(world, path).root_password_hash is not None
    again = console.post(f"{path}/connect", {"type": "private", "with": "Go", "password": password})
    assert password in string_of(again.html)
    later = console.get(f"{path}/connect")
    assert password not in later.html and "Reset Password" in later.text


def test_enter_does_not_reset_the_password(world: World, console: Browser) -> None:
    """Enter in the field Database presses the form's first button, whichever that is."""
    html = console.get(f"{make(world)}/connect").html
    form = html[html.index('<form id="connect_body"') :]
    assert re.findall(r"<button[^>]*>", form)[0] == '<button class="visually-hidden" tabindex="-1" aria-hidden="true">'


def test_own_connected_endpoints_are_offered_as_host(world: World, console: Browser) -> None:
    """The only one is taken at once; another account's is not offered at all."""
    path = make(world)
    domain = connected_endpoint(world, "admin")
    users.create_user(world.context, "bob", {})
    foreign = connected_endpoint(world, "bob")
    shown = console.get(f"{path}/connect")
    assert domain in string_of(shown.html) and foreign not in shown.html
    by_hand = console.post(f"{path}/connect", {"type": "private", "host": "<HOST>"})
    assert domain not in string_of(by_hand.html) and domain in by_hand.html
    assert foreign not in console.post(f"{path}/connect", {"type": "private", "host": foreign}).html


def connected_endpoint(world: World, user: str) -> str:
    caller = world.caller(user, "alicloud")
    service = region_service(world.context, SINGAPORE)
    assert service is not None
    vpc_id = vpcs.create_vpc(world.context, caller, region_id=SINGAPORE, cidr="10.0.0.0/16").vpc_id
    subnet = {"vpc_id": vpc_id, "zone_id": "ap-southeast-1a", "cidr": "10.0.1.0/24"}
    subnets.create_subnet(world.context, caller, **subnet)
    from tidegate.operations import security_groups

    group = security_groups.create_security_group(world.context, caller, region_id=SINGAPORE, vpc_id=vpc_id)
    made = endpoints.create_endpoint(
        world.context, caller, region_id=SINGAPORE, vpc_id=vpc_id, service=service.name, group_ids=[group.group_id]
    )
    with world.store.write() as tx:
        tx.statuses.put(Status("endpoint", made.endpoint.endpoint_id, made.endpoint.generation, "ready", "Connected."))
    return made.endpoint.domain


@pytest.mark.parametrize(("region_id", "cloud"), [("gcp-us-central1", "gcp"), ("azure-eastus", "azure")])
def test_where_there_are_no_private_endpoints(world: World, console: Browser, region_id: str, cloud: str) -> None:
    """The how-to's first limit, as a sentence in the place of the string."""
    path = make(world, region_id=region_id)
    shown = console.post(f"{path}/connect", {"type": "private"})
    assert "only for clusters on Alibaba Cloud or AWS" in shown.text and cloud in shown.text
    assert "connection_string" not in shown.html
    assert "Private endpoints exist only" in console.get(f"{path}/networking").text


# -- branches ----------------------------------------------------------------------------------------------------------


def make_branch(world: World, console: Browser, path: str, name: str = "try-out") -> str:
    console.post(f"{path}/branches/new", {"name": name, "parent": ""})
    with world.store.read() as tx:
        return next(c.cluster_id for c in tx.clusters.find(branch_of=path.rpartition("/")[2]) if c.display_name == name)


def test_a_branch_from_its_form(world: World, console: Browser) -> None:
    """Made, listed, in the dialog with its own user and password; deleted."""
    path = make(world)
    settle(world, path)
    branch_id = make_branch(world, console, path)
    assert "try-out" in console.get(f"{path}/branches").text
    shown = console.post(f"{path}/connect", {"type": "private", "branch": branch_id, "do": "password"})
    with world.store.read() as tx:
        branch = tx.clusters.get(branch_id)
    assert branch is not None and branch.root_user in string_of(shown.html) and branch.root_password_hash
    assert branch.created_by == "admin" and cluster_of(world, path).root_password_hash is None
    console.post(f"{path}/branches/delete", {"branch": branch_id})
    assert branch_id not in console.get(f"{path}/connect").html


@pytest.mark.parametrize(
    ("name", "ready", "more", "text"),
    [
        ("x", True, {}, "4 to 64"),
        ("try-out", False, {}, "still being carried out"),
        ("try-out", True, {"rcu": (2000, 4000)}, "Essential cluster has no branches"),
    ],
)
def test_a_branch_that_cannot_be(
    world: World, console: Browser, name: str, ready: bool, more: dict[str, Any], text: str
) -> None:
    path = make(world, **more)
    if ready:
        settle(world, path)
    shown = console.post(f"{path}/branches/new", {"name": name, "parent": ""})
    assert shown.status == 422 and text in shown.text


# -- networking --------------------------------------------------------------------------------------------------------


def test_public_switch(world: World, console: Browser) -> None:
    path = make(world)
    assert "being enabled" in console.post(f"{path}/networking/public", {"open": "yes"}).text
    assert cluster_of(world, path).public_open
    assert "is disabled" in console.post(f"{path}/networking/public", {"open": "no"}).text
    assert not cluster_of(world, path).public_open


def test_authorized_networks(world: World, console: Browser) -> None:
    """One address when there is no end; deleting the default row leaves what was added."""
    path = make(world)
    console.post(f"{path}/networking/add", {"rule": "office", "start": "203.0.113.7"})
    allow_all = {"rule": "Allow_all_public_connections", "start": "0.0.0.0", "end": "255.255.255.255"}
    console.post(f"{path}/networking/delete", allow_all)
    assert cluster_of(world, path).public_networks == (("203.0.113.7", "203.0.113.7", "office"),)
    assert "office" in console.get(f"{path}/networking").text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"rule": "r", "start": "1.2.3"}, "start"),
        ({"rule": "r", "start": "1.2.3.4", "end": "x"}, "end"),
        ({"rule": "r", "start": "1.2.3.4", "end": "1.2.3.3"}, "end"),
        ({"rule": "", "start": "1.2.3.4"}, "rule"),
    ],
)
def test_a_network_that_is_none(world: World, console: Browser, form: dict[str, str], field: str) -> None:
    """The dialog comes back open, with what was typed and the sentence at its field."""
    path = make(world)
    shown = console.post(f"{path}/networking/add", form)
    assert shown.status == 422 and f'aria-describedby="{field}-error"' in shown.html and "data-show" in shown.html
    assert len(cluster_of(world, path).public_networks) == 1


# -- SQL users ---------------------------------------------------------------------------------------------------------


def test_the_page_does_not_wait_for_the_server(world: World, console: Browser) -> None:
    """A sleeping cluster takes seconds to answer; the page is there at once and asks afterwards."""
    path = make(world)
    assert "Asking the cluster's server" in console.get(f"{path}/users").text and not world.asked
    prefix = cluster_of(world, path).prefix
    world.reply = SqlReply(
        users=(SqlUser(f"{prefix}.root", "role_admin"), SqlUser(f"{prefix}.app", f"{prefix}.role_readonly"))
    )
    shown = console.fragment(f"{path}/users", "part_users")
    assert "Database Admin" in shown.text and "Database Read-Only" in shown.text
    assert shown.html.count("users/delete") == 1 * 2  # root cannot be deleted: action and hx-post of the other one


def test_create_reset_delete(world: World, console: Browser) -> None:
    """A made password is shown once, one of one's own never."""
    path = make(world)
    prefix = cluster_of(world, path).prefix
    world.reply = SqlReply(users=(SqlUser(f"{prefix}.app", f"{prefix}.role_readonly"),))
    shown = console.post(f"{path}/users/new", {"name": "app", "role": "role_readonly", "password": ""})
    assert "can log in now" in shown.text and "shown until" in shown.text
    own = console.post(f"{path}/users/new", {"name": "app", "role": "role_admin", "password": "my own secret"})
    assert "my own secret" not in own.html and "shown until" not in own.text
    assert own.reply.headers["hx-trigger"] == "users"
    assert "shown until" in console.post(f"{path}/users/password", {"name": f"{prefix}.app"}).text
    console.post(f"{path}/users/delete", {"name": f"{prefix}.app"})
    assert [task.kind for task in world.asked] == ["create", "create", "change", "drop"]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "root", "role": "role_admin"}, "name"),
        ({"name": "", "role": "role_admin"}, "name"),
        ({"name": "app", "role": "role_admin", "password": "short"}, "password"),
        ({"name": "app", "role": "king"}, "role"),
    ],
)
def test_a_user_that_cannot_be(world: World, console: Browser, form: dict[str, str], field: str) -> None:
    path = make(world)
    shown = console.post(f"{path}/users/new", form)
    assert shown.status == 422 and f'id="{field}-error"' in shown.html


def test_a_server_that_does_not_answer(world: World, console: Browser) -> None:
    """Whose side, and what to do: not an empty list."""
    path = make(world)
    world.reply = SqlReply(problem="not_ready", detail="Its server is starting.")
    shown = console.fragment(f"{path}/users", "part_users")
    assert "cannot be asked now" in shown.text and "Try again" in shown.text


# -- both languages ----------------------------------------------------------------------------------------------------

ENGLISH = re.compile(r"\b(the|is|are|of|and|your|not|with)\b")


@pytest.mark.parametrize("page", PATHS)
def test_no_english_sentence_in_chinese(world: World, page: str) -> None:
    """Every sentence has words like these; names and terms of the cloud have none."""
    path = make(world, public_open=True)
    settle(world, path, reason="Running; nobody can log in until a root password is set.")
    text = world.enter("admin", "zh").get(path + page).text
    assert not ENGLISH.findall(text.replace("Domain Name of Endpoint Service", "")), text


def test_an_address_of_a_form_leads_to_its_page(world: World, console: Browser) -> None:
    """After a change of language, or a login, a browser asks for what it had sent a form to."""
    path = make(world)
    for form, page in (("/networking/add", "/networking"), ("/delete", ""), ("/users/password", "/users")):
        assert console.get(path + form).path == path + page


def test_a_program_that_looks_for_an_api_gets_no_page(console: Browser) -> None:
    shown = console.get("/api/v1/clusters", accept="application/json")
    assert shown.status == 404 and "<" not in shown.html
    assert "no such page" in console.get("/api/v1/clusters", accept="text/html").text
