"""The life of a cluster through the API, as the CLI and Terraform live it (``reference/tidbcloud.md`` 2 and 3)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tidbcloud_cloud import SINGAPORE, Cloud

# What Terraform dereferences without a nil check: reference 2.2, "Never omit".
NEVER_OMIT = [
    "labels",
    "annotations",
    "clusterId",
    "region.name",
    "region.regionId",
    "region.cloudProvider",
    "region.displayName",
    "automatedBackupPolicy.startTime",
    "automatedBackupPolicy.retentionDays",
    "endpoints.private",
    "endpoints.public.host",
    "endpoints.public.port",
    "endpoints.public.disabled",
    "encryptionConfig.enhancedEncryptionEnabled",
    "version",
    "createdBy",
    "createTime",
    "updateTime",
    "userPrefix",
    "state",
]
ALL_REGIONS = [
    "alicloud-ap-southeast-1",
    "alicloud-ap-northeast-1",
    "alicloud-na-south-1",
    "aws-us-east-1",
    "gcp-us-central1",
    "azure-eastus",
]


def take(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body[part]
    return body


def test_create_answers_at_once_and_becomes_active(cloud: Cloud) -> None:
    """``ticloud serverless create``: POST, then GET ?view=BASIC until ACTIVE; no other state may come between."""
    made = cloud.create("orders")
    assert made["state"] == "CREATING"
    assert cloud.call("GET", f"/clusters/{made['clusterId']}?view=BASIC").json()["state"] == "CREATING"
    cloud.settle(made["clusterId"])
    assert cloud.call("GET", f"/clusters/{made['clusterId']}?view=BASIC").json()["state"] == "ACTIVE"


def test_a_cluster_has_the_shape_of_the_sample(cloud: Cloud) -> None:
    """Section 8 of the reference, for Alibaba Cloud; values that clients parse are of the kind they parse."""
    body = cloud.create("orders", labels={"team": "red"}, spendingLimit={"monthly": 500})
    cluster_id = body["clusterId"]
    with cloud.context.store.read() as tx:
        (service,) = tx.services.find(region_id="alicloud-ap-southeast-1")
        account = tx.accounts.get(cloud.key.account_id)
    assert account is not None
    assert re.fullmatch(r"\d{20}", cluster_id)
    assert re.fullmatch(r"[A-Za-z0-9]{15}", body["userPrefix"])
    assert body == {
        "name": f"clusters/{cluster_id}",
        "clusterId": cluster_id,
        "displayName": "orders",
        "region": {
            "name": SINGAPORE,
            "regionId": "ap-southeast-1",
            "cloudProvider": "alicloud",
            "displayName": "Singapore (ap-southeast-1)",
            "provider": "alicloud",
        },
        "spendingLimit": {"monthly": 500},
        "automatedBackupPolicy": {"startTime": "07:00", "retentionDays": 1},
        "endpoints": {
            "public": {
                "host": "gateway01.ap-southeast-1.prod.alicloud.tidbcloud.com",
                "port": 4000,
                "disabled": True,
                "authorizedNetworks": [
                    {
                        "startIpAddress": "0.0.0.0",
                        "endIpAddress": "255.255.255.255",
                        "displayName": "Allow_all_public_connections",
                    }
                ],
            },
            "private": {
                "host": "gateway01-privatelink.ap-southeast-1.prod.alicloud.tidbcloud.com",
                "port": 4000,
                "alicloud": {
                    "serviceName": service.name,
                    "availabilityZone": ["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1c"],
                },
            },
        },
        "rootPassword": "",
        "encryptionConfig": {"enhancedEncryptionEnabled": False},
        "highAvailabilityType": "ZONAL",
        "version": "v8.5.4",
        "createdBy": f"apikey-{cloud.key.key_id}",
        "userPrefix": body["userPrefix"],
        "state": "CREATING",
        "labels": {
            "team": "red",
            "tidb.cloud/organization": account.account_id,
            "tidb.cloud/project": account.project_id,
        },
        "annotations": {
            "tidb.cloud/available-features": "DISABLE_PUBLIC_LB,DELEGATE_USER",
            "tidb.cloud/has-set-password": "false",
        },
        "createTime": body["createTime"],
        "updateTime": body["createTime"],
        "auditLogConfig": {"enabled": False, "unredacted": False},
        "clusterPlan": "STARTER",
        "servicePlan": "Starter",
        "usage": {"requestUnit": "0", "rowBasedStorage": 0.0, "columnarStorage": 0.0},
    }
    assert re.fullmatch(r"2026-11-23T08:00:00\.\d{3}Z", body["createTime"])


@pytest.mark.parametrize("region", ALL_REGIONS)
def test_nothing_that_terraform_dereferences_is_missing(cloud: Cloud, region: str) -> None:
    """In each cloud, in create, get (both views), list and delete: an absent false or 0 crashes the plug-in."""
    plan = {} if region.startswith(("aws", "gcp", "azure")) else {"autoScaling": {"minRcu": 2000, "maxRcu": 4000}}
    made = cloud.create("orders", f"regions/{region}", **plan)
    url = f"/clusters/{made['clusterId']}"
    bodies = [made, *(cloud.call("GET", url, params={"view": view}).json() for view in ("BASIC", "FULL"))]
    bodies += cloud.call("GET", "/clusters?pageSize=100").json()["clusters"]
    bodies.append(cloud.call("DELETE", url).json())
    for body in bodies:
        for path in NEVER_OMIT:
            assert take(body, path) is not None, path
        assert ("spendingLimit" in body) != ("autoScaling" in body)
        for amount in (*body.get("autoScaling", {}).values(), *body.get("spendingLimit", {}).values()):
            assert type(amount) is int


@pytest.mark.parametrize(("region", "key"), [("aws-us-east-1", "aws"), ("alicloud-na-south-1", "alicloud")])
def test_private_endpoint_names_its_cloud_only(cloud: Cloud, region: str, key: str) -> None:
    body = cloud.create("orders", f"regions/{region}", autoScaling={"minRcu": 2000, "maxRcu": 2000})
    private = body["endpoints"]["private"]
    assert set(private) == {"host", "port", key}
    assert body["region"]["regionId"] in private[key]["serviceName"]


@pytest.mark.parametrize("region", ["gcp-us-central1", "azure-eastus"])
def test_clouds_without_private_endpoints_show_none(cloud: Cloud, region: str) -> None:
    """An empty object: Terraform needs the object, and takes host and port only beside ``aws``."""
    assert cloud.create("orders", f"regions/{region}")["endpoints"]["private"] == {}


def test_the_root_password_is_never_told_again(cloud: Cloud) -> None:
    made = cloud.create("orders", rootPassword="correct horse")
    assert made["rootPassword"] == ""
    assert made["annotations"]["tidb.cloud/has-set-password"] == "true"
    reply = cloud.call("PUT", f"/clusters/{made['clusterId']}/password", json={"password": "battery staple"})
    assert (reply.status_code, reply.json()) == (200, {})
    everything = cloud.call("GET", "/clusters").text + cloud.call("GET", f"/clusters/{made['clusterId']}").text
    assert "correct horse" not in everything and "battery staple" not in everything


def test_setting_a_password_shows_in_the_annotations(cloud: Cloud) -> None:
    made = cloud.create("orders")
    cloud.call("PUT", f"/clusters/{made['clusterId']}/password", json={"password": "battery staple"})
    assert cloud.get(made["clusterId"])["annotations"]["tidb.cloud/has-set-password"] == "true"


def test_patch_changes_the_masked_path_and_nothing_else(cloud: Cloud) -> None:
    """Terraform sends earlier changed fields along with later masks; the documented curl sample sends many."""
    made = cloud.create("orders", labels={"a": "1"})
    cloud.settle(made["clusterId"])
    change = {
        "displayName": "invoices",
        "labels": {"a": "2"},
        "endpoints": {"public": {"disabled": False}},
        "spendingLimit": {"monthly": "nonsense"},
    }
    reply = cloud.call("PATCH", f"/clusters/{made['clusterId']}", json={"cluster": change, "updateMask": "displayName"})
    assert reply.status_code == 200
    changed = reply.json()
    assert changed["displayName"] == "invoices"
    assert changed["updateTime"] > made["updateTime"]
    for field in ("labels", "endpoints", "spendingLimit", "createTime", "userPrefix"):
        assert changed[field] == made[field]
    assert changed["state"] == "ACTIVE", "renaming must not look like work: Terraform does not wait"


def test_delete_shows_deleting_until_it_is_gone(cloud: Cloud) -> None:
    """``ticloud serverless delete`` succeeds only when the answer says DELETING or DELETED; twice is harmless."""
    made = cloud.create("orders")
    url = f"/clusters/{made['clusterId']}"
    for _ in range(2):
        reply = cloud.call("DELETE", url)
        assert (reply.status_code, reply.json()["state"]) == (200, "DELETING")
    assert cloud.call("GET", url).json()["state"] == "DELETING"
    cloud.remove(made["clusterId"])
    assert cloud.call("GET", url).status_code == 404


def test_a_cluster_that_does_not_start_says_why(cloud: Cloud) -> None:
    """A client that only sees CREATING for minutes cannot know what to mend."""
    made = cloud.create("orders")
    cloud.settle(made["clusterId"], "failed", "Its server needs 2 GiB and 1 GiB is free.")
    body = cloud.get(made["clusterId"])
    assert body["state"] == "CREATING"
    assert body["annotations"]["tidegate/phase"] == "failed"
    assert body["annotations"]["tidegate/reason"] == "Its server needs 2 GiB and 1 GiB is free."
    cloud.settle(made["clusterId"])
    assert "tidegate/reason" not in cloud.get(made["clusterId"])["annotations"]


def test_create_accepts_what_the_official_clients_send(cloud: Cloud) -> None:
    """The CLI's body with all flags that mean the same here, and null for unset fields as Go clients send."""
    with cloud.context.store.read() as tx:
        account = tx.accounts.get(cloud.key.account_id)
    assert account is not None
    body = cloud.create(
        "orders",
        labels={"tidb.cloud/project": account.project_id},
        encryptionConfig={"enhancedEncryptionEnabled": False},
        endpoints={"public": {"disabled": True, "authorizedNetworks": []}},
        spendingLimit=None,
        autoScaling={"minRcu": "2000", "maxRcu": 4000.0},
        highAvailabilityType="ZONAL",
        automatedBackupPolicy={"startTime": "07:00", "retentionDays": 1},
        somethingNew={"nobody": ["knows"]},
    )
    assert body["autoScaling"] == {"minRcu": 2000, "maxRcu": 4000}
    assert (body["clusterPlan"], body["servicePlan"]) == ("ESSENTIAL", "Essential")


def test_regions_and_providers(cloud: Cloud) -> None:
    regions = cloud.call("GET", "/regions").json()["regions"]
    assert {r["cloudProvider"] for r in regions} == {"alicloud", "aws", "gcp", "azure"}
    assert regions[0] == {
        "name": SINGAPORE,
        "regionId": "ap-southeast-1",
        "cloudProvider": "alicloud",
        "displayName": "Singapore (ap-southeast-1)",
        "provider": "alicloud",
        "servicePlans": ["Starter", "Essential"],
    }
    aws = cloud.call("GET", "/regions?cloudProvider=aws&servicePlan=Starter").json()["regions"]
    assert len(aws) == 5 and {r["cloudProvider"] for r in aws} == {"aws"}
    assert cloud.call("GET", "/regions?servicePlan=Premium").json() == {"regions": []}
    assert cloud.call("GET", "/regions:listCloudProviders").json() == {
        "cloudProviders": ["alicloud", "aws", "gcp", "azure"]
    }


def test_projects_are_iams(cloud: Cloud) -> None:
    """snake_case, ids and time as strings; the CLI picks a single project by itself and filters clusters by it."""
    cloud.create("orders")
    answer = cloud.call("GET", "/projects?pageSize=100").json()
    (project,) = answer["projects"]
    assert answer["nextPageToken"] == ""
    assert project == {
        "id": project["id"],
        "org_id": cloud.key.account_id,
        "name": "Default Project",
        "cluster_count": 1,
        "user_count": 1,
        "create_timestamp": project["create_timestamp"],
        "aws_cmek_enabled": False,
    }
    assert re.fullmatch(r"\d+", project["create_timestamp"])
    listed = cloud.call("GET", "/clusters", params={"filter": f"projectId={project['id']}", "pageSize": 100}).json()
    assert [c["displayName"] for c in listed["clusters"]] == ["orders"]
    assert cloud.call("GET", "/projects", key=cloud.stranger()).json()["projects"][0]["cluster_count"] == 0


def test_batch_get_is_all_or_nothing(cloud: Cloud) -> None:
    a, b = cloud.create("aaaa")["clusterId"], cloud.create("bbbb")["clusterId"]
    answer = cloud.call("GET", f"/clusters:batchGet?clusterIds={b}&clusterIds={a}&view=FULL").json()
    assert [c["clusterId"] for c in answer["clusters"]] == [b, a]
    assert cloud.call("GET", f"/clusters:batchGet?clusterIds={a}&clusterIds=1").status_code == 404


OFFICE = {"startIpAddress": "192.0.2.0", "endIpAddress": "192.0.2.255", "displayName": "office"}
PATCHES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("displayName", {"displayName": "invoices"}, "displayName", "invoices"),
    ("labels", {"labels": {"b": "2"}}, "labels", {"a": "1", "b": "2"}),
    ("spendingLimit.monthly", {"spendingLimit": {"monthly": 500}}, "spendingLimit", {"monthly": 500}),
    ("spendingLimit", {"spendingLimit": {"monthly": 700}}, "spendingLimit", {"monthly": 700}),
    ("endpoints.public.disabled", {"endpoints": {"public": {"disabled": False}}}, "endpoints.public.disabled", False),
    (
        "endpoints.public.authorizedNetworks",
        {"endpoints": {"public": {"authorizedNetworks": [OFFICE]}}},
        "endpoints.public.authorizedNetworks",
        [OFFICE],
    ),
    (
        "endpoints.public.authorizedNetworks",
        {"endpoints": {"public": {"authorizedNetworks": []}}},
        "endpoints.public.authorizedNetworks",
        [],
    ),
    (
        "automatedBackupPolicy",
        {"automatedBackupPolicy": {"startTime": "07:00", "retentionDays": 1}},
        "automatedBackupPolicy",
        {"startTime": "07:00", "retentionDays": 1},
    ),
]


@pytest.mark.parametrize(("mask", "change", "path", "wanted"), PATCHES)
def test_each_path_is_changed_alone(cloud: Cloud, mask: str, change: dict[str, Any], path: str, wanted: Any) -> None:
    """All that ride along are left alone, and what is shown is what a GET shows again."""
    made = cloud.create("orders", labels={"a": "1"})
    others = {"displayName": "other", "labels": {"z": "9"}, "spendingLimit": {"monthly": 9}, "endpoints": {"public": 0}}
    body = {"cluster": others | change, "updateMask": mask}
    reply = cloud.call("PATCH", f"/clusters/{made['clusterId']}", json=body)
    assert reply.status_code == 200, reply.text
    changed = reply.json()
    assert cloud.get(made["clusterId"]) == changed
    for reserved in [name for name in changed["labels"] if name.startswith("tidb.cloud/")]:
        del changed["labels"][reserved], made["labels"][reserved]
    assert take(changed, path) == wanted
    for body in (changed, made):
        parent = take(body, path.rpartition(".")[0]) if "." in path else body
        del parent[path.rpartition(".")[2]], body["updateTime"]
    assert changed == made


def test_auto_scaling_is_essentials(cloud: Cloud) -> None:
    made = cloud.create("orders", autoScaling={"minRcu": 2000, "maxRcu": 4000})
    url = f"/clusters/{made['clusterId']}"
    wanted = {"minRcu": 4000, "maxRcu": 8000}
    reply = cloud.call("PATCH", url, json={"cluster": {"autoScaling": wanted}, "updateMask": "autoScaling"})
    assert reply.json()["autoScaling"] == wanted
    refused = {"cluster": {"spendingLimit": {"monthly": 1}}, "updateMask": "spendingLimit.monthly"}
    assert cloud.call("PATCH", url, json=refused).status_code == 400
    assert cloud.get(made["clusterId"])["autoScaling"] == wanted


def test_a_parent_path_means_what_the_body_has_of_it(cloud: Cloud) -> None:
    made = cloud.create("orders")
    change = {"endpoints": {"public": {"disabled": False}}}
    reply = cloud.call(
        "PATCH", f"/clusters/{made['clusterId']}", json={"cluster": change, "updateMask": "endpoints"}
    ).json()
    assert reply["endpoints"]["public"] == made["endpoints"]["public"] | {"disabled": False}


def test_a_public_endpoint_can_be_asked_for_at_create(cloud: Cloud) -> None:
    public = {"disabled": False, "authorizedNetworks": [OFFICE]}
    made = cloud.create("orders", endpoints={"public": public})
    assert made["endpoints"]["public"] == made["endpoints"]["public"] | public


def test_a_batch_is_created_whole_or_not_at_all(cloud: Cloud) -> None:
    """One bad request among good ones must not leave the good ones behind."""
    good = {"cluster": {"displayName": "orders", "region": {"name": SINGAPORE}}}
    bad = {"cluster": {"displayName": "-", "region": {"name": SINGAPORE}}}
    assert cloud.call("POST", "/clusters:batchCreate", json={"requests": [good, good, bad]}).status_code == 400
    assert cloud.call("POST", "/clusters:batchCreate", json={"requests": [good] * 101}).status_code == 429
    assert cloud.call("POST", "/clusters:batchCreate", json={"requests": []}).status_code == 400
    assert cloud.call("GET", "/clusters").json()["totalSize"] == 0
    made = cloud.call("POST", "/clusters:batchCreate", json={"requests": [good, good]}).json()["clusters"]
    assert len({c["clusterId"] for c in made} | {c["userPrefix"] for c in made}) == 4
    assert cloud.call("GET", "/clusters").json()["totalSize"] == 2
