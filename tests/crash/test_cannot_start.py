"""What stands in the way of a start is said in one plain sentence with the remedy, and nothing half made stays."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.testing import World

START = [sys.executable, str(Path(__file__).with_name("start_one.py"))]


@pytest.fixture
def fresh() -> Iterator[World]:
    """Not started yet."""
    if os.geteuid() != 0:
        pytest.skip("needs root: hides tools and folders in a mount namespace of its own")
    world = World()
    try:
        yield world
    finally:
        world.close()
    assert world.witness.traces() == []


def up(world: World, before: str = "", **environment: str) -> str:
    """What `tidegate up` says on stderr after the shell line ``before``, in a mount namespace of its own."""
    script = f"{before}\nexec " + " ".join(START)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script],
        env=world.environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, None), done.stdout
    return done.stderr.strip()


def require_sentence(said: str, *words: str) -> None:
    assert len(said.splitlines()) == 1, said
    assert "Traceback" not in said and said.endswith(".")
    assert all(word in said for word in words), said


def test_the_port_is_taken(fresh: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        require_sentence(up(fresh, TIDEGATE_LISTEN=address), address, "TIDEGATE_LISTEN")


def test_nft_is_missing(fresh: World) -> None:
    hide = "for f in /usr/sbin/nft /sbin/nft /usr/bin/nft; do if [ -e $f ]; then mount --bind /dev/null $f; fi; done"
    require_sentence(up(fresh, hide), "nft", "apt-get install nftables")


def test_home_cannot_be_written(fresh: World) -> None:
    hide = f"mkdir -p {fresh.settings.home}; mount -t tmpfs -o ro none {fresh.settings.home}"
    require_sentence(up(fresh, hide), str(fresh.settings.home), "TIDEGATE_HOME")


def test_home_is_a_file(fresh: World) -> None:
    fresh.settings.home.write_text("")
    require_sentence(up(fresh), str(fresh.settings.home), "TIDEGATE_HOME")


def test_the_disk_is_full(fresh: World) -> None:
    hide = f"mkdir -p {fresh.settings.home}; mount -t tmpfs -o size=64k none {fresh.settings.home}"
    require_sentence(up(fresh, hide), "No space left", str(fresh.settings.home))
