"""The public endpoints' listening sockets: opened on the host's own network, handed to the regions' gateways.

Level-triggered: twice a second, and whenever a cluster changed, each region with an open public endpoint is looked at.
A gateway that listens already is left alone, so a new ``serve`` adopts what its predecessor opened; a new gateway gets
the socket again.  Nothing is opened before it was heard what a living gateway holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

from tidegate.domain.catalogue import REGIONS
from tidegate.domain.public_endpoints import PublicListener
from tidegate.gateway.passing import Recipient
from tidegate.store.store import Store

LOOK_S = 0.5
BACKLOG = 1024

log = structlog.get_logger("public")


class PublicListeners:
    """``listen`` is host:port as in the settings.  ``path(region_id)`` is the gateway's end of the passing."""

    def __init__(self, store: Store, listen: str, path: Callable[[str], Path]) -> None:
        self._store, self._path = store, path
        self._host, _, port = listen.rpartition(":")
        self._first_port = int(port)
        self._recipients: dict[str, Recipient] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.errors: dict[str, str] = {}
        """region id -> why its public endpoints cannot be reached, one sentence"""

    def wake(self) -> None:
        """From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            await asyncio.to_thread(self.converge)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)

    def close(self) -> None:
        """Ours are closed; the gateways listen on."""
        for recipient in self._recipients.values():
            recipient.close()
        for opened in self._sockets.values():
            opened.close()

    def converge(self) -> None:
        """One look at each region that has an open public endpoint."""
        with self._store.read() as tx:
            wanted = sorted(set(tx.clusters.values("region_id", public_open=True, deleting=False)))
            known = {listener.region_id: listener for listener in tx.public_listeners.find()}
        for region_id in wanted:
            try:
                self._converge_region(region_id, known.get(region_id))
                self.errors.pop(region_id, None)
            except (FileNotFoundError, ConnectionError):
                continue  # its gateway is being started
            except OSError as error:
                self._complain(region_id, error)

    def _converge_region(self, region_id: str, known: PublicListener | None) -> None:
        recipient = self._recipients.get(region_id)
        if recipient is not None and recipient.alive:
            return
        if recipient is not None:
            self._recipients.pop(region_id).close()
        try:
            recipient = Recipient(self._path(region_id))
        except (FileNotFoundError, ConnectionRefusedError):
            # No gateway lives that could hold it: the port is known, and clients wait in the queue, before one does.
            self._open(region_id, known)
            raise
        try:
            if not self._adopt(recipient, region_id, known):
                recipient.give(self._open(region_id, known))
        except BaseException:
            recipient.close()
            raise
        self._recipients[region_id] = recipient
        log.info("public.listening", region=region_id, address=recipient.held)

    def _adopt(self, recipient: Recipient, region_id: str, known: PublicListener | None) -> bool:
        """True when the gateway listens where it should."""
        if known is None or not recipient.held:
            return False
        fixed = self._fixed_port(region_id)
        return recipient.held == f"{self._host}:{known.port}" and fixed in (0, known.port)

    def _open(self, region_id: str, known: PublicListener | None) -> socket.socket:
        """The region's socket; on its port of before if that is free."""
        if region_id not in self._sockets:
            fixed = self._fixed_port(region_id)
            before = known.port if known and not fixed else fixed
            try:
                opened = self._listening(before)
            except OSError:
                if fixed or not before:
                    raise
                opened = self._listening(0)
            self._sockets[region_id] = opened
        sock = self._sockets[region_id]
        shown = PublicListener(region_id, shown_host(self._host), sock.getsockname()[1])
        if shown != known:
            with self._store.write() as tx:
                tx.public_listeners.put(shown)
        return sock

    def _fixed_port(self, region_id: str) -> int:
        """0: any."""
        order = [region.region_id for region in REGIONS]
        return self._first_port + order.index(region_id) if self._first_port else 0

    def _listening(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, port))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
        return sock

    def _complain(self, region_id: str, error: OSError) -> None:
        sentence = (
            f"The public endpoints of {region_id} cannot listen on {self._host}:{self._fixed_port(region_id)} "
            f"(our side): {error.strerror or error}. Free the port, or set TIDEGATE_PUBLIC_LISTEN."
        )
        if self.errors.get(region_id) != sentence:
            log.warning("public.failed", region=region_id, reason=sentence)
        self.errors[region_id] = sentence


def shown_host(listen_host: str) -> str:
    """What clients are told: the address itself, or this host's name when it is every address."""
    return socket.gethostname() if listen_host == "0.0.0.0" else listen_host
