"""The controller's end of the agent's socket: the real :class:`~tidegate.agent.config.Host`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tidegate.agent.channel import ChannelError, ConfigClient
from tidegate.agent.config import HostConfig, HostStatus, HostUnreachable
from tidegate.agent.processes import explain_silence, is_stopped, read_record
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.traffic import NetworkTraffic


class AgentClient:
    """``on_status(status, first)`` is called on the event loop for every push.  ``record``: of the agent's process."""

    def __init__(self, socket: Path, record: Path, on_status: Callable[[HostStatus, bool], None]) -> None:
        self._record = record
        self._channel = ConfigClient(socket, on_status, is_stopped=lambda: is_stopped(read_record(record) or 0))

    @property
    def connected(self) -> bool:
        return self._channel.connected

    @property
    def reason(self) -> str:
        """Why it is not connected, with the remedy; empty while it is."""
        return "" if self.connected else explain_silence("The host's agent", read_record(self._record))

    async def run(self) -> None:
        await self._channel.run()

    async def ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        try:
            return await self._channel.ask(cluster_id, task)
        except ChannelError:
            return SqlReply(problem="not_ready", detail="The host's agent does not answer.")

    async def look(self, vpc_ids: tuple[str, ...]) -> dict[str, NetworkTraffic]:
        """What the packets of these VPCs did; empty while no agent answers."""
        try:
            return await self._channel.look(vpc_ids)
        except ChannelError:
            return {}

    async def apply(self, config: HostConfig) -> dict[str, str]:
        try:
            return await self._channel.apply(config)
        except ChannelError as error:
            raise HostUnreachable(f"{self.reason or error} What runs goes on.") from error
