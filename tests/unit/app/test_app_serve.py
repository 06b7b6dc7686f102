"""What serve makes of its settings."""

from __future__ import annotations

import pytest

from tidegate.app.serve import require_upstreams
from tidegate.settings import SettingsError


def test_upstreams_are_addresses() -> None:
    """A name stopped the resolvers of every VPC for as long as it took to resolve it; a bad port, every answer."""
    assert require_upstreams(" 10.0.0.2, [2001:db8::1]:5353,", False) == ("10.0.0.2", "[2001:db8::1]:5353")
    for bad in ("dns.example", "10.0.0.2:x", "10.0.0.2,resolver:53"):
        with pytest.raises(SettingsError, match="TIDEGATE_DNS_UPSTREAMS"):
            require_upstreams(bad, False)


def test_forwarding_needs_root() -> None:
    """Without root the resolvers live in a world with no way out: every forwarded name would be SERVFAIL."""
    assert require_upstreams("", True) == ()
    with pytest.raises(SettingsError):
        require_upstreams("10.0.0.2", True)
