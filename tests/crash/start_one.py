"""Start the installation that the environment names; one sentence on stderr and status 1 when it cannot be.

As `tidegate up` does it, without its live display::

    TIDEGATE_HOME=/tmp/h TIDEGATE_RUN=/tmp/r python tests/crash/start_one.py
"""

from __future__ import annotations

import sys

from tidegate import installation
from tidegate.settings import SettingsError, load_settings

try:
    installation.start(load_settings())
except (installation.InstallationError, SettingsError) as error:
    sys.exit(str(error))
