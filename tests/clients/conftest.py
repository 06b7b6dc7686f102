"""importlib mode: a helper beside its tests (``alibaba_site.py``) is not found otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
