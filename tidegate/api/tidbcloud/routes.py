"""Method and path -> the function that answers; and by name what the cloud has and this version has not.

Paths as in the cloud's swagger (``reference/tidbcloud.md`` 2.1, 2.6, 2.7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.api.tidbcloud import branches, clusters, projects, regions, sql_users
from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.wire import Json
from tidegate.domain.refusals import NotOffered

Answer = Callable[[Call], Json]

BASE = "/v1beta1"


@dataclass(frozen=True, slots=True)
class Route:
    """``action`` names it in log and metrics; ``iam``: its errors have IAM's shape."""

    action: str
    answer: Answer
    iam: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a request asks for.  ``route`` None: no such path, or (``other_method``) not with this method."""

    route: Route | None
    params: Mapping[str, str] = field(default_factory=dict)
    other_method: bool = False


OFFERED: Sequence[tuple[str, str, Route]] = (
    ("GET", "/clusters", Route("ListClusters", clusters.list_clusters)),
    ("POST", "/clusters", Route("CreateCluster", clusters.create_cluster)),
    ("POST", "/clusters:batchCreate", Route("BatchCreateClusters", clusters.batch_create_clusters)),
    ("GET", "/clusters:batchGet", Route("BatchGetClusters", clusters.batch_get_clusters)),
    ("GET", "/clusters/{cluster_id}", Route("GetCluster", clusters.get_cluster)),
    ("PATCH", "/clusters/{cluster_id}", Route("UpdateCluster", clusters.update_cluster)),
    ("DELETE", "/clusters/{cluster_id}", Route("DeleteCluster", clusters.delete_cluster)),
    ("PUT", "/clusters/{cluster_id}/password", Route("ChangeRootPassword", clusters.change_password)),
    ("GET", "/clusters/{cluster_id}/branches", Route("ListBranches", branches.list_branches)),
    ("POST", "/clusters/{cluster_id}/branches", Route("CreateBranch", branches.create_branch)),
    ("GET", "/clusters/{cluster_id}/branches/{branch_id}", Route("GetBranch", branches.get_branch)),
    ("DELETE", "/clusters/{cluster_id}/branches/{branch_id}", Route("DeleteBranch", branches.delete_branch)),
    ("POST", "/clusters/{cluster_id}/branches/{branch_id}:reset", Route("ResetBranch", branches.reset_branch)),
    (
        "PATCH",
        "/clusters/{cluster_id}/branches/{branch_id}/sqlUsers/{user_name}",
        Route("ChangeBranchSqlPassword", branches.change_sql_password),
    ),
    ("GET", "/regions", Route("ListRegions", regions.list_regions)),
    ("GET", "/regions:listCloudProviders", Route("ListCloudProviders", regions.list_cloud_providers)),
    ("GET", "/clusters/{cluster_id}/sqlUsers", Route("ListSqlUsers", sql_users.list_sql_users, iam=True)),
    ("POST", "/clusters/{cluster_id}/sqlUsers", Route("CreateSqlUser", sql_users.create_sql_user, iam=True)),
    ("GET", "/clusters/{cluster_id}/sqlUsers/{user_name}", Route("GetSqlUser", sql_users.get_sql_user, iam=True)),
    (
        "PATCH",
        "/clusters/{cluster_id}/sqlUsers/{user_name}",
        Route("UpdateSqlUser", sql_users.update_sql_user, iam=True),
    ),
    (
        "DELETE",
        "/clusters/{cluster_id}/sqlUsers/{user_name}",
        Route("DeleteSqlUser", sql_users.delete_sql_user, iam=True),
    ),
    ("GET", "/projects", Route("ListProjects", projects.list_projects, iam=True)),
)

NOT_OFFERED: Sequence[tuple[str, str, bool]] = (
    (r"/clusters:restore", "Restoring clusters", False),
    (r"/backups(/.*)?", "Backups", False),
    (r"/clusters/[^/]+/exports([/:].*)?", "Exports", False),
    (r"/clusters/[^/]+/imports([/:].*)?", "Imports", False),
    (r"/clusters/[^/]+/auditLog/.*", "Audit logs", False),
    (r"/clusters/[^/]+/changefeeds([/:].*)?", "Changefeeds", False),
    (r"/clusters/[^/]+/(migrations|migrationPrechecks)([/:].*)?", "Data migration", False),
    (r"/clusters/[^/]+/privateLinkConnections([/:].*)?", "Private link connections (outbound)", False),
    (r"/clusters/[^/]+/dbuser", "The console's SQL login", True),
    (r"/(mspCustomers(/.*)?|customerSignupUrl)", "Reseller features", True),
    (r"/(members|apiKeys)(/.*)?", "Managing members and API keys through the API", True),
)


def find_route(method: str, path: str) -> Found:
    """``path`` as the server decoded it, with ``/v1beta1`` in front."""
    rest = path.removeprefix(BASE)
    other_method = False
    for wanted, pattern, route in _PATTERNS:
        if matched := pattern.fullmatch(rest):
            if wanted == method:
                return Found(route, matched.groupdict())
            other_method = True
    if other_method:
        return Found(None, other_method=True)
    for pattern, route in _REFUSED:
        if pattern.fullmatch(rest):
            return Found(route)
    return Found(None)


def _compile(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile("".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/:]+)" for i, part in enumerate(parts)))


def _refuse(what: str) -> Answer:
    def answer(call: Call) -> Json:
        raise NotOffered(what)

    return answer


_PATTERNS = [(method, _compile(template), route) for method, template, route in OFFERED]
_REFUSED = [(re.compile(pattern), Route("NotOffered", _refuse(what), iam)) for pattern, what, iam in NOT_OFFERED]
