"""A whole host, as one value, and the difference between two of them.

:class:`HostConfig` is eight sections of independent *parts*; a part is named ``section/key``.  The
controller always means the whole; what travels is the :class:`Delta` against the revision the agent says it
has, and the whole when the agent has another one.  So a pass costs what changed, not what exists.

::

    controller                                agent
    HostConfig A --diff--> HostConfig B
        Apply(base=A's, delta) -------------> has A?  yes: A + delta = B, converge the changed parts
                                              no:  not accepted <- the controller sends all of B
        <------------------ outcome per part, then status pushes as things happen
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from tidegate.dataplane.config import NetworkConfig, RegionConfig
from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.domain.usage import Consumption
from tidegate.engine.config import DatabaseConfig, DatabaseStatus
from tidegate.gateway.config import Consumer, GatewayConfig, Route


@dataclass(frozen=True, slots=True)
class HostConfig:
    """Everything one host should be.  Keys: region id, VPC id, host name, cluster id, fabric address, prefix."""

    regions: Mapping[str, RegionConfig] = field(default_factory=dict)
    networks: Mapping[str, NetworkConfig] = field(default_factory=dict)
    resolvers: Mapping[str, ResolverConfig] = field(default_factory=dict)
    names: Mapping[str, NameRecord] = field(default_factory=dict)
    databases: Mapping[str, DatabaseConfig] = field(default_factory=dict)
    gateways: Mapping[str, GatewayConfig] = field(default_factory=dict)
    consumers: Mapping[str, Consumer] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)


SECTIONS: tuple[str, ...] = tuple(f.name for f in fields(HostConfig))
"""In the order in which they must be applied: a network needs its region, a gateway needs its namespace."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What differs: ``put`` has the new parts only, ``drop[section]`` the keys that are gone."""

    put: HostConfig = field(default_factory=HostConfig)
    drop: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.drop and self.put == HostConfig()


def diff(old: HostConfig, new: HostConfig) -> Delta:
    """The delta that turns ``old`` into ``new``.  Parts kept by identity cost one pointer comparison."""
    put: dict[str, dict[str, Any]] = {}
    drop: dict[str, tuple[str, ...]] = {}
    for section in SECTIONS:
        before, after = getattr(old, section), getattr(new, section)
        if before is after:
            continue
        changed = {k: part for k, part in after.items() if before.get(k) is not part and before.get(k) != part}
        gone = tuple(k for k in before if k not in after)
        if changed:
            put[section] = changed
        if gone:
            drop[section] = gone
    return Delta(HostConfig(**put), drop)


def patch(old: HostConfig, delta: Delta) -> HostConfig:
    """``patch(a, diff(a, b)) == b``, always."""
    sections = {}
    for section in SECTIONS:
        put, drop = getattr(delta.put, section), delta.drop.get(section)
        before = getattr(old, section)
        if not put and not drop:
            sections[section] = before
            continue
        after = {**before, **put}
        for key in drop or ():
            after.pop(key, None)
        sections[section] = after
    return HostConfig(**sections)


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What the agent observes and pushes; in a push only what changed, in the first one everything.

    ``errors`` maps ``section/key`` to one sentence, or to an empty string when the part is well again.
    ``wakes`` are the clusters that a login is waiting for.
    """

    databases: Mapping[str, DatabaseStatus] = field(default_factory=dict)
    removed_databases: tuple[str, ...] = ()
    """clusters whose server and data are gone"""
    errors: Mapping[str, str] = field(default_factory=dict)
    wakes: tuple[str, ...] = ()
    usages: Mapping[str, Consumption] = field(default_factory=dict)
    """what clusters have used so far: counters, so what is told twice, or not at all, does no harm"""


class Host(Protocol):
    """All that the controller sees of a host.

    ``apply`` takes the whole configuration and returns when the host has converged to it or said why not: a map
    from ``section/key`` to one sentence, of the parts that are not well *now*, those of earlier applies included.
    It may be called again before it returned; calls are carried out in order and may be carried out together.
    Raises :class:`HostUnreachable` while there is no agent.
    """

    async def apply(self, config: HostConfig) -> dict[str, str]: ...


class HostUnreachable(Exception):  # noqa: N818 - a state of affairs, not a fault of ours
    """No agent answers; the message says what to do."""
