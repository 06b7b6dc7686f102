"""How a configuration travels over a Unix socket: the whole once, then differences; statuses come back as pushes.

The same channel joins controller and agent, and agent and its children (gateways, resolvers)::

    client                                   server
      connect ------------------------------>
             <------------------------------ Push(status: all of it, first=True)
      Apply(base="", delta=whole) ----------> Answer(accepted, errors: all that is not well)
      Apply(base=r1, revision=r2, delta) ---> Answer; accepted=False when its revision is not r1: send the whole
             <------------------------------ Push(status: what changed)
      Ask(number, task) -------------------> Reply(number): one database's SQL users, out of turn

A frame is four bytes of length (big endian) and a JSON message.  The socket lies in a folder only its owner can enter.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec
import structlog

from tidegate.agent.config import Delta, HostConfig, HostStatus, diff, patch
from tidegate.domain.sql_users import SqlReply, SqlTask

log = structlog.get_logger("channel")

FRAME_LIMIT_BYTES = 64 << 20
WHOLE = ""
"""the base of a delta that does not build on anything"""


class Apply(msgspec.Struct, tag="apply"):
    base: str
    revision: str
    delta: Delta


class Answer(msgspec.Struct, tag="answer"):
    accepted: bool
    errors: dict[str, str]


class Ask(msgspec.Struct, tag="ask"):
    """A question to one database, answered by a :class:`Reply` with its number, whatever else is under way."""

    number: int
    cluster_id: str
    task: SqlTask


class Reply(msgspec.Struct, tag="reply"):
    number: int
    reply: SqlReply


class Push(msgspec.Struct, tag="push"):
    status: HostStatus
    first: bool = False


_to_server = msgspec.json.Decoder(Apply | Ask)
_to_client = msgspec.json.Decoder(Answer | Push | Reply)
_encoder = msgspec.json.Encoder()


class ChannelError(Exception):
    """Nobody listens, or the peer went away; the message names the socket."""


class Applier(Protocol):
    """The server's side of the work."""

    async def apply(self, old: HostConfig, new: HostConfig, delta: Delta) -> dict[str, str]:
        """Converge to ``new``; returns all parts that are not well now, with one sentence each."""
        ...

    def status(self) -> HostStatus:
        """All that is known, for a client that just came."""
        ...


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > FRAME_LIMIT_BYTES:
        raise ChannelError(f"a frame of {length} bytes exceeds the limit of {FRAME_LIMIT_BYTES}")
    return await reader.readexactly(length)


def _frame(message: msgspec.Struct) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(4, "big") + body


class ConfigServer:
    """Listens on ``path``.  One client is served; a newer one takes over, as after its predecessor's crash."""

    def __init__(
        self, path: Path, applier: Applier, answer: Callable[[str, SqlTask], Awaitable[SqlReply]] | None = None
    ) -> None:
        self._path, self._applier, self._answer = path, applier, answer
        self._questions: set[asyncio.Task[None]] = set()
        self._config, self._revision = HostConfig(), WHOLE
        self._writer: asyncio.StreamWriter | None = None
        self._applying = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take the socket over from a dead predecessor."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        if self._writer:
            self._writer.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def push(self, status: HostStatus) -> None:
        """Tell the client what changed; without a client it is told everything when it comes."""
        if self._writer and not self._writer.is_closing():
            self._writer.write(_frame(Push(status)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer:
            self._writer.close()
        self._writer = writer
        writer.write(_frame(Push(self._applier.status(), first=True)))
        try:
            while True:
                message = _to_server.decode(await _read_frame(reader))
                if isinstance(message, Ask):
                    self._begin_answer(message, writer)
                    continue
                writer.write(_frame(await self._apply(message)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (ChannelError, msgspec.MsgspecError) as error:
            log.error("channel.protocol", socket=str(self._path), reason=str(error))
        finally:
            writer.close()

    def _begin_answer(self, message: Ask, writer: asyncio.StreamWriter) -> None:
        """Beside the applies: a question may wait for a server to start, which an apply must bring about."""

        async def answer() -> None:
            reply = SqlReply(problem="not_ready", detail="Nobody here can be asked.")
            if self._answer is not None:
                reply = await self._answer(message.cluster_id, message.task)
            if not writer.is_closing():
                writer.write(_frame(Reply(message.number, reply)))

        task = asyncio.get_running_loop().create_task(answer())
        self._questions.add(task)
        task.add_done_callback(self._questions.discard)

    async def _apply(self, message: Apply) -> Answer:
        async with self._applying:
            if message.base not in (WHOLE, self._revision):
                return Answer(False, {})
            new = message.delta.put if message.base == WHOLE else patch(self._config, message.delta)
            delta = diff(self._config, new) if message.base == WHOLE else message.delta
            errors = await self._applier.apply(self._config, new, delta)
            self._config, self._revision = new, message.revision
            return Answer(True, errors)


class ConfigClient:
    """Keeps a connection to ``path``, and what the server has.  ``apply`` calls that wait are carried out together."""

    def __init__(
        self,
        path: Path,
        on_status: Callable[[HostStatus, bool], None],
        *,
        on_state: Callable[[Literal["connected", "lost"]], None] = lambda state: None,
    ) -> None:
        self._path, self._on_status, self._on_state = path, on_status, on_state
        self._writer: asyncio.StreamWriter | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._turn = asyncio.Lock()
        self._wanted, self._sent = HostConfig(), HostConfig()
        self._revision = WHOLE
        self._errors: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[SqlReply]] = {}
        self._exchanges = 0

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def run(self, retry_s: float = 0.1) -> None:
        """Connect, listen, connect again; until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(retry_s)
                continue
            self._writer, self._revision, self._sent = writer, WHOLE, HostConfig()
            self._on_state("connected")
            try:
                await self._listen(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            except (ChannelError, msgspec.MsgspecError) as error:
                log.error("channel.protocol", socket=str(self._path), reason=str(error))
                await asyncio.sleep(retry_s)
            finally:
                self._lost(writer)

    async def apply(self, config: HostConfig) -> dict[str, str]:
        """Make the server have ``config`` or a newer one; returns what is not well.  Raises ChannelError.

        What the server has already is not sent again, unless something there is not well: then an empty difference
        has it try those parts once more.
        """
        self._wanted, begun = config, self._exchanges
        async with self._turn:
            if self._writer is None:
                raise ChannelError(f"nobody answers at {self._path}")
            wanted = self._wanted
            delta = diff(self._sent, wanted)
            tried = not self._errors or self._exchanges > begun
            if self._revision != WHOLE and delta.empty and tried:
                self._sent = wanted
                return self._errors
            self._exchanges += 1
            answer = await self._exchange(Apply(self._revision, secrets.token_hex(8), delta))
            if not answer.accepted:
                answer = await self._exchange(Apply(WHOLE, secrets.token_hex(8), Delta(wanted)))
            self._sent, self._errors = wanted, answer.errors
            return answer.errors

    async def ask(self, cluster_id: str, task: SqlTask) -> SqlReply:
        """Raises ChannelError when nobody answers, or stops answering."""
        if self._writer is None:
            raise ChannelError(f"nobody answers at {self._path}")
        number, reply = next(self._numbers), asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        self._writer.write(_frame(Ask(number, cluster_id, task)))
        try:
            found: SqlReply = await reply
            return found
        finally:
            del self._replies[number]

    async def _exchange(self, message: Apply) -> Answer:
        if self._writer is None:
            raise ChannelError(f"nobody answers at {self._path}")
        self._answer = asyncio.get_running_loop().create_future()
        self._writer.write(_frame(message))
        try:
            answer = await self._answer
        finally:
            self._answer = None
        if answer.accepted:
            self._revision = message.revision
        return answer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = _to_client.decode(await _read_frame(reader))
            if isinstance(message, Push):
                self._hear(message.status.errors)
                self._on_status(message.status, message.first)
            elif isinstance(message, Reply):
                waiting = self._replies.get(message.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message.reply)
            elif self._answer and not self._answer.done():
                self._answer.set_result(message)

    def _hear(self, errors: Mapping[str, str]) -> None:
        """What the server found by itself counts as told by an apply, so the next apply has it tried again."""
        self._errors = {p: e for p, e in {**self._errors, **errors}.items() if e}

    def _lost(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self._writer = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ChannelError(f"the server at {self._path} went away"))
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ChannelError(f"the server at {self._path} went away"))
        self._on_state("lost")
