"""What other processes count reaches the one page of metrics."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from tidegate.app.metrics import FileCollector, ResolverCollector
from tidegate.dns.server import Counts


def test_the_resolvers_counts_are_on_the_page(tmp_path: Path) -> None:
    """They were kept for metrics that nobody wrote."""
    resolvers, page = CollectorRegistry(), CollectorRegistry()
    resolvers.register(ResolverCollector(Counts(queries=3, upstream_failures=1)))
    (tmp_path / "resolvers.prom").write_bytes(generate_latest(resolvers))
    page.register(FileCollector(tmp_path))
    text = generate_latest(page).decode()
    assert 'tidegate_dns_queries_total{process="resolvers"} 3.0' in text
    assert 'tidegate_dns_upstream_failures_total{process="resolvers"} 1.0' in text
