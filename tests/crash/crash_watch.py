"""What the crash tests look at: that a session never stops, and that a world is what its store says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tidegate.domain import fabric
from tidegate.testing import Session, World, wait_until
from tidegate.testing.clients import SessionError


@dataclass
class Beats:
    """How a session that asks all the time has fared."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def beating(session: Session) -> Iterator[Beats]:
    """SELECT without a pause while the block runs; in the end at least one more must be answered."""
    beats, done = Beats(), threading.Event()

    def ask() -> None:
        while not done.is_set() and not beats.failed:
            try:
                assert session.query("SELECT 40 + 2") == [[42]]
                beats.answered += 1
            except SessionError as error:
                beats.failed.append(str(error))
            done.wait(0.01)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        wait_until(lambda: beats.answered or beats.failed, "the first answer", 10)
        yield beats
        so_far = beats.answered
        wait_until(lambda: beats.answered > so_far or beats.failed, "one more answer", 10)
    finally:
        done.set()
        thread.join(30)


def converged(world: World) -> dict[str, Any]:
    """The state in which the world comes to rest: the same twice, and nobody who should listen is missing."""
    world.settle()
    seen: list[Any] = []

    def still() -> bool:
        seen.append(world.witness.state())
        return len(seen) > 1 and seen[-1] == seen[-2] and not list(missing_listeners(seen[-1]))

    wait_until(still, "the world to come to rest", 30, poll_s=0.3)
    state: dict[str, Any] = seen[-1]
    return state


def missing_listeners(state: dict[str, Any]) -> Iterator[str]:
    """A gateway or resolver that died a moment ago is not yet missed by `tidegate status`."""
    for name, part in state.items():
        if name.startswith("vpc-"):
            wanted = [f"{kind} {address}:53" for kind in ("tcp", "udp") for address in fabric.RESOLVERS]
        else:
            wanted = [] if name.startswith("host-") else [f"tcp {fabric.GATEWAY_ADDRESS}:{fabric.GATEWAY_PORT}"]
        yield from (f"{name} {listener}" for listener in wanted if listener not in part["listening"])


def require_undisturbed(world: World) -> None:
    """The world is what its store would make on a bare host, and each process is there once.

    The reference is the same store's world after ``stop`` and ``start``: nothing of a crash can be left in that.
    """
    crashed, counts = converged(world), count_processes(world)
    assert set(counts.values()) == {1}, f"each process once: {counts}"
    world.stop()
    assert world.witness.traces() == []
    world.start()
    found = list(differences(crashed, converged(world)))
    if found:
        raise AssertionError("\n".join(found))
    assert count_processes(world) == counts


def differences(crashed: dict[str, Any], undisturbed: dict[str, Any]) -> Iterator[str]:
    """One line per namespace and kind of thing in which two worlds differ."""
    for name in sorted(crashed.keys() | undisturbed.keys()):
        mine, other = crashed.get(name), undisturbed.get(name)
        if mine is None or other is None:
            yield f"{name}: only in the {'crashed' if other is None else 'undisturbed'} world"
            continue
        for kind in mine:
            extra = [part for part in mine[kind] if part not in other[kind]]
            missing = [part for part in other[kind] if part not in mine[kind]]
            if extra or missing:
                yield f"{name} {kind}: the crashed world has {extra} and lacks {missing}"


def count_processes(world: World) -> dict[str, int]:
    return {name: len(pids) for name, pids in world.witness.processes().items()}
