"""How a configuration travels over a Unix socket: the whole once, then differences; statuses come back as pushes.

The same channel joins controller and agent, and agent and its children (gateways, resolvers)::

    client                                   server
      connect ------------------------------>
             <------------------------------ Push(status: all of it, first=True)
      Apply(base="", delta=whole) ----------> Answer(accepted, errors: all that is not well)
      Apply(base=r1, revision=r2, delta) ---> Answer; accepted=False when its revision is not r1: send the whole
             <------------------------------ Push(status: what changed)
      Ask(number, task) -------------------> Reply(number): one database's SQL users, out of turn
      Look(number, VPCs) ------------------> Sight(number): what their packets did, out of turn
      Ping --------------------------------> Pong, out of turn: whoever does not answer stands still

A server that stands still is still connected to, by its kernel: only one that has spoken counts as connected.

A frame is four bytes of length (big endian) and a JSON message.  The socket lies in a folder only its owner can enter.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import structlog

from tidegate.agent.config import Delta, HostConfig, HostStatus, diff, patch
from tidegate.domain.sql_users import SqlReply, SqlTask
from tidegate.domain.traffic import NetworkTraffic

log = structlog.get_logger("channel")

FRAME_LIMIT_BYTES = 64 << 20
PING_EVERY_S = 1.0
FIRST_WORD_LIMIT_S = 2.0
STOPPED_LIMIT_S = 5.0
"""so long may a process be silent that the kernel says was stopped: somebody may look at it in a debugger"""
SILENT_LIMIT_S = 60.0
"""and any other: it may be busy, on a host that is"""
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


class Look(msgspec.Struct, tag="look"):
    """What did the packets of these VPCs do?  Answered by a :class:`Sight` with its number."""

    number: int
    vpc_ids: tuple[str, ...]


class Sight(msgspec.Struct, tag="sight"):
    number: int
    networks: dict[str, NetworkTraffic]


class Ping(msgspec.Struct, tag="ping"):
    """Are you there?"""


class Pong(msgspec.Struct, tag="pong"):
    """I am."""


class Push(msgspec.Struct, tag="push"):
    status: HostStatus
    first: bool = False


_to_server = msgspec.json.Decoder(Apply | Ask | Look | Ping)
_to_client = msgspec.json.Decoder(Answer | Pong | Push | Reply | Sight)
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
        self,
        path: Path,
        applier: Applier,
        answer: Callable[[str, SqlTask], Awaitable[SqlReply]] | None = None,
        look: Callable[[tuple[str, ...]], Awaitable[dict[str, NetworkTraffic]]] | None = None,
    ) -> None:
        self._path, self._applier, self._answer, self._look = path, applier, answer, look
        self._work: set[asyncio.Task[None]] = set()
        self._inode = 0
        self._config, self._revision = HostConfig(), WHOLE
        self._writer: asyncio.StreamWriter | None = None
        self._applying = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take the socket over from a dead predecessor."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
            # Before anybody can connect; and not by umask, which every file and child of that moment would get as well.
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener)
        except BaseException:
            listener.close()
            raise
        self._inode = self._path.stat().st_ino

    @property
    def deposed(self) -> bool:
        """Another process has taken the socket's place: nobody will tell us anything any more."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return False

    async def close(self) -> None:
        if self._server:
            self._server.close()
        if self._writer:
            self._writer.close()
        if not self.deposed:
            self._path.unlink(missing_ok=True)

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
                self._serve_one(_to_server.decode(await _read_frame(reader)), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (ChannelError, msgspec.MsgspecError) as error:
            log.error("channel.protocol", socket=str(self._path), reason=str(error))
        finally:
            writer.close()

    def _serve_one(self, message: Apply | Ask | Look | Ping, writer: asyncio.StreamWriter) -> None:
        if isinstance(message, Ping):
            writer.write(_frame(Pong()))
        elif isinstance(message, Ask):
            self._begin(self._answer_one(message, writer))
        elif isinstance(message, Look):
            self._begin(self._look_one(message, writer))
        else:
            self._begin(self._apply_one(message, writer))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the reading, so that a ping is answered meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _answer_one(self, message: Ask, writer: asyncio.StreamWriter) -> None:
        """Beside the applies: a question may wait for a server to start, which an apply must bring about."""
        reply = SqlReply(problem="not_ready", detail="Nobody here can be asked.")
        if self._answer is not None:
            reply = await self._answer(message.cluster_id, message.task)
        if not writer.is_closing():
            writer.write(_frame(Reply(message.number, reply)))

    async def _look_one(self, message: Look, writer: asyncio.StreamWriter) -> None:
        networks = await self._look(message.vpc_ids) if self._look is not None else {}
        if not writer.is_closing():
            writer.write(_frame(Sight(message.number, networks)))

    async def _apply_one(self, message: Apply, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._apply(message)
        except Exception:
            log.exception("channel.apply", socket=str(self._path))
            writer.close()  # the client notices, comes again and tells the whole
            return
        if not writer.is_closing():
            writer.write(_frame(answer))

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
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path, self._on_status, self._on_state = path, on_status, on_state
        self._is_stopped = is_stopped
        self._asked_s: float | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._turn = asyncio.Lock()
        self._wanted, self._sent = HostConfig(), HostConfig()
        self._revision = WHOLE
        self._errors: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Reply | Sight]] = {}
        self._exchanges = 0

    @property
    def connected(self) -> bool:
        return self._writer is not None

    @property
    def silent(self) -> bool:
        """It was asked, and has said nothing for longer than it may."""
        if self._asked_s is None:
            return False
        waited_s = asyncio.get_running_loop().time() - self._asked_s
        return waited_s > SILENT_LIMIT_S or (waited_s > STOPPED_LIMIT_S and self._is_stopped())

    def expect(self) -> None:
        """A new server is being started: whatever the last one owed us is forgotten."""
        self._asked_s = asyncio.get_running_loop().time()
        self.drop()

    def drop(self) -> None:
        """Give this connection up; :meth:`run` makes another."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def run(self, retry_s: float = 0.1) -> None:
        """Connect, listen, connect again; until cancelled."""
        while True:
            self._asked_s = self._asked_s or asyncio.get_running_loop().time()
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(retry_s)
                continue
            try:
                await self._keep(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                pass
            except (ChannelError, msgspec.MsgspecError) as error:
                log.error("channel.protocol", socket=str(self._path), reason=str(error))
                await asyncio.sleep(retry_s)
            finally:
                self._lost(writer)

    async def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        first = await asyncio.wait_for(_read_frame(reader), FIRST_WORD_LIMIT_S)
        self._writer, self._revision, self._sent = writer, WHOLE, HostConfig()
        self._on_state("connected")
        pinging = asyncio.create_task(self._ping(writer))
        try:
            self._take(first)
            while True:
                self._take(await _read_frame(reader))
        finally:
            pinging.cancel()

    async def _ping(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            if self.silent:
                log.warning("channel.silent", socket=str(self._path))
                self.drop()
                return
            self._asked_s = self._asked_s or asyncio.get_running_loop().time()
            writer.write(_frame(Ping()))

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
        found = await self._question(Ask(next(self._numbers), cluster_id, task))
        assert isinstance(found, Reply)
        return found.reply

    async def look(self, vpc_ids: tuple[str, ...]) -> dict[str, NetworkTraffic]:
        """Raises as ``ask``."""
        found = await self._question(Look(next(self._numbers), vpc_ids))
        assert isinstance(found, Sight)
        return found.networks

    async def _question(self, message: Ask | Look) -> Reply | Sight:
        if self._writer is None:
            raise ChannelError(f"nobody answers at {self._path}")
        waiting: asyncio.Future[Reply | Sight] = asyncio.get_running_loop().create_future()
        self._replies[message.number] = waiting
        self._writer.write(_frame(message))
        try:
            return await waiting
        finally:
            del self._replies[message.number]

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

    def _take(self, frame: bytes) -> None:
        message, self._asked_s = _to_client.decode(frame), None
        if isinstance(message, Push):
            self._hear(message.status.errors)
            self._on_status(message.status, message.first)
        elif isinstance(message, Reply | Sight):
            waiting = self._replies.get(message.number)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif isinstance(message, Answer) and self._answer and not self._answer.done():
            self._answer.set_result(message)

    def _hear(self, errors: Mapping[str, str]) -> None:
        """What the server found by itself counts as told by an apply, so the next apply has it tried again."""
        self._errors = {p: e for p, e in {**self._errors, **errors}.items() if e}

    def _lost(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        if self._writer is None:
            return  # it had not spoken
        self._writer = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ChannelError(f"the server at {self._path} went away"))
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ChannelError(f"the server at {self._path} went away"))
        self._on_state("lost")
