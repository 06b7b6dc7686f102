"""Before anything of ours is loaded."""

from __future__ import annotations

import signal
import sys
from types import ModuleType
from typing import Any

import pytest

from tidegate.__main__ import main


class Loading(ModuleType):
    """Stands for ``cli/main.py`` and notes what Ctrl-C would do while it loads."""

    def __getattr__(self, name: str) -> Any:
        if name != "main":
            raise AttributeError(name)
        self.while_loading = signal.getsignal(signal.SIGINT)
        return lambda: 7


@pytest.mark.parametrize(
    ("before", "loading"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["as a person starts it", "where a shell ignores it"],
)
def test_ctrl_c_while_it_loads_is_no_traceback(monkeypatch: pytest.MonkeyPatch, before: Any, loading: Any) -> None:
    """Half a second of imports: `tidegate up` and an immediate Ctrl-C drew a traceback of our modules."""
    stub = Loading("tidegate.cli.main")
    monkeypatch.setitem(sys.modules, "tidegate.cli.main", stub)
    restored = signal.signal(signal.SIGINT, before)
    try:
        assert main() == 7
        assert stub.while_loading == loading
        assert signal.getsignal(signal.SIGINT) == before
    finally:
        signal.signal(signal.SIGINT, restored)
