"""Accounts that ask for TLS: in with it, out without it; what TiDB itself says of the session is true."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.testing import Client, Cluster, Endpoint, World

PASSWORD = "Locks-and-Weirs-9"


@pytest.fixture(scope="module")
def endpoint(world: World, orders: Cluster) -> Endpoint:
    return world.vpc("ssl").endpoint(orders)


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Client:
    return endpoint.vpc.client()


@pytest.fixture(scope="module")
def ca(world: World) -> str:
    return world.environment()["TIDEGATE_CA"]


@pytest.fixture(scope="module")
def safe(client: Client, orders: Cluster) -> dict[str, str]:
    """An account made with REQUIRE SSL, of the cluster's own root."""
    user = orders.user.replace(".root", ".safe")
    client.query(f"CREATE USER '{user}'@'%%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
    return {"user": user, "password": PASSWORD}


def cipher(client: Client, **login: Any) -> str:
    session = client.session(**login)
    try:
        return str(session.query("SHOW STATUS LIKE 'Ssl_cipher'")[0][1])
    finally:
        session.close()


def test_it_logs_in_with_tls(client: Client, safe: dict[str, str], ca: str) -> None:
    """TLS ended at the gateway, TiDB saw a connection in clear: such an account could not log in at all."""
    assert cipher(client, ca=ca, **safe).startswith("TLS_")


def test_it_is_refused_in_clear(client: Client, endpoint: Endpoint, safe: dict[str, str]) -> None:
    assert client.login(endpoint, in_clear=True, **safe).outcome == "mysql 1045"


def test_other_accounts_go_either_way(client: Client, ca: str) -> None:
    """And what a plain session is told is true as well."""
    assert cipher(client, ca=ca).startswith("TLS_")
    assert cipher(client, in_clear=True) == ""


def test_large_results_and_statements_pass_with_tls(client: Client, ca: str) -> None:
    """Both legs are TLS then: the relay decrypts and encrypts, in both directions, without leaving a byte behind."""
    session = client.session(ca=ca)
    text = "x" * 3_000_000
    assert session.query("SELECT LENGTH(%s)", text) == [[len(text)]]
    assert session.query("SELECT REPEAT('y', 20000000)") == [["y" * 20_000_000]]
    session.close()
