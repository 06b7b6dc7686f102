"""Projects, from IAM (``reference/tidbcloud.md`` 2.6): an organization has one, its default project."""

from __future__ import annotations

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.paging import parse_size, take_page
from tidegate.api.tidbcloud.wire import Json
from tidegate.domain.accounts import Account
from tidegate.operations.accounts import get_organization


def list_projects(call: Call) -> Json:
    """snake_case, and no totalSize: IAM is so."""
    own = get_organization(call.context, call.caller)
    found = [own.account] if own.account.project_id else []
    size = parse_size(call.query.get("pageSize"), default=100)
    page = take_page(found, _key, token=call.query.get("pageToken", ""), size=size, skip=0, mark="projects")
    return {
        "projects": [_build_project(item, own.cluster_count, own.key_count) for item in page.items],
        "nextPageToken": page.next_token,
    }


def _key(account: Account) -> tuple[float, str]:
    return account.created_at.timestamp(), account.project_id


def _build_project(account: Account, clusters: int, keys: int) -> Json:
    """Here nobody but API keys acts for an organization, so they are counted as its users."""
    return {
        "id": account.project_id,
        "org_id": account.account_id,
        "name": "Default Project",
        "cluster_count": clusters,
        "user_count": keys,
        "create_timestamp": str(int(account.created_at.timestamp())),
        "aws_cmek_enabled": False,
    }
