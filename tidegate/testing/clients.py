"""A program's place in a VPC, and what can be done from there."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.testing import program

if TYPE_CHECKING:
    from tidegate.testing.vpcs import Cluster, Endpoint, Vpc
    from tidegate.testing.world import World

PORT = 4000
DROPPED_S = 1.5
"""A SYN is sent again after 1 s, so one that found no answer by now was dropped, not lost."""
ANSWER_S = 120.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went; ``outcome`` is a word of ``program.classify``, or ``answered`` or ``connected``."""

    outcome: str
    detail: str

    def __bool__(self) -> bool:
        return self.outcome in ("answered", "connected")


class SessionError(AssertionError):
    """A query failed; ``outcome`` as for :class:`Attempt`."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}")
        self.outcome, self.detail = outcome, detail


class Program:
    """One process of ``program.py``, inside a namespace, or on the host when ``namespace`` is None."""

    def __init__(self, world: World, namespace: str | None) -> None:
        enter = world.enter_argv(namespace) if namespace else []
        self._process = subprocess.Popen(
            [*enter, sys.executable, "-u", str(Path(program.__file__))],
            env=world.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def ask(self, **request: Any) -> dict[str, Any]:
        """Raises AssertionError when the program ended."""
        assert self._process.stdin and self._process.stdout and self._process.stderr
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the program inside ended: {self._process.stderr.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Session:
    """A database session that stays open, in a process of its own.  ``query`` raises :class:`SessionError`."""

    def __init__(self, running: Program, login: dict[str, Any]) -> None:
        self._program = running
        self.opened = _attempt(running.ask(do="open", **login))

    def query(self, sql: str, *arguments: Any) -> list[list[Any]]:
        answer = self._program.ask(do="sql", sql=sql, arguments=list(arguments) or None)
        if "rows" not in answer:
            raise SessionError(answer["outcome"], answer["detail"])
        rows: list[list[Any]] = answer["rows"]
        return rows

    def close(self) -> None:
        self._program.close()


class Client:
    """``interface_id`` is its network interface, made by ECS CreateNetworkInterface."""

    def __init__(self, world: World, vpc: Vpc, interface_id: str, address: str) -> None:
        self.world, self.vpc, self.interface_id, self.address = world, vpc, interface_id, address
        self._program: Program | None = None
        self._sessions: list[Session] = []

    @property
    def namespace(self) -> str:
        return f"host-{self.interface_id}"

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command here, with the VPC's resolver.  ``options`` go to subprocess.run (``check`` is off)."""
        values: dict[str, Any] = {"capture_output": True, "text": True, "timeout": ANSWER_S}
        values |= {"env": self.world.environment(), **options}
        return subprocess.run([*self.world.enter_argv(self.namespace), *command], check=False, **values)

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command here and let it run."""
        values: dict[str, Any] = {"text": True, "env": self.world.environment(), **options}
        return subprocess.Popen([*self.world.enter_argv(self.namespace), *command], **values)

    def reaches(self, endpoint: Endpoint, timeout_s: float = DROPPED_S) -> bool:
        """Whether the endpoint's service answers here, by name or, where the name means nothing, by address."""
        by_name = self.dial(endpoint.domain, timeout_s)
        if by_name.outcome != "nxdomain":
            return bool(by_name)
        own = {address for mine in self.vpc.endpoints() for address in mine.addresses}
        return any(self.dial(address, timeout_s) for address in endpoint.addresses if address not in own)

    def dial(self, host: str, timeout_s: float = DROPPED_S, port: int = PORT) -> Attempt:
        """Connect and wait for the first byte of a greeting."""
        return _attempt(self._inside().ask(do="dial", host=host, port=port, timeout_s=timeout_s))

    def login(self, endpoint: Endpoint, timeout_s: float = 20.0, **other: Any) -> Attempt:
        """Log in once; ``other``: ``user``, ``password``, ``host``, ``ca`` (a CA file: TLS, verified),
        ``in_clear`` (no TLS even where it is offered)."""
        return _attempt(self._inside().ask(do="open", **build_login(endpoint, None, timeout_s, other)))

    def query(self, sql: str, *arguments: Any, endpoint: Endpoint | None = None) -> list[list[Any]]:
        """Rows of one statement, by a login of its own through ``endpoint`` (the VPC's only one, when not named)."""
        session = self.session(endpoint)
        try:
            return session.query(sql, *arguments)
        finally:
            session.close()

    def session(
        self, endpoint: Endpoint | None = None, cluster: Cluster | None = None, timeout_s: float = 20.0, **other: Any
    ) -> Session:
        """A session that stays open.  Raises :class:`SessionError` when it is refused."""
        endpoint = endpoint or self.vpc.only_endpoint()
        login = build_login(endpoint, cluster, timeout_s, other)
        session = Session(Program(self.world, self.namespace), login)
        self._sessions.append(session)
        if not session.opened:
            session.close()
            raise SessionError(session.opened.outcome, session.opened.detail)
        return session

    def crowd(self, endpoint: Endpoint, count: int, timeout_s: float = 30.0) -> dict[str, Any]:
        """``count`` logins at once: ``{"outcomes": [...], "seconds": ...}``."""
        return self._inside().ask(do="crowd", count=count, **build_login(endpoint, None, timeout_s, {}))

    def delete(self) -> None:
        """Close what runs here, then delete the interface."""
        self.close()
        self.vpc.delete_interface(self.interface_id)

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        if self._program:
            self._program.close()
        self._program, self._sessions = None, []

    def _inside(self) -> Program:
        if self._program is None:
            self._program = Program(self.world, self.namespace)
        return self._program


def build_login(endpoint: Endpoint, cluster: Cluster | None, timeout_s: float, other: dict[str, Any]) -> dict[str, Any]:
    cluster = cluster or endpoint.cluster
    login = {"host": endpoint.domain, "port": PORT, "user": cluster.user, "password": cluster.password}
    return login | {"timeout_s": timeout_s} | other


def _attempt(answer: dict[str, Any]) -> Attempt:
    return Attempt(answer["outcome"], answer["detail"])
