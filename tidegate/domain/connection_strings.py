"""The Connect dialog's strings: 25 entries, each for the public and for the private endpoint.

Entries, order and shapes: TiDB Cloud's own connection templates (tidbcloud-cli, package ``util``, 2024; labels as the
developer guide of 2026 has them).  Private templates hold no TLS options at all; on Alibaba Cloud the host is the
endpoint's *Domain Name of Endpoint Service*, which the user fills in.

What people may have chosen (a database's name, a password) is quoted as the language of each entry wants it; what is
not known yet stays as its placeholder, ``<HOST>``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

HOST, PORT, USER, PASSWORD, DATABASE, CA_PATH = "<HOST>", 4000, "<USERNAME>", "<PASSWORD>", "test", "<CA_PATH>"
DOWNLOADED_CA = "tidegate-ca.pem"
"""where the cloud's dialog has isrgrootx1.pem: an installation's certificates are signed by its own CA"""

OPERATING_SYSTEMS: Mapping[str, str] = {
    "macOS": "/etc/ssl/cert.pem",
    "Debian/Ubuntu/Arch": "/etc/ssl/certs/ca-certificates.crt",
    "CentOS/RedHat/Fedora": "/etc/pki/tls/certs/ca-bundle.crt",
    "Alpine": "/etc/ssl/cert.pem",
    "OpenSUSE": "/etc/ssl/ca-bundle.pem",
    "Windows": DOWNLOADED_CA,
    "Others": DOWNLOADED_CA,
}
"""the dialog's systems -> where each keeps the CAs it trusts"""


@dataclass(frozen=True, slots=True)
class Target:
    """What is connected to.  ``ca_path`` None: the private endpoint, whose templates have no TLS options."""

    user: str = USER
    host: str = HOST
    port: int = PORT
    password: str = PASSWORD
    database: str = DATABASE
    ca_path: str | None = None

    @property
    def public(self) -> bool:
        return self.ca_path is not None

    @property
    def ca(self) -> str:
        return self.ca_path or CA_PATH


@dataclass(frozen=True, slots=True)
class Entry:
    """``needs_ca``: its public form names a CA file, so Windows and Others are offered a download."""

    label: str
    build: Callable[[Target], str]
    needs_ca: bool = False


def build_string(label: str, target: Target) -> str:
    """The text of one entry.  Raises KeyError for a label that is none."""
    return _BY_LABEL[label].build(target)


def build_strings(target: Target) -> dict[str, str]:
    """Label -> text, in the dialog's order."""
    return {entry.label: entry.build(target) for entry in ENTRIES}


def find_entry(label: str) -> Entry | None:
    return _BY_LABEL.get(label)


# -- quoting -----------------------------------------------------------------------------------------------------------


def _in_url(text: str) -> str:
    """Percent-encoded; a placeholder stays readable."""
    return text if text.startswith("<") else quote(text, safe="")


def _path_in_url(text: str) -> str:
    return text if text.startswith("<") else quote(text, safe="/:")


def _in_shell(text: str) -> str:
    """Within single quotes, as the cloud writes them."""
    return "'" + text.replace("'", "'\\''") + "'"


def _path_in_shell(text: str) -> str:
    plain = text.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    return text if plain.isalnum() or text.startswith("<") else _in_shell(text)


def _literal(text: str) -> str:
    """A string literal of Python and of Go: both read JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)


# -- shapes ------------------------------------------------------------------------------------------------------------


def _url(target: Target, *, port: bool = True) -> str:
    """``user:password@host:port/database``."""
    place = f"{target.host}:{target.port}" if port else target.host
    return f"{_in_url(target.user)}:{_in_url(target.password)}@{place}/{_in_url(target.database)}"


def _parameters(target: Target) -> str:
    lines = [
        f"HOST {target.host}",
        f"PORT {target.port}",
        f"USERNAME {target.user}",
        f"PASSWORD {target.password}",
        f"DATABASE {target.database}",
    ]
    return "\n".join([*lines, f"CA {target.ca}"] if target.public else lines)


def _env(target: Target) -> str:
    pairs = {
        "HOST": target.host,
        "PORT": target.port,
        "USERNAME": target.user,
        "PASSWORD": target.password,
        "DATABASE": target.database,
    }
    return "\n".join(f"DB_{name}={value}" for name, value in pairs.items())


def _with_scheme(scheme: str, tls: str = "") -> Callable[[Target], str]:
    """A URL of that scheme; ``tls`` is its public form's query, ``{ca}`` the CA's path in it."""

    def build(target: Target) -> str:
        query = "?" + tls.replace("{ca}", _path_in_url(target.ca)) if tls and target.public else ""
        return f"{scheme}://{_url(target)}{query}"

    return build


def _command_line(tls: str) -> Callable[[Target], str]:
    def build(target: Target) -> str:
        options = f" {tls} --ssl-ca={_path_in_shell(target.ca)}" if target.public else ""
        return (
            f"mysql --comments -u {_in_shell(target.user)} -h {target.host} -P {target.port} "
            f"-D {_in_shell(target.database)}{options} -p{_in_shell(target.password)}"
        )

    return build


def _jdbc(kind: str, tls: str) -> Callable[[Target], str]:
    """User and password as parameters."""

    def build(target: Target) -> str:
        login = f"user={_in_url(target.user)}&password={_in_url(target.password)}"
        query = f"{login}&sslMode={tls}" if target.public else login
        return f"jdbc:{kind}://{target.host}:{target.port}/{_in_url(target.database)}?{query}"

    return build


def _python(module: str, call: str, *tls: str) -> Callable[[Target], str]:
    def build(target: Target) -> str:
        arguments = [
            f"host={_literal(target.host)}",
            f"port={target.port}",
            f"user={_literal(target.user)}",
            f"password={_literal(target.password)}",
            f"database={_literal(target.database)}",
            *(part.replace("{ca}", _literal(target.ca)) for part in tls if target.public),
        ]
        inner = "".join(f"    {argument},\n" for argument in arguments)
        return f"import {module}\n\nconnection = {call}(\n{inner})"

    return build


def _django(target: Target) -> str:
    pairs = {
        "ENGINE": _literal("django_tidb"),
        "NAME": _literal(target.database),
        "USER": _literal(target.user),
        "PASSWORD": _literal(target.password),
        "HOST": _literal(target.host),
        "PORT": str(target.port),
    }
    if target.public:
        ca = f'{{"ca": {_literal(target.ca)}}}'
        pairs["OPTIONS"] = f'{{\n            "ssl_mode": "VERIFY_IDENTITY",\n            "ssl": {ca},\n        }}'
    inner = "".join(f'        "{name}": {value},\n' for name, value in pairs.items())
    return f'DATABASES = {{\n    "default": {{\n{inner}    }},\n}}'


def _go(target: Target) -> str:
    """go-sql-driver takes user and password as they are; a slash in the database's name it wants encoded."""
    login = f"{target.user}:{target.password}@tcp({target.host}:{target.port})/{_in_url(target.database)}"
    if not target.public:
        return f'db, err := sql.Open("mysql", {_literal(login)})'
    return (
        'mysql.RegisterTLSConfig("tidb", &tls.Config{\n'
        "    MinVersion: tls.VersionTLS12,\n"
        f"    ServerName: {_literal(target.host)},\n"
        "})\n\n"
        f'db, err := sql.Open("mysql", {_literal(login + "?tls=tidb")})'
    )


def _rails(target: Target) -> str:
    query = "?ssl_mode=verify_identity" if target.public else ""
    return f"development:\n  adapter: mysql2\n  url: {_literal(f'mysql2://{_url(target)}{query}')}"


_VERIFIED = "ssl_verify_cert=true&ssl_verify_identity=true"
_MYSQL_JDBC = _with_scheme("jdbc:mysql", "sslMode=VERIFY_IDENTITY")

ENTRIES: tuple[Entry, ...] = (
    Entry("General > Parameters", _parameters, True),
    Entry("General > Connection String", _with_scheme("mysql"), True),
    Entry("MySQL CLI", _command_line("--ssl-mode=VERIFY_IDENTITY"), True),
    Entry("MariaDB CLI", _command_line("--ssl-verify-server-cert"), True),
    Entry(".env", _env),
    Entry("Java(MySQL Connector)", _MYSQL_JDBC),
    Entry("Java(MariaDB Connector)", _jdbc("mariadb", "verify-full")),
    Entry(
        "Python(mysqlclient)",
        _python("MySQLdb", "MySQLdb.connect", 'ssl_mode="VERIFY_IDENTITY"', 'ssl={"ca": {ca}}'),
        True,
    ),
    Entry(
        "Python(PyMySQL)",
        _python("pymysql", "pymysql.connect", "ssl_verify_cert=True", "ssl_verify_identity=True", "ssl_ca={ca}"),
        True,
    ),
    Entry(
        "Python(MySQL Connector)",
        _python(
            "mysql.connector",
            "mysql.connector.connect",
            "ssl_ca={ca}",
            "ssl_verify_cert=True",
            "ssl_verify_identity=True",
        ),
        True,
    ),
    Entry("SQLAlchemy > mysqlclient", _with_scheme("mysql+mysqldb", "ssl_mode=VERIFY_IDENTITY&ssl_ca={ca}"), True),
    Entry("SQLAlchemy > PyMySQL", _with_scheme("mysql+pymysql", f"ssl_ca={{ca}}&{_VERIFIED}"), True),
    Entry("SQLAlchemy > MySQL Connector", _with_scheme("mysql+mysqlconnector", f"ssl_ca={{ca}}&{_VERIFIED}"), True),
    Entry("Django", _django, True),
    Entry("Node.js(mysql2)", _with_scheme("mysql", 'ssl={"rejectUnauthorized":true}')),
    Entry("Prisma", _with_scheme("mysql", "sslaccept=strict")),
    Entry("Serverless Driver", lambda target: f"mysql://{_url(target, port=False)}"),
    Entry("Go", _go),
    Entry("Rails", _rails),
    Entry("WordPress", _parameters, True),
    Entry("DataGrip", _jdbc("mysql", "VERIFY_IDENTITY")),
    Entry("VS Code", _parameters, True),
    Entry("DBeaver", _MYSQL_JDBC),
    Entry("MySQL Workbench", _parameters, True),
    Entry("Navicat", _parameters, True),
)
_BY_LABEL = {entry.label: entry for entry in ENTRIES}
