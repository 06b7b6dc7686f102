"""Each string of the Connect dialog, used: by its own client where one can be had, else read by a parser of its own.

Over the private endpoint from inside a VPC, and over the public one from the host, where the local CA signs.  A public
form must also refuse a server whose certificate another CA signed: a string that only *looks* as if it checked is worse
than none.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import strings_tools as tools
from strings_tools import PROGRAMS, Missing

from tidegate.api.certificates import ensure_ca
from tidegate.cli.calls import clusters as cluster_calls
from tidegate.domain.connection_strings import ENTRIES, Target, build_string
from tidegate.testing import Client, Cluster, World, wait_until
from tidegate.testing.plugin import open_world, pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]

WHO = re.compile(r"\w{15}\.root@% test")
Command = list[str]


@dataclass(frozen=True)
class Place:
    """Where the string is used: ``client`` is a program's place in the VPC, None the host."""

    world: World
    client: Client | None
    target: Target

    def run(self, command: Command, text: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        if self.client:
            return self.client.run(command, input=text, **options)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        values: dict[str, Any] = {"env": kept} | options
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120, **values)

    def trusting(self, *names: str) -> dict[str, str]:
        """An environment in which these variables name the CA that is to be trusted."""
        base = self.world.environment() if self.client else dict(os.environ)
        return base | dict.fromkeys(names, self.target.ca)


@dataclass(frozen=True)
class Site:
    world: World
    cluster: Cluster
    client: Client
    endpoint_domain: str
    public_host: str
    public_port: int
    other_ca: Path

    def place(self, kind: str, ca: Path | None = None) -> Place:
        login = {"user": self.cluster.user, "password": self.cluster.password}
        if kind == "private":
            return Place(self.world, self.client, Target(host=self.endpoint_domain, **login))
        trusted = ca or self.world.settings.keys / "ca.pem"
        target = Target(host=self.public_host, port=self.public_port, ca_path=str(trusted), **login)
        return Place(self.world, None, target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_world() as world:
        cluster = world.cluster("orders")
        password = make_password()
        cluster_calls.set_password(world.access.tidbcloud, cluster.cluster_id, password)
        change = {"cluster": {"endpoints": {"public": {"disabled": False}}}, "updateMask": "endpoints.public.disabled"}
        world.access.tidbcloud.call("PATCH", f"{cluster_calls.CLUSTERS}/{cluster.cluster_id}", change)
        vpc = world.vpc("app")
        endpoint, client = vpc.endpoint(cluster), vpc.client()
        cluster = replace(cluster, password=password)
        wait_until(lambda: client.login(endpoint, password=password), "the new password", 30)
        public = cluster_calls.get_cluster(world.access.tidbcloud, cluster.cluster_id)["endpoints"]["public"]
        other = ensure_ca(tmp_path_factory.mktemp("other") / "keys").certificate_path
        yield Site(world, cluster, client, endpoint.domain, public["host"], public["port"], other)


def make_password() -> str:
    """As the dialog makes them, and the hardest of its kind: all its specials, and a dash where it may hurt."""
    return "a-B.7_c~D9-e.F_2"


# -- each client, as people use it ------------------------------------------------------------------------------------


def by_shell(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line for a terminal, with the question added."""
    tools.require_program("mysql", "mariadb-client-core")
    return place.run(["sh", "-c", f"""{text} -N -B -e "SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())" """])


def by_mysql_cli(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Debian's `mysql` is MariaDB's, which does not know ``--ssl-mode``: there, the public line is only read."""
    mysql = tools.require_program("mysql", "mariadb-client-core")
    version = subprocess.run([mysql, "--version"], capture_output=True, text=True, check=True).stdout
    if place.target.public and "MariaDB" in version:
        words = shlex.split(text)
        assert "--ssl-mode=VERIFY_IDENTITY" in words and f"--ssl-ca={place.target.ca}" in words
        options = dict(zip(words[2:10:2], words[3:10:2], strict=True))
        assert words[-1].startswith("-p")
        return by_values(place, options["-h"], options["-P"], options["-u"], words[-1][2:], options["-D"])
    return by_shell(place, text, folder)


def by_python(program: str, *trust: str) -> Callable[[Place, str, Path], subprocess.CompletedProcess[str]]:
    """``trust``: variables that name the system's CAs, for a client that looks there."""

    def run(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = {"env": place.trusting(*trust)} if place.target.public else {}
        return place.run([str(tools.provide_python()), str(PROGRAMS / program)], text, **options)

    return run


def by_node(program: str) -> Callable[[Place, str, Path], subprocess.CompletedProcess[str]]:
    def run(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
        modules = tools.provide_node()
        shutil.copy(PROGRAMS / program, modules)  # node looks for packages beside the program
        env = place.trusting("NODE_EXTRA_CA_CERTS") if place.target.public else place.world.environment()
        return place.run(["node", str(modules / program)], text, env=env)

    return run


def by_java(kind: str) -> Callable[[Place, str, Path], subprocess.CompletedProcess[str]]:
    def run(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
        jar = tools.provide_jar(kind)
        trust = tools.build_trust_store(Path(place.target.ca), folder) if place.target.public else []
        return place.run(["java", *trust, "-cp", str(jar), str(PROGRAMS / "Connect.java")], text)

    return run


def by_go(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = tools.build_go(text, folder)
    env = place.trusting("SSL_CERT_FILE") if place.target.public else place.world.environment()
    return place.run([str(program)], env=env)


def by_parameters(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What people type into WordPress, VS Code, MySQL Workbench, Navicat."""
    read = dict(line.split(" ", 1) for line in text.splitlines())
    assert read.get("CA") == place.target.ca_path
    return by_values(place, *(read[name] for name in ("HOST", "PORT", "USERNAME", "PASSWORD", "DATABASE")))


def by_env(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A file of settings, as a shell reads it."""
    (folder / ".env").write_text(text)
    names = " ".join(f'"$DB_{name}"' for name in ("HOST", "PORT", "USERNAME", "PASSWORD", "DATABASE"))
    command = ["sh", "-c", f"set -eu; . ./.env; printf '%s\\n' {names}"]
    read = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return by_values(place, *read.stdout.splitlines())


def by_url(scheme: str, **query: str) -> Callable[[Place, str, Path], subprocess.CompletedProcess[str]]:
    """A tool that cannot be had here: what it would read in the URL must be right, and must log in."""

    def run(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
        url = urlsplit(text)
        assert url.scheme == scheme
        found = {name: value for name, (value,) in parse_qs(url.query, strict_parsing=bool(url.query)).items()}
        assert found == (query if place.target.public else {})
        port = url.port or place.target.port  # the serverless driver's has none
        return by_values(place, url.hostname, port, unquote(url.username), unquote(url.password), url.path[1:])

    return run


def by_rails(place: Place, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """No Ruby here: the YAML is three lines whose shape is known."""
    head, adapter, url = text.splitlines()
    assert (head, adapter) == ("development:", "  adapter: mysql2")
    (shown,) = re.findall(r'^  url: (".*")$', url)
    return by_url("mysql2", ssl_mode="verify_identity")(place, json.loads(shown), folder)


def by_values(place: Place, host: str, port: str | int, user: str, password: str, database: str) -> Any:
    login: dict[str, Any] = {"host": host, "port": int(port), "user": user, "password": password, "database": database}
    if place.target.public:
        login |= {"ssl_ca": place.target.ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
    return place.run([sys.executable, str(PROGRAMS / "by_values.py")], json.dumps(login))


USES: dict[str, Callable[[Place, str, Path], subprocess.CompletedProcess[str]]] = {
    "General > Parameters": by_parameters,
    "General > Connection String": by_url("mysql"),
    "MySQL CLI": by_mysql_cli,
    "MariaDB CLI": by_shell,
    ".env": by_env,
    "Java(MySQL Connector)": by_java("mysql"),
    "Java(MariaDB Connector)": by_java("mariadb"),
    "Python(mysqlclient)": by_python("by_module.py"),
    "Python(PyMySQL)": by_python("by_module.py"),
    "Python(MySQL Connector)": by_python("by_module.py"),
    "SQLAlchemy > mysqlclient": by_python("by_sqlalchemy.py"),
    # SQLAlchemy's dialect loses `ssl_ca` where `ssl_verify_cert` stands beside it, as in the cloud's own string: then
    # PyMySQL trusts what the system trusts, so the CA must be installed there (seen with SQLAlchemy 2.1.9, 2026-11-25).
    "SQLAlchemy > PyMySQL": by_python("by_sqlalchemy.py", "SSL_CERT_FILE"),
    "SQLAlchemy > MySQL Connector": by_python("by_sqlalchemy.py"),
    "Django": by_python("by_django.py"),
    "Node.js(mysql2)": by_node("mysql2.mjs"),
    "Prisma": by_node("prisma.mjs"),
    "Serverless Driver": by_url("mysql"),
    "Go": by_go,
    "Rails": by_rails,
    "WordPress": by_parameters,
    "DataGrip": by_java("mysql"),
    "VS Code": by_parameters,
    "DBeaver": by_java("mysql"),
    "MySQL Workbench": by_parameters,
    "Navicat": by_parameters,
}
CHECKED_BY_ITS_OWN_CLIENT = [
    label for label, use in USES.items() if use not in (by_parameters, by_env, by_rails) and "Driver" not in label
]


def use(place: Place, label: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return USES[label](place, build_string(label, place.target), folder)
    except Missing as missing:
        pytest.skip(str(missing))


def test_each_entry_is_used() -> None:
    """A new entry of the dialog must find its client here."""
    assert list(USES) == [entry.label for entry in ENTRIES]


@pytest.mark.parametrize("kind", ["private", "public"])
@pytest.mark.parametrize("label", USES)
def test_the_string_connects(site: Site, label: str, kind: str, tmp_path: Path) -> None:
    done = use(site.place(kind), label, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert WHO.fullmatch(done.stdout.strip()), done.stdout


@pytest.mark.parametrize("label", CHECKED_BY_ITS_OWN_CLIENT)
def test_the_public_string_refuses_another_ca(site: Site, label: str, tmp_path: Path) -> None:
    done = use(site.place("public", site.other_ca), label, tmp_path)
    assert done.returncode != 0, done.stdout
    assert re.search("(?i)certificat|ssl|tls|PKIX", done.stdout + done.stderr), done.stderr[-800:]
