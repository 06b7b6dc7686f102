"""What ``/metrics`` shows beside the APIs' own counters: the resources, and what other processes wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

if TYPE_CHECKING:  # each process imports its own parts only
    from tidegate.dns.server import Counts
    from tidegate.store.store import Store

WRITE_EVERY_S = 5.0


class ResourceCollector(Collector):
    """How many resources are in which phase."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        counts: dict[tuple[str, str], int] = {}
        with self._store.read() as tx:
            for status in tx.statuses.find():
                counts[status.kind, status.phase] = counts.get((status.kind, status.phase), 0) + 1
        family = GaugeMetricFamily("tidegate_resources", "Resources by phase", labels=["kind", "phase"])
        for labels, count in sorted(counts.items()):
            family.add_metric(list(labels), count)
        yield family


class ResolverCollector(Collector):
    """What the resolvers have counted since their start."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        for name, value in asdict(self._counts).items():
            yield CounterMetricFamily(f"tidegate_dns_{name}", f"Resolvers: {name.replace('_', ' ')}", value=value)


class FileCollector(Collector):
    """The metrics of gateways and resolvers, read from the files they write: no port inside their namespaces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.prom")):
            for family in text_string_to_metric_families(path.read_text()):
                known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    known.add_sample(sample.name, {**sample.labels, "process": path.stem}, sample.value)
        yield from families.values()


async def write_metrics(registry: CollectorRegistry, path: Path) -> None:
    """Every few seconds, whole, until cancelled."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        temporary = path.with_suffix(".new")
        await asyncio.to_thread(temporary.write_bytes, generate_latest(registry))
        await asyncio.to_thread(temporary.replace, path)
        await asyncio.sleep(WRITE_EVERY_S)
