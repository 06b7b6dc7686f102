"""What a user of TiDB Cloud has in hand: ``requests`` with digest, and PyMySQL on the public endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pymysql
import requests
from requests.auth import HTTPDigestAuth

from tidegate.installation import load_environment
from tidegate.testing.world import World

Json = dict[str, Any]
PASSWORD = "Correct-Horse-1"
SINGAPORE = "regions/alicloud-ap-southeast-1"


class Site:
    """``call`` wants status 200 unless told otherwise."""

    def __init__(self, world: World) -> None:
        self.world = world

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Json:
        env = load_environment(self.world.settings)
        with requests.Session() as session:
            session.trust_env = False
            reply = session.request(
                method,
                f"http://{env['TIDEGATE_HTTP']}/v1beta1{path}",
                auth=HTTPDigestAuth(env["TIDBCLOUD_PUBLIC_KEY"], env["TIDBCLOUD_PRIVATE_KEY"]),
                timeout=60,
                **options,
            )
        assert reply.status_code == status, reply.text
        body: Json = reply.json()
        return body

    def create(self, name: str = "orders", **more: Any) -> Json:
        """ACTIVE, with a root password and an open public endpoint."""
        body = {"displayName": name, "region": {"name": SINGAPORE}, "rootPassword": PASSWORD} | more
        body.setdefault("endpoints", {"public": {"disabled": False}})
        return self.wait_active(f"/clusters/{self.call('POST', '/clusters', json=body)['clusterId']}")

    def wait_active(self, path: str) -> Json:
        wait_for(lambda: self.call("GET", path)["state"] == "ACTIVE")
        return self.call("GET", path)

    def patch(self, cluster: Json, mask: str, change: Json) -> Json:
        body = {"cluster": change, "updateMask": mask}
        return self.call("PATCH", f"/clusters/{cluster['clusterId']}", json=body)

    def connect(
        self, cluster: Json, user: str = "root", password: str = PASSWORD, *, tls: bool = True
    ) -> pymysql.Connection[Any]:
        """As the Connect dialog's snippet for the public endpoint does: the CA and the host's name are checked."""
        public = cluster["endpoints"]["public"]
        ca = str(self.world.settings.keys / "ca.pem")
        secure: Json = {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
        return pymysql.connect(
            host=public["host"],
            port=public["port"],
            user=f"{cluster['userPrefix']}.{user}",
            password=password,
            autocommit=True,
            connect_timeout=40,
            **(secure if tls else {"ssl_disabled": True}),
        )

    def sql(self, cluster: Json, statement: str, **who: Any) -> tuple[tuple[Any, ...], ...]:
        with self.connect(cluster, **who) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def login_error(self, cluster: Json, **who: Any) -> int:
        """0 for a login that succeeds."""
        try:
            self.connect(cluster, **who).close()
        except pymysql.err.MySQLError as error:
            return int(error.args[0])
        return 0


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)
