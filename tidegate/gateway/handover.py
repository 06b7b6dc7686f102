"""The seam behind a login: who carries the session from here on.

Both sockets are at the same point: everything of the login was read, and the final OK is the one thing not yet
sent to the client.  That is what joining both connections in the kernel needs (it writes its map before the OK
goes out), and what the userspace relay can do as well.  Today only the relay does.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Joined:
    """Two connections after the login.  ``ok`` goes to the client first, then the leftovers of each side."""

    client: socket.socket
    server: socket.socket
    ok: bytes
    to_client: bytes
    to_server: bytes


class Handover(Protocol):
    """Takes a session out of this process, or declines it.

    ``prepare`` is called before the database is dialled (source port, MSS).  ``take`` True: OK sent, both
    sockets are the taker's; False: nothing was sent or changed, and the relay carries the session.
    """

    def prepare(self, client: socket.socket, server: socket.socket) -> None: ...
    def take(self, joined: Joined) -> bool: ...


class RelayAlways:
    """The kernel takes none: no BPF here, or the session is TLS."""

    def prepare(self, client: socket.socket, server: socket.socket) -> None:
        """The relay wants nothing of a socket."""

    def take(self, joined: Joined) -> bool:
        return False
