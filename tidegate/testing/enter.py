"""Become a command inside a namespace of the installation that the environment names::

    python -m tidegate.testing.enter NAMESPACE COMMAND ...          as the user who runs it, with the VPC's resolver
    python -m tidegate.testing.enter --world NAMESPACE COMMAND ...  as root of the world, for ``nft`` or ``tcpdump``

A process of its own, because it must join the world before any thread starts, and can never leave it.
"""

from __future__ import annotations

import os
import sys

from tidegate.agent.world import TOOL_PATH, WorldError, enter_command
from tidegate.domain import fabric
from tidegate.settings import load_settings

RESOLVER = "".join(f"nameserver {address}\n" for address in fabric.RESOLVERS) + "options timeout:1 attempts:2\n"


def main(arguments: list[str]) -> None:
    of_world = arguments[:1] == ["--world"]
    namespace, *command = arguments[of_world:]
    os.environ["PATH"] = TOOL_PATH
    try:
        enter_command(load_settings(), namespace, command, None if of_world else RESOLVER, own_user=not of_world)
    except WorldError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
