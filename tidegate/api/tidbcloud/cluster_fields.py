"""What a client says of a cluster, at create and, path by path, in a PATCH (``reference/tidbcloud.md`` 2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.cluster_body import HIGH_AVAILABILITY, ORGANIZATION_LABEL, PROJECT_LABEL
from tidegate.api.tidbcloud.wire import Fields
from tidegate.domain.clusters import ClusterChange
from tidegate.domain.public_endpoints import Network
from tidegate.domain.refusals import Malformed, Missing, NotFound, NotOffered, NotUpdatable
from tidegate.operations.accounts import get_organization

_BACKUP_START, _BACKUP_DAYS = (None, "", "07:00"), (None, 0, 1)
_NEVER_CHANGED = frozenset(
    {"name", "clusterId", "region", "rootPassword", "encryptionConfig", "highAvailabilityType", "version", "createdBy"}
    | {"userPrefix", "state", "annotations", "createTime", "updateTime", "clusterPlan", "servicePlan", "usage"}
    | {"endpoints.private", "endpoints.public.host", "endpoints.public.port"}
)


def parse_mask(mask: str) -> list[str]:
    """The paths of an ``updateMask``, all of which can be updated.  Raises Malformed, NotUpdatable."""
    paths = [path.strip() for path in mask.split(",")]
    for path in paths:
        if path not in _CHANGES:
            if any(path == fixed or path.startswith(f"{fixed}.") for fixed in _NEVER_CHANGED):
                raise NotUpdatable(path)
            raise Malformed("updateMask", path)
    return paths


def parse_change(call: Call, fields: Fields, paths: list[str]) -> ClusterChange:
    """What ``fields`` (the ``cluster``) says at ``paths``; all else in it is not even looked at."""
    asked = ClusterChange()
    for path in paths:
        asked = _CHANGES[path](call, fields, asked)
    return asked


def _display_name(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    return replace(asked, display_name=fields.require_text("displayName"))


def _labels(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    _require(fields, "labels")
    return replace(asked, labels=require_own_labels(call, fields))


def _spending_limit(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    group = fields.require_group("spendingLimit")
    return replace(asked, spending_limit_cents=group.require_number("monthly"))


def _auto_scaling(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    fields.require_group("autoScaling")
    return replace(asked, rcu=rcu(fields))


def _disabled(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    """Not taken for false when absent, as protobuf would: opening an endpoint takes a word."""
    public = public_endpoint(fields)
    _require(public, "disabled")
    return replace(asked, public_open=not public.flag("disabled"))


def _networks(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    """Replaced as a whole; an empty list admits nobody."""
    public = public_endpoint(fields)
    _require(public, "authorizedNetworks")
    return replace(asked, public_networks=tuple(map(parse_network, public.groups("authorizedNetworks"))))


def _public(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    """A parent path means those of its parts that the body has."""
    public = public_endpoint(fields)
    if not public.has("disabled") and not public.has("authorizedNetworks"):
        raise Missing("cluster.endpoints.public")
    if public.has("disabled"):
        asked = _disabled(call, fields, asked)
    return _networks(call, fields, asked) if public.has("authorizedNetworks") else asked


def _backups(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    """No backup is made here, so no policy can be kept; the one that is shown anyway is no change."""
    fields.require_group("automatedBackupPolicy")
    _refuse_backups(fields)
    return asked


def _audit_log(call: Call, fields: Fields, asked: ClusterChange) -> ClusterChange:
    fields.require_group("auditLogConfig")
    _refuse_audit_log(fields)
    return asked


_CHANGES: Mapping[str, Callable[[Call, Fields, ClusterChange], ClusterChange]] = {
    "displayName": _display_name,
    "labels": _labels,
    "spendingLimit": _spending_limit,
    "spendingLimit.monthly": _spending_limit,
    "autoScaling": _auto_scaling,
    "endpoints": _public,
    "endpoints.public": _public,
    "endpoints.public.disabled": _disabled,
    "endpoints.public.authorizedNetworks": _networks,
    "automatedBackupPolicy": _backups,
    "automatedBackupPolicy.startTime": _backups,
    "automatedBackupPolicy.retentionDays": _backups,
    "auditLogConfig": _audit_log,
    "auditLogConfig.enabled": _audit_log,
    "auditLogConfig.unredacted": _audit_log,
}
UPDATABLE = tuple(_CHANGES)
"""every path that PATCH can change; a parent of them is one too (2.3)"""


def _require(fields: Fields, name: str) -> None:
    if not fields.has(name):
        raise Missing(fields.path(name))


def public_endpoint(fields: Fields) -> Fields:
    endpoints = fields.group("endpoints") or Fields({}, fields.path("endpoints"))
    return endpoints.group("public") or Fields({}, endpoints.path("public"))


def parse_network(fields: Fields) -> Network:
    start, end = fields.require_text("startIpAddress"), fields.require_text("endIpAddress")
    return start, end, fields.require_text("displayName")


def spending_limit(fields: Fields) -> int | None:
    group = fields.group("spendingLimit")
    return group.number("monthly") if group else None


def rcu(fields: Fields) -> tuple[int, int] | None:
    group = fields.group("autoScaling")
    return (group.require_number("minRcu"), group.require_number("maxRcu")) if group else None


def require_own_labels(call: Call, fields: Fields) -> tuple[tuple[str, str], ...]:
    """The client's own labels.  The reserved ones may only say what is true anyway."""
    labels = dict(fields.texts("labels"))
    project_id = labels.pop(PROJECT_LABEL, "")
    if project_id and project_id != get_organization(call.context, call.caller).account.project_id:
        raise NotFound("project", project_id)
    organization_id = labels.pop(ORGANIZATION_LABEL, "")
    if organization_id and organization_id != call.caller.account_id:
        raise NotFound("organization", organization_id)
    return tuple(sorted(labels.items()))


def refuse_what_is_not_offered(fields: Fields) -> None:
    """What would change how the cluster behaves, and here could not: an error now, not a surprise later.

    The values that a cluster here has anyway are welcome, because clients send defaults.
    """
    if (fields.group("encryptionConfig") or Fields({})).flag("enhancedEncryptionEnabled"):
        raise NotOffered("Dual encryption at rest (encryptionConfig)")
    _refuse_audit_log(fields)
    _refuse_backups(fields)
    kind = fields.text("highAvailabilityType")
    if kind == "REGIONAL":
        raise NotOffered("Regional high availability")
    if kind not in (None, "", HIGH_AVAILABILITY):
        raise Malformed("highAvailabilityType", kind)


def _refuse_audit_log(fields: Fields) -> None:
    if (fields.group("auditLogConfig") or Fields({})).flag("enabled"):
        raise NotOffered("Database audit logging (auditLogConfig)")


def _refuse_backups(fields: Fields) -> None:
    backup = fields.group("automatedBackupPolicy") or Fields({})
    if backup.text("startTime") not in _BACKUP_START or backup.number("retentionDays") not in _BACKUP_DAYS:
        raise NotOffered("Another automatedBackupPolicy than 07:00 and 1 day")
