"""The command ``tidegate``, also as ``python -m tidegate``."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Ctrl-C ends the process at once, without a traceback, while it still loads its modules (half a second)."""
    breaks = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell had it ignored
    if breaks:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tidegate.cli.main import main as run

    if breaks:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
