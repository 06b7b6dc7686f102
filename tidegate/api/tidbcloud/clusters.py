"""Clusters: list, create, get, change, delete, set the root password (``reference/tidbcloud.md`` 2.1 to 2.3)."""

from __future__ import annotations

from tidegate.api.tidbcloud.call import Call
from tidegate.api.tidbcloud.cluster_body import build_cluster
from tidegate.api.tidbcloud.cluster_fields import (
    parse_change,
    parse_mask,
    parse_network,
    public_endpoint,
    rcu,
    refuse_what_is_not_offered,
    require_own_labels,
    spending_limit,
)
from tidegate.api.tidbcloud.filters import parse_filter
from tidegate.api.tidbcloud.paging import Key, parse_count, parse_size, take_page
from tidegate.api.tidbcloud.regions import parse_region_name
from tidegate.api.tidbcloud.wire import Fields, Json
from tidegate.domain.clusters import require_password
from tidegate.domain.public_endpoints import ALLOW_ALL
from tidegate.domain.refusals import Malformed, Missing, NotFound, NotOffered
from tidegate.operations import clusters as operations
from tidegate.operations.clusters import ClusterView, NewCluster

_VIEWS = ("", "BASIC", "FULL")
_BATCH = 1000


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
    require_view(call)
    return build_cluster(operations.get_cluster(call.context, call.caller, call.params["cluster_id"]))


def batch_get_clusters(call: Call) -> Json:
    """All or nothing: one unknown id, and none is given."""
    require_view(call)
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
    return build_cluster(operations.create_clusters(call.context, call.caller, [_parse_new(call, call.fields())])[0])


def batch_create_clusters(call: Call) -> Json:
    """All or none: the first that cannot be made is named, and nothing is."""
    requests = call.fields().groups("requests")
    if not requests:
        raise Missing("requests")
    if len(requests) > _BATCH:
        raise Malformed("requests", f"{len(requests)} of them, and at most {_BATCH} are allowed")
    asked = [_parse_new(call, request.require_group("cluster")) for request in requests]
    return {"clusters": [build_cluster(v) for v in operations.create_clusters(call.context, call.caller, asked)]}


def _parse_new(call: Call, fields: Fields) -> NewCluster:
    refuse_what_is_not_offered(fields)
    public = public_endpoint(fields)
    networks = public.groups("authorizedNetworks") if public.has("authorizedNetworks") else None
    return NewCluster(
        region_id=parse_region_name(fields.require_group("region").require_text("name")),
        display_name=fields.require_text("displayName"),
        root_password=fields.text("rootPassword"),
        spending_limit_cents=spending_limit(fields),
        rcu=rcu(fields),
        labels=require_own_labels(call, fields),
        version=call.tidb_version,
        public_open=public.flag("disabled") is False,
        public_networks=(ALLOW_ALL,) if networks is None else tuple(map(parse_network, networks)),
    )


def update_cluster(call: Call) -> Json:
    """Exactly the masked path and nothing else: Terraform's bodies carry earlier changes along (2.3)."""
    fields = call.fields()
    paths = parse_mask(fields.require_text("updateMask"))
    asked = parse_change(call, fields.require_group("cluster"), paths)
    return build_cluster(operations.update_cluster(call.context, call.caller, call.params["cluster_id"], asked))


def delete_cluster(call: Call) -> Json:
    """State DELETING; asked again while it lasts, the same answer."""
    return build_cluster(operations.delete_cluster(call.context, call.caller, call.params["cluster_id"]))


def change_password(call: Call) -> Json:
    password = require_password(call.fields().text("password"))
    operations.set_root_password(call.context, call.caller, call.params["cluster_id"], password)
    return {}


def require_view(call: Call) -> None:
    if (view := call.query.get("view", "")) not in _VIEWS:
        raise Malformed("view", view)


def _key(view: ClusterView) -> Key:
    return view.cluster.created_at.timestamp(), view.cluster.cluster_id
