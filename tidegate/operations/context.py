"""The parts every operation needs, the one who asks, and the unit of work."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tidegate.domain.names import Draw
from tidegate.domain.refusals import DryRunPassed, Refusal, TokenReused
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.status import Kind
from tidegate.domain.traffic import Sighting
from tidegate.domain.usage import Allowance
from tidegate.operations.sealing import Sealer
from tidegate.store.store import Store, Transaction
from tidegate.store.tokens import TOKEN_LIFE, ClientToken


def utc_now() -> datetime:
    return datetime.now(UTC)


def draw(alphabet: str, length: int) -> str:
    """The real :class:`~tidegate.domain.names.Draw`: the operating system's randomness."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _nobody_to_ask(cluster_id: str, task: SqlTask) -> SqlReply:
    return SqlReply(problem="not_ready", detail="No host is connected.")


def _nobody_looks(vpc_ids: Sequence[str]) -> Mapping[str, Sighting]:
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """``wake`` is called after the commit, from any thread, with the name of what changed, never with the change.

    ``ask(cluster_id, task)`` has a running server carry out a task on its SQL users, and blocks until it answers; it
    waits for a server that is starting, and raises nothing.  ``free``: what Starter clusters have for nothing.

    ``observe(vpc_ids)``: what the packets of these VPCs did, as far as it is known; a VPC that was not looked at is
    missing.  Those named first are looked at first; one call costs no more than a bounded number of looks.
    """

    store: Store
    wake: Callable[[Kind, str], None] = lambda kind, resource_id: None
    now: Callable[[], datetime] = utc_now
    draw: Draw = draw
    ask: Callable[[str, SqlTask], SqlReply] = _nobody_to_ask
    observe: Callable[[Sequence[str]], Mapping[str, Sighting]] = _nobody_looks
    sealer: Sealer = field(default_factory=Sealer.ephemeral)
    free: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key, or a user of the consoles.

    ``token`` makes a write idempotent; ``digest`` is the SHA-256 of the call's other parameters.
    """

    account_id: str
    token: str = ""
    action: str = ""
    digest: str = ""
    dry_run: bool = False
    key_id: str = ""
    user_name: str = ""


class DoneBefore(Exception):  # noqa: N818 - no error: the call's answer is its first answer
    """This very call, told by its client token, was carried out before; nothing was done now."""


@dataclass(slots=True)
class Work:
    """One change being made: the transaction, and whom to wake once it is committed.

    ``recalled``: the operation has looked for its first result itself, because its answer names what it made.
    """

    tx: Transaction
    now: datetime
    woken: list[tuple[Kind, str]] = field(default_factory=list)
    recalled: bool = False

    def wake(self, kind: Kind, resource_id: str) -> None:
        self.woken.append((kind, resource_id))


@contextmanager
def change(context: Context, caller: Caller) -> Iterator[Work]:
    """Commit all of it or nothing; a dry run ends in :class:`DryRunPassed` after all checks.

    A caller's token is kept with the change, so one call makes one change: the second change under a token is taken
    for the first one's repetition and ends in :class:`DoneBefore`, with nothing done.
    """
    with context.store.write() as tx:
        work = Work(tx, context.now())
        try:
            yield work
        except Refusal:
            _require_first_change(work, caller)
            raise
        if caller.dry_run:
            raise DryRunPassed()
        if caller.token and not work.recalled:
            _require_first_change(work, caller)
            remember_result(work, caller, "")
    for kind, resource_id in work.woken:
        context.wake(kind, resource_id)


def first_result(work: Work, caller: Caller) -> str | None:
    """What this client token made before, or None.  Raises :class:`TokenReused` when other parameters came with it.

    An empty text: it changed something and made nothing (``change`` remembers those).
    """
    work.recalled = True
    if not caller.token:
        return None
    known = work.tx.client_tokens.get(caller.account_id, caller.action, caller.token)
    if known is None or work.now - known.created_at > TOKEN_LIFE:
        return None
    if known.parameters_digest != caller.digest:
        raise TokenReused(caller.token)
    return known.resource_id


def remember_result(work: Work, caller: Caller, resource_id: str) -> None:
    if caller.token:
        work.tx.client_tokens.put(
            ClientToken(caller.account_id, caller.action, caller.token, caller.digest, resource_id, work.now)
        )


def require_first_time(context: Context, caller: Caller) -> None:
    """Raises :class:`DoneBefore` for a repeated change.  A repeated create goes on, and finds its first result.

    Asked before anything else is: what a repeated delete names is gone.
    """
    if caller.token:
        with context.store.read() as tx:
            if first_result(Work(tx, context.now()), caller) == "":
                raise DoneBefore


def _require_first_change(work: Work, caller: Caller) -> None:
    if not work.recalled and first_result(work, caller) is not None:
        raise DoneBefore
