"""What can be said in the environment, and what is refused before anything starts."""

from __future__ import annotations

import pytest

from tidegate.settings import SettingsError, load_settings


@pytest.mark.parametrize("text", ["127.0.0.1:0", "127.0.0.1:8097", "0.0.0.0:8090", "localhost:65535", "::1:8090"])
def test_an_address_to_listen_on(text: str) -> None:
    assert load_settings({"TIDEGATE_LISTEN": text}).listen == text


@pytest.mark.parametrize("name", ["TIDEGATE_LISTEN", "TIDEGATE_PUBLIC_LISTEN"])
@pytest.mark.parametrize("text", ["8097", ":8097", "127.0.0.1:99999", "127.0.0.1:8090x", "127.0.0.1:", "127.0.0.1:٨"])
def test_no_address_to_listen_on(name: str, text: str) -> None:
    """A newcomer's `TIDEGATE_LISTEN=8097` opened the APIs on every interface; 99999 became another port unseen."""
    with pytest.raises(SettingsError, match=rf"{name}=.* is no host:port. Use 127\.0\.0\.1:\d+, or 0\.0\.0\.0"):
        load_settings({name: text})
