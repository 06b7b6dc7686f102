"""The sockets on port 53 inside the VPCs: how they are opened, and how many this process may have."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from collections.abc import Callable
from typing import Literal

Kind = Literal["udp", "tcp"]
DNS_KINDS: tuple[Kind, ...] = ("udp", "tcp")

OpenSocket = Callable[[str, Kind, str, int], socket.socket]
"""(namespace, kind, address, port) -> a bound socket inside that namespace, listening if tcp.  Raises OSError.

``app/resolvers.py`` makes one: ``with namespaces.inside(namespace): return bind_socket(kind, address, port)``.
"""

_BACKLOG = 64
_UDP_BUFFER_BYTES = 1 << 20
_IP_FREEBIND = 15
_SPARE_FILES = 256
"""Descriptors kept for the event loop, TCP connections and questions to upstreams."""


class DnsError(Exception):
    """A resolver could not be set up; the message says what, whose side, and what to do."""


def bind_socket(kind: Kind, address: str, port: int) -> socket.socket:
    """Bind in the calling thread's namespace.

    IP_FREEBIND, so that resolver and router may be set up in either order: the address may come later.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        if kind == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
        sock.bind((address, port))
        if kind == "tcp":
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def require_files(sockets: int) -> None:
    """Raise the soft limit of open files so that ``sockets`` fit; :class:`DnsError` if the hard limit is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sockets + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise DnsError(
            f"DNS needs {needed} open files, the system allows this process {hard}. "
            f"Allow more: 'ulimit -Hn', or LimitNOFILE= in the service unit."
        )
    wanted = 2 * needed if hard == resource.RLIM_INFINITY else min(hard, 2 * needed)
    with contextlib.suppress(ValueError, OSError):  # then opening fails by itself, and says so
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def explain(error: OSError, namespace: str, kind: Kind, address: str, port: int) -> DnsError:
    """One sentence for a socket that could not be opened."""
    where = f"the resolver's {kind} socket {address}:{port} in namespace {namespace}"
    if error.errno == errno.EADDRINUSE:
        return DnsError(f"{where} is in use; another resolver of this installation still runs there: stop it.")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return DnsError(f"{where} cannot be opened: too many open files. Allow more with LimitNOFILE= or ulimit.")
    if error.errno == errno.EACCES:
        return DnsError(f"{where} cannot be opened: ports below 1024 need CAP_NET_BIND_SERVICE in the namespace.")
    return DnsError(f"{where} cannot be opened: {error.strerror or error}. It is tried again on the next pass.")
