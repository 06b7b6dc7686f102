"""What every process of ours does: settings, logs, a loop until it is told to end, one sentence if it cannot start."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TextIO, cast

import structlog

from tidegate.log_files import LogStream, is_our_log
from tidegate.settings import Settings


def run(main: Coroutine[Any, Any, None]) -> None:
    raise_file_limit()
    asyncio.run(main)


def raise_file_limit() -> None:
    """A gateway holds two descriptors per session, the resolvers four per VPC: the default of 1,024 is soon used up."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_loaded() -> None:
    """What was loaded for good is no longer looked through for garbage: call it once, when all is built.

    A full collection over modules, templates and queries took 80 ms, in which nobody is answered: with it gone, the
    slowest page's p95 fell from 110 to 36 ms (``scripts/bench console``, 2026-11-25).
    """
    gc.collect()
    gc.freeze()


async def until_told() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def call_on(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], value: Any) -> None:
    """From any thread; a loop that has ended needs to hear nothing more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, value)


def configure_logging(settings: Settings, process: str) -> None:
    """JSON lines on stderr, each with the process it comes from; bounded where stderr is our own log file."""
    path = settings.logs / f"{process}.log"
    stream = LogStream(path) if is_our_log(path) else sys.stderr
    # What asyncio and others say by the standard library's way goes the same way, and counts.
    logging.basicConfig(stream=stream, level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


@contextlib.contextmanager
def plain_words() -> Iterator[None]:
    """A process that cannot start says one sentence, last on stderr, and ends with 2."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tidegate."):
            raise
        print(error, file=sys.stderr, flush=True)
        sys.exit(2)


def make_folders(settings: Settings) -> None:
    for folder in (settings.home, settings.run, settings.logs, settings.keys, settings.clusters):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
