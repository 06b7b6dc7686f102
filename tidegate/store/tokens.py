"""What a client token was used for, so that a repeated call gets the first result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

TOKEN_LIFE = timedelta(hours=24)
"""reference/alibaba.md: a client token holds for a day; then its row goes (controller/tokens.py)"""


@dataclass(frozen=True, slots=True)
class ClientToken:
    """``parameters_digest``: SHA-256 of the call's other parameters; ``resource_id``: what the call made."""

    account_id: str
    action: str
    token: str
    parameters_digest: str
    resource_id: str
    created_at: datetime
