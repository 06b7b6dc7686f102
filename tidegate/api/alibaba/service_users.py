"""The whitelist of an endpoint service on the wire (``reference/alibaba.md`` 3.3): account ids, and ARNs."""

from __future__ import annotations

from typing import Any

from tidegate.api.alibaba.actions import Call, action
from tidegate.api.alibaba.errors import PRIVATELINK
from tidegate.api.alibaba.paging import page_by_token
from tidegate.api.alibaba.published_services import require_own_service
from tidegate.domain.refusals import Malformed
from tidegate.operations import service_users

_TAKES = "UserId UserARN ClientToken DryRun"


@action(PRIVATELINK, "AddUserToVpcEndpointService", "RegionId ServiceId", _TAKES)
def add_user(call: Call) -> dict[str, Any]:
    service_id, p = require_own_service(call).service.service_id, call.parameters
    service_users.add_user(call.context, call.caller, service_id, p.text("UserId"), p.text("UserARN"))
    return {}


@action(PRIVATELINK, "RemoveUserFromVpcEndpointService", "RegionId ServiceId", _TAKES)
def remove_user(call: Call) -> dict[str, Any]:
    service_id, p = require_own_service(call).service.service_id, call.parameters
    service_users.remove_user(call.context, call.caller, service_id, p.text("UserId"), p.text("UserARN"))
    return {}


@action(PRIVATELINK, "ListVpcEndpointServiceUsers", "RegionId ServiceId", "UserId UserListType MaxResults NextToken")
def list_vpc_endpoint_service_users(call: Call) -> dict[str, Any]:
    """One of the two lists, ``Users`` unless asked for the other.  ``TotalCount`` is a text, ``UserId`` a number."""
    p = call.parameters
    kind = p.text("UserListType") or "Users"
    if kind not in ("Users", "UserARNs"):
        raise Malformed("UserListType", kind)
    users = service_users.list_users(call.context, call.caller, require_own_service(call).service.service_id)
    found = users.user_ids if kind == "Users" else users.arns
    if wanted := p.text("UserId"):
        found = tuple(user for user in found if user in (wanted, f"acs:ram:*:{wanted}:*"))
    page, token = page_by_token(p, call.pages, [(user, user) for user in found], most=50)
    return {
        "MaxResults": p.number("MaxResults", 50, 1, 50),
        "NextToken": token,
        "TotalCount": str(len(found)),
        "Users": [{"UserId": int(user)} for user in page] if kind == "Users" else [],
        "UserARNs": [{"UserARN": user} for user in page] if kind == "UserARNs" else [],
    }
