"""From a process's name to its body; no other process's parts are imported."""

from __future__ import annotations

from importlib import import_module

from tidegate.app.process import configure_logging, make_folders, plain_words
from tidegate.settings import load_settings

BODIES = {
    "agent": ("agent", "run_agent"),
    "serve": ("serve", "run_serve"),
    "resolvers": ("resolvers", "run_resolvers"),
    "gateway": ("gateway", "run_gateway"),
    "cleanup": ("agent", "run_cleanup"),
}


def main(arguments: list[str]) -> None:
    process, *rest = arguments
    with plain_words():
        settings = load_settings()
        make_folders(settings)
        configure_logging(settings, "-".join(arguments))
        module, function = BODIES[process]
        getattr(import_module(f"tidegate.app.{module}"), function)(settings, *rest)
