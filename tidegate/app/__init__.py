"""The one room that builds concrete parts and hands them on: one file per process, imported by that process alone.

    python -m tidegate.app agent | serve | resolvers | gateway REGION | cleanup

People use ``tidegate up`` and ``tidegate down`` (``installation.py``), which run these.
"""

from tidegate.app.main import main

__all__ = ["main"]
