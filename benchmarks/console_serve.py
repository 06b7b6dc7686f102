"""The consoles over 1,000 endpoints as a process of their own, for a browser: no controller, no agent.

python -m benchmarks.console_serve FOLDER     says on stdout where it is; each line on stdin changes a cluster's state,
                                              and the moment of its commit (seconds since 1970) is the answer
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
import threading
import time
from pathlib import Path

import structlog

from benchmarks.console import make_parts
from tidegate.api.listener import Listener
from tidegate.app.process import keep_loaded
from tidegate.console.app import build_console
from tidegate.console.visit import Parts
from tidegate.operations import clusters, users
from tidegate.operations.context import Caller


async def serve(folder: Path) -> None:
    parts = make_parts(folder)
    listener = Listener(build_console(parts), "127.0.0.1", 0, None)
    keep_loaded()  # as serve does
    host, port = await listener.start()
    owner = Caller(users.list_users(parts.context)[0].tidbcloud_account_id)
    cluster_id = clusters.list_clusters(parts.context, owner)[0].cluster.cluster_id
    link = users.make_login_link(parts.context, users.FIRST_USER)
    say({"home": f"http://{host}:{port}", "link": f"/console/link/{link}", "cluster_id": cluster_id})
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=change_states, args=(parts, cluster_id, loop, ended), daemon=True).start()
    await ended.wait()
    parts.live.close()
    await listener.stop(grace_s=1.0)


def change_states(parts: Parts, cluster_id: str, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Asleep and awake by turns, until stdin ends."""
    committed: list[float] = []
    parts.context.store.listen(lambda _: committed.append(time.time()))
    for _line, step in zip(sys.stdin, itertools.cycle((clusters.sleep_cluster, clusters.wake_cluster)), strict=False):
        committed.clear()
        step(parts.context, cluster_id)
        say({"committed_at": committed[0]})
    loop.call_soon_threadsafe(ended.set)


def say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(serve(Path(sys.argv[1])))
