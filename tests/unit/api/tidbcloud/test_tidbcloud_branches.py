"""The life of a branch through the API, as the CLI and Terraform live it (``reference/tidbcloud.md`` 2.5)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tidbcloud_cloud import Cloud, Json

from tidegate.domain.usage import GIB, Usage

NEVER_OMIT = {
    "annotations",
    "parentTimestamp",
    "parentDisplayName",
    "parentId",
    "endpoints",
    "createdBy",
    "createTime",
    "updateTime",
    "userPrefix",
    "state",
}
"""what Terraform dereferences without a nil check"""


@pytest.fixture
def cluster(cloud: Cloud) -> str:
    cluster_id = str(cloud.create("orders")["clusterId"])
    cloud.settle(cluster_id)
    return cluster_id


def make(cloud: Cloud, cluster: str, name: str = "feature", **more: Any) -> Json:
    reply = cloud.call("POST", f"/clusters/{cluster}/branches", json={"displayName": name, **more})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def use(cloud: Cloud, cluster: str, units: float = 0, stored: int = 0) -> None:
    with cloud.context.store.write() as tx:
        tx.usages.put(Usage(cluster, "2026-11", units, stored))


def test_a_branch_from_its_creation_to_its_end(cloud: Cloud, cluster: str) -> None:
    """POST, GET until ACTIVE, :reset until ACTIVE again, DELETE; the list shows it all the while."""
    made = make(cloud, cluster, parentId="")
    path = f"/clusters/{cluster}/branches/{made['branchId']}"
    assert re.fullmatch(r"bran-[a-z2-7]{26}", made["branchId"])
    assert made["name"] == path.removeprefix("/") and made.keys() >= NEVER_OMIT
    assert (made["state"], made["clusterId"], made["parentId"]) == ("CREATING", cluster, cluster)
    assert made["parentDisplayName"] == "orders" and made["userPrefix"] != cloud.get(cluster)["userPrefix"]
    public, private = made["endpoints"]["public"], made["endpoints"]["private"]
    assert public["disabled"] is True and private["alicloud"]["serviceName"]
    assert made["usage"] == {"requestUnit": "0", "rowStorage": 0.0, "columnarStorage": 0.0}
    cloud.settle(made["branchId"])
    assert cloud.call("GET", f"{path}?view=BASIC").json()["state"] == "ACTIVE"
    assert cloud.call("POST", f"{path}:reset").json()["state"] == "RESTORING"
    assert cloud.call("POST", f"{path}:reset").status_code == 409
    cloud.settle(made["branchId"])
    assert cloud.call("GET", path).json()["state"] == "ACTIVE"
    listed = cloud.call("GET", f"/clusters/{cluster}/branches").json()
    assert [b["branchId"] for b in listed["branches"]] == [made["branchId"]] and listed["totalSize"] == 1
    assert cloud.call("DELETE", path).json()["state"] == "DELETED"
    assert cloud.call("DELETE", path).json()["state"] == "DELETED"
    cloud.remove(made["branchId"])
    assert cloud.call("GET", path).status_code == 404


def test_a_branch_is_no_cluster_and_nobody_elses(cloud: Cloud, cluster: str) -> None:
    """Its id leads nowhere among clusters, under another cluster, or for another organization."""
    branch = make(cloud, cluster)["branchId"]
    other = str(cloud.create("other")["clusterId"])
    assert [c["clusterId"] for c in cloud.call("GET", "/clusters").json()["clusters"]] == [cluster, other]
    for path in (f"/clusters/{branch}", f"/clusters/{branch}/branches", f"/clusters/{other}/branches/{branch}"):
        assert cloud.call("GET", path).status_code == 404
    stranger = cloud.stranger()
    assert cloud.call("GET", f"/clusters/{cluster}/branches/{branch}", key=stranger).status_code == 404
    assert cloud.call("GET", f"/clusters/{cluster}/branches", key=stranger).status_code == 404


def test_a_branch_of_a_branch(cloud: Cloud, cluster: str) -> None:
    first = make(cloud, cluster)
    refused = cloud.call(
        "POST", f"/clusters/{cluster}/branches", json={"displayName": "next", "parentId": first["branchId"]}
    )
    assert refused.status_code == 409
    cloud.settle(first["branchId"])
    second = make(cloud, cluster, "next", parentId=first["branchId"])
    assert (second["clusterId"], second["parentId"]) == (cluster, first["branchId"])
    assert second["parentDisplayName"] == "feature"
    # Its data is still to come from there: without its parent it would stay CREATING for ever.
    early = cloud.call("DELETE", f"/clusters/{cluster}/branches/{first['branchId']}")
    assert early.status_code == 409 and second["branchId"] in early.json()["message"]
    cloud.settle(second["branchId"])
    assert cloud.call("DELETE", f"/clusters/{cluster}/branches/{first['branchId']}").status_code == 200
    gone = cloud.call("POST", f"/clusters/{cluster}/branches/{second['branchId']}:reset")
    assert gone.status_code == 404 and "parent" in gone.json()["message"]


def test_a_deleted_cluster_takes_its_branches_along(cloud: Cloud, cluster: str) -> None:
    """Nothing could name them any more: their data would lie there for ever."""
    branch = make(cloud, cluster)["branchId"]
    assert cloud.call("DELETE", f"/clusters/{cluster}").json()["state"] == "DELETING"
    with cloud.context.store.read() as tx:
        assert all(c.deleting for c in tx.clusters.find()) and tx.clusters.get(branch)


def test_five_branches_in_an_organization(cloud: Cloud, cluster: str) -> None:
    made = [make(cloud, cluster, f"branch-{n}")["branchId"] for n in range(5)]
    sixth = cloud.call("POST", f"/clusters/{cluster}/branches", json={"displayName": "branch-6"})
    assert sixth.status_code == 429 and "5 branches per organization" in sixth.json()["message"]
    cloud.call("DELETE", f"/clusters/{cluster}/branches/{made[0]}")
    make(cloud, cluster, "branch-6")
    page = cloud.call("GET", f"/clusters/{cluster}/branches?pageSize=4").json()
    rest = cloud.call("GET", f"/clusters/{cluster}/branches?pageSize=4&pageToken={page['nextPageToken']}").json()
    assert (len(page["branches"]), len(rest["branches"]), rest["nextPageToken"]) == (4, 2, "")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "displayName"),
        ({"displayName": "x"}, 400, "displayName"),
        ({"displayName": "feature", "parentId": "bran-unknown"}, 404, "bran-unknown"),
        ({"displayName": "feature", "parentTimestamp": "2026-11-22T00:00:00Z"}, 501, "parentTimestamp"),
        ({"displayName": "feature", "rootPassword": "short"}, 400, "password"),
    ],
)
def test_branches_that_are_refused(cloud: Cloud, cluster: str, body: Json, status: int, word: str) -> None:
    reply = cloud.call("POST", f"/clusters/{cluster}/branches", json=body)
    assert reply.status_code == status and word in reply.json()["message"]
    assert cloud.call("GET", f"/clusters/{cluster}/branches").json()["totalSize"] == 0


def test_clusters_that_can_have_none(cloud: Cloud, cluster: str) -> None:
    """Essential ones, those whose quota is used up, those that are too large, and those that are not there yet."""

    def refused(cluster_id: str) -> tuple[int, str]:
        reply = cloud.call("POST", f"/clusters/{cluster_id}/branches", json={"displayName": "feature"})
        return reply.status_code, reply.json()["message"]

    essential = cloud.create("essential", autoScaling={"minRcu": 2000, "maxRcu": 4000})["clusterId"]
    cloud.settle(essential)
    assert refused(essential)[0] == 400 and "Starter" in refused(essential)[1]
    use(cloud, cluster, units=50_000_000)
    assert refused(cluster)[0] == 400 and "quota" in refused(cluster)[1]
    use(cloud, cluster, stored=101 * GIB)
    cloud.call(
        "PATCH",
        f"/clusters/{cluster}",
        json={"cluster": {"spendingLimit": {"monthly": 10_000}}, "updateMask": "spendingLimit.monthly"},
    )
    assert refused(cluster)[0] == 400 and "100 GiB" in refused(cluster)[1]
    assert refused(cloud.create("young")["clusterId"])[0] == 409


def test_passwords_of_a_branchs_users(cloud: Cloud, cluster: str) -> None:
    """Root's is a wish; another user's is set in the running server before the answer."""
    branch = make(cloud, cluster)
    cloud.settle(branch["branchId"])
    path, prefix = f"/clusters/{cluster}/branches/{branch['branchId']}/sqlUsers", branch["userPrefix"]
    root = cloud.call("PATCH", f"{path}/{prefix}.root", json={"password": "Correct-Horse-1"})
    assert (root.status_code, root.json()) == (200, {"username": f"{prefix}.root"})
    assert cloud.asked == []
    shown = cloud.call("GET", f"/clusters/{cluster}/branches/{branch['branchId']}").json()
    assert shown["annotations"]["tidb.cloud/has-set-password"] == "true"
    app = cloud.call("PATCH", f"{path}/{prefix}.app", json={"password": "Correct-Horse-1"})
    assert app.status_code == 200 and [(t.kind, t.name) for t in cloud.asked] == [("change", f"{prefix}.app")]
    assert cloud.call("PATCH", f"{path}/{prefix}.app", json={"password": "x"}).status_code == 400
    assert cloud.call("PATCH", f"{path}/{prefix}.app", json={}).status_code == 400


def test_what_was_used_is_shown_and_a_limit_below_it_is_refused(cloud: Cloud, cluster: str) -> None:
    """Real numbers; and the pricing page's rule."""
    use(cloud, cluster, units=52_000_000.7, stored=3 * GIB)
    assert cloud.get(cluster)["usage"] == {
        "requestUnit": "52000000",
        "rowBasedStorage": float(3 * GIB),
        "columnarStorage": 0.0,
    }
    assert cloud.call("GET", "/clusters").json()["clusters"][0]["usage"]["requestUnit"] == "52000000"

    def limit(cents: int) -> int:
        body = {"cluster": {"spendingLimit": {"monthly": cents}}, "updateMask": "spendingLimit"}
        return cloud.call("PATCH", f"/clusters/{cluster}", json=body).status_code

    assert [limit(cents) for cents in (19, 21, 0)] == [400, 200, 200]
