"""The demo's program inside a VPC: an ordinary PyMySQL client, or one that tries to get in and says how it went.

A JSON request comes on stdin, so that no password is ever an argument; a JSON answer goes to stdout.  Run by hand::

    echo '{"task": "rows", "host": "ep-...", "user": "<prefix>.root", "password": "..."}' |
        tidegate vpc exec web -- .venv/bin/python -m tidegate.cli.probe
"""

from __future__ import annotations

import errno
import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import pymysql

PORT = 4000
ROWS = ((1, "ebb"), (2, "slack"), (3, "flood"))


def main() -> int:
    """0 whenever there is an answer: that an attempt fails is an answer too."""
    request = json.load(sys.stdin)
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"rows": write_and_read, "connect": try_to_connect}
    json.dump(tasks[request.pop("task")](**request), sys.stdout)
    return 0


def write_and_read(host: str, user: str, password: str, timeout_s: float = 10.0, ca: str = "") -> dict[str, Any]:
    """What an application does.  ``first_row_s``: from the look-up of the name to the first row.

    ``ca``: ask for TLS, and trust only what this file's CA has signed for the host.
    """
    started = time.monotonic()
    connection = pymysql.connect(
        host=host,
        port=PORT,
        user=user,
        password=password,
        connect_timeout=int(timeout_s) or 1,
        read_timeout=timeout_s,
        autocommit=True,
        ssl={"ca": ca} if ca else None,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
        first_row_s = time.monotonic() - started
        cursor.execute("CREATE TABLE IF NOT EXISTS test.tide (id INT PRIMARY KEY, word VARCHAR(16))")
        cursor.executemany("REPLACE INTO test.tide VALUES (%s, %s)", ROWS)
        cursor.execute("SELECT id, word FROM test.tide ORDER BY id")
        rows = [list(row) for row in cursor.fetchall()]
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone() or ("",)
    return {"rows": rows, "first_row_s": first_row_s, "version": version}


def try_to_connect(
    host: str, user: str = "", password: str = "", timeout_s: float = 2.0, direct: bool = False, ca: str = ""
) -> dict[str, Any]:
    """One attempt; ``outcome`` as :func:`classify` words it, or ``connected``.

    ``direct``: without any gateway (SO_DONTROUTE), as from the host, whose own routes lead to strangers: the attempt
    reaches the address exactly if this host has a link into that network, and no packet leaves the host otherwise.
    """
    try:
        raw = open_socket(host, timeout_s, direct)
        connection = pymysql.connect(
            host=host,
            port=PORT,
            user=user,
            password=password,
            read_timeout=timeout_s,
            defer_connect=True,
            ssl={"ca": ca} if ca else None,
        )
        connection.connect(raw)
        connection.close()
    except (OSError, pymysql.MySQLError) as error:
        return {"outcome": classify(error), "detail": str(error)}
    return {"outcome": "connected", "detail": f"{host} let us in"}


def open_socket(host: str, timeout_s: float, direct: bool) -> socket.socket:
    """To the host's first IPv4 address."""
    address = socket.getaddrinfo(host, PORT, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if direct:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
    raw.settimeout(timeout_s)
    try:
        raw.connect(address)
    except OSError:
        raw.close()
        raise
    return raw


def classify(error: Exception) -> str:
    """``nxdomain``, ``timeout``, ``unreachable``, ``refused``, ``mysql <number>``, or what the kernel calls it."""
    if isinstance(error, socket.gaierror):
        return "nxdomain" if error.errno == socket.EAI_NONAME else "resolver silent"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, pymysql.MySQLError):
        number = error.args[0] if error.args else 0
        return f"mysql {number}"
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "unreachable"
    return "refused" if number == errno.ECONNREFUSED else errno.errorcode.get(number or 0, "unknown")


if __name__ == "__main__":
    sys.exit(main())
