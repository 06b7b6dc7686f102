"""Branches: list, create, get, reset, delete, and a password in one of them (``reference/tidbcloud.md`` 2.5)."""

from __future__ import annotations

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.cluster_body import build_annotations, build_private_endpoint, build_public_endpoint
from tidegate.api.tidbcloud.cluster_fields import public_endpoint
from tidegate.api.tidbcloud.clusters import require_view
from tidegate.api.tidbcloud.paging import Key, parse_size, take_page
from tidegate.api.tidbcloud.wire import Json, build_time
from tidegate.domain.refusals import NotOffered
from tidegate.operations import branches as operations
from tidegate.operations import sql_users
from tidegate.operations.branches import BranchView, NewBranch


def list_branches(call: Call) -> Json:
    cluster_id = call.params["cluster_id"]
    found = operations.list_branches(call.context, call.caller, cluster_id)
    page = take_page(
        found,
        _key,
        token=call.query.get("pageToken", ""),
        size=parse_size(call.query.get("pageSize"), default=10),
        skip=0,
        mark=f"branches {cluster_id}",
    )
    bodies = [build_branch(view) for view in page.items]
    return {"branches": bodies, "nextPageToken": page.next_token, "totalSize": len(found)}


def get_branch(call: Call) -> Json:
    require_view(call)
    return build_branch(operations.get_branch(call.context, call.caller, *_ids(call)))


def create_branch(call: Call) -> Json:
    """Answers at once; the branch is CREATING until its copy is there."""
    fields = call.fields()
    if fields.text("parentTimestamp"):
        raise NotOffered("A branch of an earlier point in time (parentTimestamp)")
    new = NewBranch(
        display_name=fields.require_text("displayName"),
        parent_id=fields.text("parentId") or "",
        root_password=fields.text("rootPassword"),
        public_open=public_endpoint(fields).flag("disabled") is False,
    )
    return build_branch(operations.create_branch(call.context, call.caller, call.params["cluster_id"], new))


def reset_branch(call: Call) -> Json:
    """State RESTORING until its data is its parent's again."""
    return build_branch(operations.reset_branch(call.context, call.caller, *_ids(call)))


def delete_branch(call: Call) -> Json:
    """State DELETED; asked again while it lasts, the same answer."""
    return build_branch(operations.delete_branch(call.context, call.caller, *_ids(call)))


def change_sql_password(call: Call) -> Json:
    """Answers when the user can log in with it."""
    name, password = call.params["user_name"], call.fields().require_text("password")
    sql_users.change_branch_password(call.context, call.caller, *_ids(call), name, password)
    return {"username": name}


def build_branch(view: BranchView) -> Json:
    """All of it in every answer: Terraform dereferences most of it without a nil check."""
    branch, cluster_view = view.branch, view.cluster_view
    used = cluster_view.usage
    return {
        "name": f"clusters/{branch.branch_of}/branches/{branch.cluster_id}",
        "branchId": branch.cluster_id,
        "displayName": branch.display_name,
        "clusterId": branch.branch_of,
        "parentId": branch.parent_id,
        "parentDisplayName": view.parent_name,
        "parentTimestamp": build_time(branch.created_at),
        "createdBy": branch.created_by,
        "state": view.state.value,
        "endpoints": {"public": build_public_endpoint(cluster_view), "private": build_private_endpoint(cluster_view)},
        "userPrefix": branch.prefix,
        "usage": {
            "requestUnit": str(int(used.request_units) if used else 0),
            "rowStorage": float(used.stored_bytes if used else 0),
            "columnarStorage": 0.0,
        },
        "createTime": build_time(branch.created_at),
        "updateTime": build_time(branch.updated_at),
        "annotations": build_annotations(cluster_view),
        "rootPassword": "",
    }


def _ids(call: Call) -> tuple[str, str]:
    return call.params["cluster_id"], call.params["branch_id"]


def _key(view: BranchView) -> Key:
    return view.branch.created_at.timestamp(), view.branch.cluster_id
