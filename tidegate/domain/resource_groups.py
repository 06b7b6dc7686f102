"""Resource groups: labels by which an account sorts its resources.

The cloud's ResourceManager makes them; here any well-formed id is one, and belongs to whoever uses it.
"""

from __future__ import annotations

import re

from tidegate.domain.refusals import NotFound

_ID = re.compile(r"rg-[a-z0-9]{1,60}")


def require_resource_group(group_id: str) -> str:
    """``rg-`` and letters and digits.  Raises NotFound(resource_group): nothing else can be one."""
    if not _ID.fullmatch(group_id):
        raise NotFound("resource_group", group_id)
    return group_id
