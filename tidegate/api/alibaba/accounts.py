"""Who am I (STS GetCallerIdentity; ``reference/alibaba.md`` 6.1)."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import STS


@action(STS, "GetCallerIdentity", "", "RegionId")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Every key is its account's own: there are no RAM users and roles here."""
    account = call.caller.account_id
    return {
        "IdentityType": "Account",
        "AccountId": account,
        "PrincipalId": account,
        "UserId": account,
        "Arn": f"acs:ram::{account}:root",
        "RoleId": "",
    }
