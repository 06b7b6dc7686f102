"""Clusters: list, create, get, rename, delete, set the root password (``reference/tidbcloud.md`` 2.1 to 2.3)."""

from __future__ import annotations

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.cluster_body import (
    HIGH_AVAILABILITY,
    ORGANIZATION_LABEL,
    PROJECT_LABEL,
    build_cluster,
)
from tidegate.api.tidbcloud.filters import parse_filter
from tidegate.api.tidbcloud.paging import Key, parse_count, parse_size, take_page
from tidegate.api.tidbcloud.regions import parse_region_name
from tidegate.api.tidbcloud.wire import Fields, Json
from tidegate.domain.clusters import require_password
from tidegate.domain.refusals import Malformed, Missing, NotFound, NotOffered, NotUpdatable
from tidegate.operations import clusters as operations
from tidegate.operations.accounts import get_organization
from tidegate.operations.clusters import ClusterView

_VIEWS = ("", "BASIC", "FULL")
_BATCH = 1000
_LABELS, _LABEL_LETTERS = 64, 256  # ours: every list answer carries all labels

_BACKUP_START, _BACKUP_DAYS = (None, "", "07:00"), (None, 0, 1)

# What PATCH could change in the cloud, beside displayName; a parent path such as "endpoints" counts too (2.3).
_CHANGED_LATER = frozenset(
    {"labels", "endpoints", "spendingLimit", "autoScaling", "automatedBackupPolicy", "auditLogConfig"}
)
_NEVER_CHANGED = frozenset(
    {"name", "clusterId", "region", "rootPassword", "encryptionConfig", "highAvailabilityType", "version", "createdBy"}
    | {"userPrefix", "state", "annotations", "createTime", "updateTime", "clusterPlan", "servicePlan", "usage"}
)


def list_clusters(call: Call) -> Json:
    """``totalSize`` counts all that match, whatever ``skip`` and the page leave out."""
    query = call.query
    if query.get("orderBy"):
        raise NotOffered("orderBy")  # its documented text is that of skip, so nobody knows what it does (1.6)
    matches = parse_filter(query.get("filter", ""))
    bodies = [(_key(view), build_cluster(view)) for view in operations.list_clusters(call.context, call.caller)]
    found = sorted((entry for entry in bodies if matches(entry[1])), key=lambda entry: entry[0])
    page = take_page(
        found,
        lambda entry: entry[0],
        token=query.get("pageToken", ""),
        size=parse_size(query.get("pageSize"), default=10),
        skip=parse_count("skip", query.get("skip")),
        mark=f"clusters {query.get('filter', '')} {query.get('skip', '')}",
    )
    return {
        "clusters": [body for _, body in page.items],
        "nextPageToken": page.next_token,
        "totalSize": len(found),
    }


def get_cluster(call: Call) -> Json:
    _require_view(call)
    return build_cluster(operations.get_cluster(call.context, call.caller, call.params["cluster_id"]))


def batch_get_clusters(call: Call) -> Json:
    """All or nothing: one unknown id, and none is given."""
    _require_view(call)
    wanted = call.query.getlist("clusterIds")
    if not wanted:
        raise Missing("clusterIds")
    if len(wanted) > _BATCH:
        raise Malformed("clusterIds", f"{len(wanted)} ids, and at most {_BATCH} are allowed")
    known = {view.cluster.cluster_id: view for view in operations.list_clusters(call.context, call.caller)}
    for cluster_id in wanted:
        if cluster_id not in known:
            raise NotFound("cluster", cluster_id)
    return {"clusters": [build_cluster(known[cluster_id]) for cluster_id in wanted]}


def create_cluster(call: Call) -> Json:
    """Answers at once; the cluster is CREATING until the controller has a server ready."""
    fields = call.fields()
    _refuse_what_is_not_offered(fields)
    view = operations.create_cluster(
        call.context,
        call.caller,
        region_id=parse_region_name(fields.require_group("region").require_text("name")),
        display_name=fields.require_text("displayName"),
        root_password=fields.text("rootPassword"),
        spending_limit_cents=_spending_limit(fields),
        rcu=_rcu(fields),
        labels=_labels(call, fields),
        version=call.tidb_version,
    )
    return build_cluster(view)


def update_cluster(call: Call) -> Json:
    """Exactly the masked path and nothing else: Terraform's bodies carry earlier changes along (2.3)."""
    fields = call.fields()
    for path in fields.require_text("updateMask").split(","):
        _require_updatable(path.strip())
    name = fields.require_group("cluster").require_text("displayName")
    return build_cluster(operations.rename_cluster(call.context, call.caller, call.params["cluster_id"], name))


def delete_cluster(call: Call) -> Json:
    """State DELETING; asked again while it lasts, the same answer."""
    return build_cluster(operations.delete_cluster(call.context, call.caller, call.params["cluster_id"]))


def change_password(call: Call) -> Json:
    password = require_password(call.fields().text("password"))
    operations.set_root_password(call.context, call.caller, call.params["cluster_id"], password)
    return {}


def _require_view(call: Call) -> None:
    if (view := call.query.get("view", "")) not in _VIEWS:
        raise Malformed("view", view)


def _key(view: ClusterView) -> Key:
    return view.cluster.created_at.timestamp(), view.cluster.cluster_id


def _require_updatable(path: str) -> None:
    top = path.partition(".")[0]
    if top in _CHANGED_LATER:
        raise NotOffered(f"Updating {path}")
    if top in _NEVER_CHANGED:
        raise NotUpdatable(path)
    if path != "displayName":
        raise Malformed("updateMask", path)


def _spending_limit(fields: Fields) -> int | None:
    group = fields.group("spendingLimit")
    return group.number("monthly") if group else None


def _rcu(fields: Fields) -> tuple[int, int] | None:
    group = fields.group("autoScaling")
    return (group.require_number("minRcu"), group.require_number("maxRcu")) if group else None


def _labels(call: Call, fields: Fields) -> tuple[tuple[str, str], ...]:
    """The client's own labels.  The reserved ones may only say what is true anyway."""
    labels = dict(fields.texts("labels"))
    if len(labels) > _LABELS or any(len(word) > _LABEL_LETTERS for pair in labels.items() for word in pair):
        raise Malformed("labels", f"more than {_LABELS} labels, or one with more than {_LABEL_LETTERS} letters")
    project_id = labels.pop(PROJECT_LABEL, "")
    if project_id and project_id != get_organization(call.context, call.caller).account.project_id:
        raise NotFound("project", project_id)
    organization_id = labels.pop(ORGANIZATION_LABEL, "")
    if organization_id and organization_id != call.caller.account_id:
        raise NotFound("organization", organization_id)
    return tuple(sorted(labels.items()))


def _refuse_what_is_not_offered(fields: Fields) -> None:
    """What would change how the cluster behaves, and here could not: an error now, not a surprise later.

    The values that a cluster here has anyway are welcome, because clients send defaults.
    """
    public = (fields.group("endpoints") or Fields({})).group("public") or Fields({}, "endpoints.public")
    if public.flag("disabled") is False:
        raise NotOffered("An open public endpoint (endpoints.public.disabled: false)")
    if public.list("authorizedNetworks"):
        raise NotOffered("A public endpoint with endpoints.public.authorizedNetworks")
    if (fields.group("encryptionConfig") or Fields({})).flag("enhancedEncryptionEnabled"):
        raise NotOffered("Dual encryption at rest (encryptionConfig)")
    if (fields.group("auditLogConfig") or Fields({})).flag("enabled"):
        raise NotOffered("Database audit logging (auditLogConfig)")
    backup = fields.group("automatedBackupPolicy") or Fields({})
    if backup.text("startTime") not in _BACKUP_START or backup.number("retentionDays") not in _BACKUP_DAYS:
        raise NotOffered("Another automatedBackupPolicy than 07:00 and 1 day")
    kind = fields.text("highAvailabilityType")
    if kind == "REGIONAL":
        raise NotOffered("Regional high availability")
    if kind not in (None, "", HIGH_AVAILABILITY):
        raise Malformed("highAvailabilityType", kind)
