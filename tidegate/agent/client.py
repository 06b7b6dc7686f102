"""The controller's end of the agent's socket: the real :class:`~tidegate.agent.config.Host`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tidegate.agent.channel import ChannelError, ConfigClient
from tidegate.agent.config import HostConfig, HostStatus, HostUnreachable
from tidegate.domain.sql_users import SqlReply, SqlTask


class AgentClient:
    """``on_status(status, first)`` is called on the event loop for every push."""

    def __init__(self, socket: Path, on_status: Callable[[HostStatus, bool], None]) -> None:
        self._channel = ConfigClient(socket, on_status)
        self._socket = socket

    @property
    def connected(self) -> bool:
        return self._channel.connected

    async def run(self) -> None:
        await self._channel.run()

    async def ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        try:
            return await self._channel.ask(cluster_id, task)
        except ChannelError:
            return SqlReply(problem="not_ready", detail="The host's agent does not answer.")

    async def apply(self, config: HostConfig) -> dict[str, str]:
        try:
            return await self._channel.apply(config)
        except ChannelError as error:
            raise HostUnreachable(
                f"The host's agent does not answer ({error}); what runs goes on. Start it again with `tidegate up`."
            ) from error
