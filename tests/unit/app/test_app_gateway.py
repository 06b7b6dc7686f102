"""The gateway's process as the agent meets it: told over its socket, and told again after a failure."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tidegate.agent.channel import ConfigClient
from tidegate.agent.child import child_socket
from tidegate.agent.config import HostConfig
from tidegate.app import gateway, metrics
from tidegate.gateway.config import GatewayConfig
from tidegate.settings import Settings


def test_a_port_that_was_taken_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that came before its address did counted everything twice once it listened, and never said so."""
    monkeypatch.setattr(metrics, "WRITE_EVERY_S", 0.02)
    settings = Settings(home=tmp_path, run=tmp_path, rootless=True)
    settings.logs.mkdir()
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    config = HostConfig(gateways={"east": GatewayConfig("east", "east", "127.0.0.1", port, tls="not_offered")})

    async def scene() -> None:
        process = asyncio.create_task(gateway._gateway(settings, "east"))
        client = ConfigClient(child_socket(tmp_path, "gateway-east"), lambda status, first: None)
        calling = asyncio.create_task(client.run(0.01))
        async with asyncio.timeout(10):
            while not client.connected:
                await asyncio.sleep(0.01)
            assert "in use" in (await client.apply(config))["gateways/east"]
            taken.close()
            assert await client.apply(config) == {}
            socket.create_connection(("127.0.0.1", port)).close()
            written = tmp_path / "metrics" / "gateway-east.prom"
            written.unlink(missing_ok=True)
            while not written.exists():
                await asyncio.sleep(0.01)
        lines = [line for line in written.read_text().splitlines() if line.startswith("tidegate_gateway_sessions ")]
        assert lines == ["tidegate_gateway_sessions 0.0"]
        for task in (calling, process):
            task.cancel()
        await asyncio.gather(calling, process, return_exceptions=True)

    asyncio.run(scene())
