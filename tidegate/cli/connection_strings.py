"""The Connect dialog's strings for a private endpoint: shapes only, nothing is asked or printed.

Entries and shapes: TiDB Cloud's own connection templates (tidbcloud-cli, package ``util``, 2024).  Private templates
hold no TLS options at all; on Alibaba Cloud the host is the endpoint's *Domain Name of Endpoint Service*.
"""

from __future__ import annotations

from urllib.parse import quote

HOST = "<HOST>"
PASSWORD = "<PASSWORD>"  # noqa: S105 - what the dialog shows in its place
DATABASE = "test"


def build_strings(user: str, host: str = HOST, port: int = 4000, password: str = PASSWORD) -> dict[str, str]:
    """Label -> text, in the dialog's order."""
    url = f"{quote(user, safe='')}:{_in_url(password)}@{host}:{port}/{DATABASE}"
    return {
        "General > Parameters": "\n".join(
            (f"HOST {host}", f"PORT {port}", f"USERNAME {user}", f"PASSWORD {password}", f"DATABASE {DATABASE}")
        ),
        "General > Connection String": f"mysql://{url}",
        "MySQL CLI": f"mysql --comments -u '{user}' -h {host} -P {port} -D '{DATABASE}' -p'{password}'",
        ".env": "\n".join(
            (
                f"DB_HOST={host}",
                f"DB_PORT={port}",
                f"DB_USERNAME={user}",
                f"DB_PASSWORD={password}",
                f"DB_DATABASE={DATABASE}",
            )
        ),
        "Java(MySQL Connector)": f"jdbc:mysql://{url}",
        "Python(PyMySQL)": (
            f"pymysql.connect(host={host!r}, port={port}, user={user!r}, password={password!r}, database={DATABASE!r})"
        ),
        "SQLAlchemy > PyMySQL": f"mysql+pymysql://{url}",
        "Node.js(mysql2)": f"mysql://{url}",
        "Go": f"{user}:{password}@tcp({host}:{port})/{DATABASE}",
    }


def _in_url(password: str) -> str:
    return password if password == PASSWORD else quote(password, safe="")
