"""The public endpoint, from the host, with the TLS that the Connect dialog's snippets ask for."""

from __future__ import annotations

import pytest
from tidbcloud_site import Json, Site, wait_for


@pytest.fixture(scope="module")
def cluster(site: Site) -> Json:
    return site.create("public")


def networks(*ranges: tuple[str, str]) -> Json:
    rules = [{"startIpAddress": a, "endIpAddress": b, "displayName": "rule"} for a, b in ranges]
    return {"endpoints": {"public": {"authorizedNetworks": rules}}}


def test_the_host_and_port_that_the_api_names_lead_to_the_cluster(site: Site, cluster: Json) -> None:
    """Over TLS only; the database sees the client's own address."""
    prefix = cluster["userPrefix"]
    assert site.sql(cluster, "SELECT CURRENT_USER(), USER()") == ((f"{prefix}.root@%", f"{prefix}.root@127.0.0.1"),)
    assert site.login_error(cluster, tls=False) == 3159
    assert site.login_error(cluster, password="wrong") == 1045


def test_authorized_networks_hold_for_new_logins(site: Site, cluster: Json) -> None:
    mask = "endpoints.public.authorizedNetworks"
    with site.connect(cluster) as session, session.cursor() as cursor:
        site.patch(cluster, mask, networks(("192.0.2.1", "192.0.2.9"), ("127.0.0.2", "127.0.0.9")))
        wait_for(lambda: site.login_error(cluster) == 1130)
        site.patch(cluster, mask, networks())
        wait_for(lambda: site.login_error(cluster) == 1130)
        site.patch(cluster, mask, networks(("127.0.0.1", "127.0.0.1")))
        wait_for(lambda: site.login_error(cluster) == 0)
        assert cursor.execute("SELECT 1") == 1


def test_disabling_refuses_new_logins_and_leaves_sessions(site: Site, cluster: Json) -> None:
    """A cluster beside it keeps its own endpoint: the switch is the cluster's, the socket the region's."""
    other = site.create("open-beside")
    with site.connect(cluster) as session, session.cursor() as cursor:
        shut = site.patch(cluster, "endpoints.public.disabled", {"endpoints": {"public": {"disabled": True}}})
        assert shut["endpoints"]["public"]["disabled"] is True
        wait_for(lambda: site.login_error(cluster) == 1105)
        assert cursor.execute("SELECT 1") == 1
        assert site.login_error(other) == 0
    site.patch(cluster, "endpoints.public.disabled", {"endpoints": {"public": {"disabled": False}}})
    wait_for(lambda: site.login_error(cluster) == 0)


def test_it_is_closed_unless_it_was_asked_for(site: Site) -> None:
    quiet = site.create("quiet", endpoints=None)
    assert quiet["endpoints"]["public"]["disabled"] is True
    assert site.login_error(quiet) == 1105


def test_a_new_serve_and_a_new_gateway_keep_the_address(site: Site, cluster: Json) -> None:
    """Killed, each: sessions come in without serve, and the port that users wrote down stays."""
    before = cluster["endpoints"]["public"]
    assert site.world.kill("serve")
    assert site.login_error(cluster) == 0
    site.world.start()
    path = f"/clusters/{cluster['clusterId']}"
    wait_for(lambda: site.call("GET", path)["endpoints"]["public"]["port"] == before["port"])
    assert site.world.kill("gateway-alicloud-ap-southeast-1")
    wait_for(lambda: site.login_error(cluster) == 0)
    assert site.call("GET", path)["endpoints"]["public"]["port"] == before["port"]
