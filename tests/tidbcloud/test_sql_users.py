"""SQL users through the API are users of the database, at once."""

from __future__ import annotations

import pymysql
import pytest
from tidbcloud_site import PASSWORD, Json, Site, wait_for

APP = "app-password"


@pytest.fixture(scope="module")
def cluster(site: Site) -> Json:
    return site.create("users")


def users(cluster: Json) -> str:
    return f"/clusters/{cluster['clusterId']}/sqlUsers"


def make(site: Site, cluster: Json, name: str, role: str, **more: object) -> Json:
    body = {"userName": name, "password": APP, "builtinRole": role, "autoPrefix": True, "customRoles": []} | more
    return site.call("POST", users(cluster), json=body)


def test_a_users_whole_life(site: Site, cluster: Json) -> None:
    prefix = cluster["userPrefix"]
    site.sql(cluster, "CREATE TABLE IF NOT EXISTS test.life (a INT PRIMARY KEY)")
    made = make(site, cluster, "life", "role_readonly")
    assert (made["userName"], made["builtinRole"]) == (f"{prefix}.life", f"{prefix}.role_readonly")
    who = {"user": "life", "password": APP}
    assert site.sql(cluster, "SELECT COUNT(*) FROM test.life", **who) == ((0,),)
    with pytest.raises(pymysql.err.OperationalError, match="INSERT command denied"):
        site.sql(cluster, "INSERT INTO test.life VALUES (1)", **who)
    path = f"{users(cluster)}/{prefix}.life"
    changed = site.call("PATCH", path, json={"builtinRole": f"{prefix}.role_readwrite", "password": "another-1"})
    assert changed == site.call("GET", path)
    assert site.login_error(cluster, **who) == 1045
    site.sql(cluster, "INSERT INTO test.life VALUES (1)", user="life", password="another-1")
    site.call("DELETE", path)
    assert site.login_error(cluster, user="life", password="another-1") == 1045
    site.call("GET", path, 404)
    site.call("DELETE", path, 404)


def test_users_that_sql_made_are_listed_and_ours_never(site: Site, cluster: Json) -> None:
    prefix = cluster["userPrefix"]
    site.sql(cluster, f"CREATE USER '{prefix}.by_sql'@'%' IDENTIFIED BY 'x'")
    site.sql(cluster, "CREATE ROLE reports")
    make(site, cluster, "both", "role_admin", customRoles=["reports"])
    listed = {user["userName"]: user for user in site.call("GET", users(cluster))["sqlUsers"]}
    assert set(listed) == {f"{prefix}.{name}" for name in ("root", "by_sql", "both")}
    assert listed[f"{prefix}.both"]["builtinRole"] == "role_admin"
    assert listed[f"{prefix}.both"]["customRoles"] == ["reports"]
    site.call("DELETE", f"{users(cluster)}/tidegate-maintenance", 404)
    site.call("DELETE", f"{users(cluster)}/{prefix}.root", 400)


def test_a_cluster_that_is_being_made_is_waited_for(site: Site) -> None:
    """A script creates a cluster and its users in one go."""
    body = {"displayName": "fresh", "region": {"name": "regions/alicloud-ap-southeast-1"}, "rootPassword": PASSWORD}
    made = site.call("POST", "/clusters", json={**body, "endpoints": {"public": {"disabled": False}}})
    assert make(site, made, "early", "role_readwrite")["userName"] == f"{made['userPrefix']}.early"
    ready = site.wait_active(f"/clusters/{made['clusterId']}")
    wait_for(lambda: site.login_error(ready, user="early", password=APP) == 0)


def test_roots_password_through_its_sql_user(site: Site, cluster: Json) -> None:
    path = f"{users(cluster)}/{cluster['userPrefix']}.root"
    site.call("PATCH", path, json={"password": "New-Root-Pass-1"})
    wait_for(lambda: site.login_error(cluster, password="New-Root-Pass-1") == 0)
    assert site.login_error(cluster) == 1045
    site.call("PATCH", path, json={"password": PASSWORD})
    wait_for(lambda: site.login_error(cluster) == 0)
