"""Clusters, through TiDB Cloud's API."""

from __future__ import annotations

from urllib.parse import quote

from tidegate.cli.clients import ApiError, CliError, Json, TidbCloudClient

DEFAULT_REGION = "alicloud-ap-southeast-1"
CLUSTERS = "/v1beta1/clusters"


def create_cluster(
    api: TidbCloudClient, name: str, region: str, password: str | None, rcu: tuple[int, int] | None = None
) -> Json:
    """Answers at once, in state CREATING.  ``rcu`` (least, most) makes it an Essential cluster."""
    body: Json = {"displayName": name, "region": {"name": f"regions/{region.removeprefix('regions/')}"}}
    if password:
        body["rootPassword"] = password
    if rcu:
        body["autoScaling"] = {"minRcu": rcu[0], "maxRcu": rcu[1]}
    return api.call("POST", CLUSTERS, body)


def get_cluster(api: TidbCloudClient, cluster_id: str) -> Json:
    return api.call("GET", f"{CLUSTERS}/{quote(cluster_id, safe='')}", view="FULL")


def list_clusters(api: TidbCloudClient) -> list[Json]:
    found: list[Json] = []
    query: Json = {}
    while True:
        reply = api.call("GET", CLUSTERS, pageSize=100, **query)
        found += reply.get("clusters") or []
        if not reply.get("nextPageToken"):
            return found
        query = {"pageToken": reply["nextPageToken"]}


def find_cluster(api: TidbCloudClient, name_or_id: str) -> Json:
    """Raises :class:`CliError` for none, and for several of one name."""
    found = [cluster for cluster in list_clusters(api) if name_or_id in (cluster["clusterId"], cluster["displayName"])]
    if not found:
        raise CliError(f"There is no cluster {name_or_id}. See what there is: tidegate cluster list.")
    if len(found) > 1:
        ids = ", ".join(cluster["clusterId"] for cluster in found)
        raise CliError(f"{len(found)} clusters are named {name_or_id}. Give the id: {ids}.")
    return found[0]


def look_active(api: TidbCloudClient, cluster_id: str) -> Json | None:
    """The cluster when it is ACTIVE, else None."""
    cluster = get_cluster(api, cluster_id)
    return cluster if cluster["state"] == "ACTIVE" else None


def look_gone(api: TidbCloudClient, cluster_id: str) -> bool | None:
    try:
        return True if get_cluster(api, cluster_id)["state"] == "DELETED" else None
    except ApiError as error:
        if error.status == 404:
            return True
        raise


def set_password(api: TidbCloudClient, cluster_id: str, password: str) -> None:
    api.call("PUT", f"{CLUSTERS}/{quote(cluster_id, safe='')}/password", {"password": password})


def delete_cluster(api: TidbCloudClient, cluster_id: str) -> Json:
    return api.call("DELETE", f"{CLUSTERS}/{quote(cluster_id, safe='')}")


def private_service(cluster: Json) -> tuple[str, list[str], str]:
    """(Service Name, Availability Zone IDs, Region ID) of the Connect dialog.

    Raises :class:`CliError` where there is none: the how-to page's first limit.
    """
    private = cluster.get("endpoints", {}).get("private") or {}
    for cloud in ("alicloud", "aws"):
        if service := private.get(cloud):
            return service["serviceName"], list(service["availabilityZone"]), cluster["region"]["regionId"]
    cloud = cluster["region"]["cloudProvider"]
    raise CliError(
        f"Private endpoints are not available for {cluster['displayName']}: its service is hosted on {cloud}, and "
        "only services on Alibaba Cloud or AWS have them. Create the cluster in such a region."
    )
