"""The Connect dialog's strings: the table of ``reference/tidbcloud.md`` 5.2, and what each language reads."""

from __future__ import annotations

import ast
import shlex
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tidegate.domain.connection_strings import ENTRIES, OPERATING_SYSTEMS, Target, build_string, build_strings

PUBLIC = Target("3p.root", "gw.x", 4000, "Pa-s_s.w~rd123456", "test", "/etc/ssl/cert.pem")
PRIVATE = Target("3p.root", "ep-1.x", 4000, "Pa-s_s.w~rd123456", "test")
LOGIN = "3p.root:Pa-s_s.w~rd123456"
ODD = Target("3p.o'neil", "ep-1.x", 4000, "p@ss/'\"w#rd&", "my db/é", "/my certs/c'a.pem")

LABELS = """General > Parameters
General > Connection String
MySQL CLI
MariaDB CLI
.env
Java(MySQL Connector)
Java(MariaDB Connector)
Python(mysqlclient)
Python(PyMySQL)
Python(MySQL Connector)
SQLAlchemy > mysqlclient
SQLAlchemy > PyMySQL
SQLAlchemy > MySQL Connector
Django
Node.js(mysql2)
Prisma
Serverless Driver
Go
Rails
WordPress
DataGrip
VS Code
DBeaver
MySQL Workbench
Navicat""".splitlines()


def test_entries_in_order() -> None:
    """People look for theirs where the cloud has it."""
    assert [entry.label for entry in ENTRIES] == LABELS
    assert list(OPERATING_SYSTEMS)[-2:] == ["Windows", "Others"] and len(OPERATING_SYSTEMS) == 7


ONE_LINE = [
    ("General > Connection String", f"mysql://{LOGIN}@gw.x:4000/test", f"mysql://{LOGIN}@ep-1.x:4000/test"),
    (
        "MySQL CLI",
        "mysql --comments -u '3p.root' -h gw.x -P 4000 -D 'test' --ssl-mode=VERIFY_IDENTITY "
        "--ssl-ca=/etc/ssl/cert.pem -p'Pa-s_s.w~rd123456'",
        "mysql --comments -u '3p.root' -h ep-1.x -P 4000 -D 'test' -p'Pa-s_s.w~rd123456'",
    ),
    (
        "MariaDB CLI",
        "mysql --comments -u '3p.root' -h gw.x -P 4000 -D 'test' --ssl-verify-server-cert "
        "--ssl-ca=/etc/ssl/cert.pem -p'Pa-s_s.w~rd123456'",
        "mysql --comments -u '3p.root' -h ep-1.x -P 4000 -D 'test' -p'Pa-s_s.w~rd123456'",
    ),
    (
        "Java(MySQL Connector)",
        f"jdbc:mysql://{LOGIN}@gw.x:4000/test?sslMode=VERIFY_IDENTITY",
        f"jdbc:mysql://{LOGIN}@ep-1.x:4000/test",
    ),
    (
        "Java(MariaDB Connector)",
        "jdbc:mariadb://gw.x:4000/test?user=3p.root&password=Pa-s_s.w~rd123456&sslMode=verify-full",
        "jdbc:mariadb://ep-1.x:4000/test?user=3p.root&password=Pa-s_s.w~rd123456",
    ),
    (
        "SQLAlchemy > mysqlclient",
        f"mysql+mysqldb://{LOGIN}@gw.x:4000/test?ssl_mode=VERIFY_IDENTITY&ssl_ca=/etc/ssl/cert.pem",
        f"mysql+mysqldb://{LOGIN}@ep-1.x:4000/test",
    ),
    (
        "SQLAlchemy > PyMySQL",
        f"mysql+pymysql://{LOGIN}@gw.x:4000/test?ssl_ca=/etc/ssl/cert.pem&ssl_verify_cert=true&ssl_verify_identity=true",
        f"mysql+pymysql://{LOGIN}@ep-1.x:4000/test",
    ),
    (
        "SQLAlchemy > MySQL Connector",
        f"mysql+mysqlconnector://{LOGIN}@gw.x:4000/test"
        "?ssl_ca=/etc/ssl/cert.pem&ssl_verify_cert=true&ssl_verify_identity=true",
        f"mysql+mysqlconnector://{LOGIN}@ep-1.x:4000/test",
    ),
    (
        "Node.js(mysql2)",
        f'mysql://{LOGIN}@gw.x:4000/test?ssl={{"rejectUnauthorized":true}}',
        f"mysql://{LOGIN}@ep-1.x:4000/test",
    ),
    ("Prisma", f"mysql://{LOGIN}@gw.x:4000/test?sslaccept=strict", f"mysql://{LOGIN}@ep-1.x:4000/test"),
    ("Serverless Driver", f"mysql://{LOGIN}@gw.x/test", f"mysql://{LOGIN}@ep-1.x/test"),
    (
        "DataGrip",
        "jdbc:mysql://gw.x:4000/test?user=3p.root&password=Pa-s_s.w~rd123456&sslMode=VERIFY_IDENTITY",
        "jdbc:mysql://ep-1.x:4000/test?user=3p.root&password=Pa-s_s.w~rd123456",
    ),
    (
        "DBeaver",
        f"jdbc:mysql://{LOGIN}@gw.x:4000/test?sslMode=VERIFY_IDENTITY",
        f"jdbc:mysql://{LOGIN}@ep-1.x:4000/test",
    ),
    (
        "Rails",
        f'development:\n  adapter: mysql2\n  url: "mysql2://{LOGIN}@gw.x:4000/test?ssl_mode=verify_identity"',
        f'development:\n  adapter: mysql2\n  url: "mysql2://{LOGIN}@ep-1.x:4000/test"',
    ),
    (
        "Go",
        'mysql.RegisterTLSConfig("tidb", &tls.Config{\n    MinVersion: tls.VersionTLS12,\n'
        '    ServerName: "gw.x",\n})\n\n'
        f'db, err := sql.Open("mysql", "{LOGIN}@tcp(gw.x:4000)/test?tls=tidb")',
        f'db, err := sql.Open("mysql", "{LOGIN}@tcp(ep-1.x:4000)/test")',
    ),
]


@pytest.mark.parametrize(("label", "public", "private"), ONE_LINE, ids=[row[0] for row in ONE_LINE])
def test_shapes(label: str, public: str, private: str) -> None:
    assert build_string(label, PUBLIC) == public
    assert build_string(label, PRIVATE) == private


@pytest.mark.parametrize("label", ["General > Parameters", "WordPress", "VS Code", "MySQL Workbench", "Navicat"])
def test_lists_of_parameters(label: str) -> None:
    lines = ["HOST gw.x", "PORT 4000", "USERNAME 3p.root", "PASSWORD Pa-s_s.w~rd123456", "DATABASE test"]
    assert build_string(label, PUBLIC).splitlines() == [*lines, "CA /etc/ssl/cert.pem"]
    assert build_string(label, PRIVATE).splitlines() == ["HOST ep-1.x", *lines[1:]]


def test_env_is_the_same_for_both() -> None:
    assert build_string(".env", PUBLIC).splitlines() == [
        "DB_HOST=gw.x", "DB_PORT=4000", "DB_USERNAME=3p.root", "DB_PASSWORD=Pa-s_s.w~rd123456", "DB_DATABASE=test"
    ]  # fmt: skip


def test_no_private_template_speaks_of_tls() -> None:
    """The cloud's have none; a client that then wants TLS is offered it by the gateway anyway."""
    text = "".join(build_strings(PRIVATE).values()).lower()
    assert "ssl" not in text and "tls" not in text


def test_what_is_not_known_is_shown_as_such() -> None:
    """A placeholder is to be read and replaced, so it is not encoded away."""
    for label, text in build_strings(Target(ca_path="<CA_PATH>")).items():
        assert "<HOST>" in text and "<USERNAME>" in text and "<PASSWORD>" in text, label
        assert "%3C" not in text and ("ssl_ca=" not in text or "<CA_PATH>" in text)


def keywords(text: str) -> dict[str, object]:
    call = ast.parse(text).body[1]
    assert isinstance(call, ast.Assign) and isinstance(call.value, ast.Call)
    return {str(k.arg): ast.literal_eval(k.value) for k in call.value.keywords}


@pytest.mark.parametrize("target", [PUBLIC, ODD], ids=["plain", "odd"])
@pytest.mark.parametrize(
    ("label", "tls"),
    [
        ("Python(mysqlclient)", {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": None}}),
        ("Python(PyMySQL)", {"ssl_verify_cert": True, "ssl_verify_identity": True, "ssl_ca": None}),
        ("Python(MySQL Connector)", {"ssl_ca": None, "ssl_verify_cert": True, "ssl_verify_identity": True}),
    ],
)
def test_python_reads_its_own(label: str, tls: dict[str, object], target: Target) -> None:
    """Python's own parser gives back what was put in, whatever it is."""
    login = {"host": target.host, "port": 4000, "user": target.user}
    login |= {"password": target.password, "database": target.database}
    ca = target.ca_path
    wanted = {k: ({"ca": ca} if k == "ssl" else ca if v is None else v) for k, v in tls.items()}
    assert keywords(build_string(label, target)) == login | wanted


@pytest.mark.parametrize("target", [PUBLIC, PRIVATE, ODD], ids=["public", "private", "odd"])
def test_django_settings(target: Target) -> None:
    settings = ast.parse(build_string("Django", target)).body[0]
    assert isinstance(settings, ast.Assign)
    found = ast.literal_eval(settings.value)["default"]
    assert (found["ENGINE"], found["NAME"], found["PASSWORD"]) == ("django_tidb", target.database, target.password)
    tls = {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": target.ca_path}} if target.public else None
    assert found.get("OPTIONS") == tls


@pytest.mark.parametrize("label", ["MySQL CLI", "MariaDB CLI"])
def test_a_shell_reads_its_own(label: str) -> None:
    """No password ends a quote, no blank in a path splits a word."""
    words = shlex.split(build_string(label, ODD))
    assert words[:8] == ["mysql", "--comments", "-u", ODD.user, "-h", ODD.host, "-P", "4000"]
    assert words[9] == ODD.database and words[-1] == f"-p{ODD.password}" and words[-2] == f"--ssl-ca={ODD.ca_path}"


@pytest.mark.parametrize("label", [e.label for e in ENTRIES if "://" in e.build(ODD) and e.label != "Rails"])
def test_urls_can_be_taken_apart(label: str) -> None:
    """Whatever a password holds, the host stays the host."""
    parts = urlsplit(build_string(label, ODD).removeprefix("jdbc:"))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.hostname == ODD.host and unquote(parts.path) == f"/{ODD.database}"
    assert unquote(parts.username or query["user"]) == ODD.user
    assert unquote(parts.password or query["password"]) == ODD.password
    assert query.get("ssl_ca", ODD.ca_path) == ODD.ca_path
