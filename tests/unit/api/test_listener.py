"""One port, two schemes; every way a client can be slow, large, silent or many."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tidegate.api.body import BodyTooLargeError
from tidegate.api.certificates import ensure_ca, ensure_certificate
from tidegate.api.connection import Limits
from tidegate.api.listener import Listener, ListenError, bind_listening, build_ssl_context

GET = b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n"


async def echo(scope, receive, send):
    """Answers with what it saw; /slow waits to be let go, /deaf answers without reading the body."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    if scope["path"] == "/slow":
        scope["state"]  # the scope is uvicorn's own
        SLOW.entered.set()
        await SLOW.released.wait()
    if scope["path"] != "/deaf":
        more = True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
    seen = {"scheme": scope["scheme"], "path": scope["path"], "method": scope["method"], "size": len(body)}
    text = json.dumps(seen).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]}
    )
    await send({"type": "http.response.body", "body": text})


class Slow:
    entered: asyncio.Event
    released: asyncio.Event


SLOW = Slow()


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    ca = ensure_ca(folder)
    return (ca.certificate_path, *ensure_certificate(folder, ca, "api", ["localhost", "127.0.0.1"]))


@asynccontextmanager
async def listening(keys=None, app=echo, **options) -> AsyncIterator[tuple[Listener, int]]:
    SLOW.entered, SLOW.released = asyncio.Event(), asyncio.Event()
    context = build_ssl_context(*keys[1:]) if keys else None
    listener = Listener(app, "127.0.0.1", 0, context, **options)
    _, port = await listener.start()
    try:
        yield listener, port
    finally:
        await listener.stop(1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def raw(port: int, data: bytes, *, until_closed: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            return await (reader.read() if until_closed else reader.read(4096))
    except ConnectionError:
        return b""
    finally:
        writer.close()


def trusting(keys) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(keys[0]))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def test_both_schemes_on_one_port_and_connections_are_kept(keys):
    async def run():
        async with listening(keys) as (listener, port), httpx.AsyncClient(verify=trusting(keys)) as client:
            for scheme in ("http", "https"):
                for _ in range(3):
                    answer = await client.post(f"{scheme}://127.0.0.1:{port}/x", content=b"12345")
                    assert answer.json() == {"scheme": scheme, "path": "/x", "method": "POST", "size": 5}
                    assert "date" in answer.headers
                    assert "server" not in answer.headers
            assert len(listener._connections) == 2

    asyncio.run(run())


def test_http_1_0_is_answered_and_closed(keys):
    async def run():
        async with listening(keys) as (_, port):
            assert b'"path": "/x"' in await raw(port, b"GET /x HTTP/1.0\r\n\r\n")

    asyncio.run(run())


def test_pipelined_requests_are_answered_in_order(keys):
    async def run():
        async with listening(keys) as (_, port):
            asked = b"GET /1 HTTP/1.1\r\nhost: h\r\n\r\nGET /2 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
            answer = await raw(port, asked)
            assert 0 < answer.index(b'"/1"') < answer.index(b'"/2"')

    asyncio.run(run())


def test_silent_connections_are_closed_and_hold_up_nobody(keys):
    """A blocking peek would let one port scanner stop every client."""

    async def run():
        async with listening(keys, limits=Limits(first_byte_s=0.5)) as (listener, port):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            assert b"200 OK" in await raw(port, GET, until_closed=False)
            await until(lambda: len(listener._silent) == 20)
            for reader, writer in silent:
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            assert not listener._silent

    asyncio.run(run())


@pytest.mark.parametrize(
    "first",
    [b"\x16", b"\x16\x03\x01\x02\x00", b"GET /", b"GET / HTTP/1.1\r\nhost: h\r\nx-slow: 1"],
    ids=["one TLS byte", "cut handshake", "cut line", "cut header"],
)
def test_a_beginning_without_an_end_is_closed(keys, first):
    async def run():
        limits = Limits(handshake_s=0.3, head_s=0.3)
        async with listening(keys, limits=limits) as (listener, port):
            await raw(port, first)
            await until(lambda: not listener._connections and not listener._opening)

    asyncio.run(run())


def test_a_dripping_header_gets_no_more_time_than_a_silent_one(keys):
    """Slow loris: one header byte now and then kept a connection for ever under plain uvicorn."""

    async def run():
        async with listening(keys, limits=Limits(head_s=0.4)) as (listener, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n")
            ended = asyncio.create_task(reader.read())
            async with asyncio.timeout(5):
                while not ended.done():
                    writer.write(b"x-a: b\r\n")
                    await asyncio.sleep(0.02)
            assert not listener._connections
            writer.close()
            await asyncio.gather(ended, return_exceptions=True)

    asyncio.run(run())


def test_a_body_that_stops_coming_is_closed(keys):
    async def run():
        async with listening(keys, limits=Limits(body_s=0.3)) as (listener, port):
            assert await raw(port, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc") == b""
            await until(lambda: not listener._connections)

    asyncio.run(run())


def test_an_idle_connection_is_closed_also_after_an_unread_body(keys):
    """uvicorn disarms its timer when the rest of an unread body arrives, and never arms it again."""

    async def run():
        async with listening(keys, limits=Limits(idle_s=1)) as (_, port):
            assert b"200 OK" in await raw(port, GET)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /deaf HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabc")
            assert b"200 OK" in await reader.read(4096)
            writer.write(b"def")
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize("size", [1_500, 500_000])
@pytest.mark.parametrize(
    "head",
    [
        lambda size: b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * size,
        lambda size: b"GET / HTTP/1.1\r\n" + b"x: abcdefgh\r\n" * (size // 10) + b"\r\n",
        lambda size: b"GET /" + b"a" * size + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["endless header", "many headers", "long target"],
)
def test_large_heads_are_refused(keys, head, size):
    """The parser itself has no limit.  Whoever sends on after the refusal may find the connection reset instead."""

    async def run():
        async with listening(keys, limits=Limits(head_bytes=1000)) as (listener, port):
            answer = await raw(port, head(size))
            assert answer.startswith(b"HTTP/1.1 431 ") or (answer == b"" and size > 65536)
            await until(lambda: not listener._connections)

    asyncio.run(run())


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_refused_and_the_connection_stays_useful(keys, chunked):
    async def run():
        async with listening(keys, max_body_bytes=1000) as (_, port), httpx.AsyncClient() as client:

            async def parts():
                for _ in range(300):
                    yield b"x" * 1000

            body = parts() if chunked else b"x" * 300_000
            answer = await client.post(f"http://127.0.0.1:{port}/", content=body)
            assert answer.status_code == 413
            assert (await client.post(f"http://127.0.0.1:{port}/", content=b"y" * 1000)).json()["size"] == 1000

    asyncio.run(run())


def test_the_application_may_word_the_refusal_itself(keys):
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        try:
            await receive()
        except BodyTooLargeError as error:
            text = f"<Error>{error.max_body_bytes}</Error>".encode()
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": text})

    async def run():
        async with listening(keys, app, max_body_bytes=10) as (_, port), httpx.AsyncClient() as client:
            answer = await client.post(f"http://127.0.0.1:{port}/", content=b"x" * 100)
            assert (answer.status_code, answer.text) == (400, "<Error>10</Error>")

    asyncio.run(run())


def test_a_body_nobody_reads_is_not_kept(keys):
    """While the application is busy the client must wait: what it sends stays in its own buffers."""

    async def run():
        async with listening(keys, max_body_bytes=1 << 40) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /slow HTTP/1.1\r\nhost: h\r\ncontent-length: 100000000\r\n\r\n")
            await SLOW.entered.wait()
            sent = 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    while True:
                        writer.write(b"x" * 65536)
                        await writer.drain()
                        sent += 65536
            assert sent < 16 << 20  # the kernel's buffers of both sides, no more
            writer.transport.abort()
            SLOW.released.set()

    asyncio.run(run())


def test_an_endless_unread_body_is_cut(keys):
    async def run():
        async with listening(keys, limits=Limits(discarded_bytes=1 << 20)) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /deaf HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000000\r\n\r\n")
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(10):
                    while True:
                        writer.write(b"x" * 65536)
                        await writer.drain()
            writer.close()

    asyncio.run(run())


def test_over_the_limit_an_idle_connection_makes_room_and_busy_ones_do_not(keys):
    """Keep-alive pools must not lock newcomers out; requests under way must not be cut for them."""

    async def run():
        async with listening(keys, limits=Limits(connections=2)) as (listener, port):
            idle = await asyncio.open_connection("127.0.0.1", port)
            idle[1].write(GET)
            assert b"200 OK" in await idle[0].read(4096)
            busy = await asyncio.open_connection("127.0.0.1", port)
            busy[1].write(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
            await SLOW.entered.wait()
            third = await asyncio.open_connection("127.0.0.1", port)
            third[1].write(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
            assert await asyncio.wait_for(idle[0].read(), 5) == b""
            await until(lambda: len(listener._server.server_state.tasks) == 2)
            assert (await raw(port, b"")).startswith(b"HTTP/1.1 503 ")
            SLOW.released.set()
            for reader, writer in (busy, third):
                assert b"200 OK" in await asyncio.wait_for(reader.read(4096), 5)
                writer.close()
            idle[1].close()

    asyncio.run(run())


def test_out_of_descriptors_it_waits_instead_of_spinning(keys):
    """A connection that cannot be accepted stays readable: the loop would spin on it and serve nobody else."""

    async def run():
        async with listening(keys) as (listener, port):
            clients = [socket.socket() for _ in range(3)]
            turns = 0
            accept = listener._accept

            def counted():
                nonlocal turns
                turns += 1
                accept()

            listener._accept = counted
            listener._loop.add_reader(listener._socket, counted)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(s.fileno() for s in clients) + 1, hard))
            try:
                for client in clients:
                    client.connect(("127.0.0.1", port))
                await until(lambda: turns > 0)
                await asyncio.sleep(0.1)
                assert turns <= 2
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: len(listener._silent) == 3)
            for client in clients:
                client.close()

    asyncio.run(run())


def test_garbage_is_400(keys):
    async def run():
        async with listening(keys) as (_, port):
            for garbage in (
                b"\x00\x01\x02\x03\r\n\r\n",
                b"GET http://h HTTP/1.1\r\n\r\n",
                b"GET /\xff HTTP/1.1\r\n\r\n",
            ):
                assert (await raw(port, garbage)).startswith(b"HTTP/1.1 400 ")
            assert b"200 OK" in await raw(port, GET, until_closed=False)

    asyncio.run(run())


def test_tls_without_a_certificate_is_closed():
    async def run():
        async with listening(None) as (_, port):
            assert await raw(port, b"\x16\x03\x01\x00\x05hello") == b""
            assert b"200 OK" in await raw(port, GET, until_closed=False)

    asyncio.run(run())


def test_stop_lets_a_request_finish(keys):
    async def run():
        async with listening(keys) as (listener, port):
            asked = asyncio.create_task(raw(port, b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n"))
            await SLOW.entered.wait()
            stopping = asyncio.create_task(listener.stop(5))
            await asyncio.sleep(0)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 1)
            SLOW.released.set()
            assert b"200 OK" in await asked
            await asyncio.wait_for(stopping, 2)

    asyncio.run(run())


def test_stop_cuts_what_outlasts_its_grace(keys):
    async def run():
        async with listening(keys) as (listener, port):
            asked = asyncio.create_task(raw(port, b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n"))
            await SLOW.entered.wait()
            await asyncio.wait_for(listener.stop(0.1), 3)
            assert b"200 OK" not in await asked

    asyncio.run(run())


def test_a_taken_port_is_one_sentence_with_the_remedy():
    taken = bind_listening("127.0.0.1", 0)
    with pytest.raises(ListenError, match=r"taken by another program .*TIDEGATE_LISTEN=127\.0\.0\.1:0"):
        bind_listening("127.0.0.1", taken.getsockname()[1])
    taken.close()


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host"])
def test_an_address_that_is_not_ours_is_said(host):
    with pytest.raises(ListenError, match="TIDEGATE_LISTEN"):
        bind_listening(host, 0)
