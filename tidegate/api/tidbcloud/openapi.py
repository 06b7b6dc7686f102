"""The offered calls as an OpenAPI description: what may be sent, and what comes back.

``docs/tidbcloud-openapi.json`` is made from it (``tools/write_api_docs.py``), and ``tests/clients`` lets schemathesis
hold the running API against it.  It is no file of the cloud's; names and shapes are (``reference/tidbcloud.md`` 2).
Answers are described exactly: no field may be missing, and none may come that is not here, because typed clients
dereference what they know and some fail at what they do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.api.tidbcloud.errors import HTTP_STATUS
from tidegate.api.tidbcloud.routes import BASE, OFFERED, Route
from tidegate.api.tidbcloud.wire import INT32_MAX, Json
from tidegate.domain.branches import BranchState
from tidegate.domain.clusters import ClusterState


def _object(required: Json, optional: Json | None = None, *, closed: bool = True) -> Json:
    properties = {**required, **(optional or {})}
    described: Json = {"type": "object", "properties": properties, "additionalProperties": not closed}
    return {**described, "required": sorted(required)} if required else described


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Json = {"type": "string"}
_FLAG: Json = {"type": "boolean"}
_NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": INT32_MAX}
_MAP: Json = {"type": "object", "additionalProperties": _TEXT}
_NAME: Json = {
    "type": "string",
    "minLength": 4,
    "maxLength": 64,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9-]{2,62}[A-Za-z0-9]$",
}
_PASSWORD: Json = {"type": "string", "minLength": 8, "maxLength": 64}
_REGION: Json = {"type": "string", "enum": ["regions/alicloud-ap-southeast-1", "regions/aws-us-east-1"]}
_ADDRESS: Json = {"type": "string", "format": "ipv4"}
_NETWORK = {"startIpAddress": _ADDRESS, "endIpAddress": _ADDRESS, "displayName": {"type": "string", "minLength": 1}}
_PUBLIC = {"disabled": _FLAG, "authorizedNetworks": _list(_object(_NETWORK, closed=False))}
_SERVED = {"serviceName": _TEXT, "availabilityZone": _list(_TEXT)}
_ASKED = {
    "labels": _MAP,
    "spendingLimit": _object({}, {"monthly": _NUMBER}, closed=False),
    "autoScaling": _object({"minRcu": _NUMBER, "maxRcu": _NUMBER}, closed=False),
    "endpoints": _object({}, {"public": _object({}, _PUBLIC, closed=False)}, closed=False),
}

SCHEMAS: Mapping[str, Json] = {
    "Status": _object({"code": {"type": "integer"}, "message": _TEXT, "details": {"type": "array", "maxItems": 0}}),
    "IamError": _object({"code": _TEXT, "status": {"type": "integer"}, "msgPrefix": _TEXT, "error": _object({})}),
    "Region": _object(
        {"name": _TEXT, "regionId": _TEXT, "cloudProvider": _TEXT, "displayName": _TEXT, "provider": _TEXT},
        {"servicePlans": _list(_TEXT)},
    ),
    "Cluster": _object(
        {
            "name": _TEXT,
            "clusterId": {"type": "string", "pattern": "^[0-9]+$"},
            "displayName": _TEXT,
            "region": _ref("Region"),
            "automatedBackupPolicy": _object({"startTime": _TEXT, "retentionDays": _NUMBER}),
            "endpoints": _object({"public": _ref("PublicEndpoint"), "private": _ref("PrivateEndpoint")}),
            "rootPassword": {"type": "string", "maxLength": 0},
            "encryptionConfig": _object({"enhancedEncryptionEnabled": _FLAG}),
            "highAvailabilityType": {"type": "string", "enum": ["ZONAL"]},
            "version": _TEXT,
            "createdBy": _TEXT,
            "userPrefix": _TEXT,
            "state": {"type": "string", "enum": [state.value for state in ClusterState]},
            "labels": _MAP,
            "annotations": _MAP,
            "createTime": {"type": "string", "format": "date-time"},
            "updateTime": {"type": "string", "format": "date-time"},
            "auditLogConfig": _object({"enabled": _FLAG, "unredacted": _FLAG}),
            "clusterPlan": {"type": "string", "enum": ["STARTER", "ESSENTIAL"]},
            "servicePlan": {"type": "string", "enum": ["Starter", "Essential"]},
            "usage": _object(
                {"requestUnit": _TEXT, "rowBasedStorage": {"type": "number"}, "columnarStorage": {"type": "number"}}
            ),
        },
        {
            "spendingLimit": _object({"monthly": _NUMBER}),
            "autoScaling": _object({"minRcu": _NUMBER, "maxRcu": _NUMBER}),
        },
    ),
    "PublicEndpoint": _object(
        {"host": _TEXT, "port": _NUMBER, "disabled": _FLAG, "authorizedNetworks": _list(_object(_NETWORK))}
    ),
    "PrivateEndpoint": _object(
        {}, {"host": _TEXT, "port": _NUMBER, "alicloud": _object(_SERVED), "aws": _object(_SERVED)}
    ),
    "SqlUser": _object({"userName": _TEXT, "builtinRole": _TEXT, "customRoles": _list(_TEXT), "authMethod": _TEXT}),
    "Project": _object(
        {
            "id": _TEXT,
            "org_id": _TEXT,
            "name": _TEXT,
            "cluster_count": _NUMBER,
            "user_count": _NUMBER,
            "create_timestamp": _TEXT,
            "aws_cmek_enabled": _FLAG,
        }
    ),
    "Branch": _object(
        {
            "name": _TEXT,
            "branchId": {"type": "string", "pattern": "^bran-[a-z2-7]{26}$"},
            "displayName": _TEXT,
            "clusterId": {"type": "string", "pattern": "^[0-9]+$"},
            "parentId": _TEXT,
            "parentDisplayName": _TEXT,
            "parentTimestamp": {"type": "string", "format": "date-time"},
            "createdBy": _TEXT,
            "state": {"type": "string", "enum": [state.value for state in BranchState]},
            "endpoints": _object({"public": _ref("PublicEndpoint"), "private": _ref("PrivateEndpoint")}),
            "userPrefix": _TEXT,
            "usage": _object(
                {"requestUnit": _TEXT, "rowStorage": {"type": "number"}, "columnarStorage": {"type": "number"}}
            ),
            "createTime": {"type": "string", "format": "date-time"},
            "updateTime": {"type": "string", "format": "date-time"},
            "annotations": _MAP,
            "rootPassword": {"type": "string", "maxLength": 0},
        }
    ),
    "NewBranch": _object(
        {"displayName": _NAME},
        {"parentId": _TEXT, "rootPassword": _PASSWORD, "endpoints": _ASKED["endpoints"]},
        closed=False,
    ),
    "NewCluster": _object(
        {"displayName": _NAME, "region": _object({"name": _REGION}, closed=False)},
        {**_ASKED, "rootPassword": _PASSWORD},
        closed=False,
    ),
    "ClusterChange": _object(
        {
            "updateMask": {"type": "string", "enum": ["displayName", "labels", "endpoints.public.disabled"]},
            "cluster": _object({}, {**_ASKED, "displayName": _NAME}, closed=False),
        },
        closed=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Described:
    """``query``: the parameters' names and schemas; ``body``: the request's, None where there is none."""

    answer: Json
    query: Mapping[str, Json] | None = None
    body: Json | None = None


_VIEW: Mapping[str, Json] = {"view": {"type": "string", "enum": ["BASIC", "FULL"]}}
_PAGES: Mapping[str, Json] = {"pageSize": {"type": "integer", "minimum": 0, "maximum": 1000}, "pageToken": _TEXT}
_SQL_USER_FIELDS: Json = {"builtinRole": _TEXT, "customRoles": _list(_TEXT), "password": _PASSWORD}
_CLUSTERS = {"clusters": _list(_ref("Cluster"))}

DESCRIBED: Mapping[str, Described] = {
    "ListClusters": Described(
        _object({**_CLUSTERS, "nextPageToken": _TEXT, "totalSize": _NUMBER}),
        {**_PAGES, "skip": _NUMBER, "filter": _TEXT, "orderBy": _TEXT},
    ),
    "CreateCluster": Described(_ref("Cluster"), body=_ref("NewCluster")),
    "BatchCreateClusters": Described(
        _object(_CLUSTERS), body=_object({"requests": _list(_object({"cluster": _ref("NewCluster")}, closed=False))})
    ),
    "BatchGetClusters": Described(_object(_CLUSTERS), {**_VIEW, "clusterIds": _list(_TEXT)}),
    "GetCluster": Described(_ref("Cluster"), _VIEW),
    "UpdateCluster": Described(_ref("Cluster"), body=_ref("ClusterChange")),
    "DeleteCluster": Described(_ref("Cluster")),
    "ChangeRootPassword": Described(_object({}), body=_object({"password": _PASSWORD}, closed=False)),
    "ListBranches": Described(
        _object({"branches": _list(_ref("Branch")), "nextPageToken": _TEXT, "totalSize": _NUMBER}), _PAGES
    ),
    "CreateBranch": Described(_ref("Branch"), body=_ref("NewBranch")),
    "GetBranch": Described(_ref("Branch"), _VIEW),
    "DeleteBranch": Described(_ref("Branch")),
    "ResetBranch": Described(_ref("Branch")),
    "ChangeBranchSqlPassword": Described(
        _object({"username": _TEXT}), body=_object({"password": _PASSWORD}, closed=False)
    ),
    "ListRegions": Described(
        _object({"regions": _list(_ref("Region"))}), {"cloudProvider": _TEXT, "servicePlan": _TEXT}
    ),
    "ListCloudProviders": Described(_object({"cloudProviders": _list(_TEXT)})),
    "ListSqlUsers": Described(_object({"sqlUsers": _list(_ref("SqlUser")), "nextPageToken": _TEXT}), _PAGES),
    "CreateSqlUser": Described(
        _ref("SqlUser"),
        body=_object(
            {"userName": _TEXT, "password": _PASSWORD, "builtinRole": _TEXT},
            {"customRoles": _list(_TEXT), "authMethod": _TEXT, "autoPrefix": _FLAG},
            closed=False,
        ),
    ),
    "GetSqlUser": Described(_ref("SqlUser")),
    "UpdateSqlUser": Described(_ref("SqlUser"), body=_object({}, _SQL_USER_FIELDS, closed=False)),
    "DeleteSqlUser": Described(_object({"code": {"type": "integer"}, "message": _TEXT})),
    "ListProjects": Described(_object({"projects": _list(_ref("Project")), "nextPageToken": _TEXT}), _PAGES),
}
"""every action of ``routes.OFFERED``; a test holds the two against each other"""


def build_openapi() -> Json:
    """The whole description, OpenAPI 3.1."""
    paths: dict[str, Json] = {}
    for method, path, route in OFFERED:
        paths.setdefault(BASE + path, {})[method.lower()] = _operation(path, route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TiDB Cloud v1beta1, as Tidegate offers it",
            "version": "v1beta1",
            "description": "Generated by tools/write_api_docs.py from tidegate/api/tidbcloud; do not edit.",
        },
        "security": [{"digest": []}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"digest": {"type": "http", "scheme": "digest"}},
        },
    }


def _operation(path: str, route: Route) -> Json:
    described = DESCRIBED[route.action]
    operation: Json = {
        "operationId": route.action,
        "parameters": [*_path_parameters(path), *_query_parameters(described.query or {})],
        "responses": {"200": _json(described.answer), **_failures(route.iam)},
    }
    if described.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": described.body}}}
    return operation


def _path_parameters(path: str) -> Sequence[Json]:
    names = [part[1:].partition("}")[0] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


def _query_parameters(query: Mapping[str, Json]) -> Sequence[Json]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in query.items()]


def _failures(iam: bool) -> Json:
    """Any call may be refused with any of the statuses.

    The shape is the same for all, but for an id with a slash or a colon in it: that is a path of no call, IAM's or not.
    """
    shapes = {status: _ref("IamError" if iam else "Status") for status in sorted(set(HTTP_STATUS.values()))}
    if iam:
        shapes[404] = {"anyOf": [_ref("IamError"), _ref("Status")]}
    return {str(status): _json(shape) for status, shape in shapes.items()}


def _json(schema: Json) -> Json:
    return {"description": "See docs/api.md.", "content": {"application/json": {"schema": schema}}}
