"""Clusters: plans, passwords, sleep and wake."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tidegate.domain import clusters
from tidegate.domain.clusters import Cluster, ClusterState
from tidegate.domain.refusals import Malformed, NoPrivateEndpoint, PlanConflict

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CLUSTER = Cluster("1", "o", "p", "alicloud-ap-southeast-1", "orders", "2abc", "STARTER", "100.104.0.1", "k", NOW, NOW)


def test_plans() -> None:
    """autoScaling makes it Essential, and the two ways to pay exclude each other."""
    assert clusters.decide_plan(None, None) == "STARTER"
    assert clusters.decide_plan(None, (2000, 4000)) == "ESSENTIAL"
    with pytest.raises(PlanConflict):
        clusters.decide_plan(100, (2000, 4000))
    for bad in ((1999, 4000), (4000, 2000), (2000, 100_001)):
        with pytest.raises(Malformed):
            clusters.decide_plan(None, bad)


def test_private_endpoints_on_two_clouds_only() -> None:
    assert clusters.require_private_endpoint(CLUSTER).code == "ap-southeast-1"
    with pytest.raises(NoPrivateEndpoint):
        clusters.require_private_endpoint(replace(CLUSTER, region_id="gcp-us-central1"))


def test_the_password_hash_is_mysqls() -> None:
    """The value that MySQL's documentation of mysql_native_password gives for 'mypass'."""
    assert clusters.native_password_hash("mypass") == "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4"
    assert hashlib.sha1(hashlib.sha1(b"x").digest()).hexdigest().upper() in clusters.native_password_hash("x")


def test_states_and_wakes() -> None:
    assert clusters.decide_cluster_state(CLUSTER) is ClusterState.CREATING
    ready = replace(CLUSTER, ready_generation=1)
    assert clusters.decide_cluster_state(clusters.sleep(ready)) is ClusterState.ACTIVE
    woken = clusters.wake(clusters.sleep(ready))
    assert (woken.awake, woken.start_seq, woken.generation) == (True, 2, 3)


@pytest.mark.parametrize(
    ("cluster", "sessions", "idle_s", "may"),
    [
        (CLUSTER, 0, 301, True),
        (CLUSTER, 0, 299, False),
        (CLUSTER, 1, 301, False),
        (CLUSTER, None, 301, False),
        (replace(CLUSTER, plan="ESSENTIAL"), 0, 301, False),
        (replace(CLUSTER, awake=False), 0, 301, False),
        (replace(CLUSTER, deleting=True), 0, 301, False),
    ],
)
def test_who_may_sleep(cluster: Cluster, sessions: int | None, idle_s: float, may: bool) -> None:
    """A count that could not be read is not a count of zero: that would stop servers under load."""
    assert clusters.decide_may_sleep(cluster, sessions, idle_s, 300) is may
    assert not clusters.decide_may_sleep(cluster, sessions, idle_s, 0)
