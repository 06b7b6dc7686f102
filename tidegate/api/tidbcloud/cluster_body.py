"""A cluster as it goes over the wire, all of it in every answer.

Terraform dereferences nearly every field without a nil check, also in lists and BASIC views (``reference/tidbcloud.md``
2.2, *Never omit*), so there is one shape: nothing is left out, not even false, 0 or "".
"""

from __future__ import annotations

from tidegate.api.tidbcloud.regions import build_region
from tidegate.api.tidbcloud.wire import Json, build_time
from tidegate.domain.clusters import Cluster, private_host
from tidegate.operations.clusters import ClusterView

ORGANIZATION_LABEL = "tidb.cloud/organization"
PROJECT_LABEL = "tidb.cloud/project"
HIGH_AVAILABILITY = "ZONAL"

# The clients' delegate features; the value is the one that responses of the cloud show (section 8 of the reference).
_FEATURES = "DISABLE_PUBLIC_LB,DELEGATE_USER"


def build_cluster(view: ClusterView) -> Json:
    cluster = view.cluster
    return {
        "name": f"clusters/{cluster.cluster_id}",
        "clusterId": cluster.cluster_id,
        "displayName": cluster.display_name,
        "region": build_region(cluster.region),
        **_capacity(cluster),
        "automatedBackupPolicy": {
            "startTime": cluster.backup_start,
            "retentionDays": cluster.backup_retention_days,
        },
        "endpoints": {"public": build_public_endpoint(view), "private": build_private_endpoint(view)},
        "rootPassword": "",
        "encryptionConfig": {"enhancedEncryptionEnabled": cluster.encrypted},
        "highAvailabilityType": HIGH_AVAILABILITY,
        "version": cluster.version,
        "createdBy": cluster.created_by,
        "userPrefix": cluster.prefix,
        "state": view.state.value,
        "labels": build_labels(cluster),
        "annotations": build_annotations(view),
        "createTime": build_time(cluster.created_at),
        "updateTime": build_time(cluster.updated_at),
        "auditLogConfig": {"enabled": False, "unredacted": False},
        "clusterPlan": cluster.plan,
        "servicePlan": cluster.plan.capitalize(),
        "usage": build_usage(view),
    }


def build_usage(view: ClusterView) -> Json:
    """This month's; storage in bytes.  An int64 goes as a string here, as in responses of the cloud (2.2)."""
    used = view.usage
    return {
        "requestUnit": str(int(used.request_units) if used else 0),
        "rowBasedStorage": float(used.stored_bytes if used else 0),
        "columnarStorage": 0.0,
    }


def build_labels(cluster: Cluster) -> dict[str, str]:
    """The client's, and the two reserved ones, which are always the truth."""
    return {
        **dict(cluster.labels),
        ORGANIZATION_LABEL: cluster.account_id,
        PROJECT_LABEL: cluster.project_id,
    }


def _capacity(cluster: Cluster) -> Json:
    """Either the one or the other: with both, Terraform's updates fail ("Cannot set both...")."""
    if cluster.plan == "ESSENTIAL":
        return {"autoScaling": {"minRcu": cluster.min_rcu, "maxRcu": cluster.max_rcu}}
    return {"spendingLimit": {"monthly": cluster.spending_limit_cents}}


def build_public_endpoint(view: ClusterView) -> Json:
    cluster, (host, port) = view.cluster, view.public_address
    return {
        "host": host,
        "port": port,
        "disabled": not cluster.public_open,
        "authorizedNetworks": [
            {"startIpAddress": start, "endIpAddress": end, "displayName": name}
            for start, end, name in cluster.public_networks
        ],
    }


def build_private_endpoint(view: ClusterView) -> Json:
    """Service name, zones: what the Connect dialog shows.  An empty object where the cloud has no private endpoints.

    Terraform takes ``host`` and ``port`` only beside an ``aws`` object, so an empty one breaks no client.
    """
    service = view.service
    if service is None:
        return {}
    return {
        "host": private_host(view.cluster.region),
        "port": service.port,
        service.cloud: {"serviceName": service.name, "availabilityZone": list(service.zone_ids)},
    }


def build_annotations(view: ClusterView) -> dict[str, str]:
    """The cloud's two; and while something is not as wished, our one sentence of why."""
    annotations = {
        "tidb.cloud/available-features": _FEATURES,
        "tidb.cloud/has-set-password": "true" if view.cluster.root_password_hash else "false",
    }
    status = view.status
    if status is not None and status.phase != "ready":
        annotations |= {"tidegate/phase": status.phase, "tidegate/reason": status.reason}
    return annotations
