"""The program inside a VPC: does what each line of JSON on stdin asks, answers with one line.

``{"do": "dial", "host": ..., "timeout_s": ...}``                     -> ``{"outcome": "answered", "detail": ...}``
``{"do": "open", "host": ..., "user": ..., "password": ..., ...}``    -> ``{"outcome": "connected"}``
``{"do": "sql", "sql": ..., "arguments": ...}``                       -> ``{"rows": [...]}``
``{"do": "crowd", "count": 50, ...as open}``                          -> ``{"outcomes": [...], "seconds": ...}``

It imports nothing of Tidegate: what it shows is what any PyMySQL application would see.
"""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql

Json = dict[str, Any]
_session: list[pymysql.Connection[Any]] = []


def dial(host: str, port: int, timeout_s: float, direct: bool = False) -> Json:
    """TCP, then the server's first byte: ``answered``, or how it failed.

    ``direct`` dials without any gateway (SO_DONTROUTE): from outside a VPC no packet may leave for strangers.
    """
    try:
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as raw:
            raw.settimeout(timeout_s)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, int(direct))
            raw.connect(address)
            greeted = raw.recv(1) != b""
        return {"outcome": "answered" if greeted else "closed", "detail": str(address[0])}
    except OSError as error:
        return _failed(error)


def open_session(**login: Any) -> Json:
    """Keep the connection for ``sql``."""
    try:
        _close()
        _session.append(_connect(**login))
    except (OSError, pymysql.MySQLError) as error:
        return _failed(error)
    return {"outcome": "connected", "detail": ""}


def run_sql(sql: str, arguments: list[Any] | None = None) -> Json:
    if not _session:
        return {"outcome": "closed", "detail": "no session is open"}
    try:
        with _session[0].cursor() as cursor:
            cursor.execute(sql, arguments)
            return {"outcome": "done", "rows": [list(row) for row in cursor.fetchall()]}
    except (OSError, pymysql.MySQLError) as error:
        return _failed(error)


def crowd(count: int, **login: Any) -> Json:
    """``count`` logins at once, each with one SELECT."""

    def one(_: int) -> str:
        try:
            with _connect(**login) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return "connected"
        except (OSError, pymysql.MySQLError) as error:
            return str(_failed(error)["outcome"])

    started = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        outcomes = list(pool.map(one, range(count)))
    return {"outcomes": outcomes, "seconds": time.monotonic() - started}


def _connect(
    host: str, port: int, user: str, password: str, timeout_s: float, ca: str | None = None, in_clear: bool = False
) -> pymysql.Connection[Any]:
    tls: Json = {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True} if ca else {}
    if in_clear:
        tls["ssl_disabled"] = True  # by itself PyMySQL takes TLS wherever it is offered
    connection: pymysql.Connection[Any] = pymysql.connect(
        host=host,
        port=port,
        user=user,
        password=password,
        connect_timeout=max(1, int(timeout_s)),
        read_timeout=timeout_s,
        write_timeout=timeout_s,
        autocommit=True,
        **tls,
    )
    return connection


def _failed(error: Exception) -> Json:
    return {"outcome": classify(error), "detail": f"{type(error).__name__}: {error}"}


def classify(error: BaseException) -> str:
    """``nxdomain``, ``timeout``, ``unreachable``, ``refused``, ``tls``, ``lost``, ``mysql <number>``, or the errno."""
    cause = getattr(error, "original_exception", None)  # PyMySQL wraps what connect() met in a 2003
    if isinstance(cause, Exception):
        return classify(cause)
    if isinstance(error, socket.gaierror):
        return "nxdomain" if error.errno in (socket.EAI_NONAME, -5) else "no resolver"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, pymysql.MySQLError):
        number = error.args[0] if error.args else 0
        return "lost" if number in (0, 2006, 2013) else f"mysql {number}"
    if type(error).__module__ == "ssl":
        return "tls"
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "unreachable"
    return "refused" if number == errno.ECONNREFUSED else errno.errorcode.get(number or 0, type(error).__name__)


def _close() -> None:
    while _session:
        with contextlib.suppress(pymysql.MySQLError):  # it was cut already
            _session.pop().close()


TASKS: dict[str, Callable[..., Json]] = {"dial": dial, "open": open_session, "sql": run_sql, "crowd": crowd}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        answer = TASKS[request.pop("do")](**request)
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
