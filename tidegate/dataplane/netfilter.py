"""nft in the calling thread's network namespace: one transaction in, one sentence out."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from typing import Any

from tidegate.dataplane import hops
from tidegate.dataplane.config import DataPlaneError
from tidegate.dataplane.ruleset import Command

TOOL_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""Debian leaves /usr/sbin out of an ordinary user's PATH."""

NFT_TIMEOUT_S = 60.0

_NETLINK_NETFILTER = 12
_GET_GENERATION = (10 << 8) | 16
"""NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN (linux/netfilter/nf_tables.h)"""


def apply_commands(commands: list[Command]) -> None:
    """Run all commands as one atomic transaction.  Raises :class:`DataPlaneError`; then nothing has changed."""
    done = _run("-f", "-", given=json.dumps({"nftables": commands}).encode())
    if done.returncode != 0:
        raise DataPlaneError(f"The kernel refused our packet rules: {_said(done)}.")


def list_table() -> Any:
    """Our table with all its counters (libnftables-json(5)).  Raises :class:`DataPlaneError`."""
    done = _run("list", "table", "inet", hops.TABLE)
    if done.returncode != 0:
        raise DataPlaneError(f"The packet rules cannot be read: {_said(done)}.")
    return json.loads(done.stdout)


def _run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["nft", "-j", *arguments],
            input=given,
            capture_output=True,
            check=False,
            timeout=NFT_TIMEOUT_S,
            env={**os.environ, "PATH": TOOL_PATH},
        )
    except FileNotFoundError as error:
        raise DataPlaneError("This host has no `nft`. Install it: apt-get install nftables.") from error
    except subprocess.TimeoutExpired as error:
        raise DataPlaneError(f"`nft` did not answer within {NFT_TIMEOUT_S:.0f} s; it will be tried again.") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join((done.stderr or done.stdout).decode(errors="replace").split())[:400] or "no reason given"


def read_generation() -> int:
    """The namespace's ruleset generation: it rises with every transaction, ours or anybody's."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as s:
        s.bind((0, 0))
        s.settimeout(5.0)
        s.send(struct.pack("=IHHIIBBH", 20, _GET_GENERATION, 1, 1, 0, 0, 0, 0))
        answer = s.recv(8192)
    # nlmsghdr (16), nfgenmsg (4), attribute NFTA_GEN_ID: length, type, 32 bits in network order
    if len(answer) < 28 or struct.unpack_from("=H", answer, 4)[0] != (10 << 8) | 15:
        raise DataPlaneError("The kernel has no nf_tables. Load it: sudo modprobe nf_tables.")
    return int(struct.unpack_from(">I", answer, 24)[0])
