"""SQL users through the API: what the server is asked, and IAM's shapes.  The server's own part: tests/engine."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tidbcloud_cloud import Cloud

from tidegate.domain.clusters import native_password_hash
from tidegate.domain.sql_users import Problem, SqlReply, SqlTask, SqlUser

GOOD = {"userName": "app", "password": "app-password", "builtinRole": "role_readonly", "autoPrefix": True}


@pytest.fixture
def at(cloud: Cloud) -> tuple[str, str]:
    """(the users' path, the prefix)"""
    made = cloud.create()
    return f"/clusters/{made['clusterId']}/sqlUsers", made["userPrefix"]


def check(reply: httpx.Response, status: int, code: str) -> str:
    """IAM's errors: ``code`` is a string, a number would be a decode error to its client."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body == {"code": code, "status": status, "msgPrefix": body["msgPrefix"], "error": {}}
    return str(body["msgPrefix"])


@pytest.mark.parametrize("by", ["cli", "terraform"])
def test_create_prefixes_or_takes_prefixed_names(cloud: Cloud, at: tuple[str, str], by: str) -> None:
    """The CLI sends bare names with autoPrefix, Terraform full ones without; both read stored names back."""
    path, prefix = at
    cloud.reply = SqlReply((SqlUser(f"{prefix}.app", f"{prefix}.role_readonly", ("reports",)),))
    full = {"userName": f"{prefix}.app", "builtinRole": f"{prefix}.role_readonly", "autoPrefix": False}
    body = GOOD | (full if by == "terraform" else {}) | {"customRoles": ["reports", "reports"]}
    reply = cloud.call("POST", path, json={**body, "authMethod": "mysql_native_password"})
    assert (reply.status_code, reply.json()) == (
        200,
        {
            "userName": f"{prefix}.app",
            "builtinRole": f"{prefix}.role_readonly",
            "customRoles": ["reports"],
            "authMethod": "mysql_native_password",
        },
    )
    secret = native_password_hash("app-password")
    assert cloud.asked == [SqlTask("create", prefix, f"{prefix}.app", secret, f"{prefix}.role_readonly", ("reports",))]


def test_role_admin_is_never_prefixed(cloud: Cloud, at: tuple[str, str]) -> None:
    path, prefix = at
    cloud.reply = SqlReply((SqlUser(f"{prefix}.app", "role_admin"),))
    assert cloud.call("POST", path, json=GOOD | {"builtinRole": "role_admin"}).json()["builtinRole"] == "role_admin"
    assert cloud.asked[0].builtin_role == "role_admin"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"userName": ""}, "userName is required"),
        ({"userName": "a" * 17}, "userName cannot be used"),
        ({"userName": "a b"}, "userName"),
        ({"userName": "o'clock"}, "userName"),
        ({"userName": "root"}, "userName"),
        ({"userName": "role_readonly"}, "userName"),
        ({"autoPrefix": False}, "does not begin with"),
        ({"password": None}, "password is required"),
        ({"password": "short"}, "password"),
        ({"builtinRole": ""}, "builtinRole is required"),
        ({"builtinRole": "root"}, "builtinRole"),
        ({"customRoles": [1]}, "customRoles"),
        ({"customRoles": ["role_admin"]}, "customRoles"),
        ({"customRoles": ["a'b"]}, "customRoles"),
        ({"authMethod": "tidb_auth_token"}, "authMethod"),
    ],
)
def test_creates_that_are_refused(cloud: Cloud, at: tuple[str, str], change: dict[str, Any], words: str) -> None:
    """Nothing of them reaches the server."""
    assert words in check(cloud.call("POST", at[0], json=GOOD | change), 400, "3")
    assert cloud.asked == []


PROBLEMS: list[tuple[Problem, int, str]] = [
    ("not_found", 404, "5"),
    ("exists", 409, "6"),
    ("role_unknown", 404, "5"),
    ("failed", 400, "3"),
    ("not_ready", 503, "14"),
]


@pytest.mark.parametrize(("problem", "status", "code"), PROBLEMS)
def test_what_the_server_answers_is_passed_on(
    cloud: Cloud, at: tuple[str, str], problem: Problem, status: int, code: str
) -> None:
    cloud.reply = SqlReply(problem=problem, detail="It is so.")
    assert check(cloud.call("POST", at[0], json=GOOD), status, code)


def test_the_list_pages_by_name(cloud: Cloud, at: tuple[str, str]) -> None:
    path, prefix = at
    cloud.reply = SqlReply(tuple(SqlUser(f"{prefix}.{n}") for n in "abc"))
    first = cloud.call("GET", f"{path}?pageSize=2").json()
    assert [user["userName"] for user in first["sqlUsers"]] == [f"{prefix}.a", f"{prefix}.b"]
    assert "totalSize" not in first
    rest = cloud.call("GET", path, params={"pageSize": 2, "pageToken": first["nextPageToken"]}).json()
    assert [user["userName"] for user in rest["sqlUsers"]] == [f"{prefix}.c"]
    assert rest["nextPageToken"] == ""
    assert cloud.call("GET", f"{path}/{prefix}.b").json()["userName"] == f"{prefix}.b"
    check(cloud.call("GET", f"{path}/{prefix}.z"), 404, "5")


def test_patch_leaves_what_it_does_not_name(cloud: Cloud, at: tuple[str, str]) -> None:
    """Terraform sends all three, the CLI no password when it is kept."""
    path, prefix = at
    cloud.reply = SqlReply((SqlUser(f"{prefix}.app", "role_admin"),))
    body = {"builtinRole": f"{prefix}.role_readwrite", "customRoles": []}
    assert cloud.call("PATCH", f"{path}/{prefix}.app", json=body).status_code == 200
    assert cloud.call("PATCH", f"{path}/{prefix}.app", json={"password": "new-password"}).status_code == 200
    role, secret = f"{prefix}.role_readwrite", native_password_hash("new-password")
    assert cloud.asked == [
        SqlTask("change", prefix, f"{prefix}.app", None, role, ()),
        SqlTask("change", prefix, f"{prefix}.app", secret, None, None),
    ]


def test_root_keeps_its_name_and_its_roles(cloud: Cloud, at: tuple[str, str]) -> None:
    path, prefix = at
    root = f"{path}/{prefix}.root"
    assert "only its password" in check(cloud.call("DELETE", root), 400, "9")
    assert "only its password" in check(
        cloud.call("PATCH", root, json={"builtinRole": f"{prefix}.role_readonly"}), 400, "9"
    )
    reply = cloud.call("PATCH", root, json={"builtinRole": "role_admin", "customRoles": [], "password": "battery 1"})
    assert reply.json()["userName"] == f"{prefix}.root"
    assert cloud.asked == []
    with cloud.context.store.read() as tx:
        (cluster,) = tx.clusters.find()
    assert cluster.root_password_hash == native_password_hash("battery 1")


def test_delete_answers_code_and_message(cloud: Cloud, at: tuple[str, str]) -> None:
    path, prefix = at
    reply = cloud.call("DELETE", f"{path}/{prefix}.app")
    assert (reply.status_code, set(reply.json())) == (200, {"code", "message"})
    assert cloud.asked == [SqlTask("drop", prefix, f"{prefix}.app")]


def test_a_strangers_cluster_does_not_exist(cloud: Cloud, at: tuple[str, str]) -> None:
    for method, path in (("GET", at[0]), ("POST", at[0]), ("DELETE", f"{at[0]}/{at[1]}.app")):
        assert "cluster" in check(cloud.call(method, path, key=cloud.stranger(), json=GOOD), 404, "5")
    assert cloud.asked == []
