"""The guided tour watches what is there: each item is ticked when it is true, and no sooner."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_browser import World
from path_world import PathWorld

from tidegate.domain.traffic import Passed
from tidegate.operations import security_group_rules, security_groups
from tidegate.operations.guide import STEPS, Guide, get_guide
from tidegate.operations.security_group_rules import RuleSpec

EVERYTHING = [item for step in STEPS for item in step]


@pytest.fixture
def path(world: World) -> PathWorld:
    return PathWorld(world)


def look(path: PathWorld, cluster_id: str = "") -> Guide:
    return get_guide(path.context, path.networks, path.clusters, cluster_id)


def test_each_item_is_ticked_in_its_turn(path: PathWorld) -> None:
    """The how-to from nothing to rows, one thing at a time."""
    told = [look(path).next]

    def now() -> None:
        told.append(look(path).next)

    cluster_id = path.cluster(ready=False, password=False)
    now()
    with path.world.store.write() as tx:
        tx.clusters.put(replace(tx.clusters.get(cluster_id), ready_generation=1))
    now()
    with path.world.store.write() as tx:
        tx.clusters.put(replace(tx.clusters.get(cluster_id), root_password_hash="*" + "A" * 40))
    now()
    way = path.vpc()
    now()
    rule = RuleSpec("tcp", "4000/4000", "accept", peer_cidr="10.0.0.0/16")
    security_group_rules.authorize_rules(path.context, path.networks, way.group_id, "ingress", [rule])
    now()
    path.connect(way, ready=False)
    now()
    path.answer("endpoint", way.endpoint_id)
    now()
    path.attach(way)
    now()
    path.see(way, Passed(20, 4000, 1))
    now()
    assert told == ["cluster", "cluster", "password", "vpc", "group", "endpoint", "active", "program", "used", None]
    assert look(path).done == set(EVERYTHING)


def test_what_is_taken_away_is_to_do_again(path: PathWorld) -> None:
    """Nothing is remembered that is no longer so."""
    path.cluster()
    way = path.vpc()
    path.attach(way)
    path.connect(way)
    path.see(way, Passed(20, 4000, 1))
    assert look(path).next is None
    with path.world.store.write() as tx:
        endpoint = tx.endpoints.get(way.endpoint_id)
        assert endpoint is not None
        tx.endpoints.put(replace(endpoint, accepted=False, toggled_generation=2, generation=2))
    assert look(path).next in ("active", "connected")


def test_the_endpoints_own_groups_must_let_it_in(path: PathWorld) -> None:
    """Another group of the VPC that would is no help; and the tick says which group to change."""
    path.cluster()
    way = path.vpc()
    other = security_groups.create_security_group(
        path.context, path.networks, region_id="alicloud-ap-southeast-1", vpc_id=way.vpc_id
    ).group_id
    rule = RuleSpec("tcp", "4000/4000", "accept", peer_cidr="0.0.0.0/0")
    security_group_rules.authorize_rules(path.context, path.networks, other, "ingress", [rule])
    path.attach(way, group_id=other)
    assert "group" in look(path).done
    path.connect(way)
    guide = look(path)
    assert "group" not in guide.done and guide.group_id == way.group_id
    security_group_rules.authorize_rules(path.context, path.networks, way.group_id, "ingress", [rule])
    assert "group" in look(path).done


def test_the_cluster_that_was_asked_for(path: PathWorld) -> None:
    path.cluster("first")
    second = path.cluster("second", password=False)
    assert look(path).cluster is not None and look(path).cluster.cluster.display_name == "first"  # type: ignore[union-attr]
    guide = look(path, second)
    assert guide.cluster is not None and guide.cluster.cluster.cluster_id == second and guide.next == "password"
    assert look(path, "someone-elses").cluster == look(path).cluster


def test_the_page_shows_how_far_it_is(path: PathWorld) -> None:
    cluster_id = path.cluster()
    page = path.enter().get("/console/guide")
    assert page.status == 200 and "2 of 10" in page.text
    assert f"/console/clusters/{cluster_id}" in page.html and "tidegate vpc create web" in page.text
    assert page.html.count('aria-current="step"') == 1
    assert f"watch=cluster:{cluster_id}" in page.html and "watch=traffic" in page.html


def test_a_refused_try_is_told_where_it_is_waited_for(path: PathWorld) -> None:
    path.cluster()
    way = path.vpc()
    path.attach(way)
    path.connect(way)
    path.see(way, None, path.refuse(way, 4000))
    text = path.enter().fragment("/console/guide", "part_steps").text
    assert f"no rule of the security group {way.group_id} lets it in" in text


def test_chinese_has_the_words_of_the_how_to(path: PathWorld) -> None:
    text = path.enter("zh").get("/console/guide").text
    for title in ("选择 TiDB 集群", "在阿里云上创建私有终端节点", "使用私有终端节点连接到你的 TiDB 集群"):
        assert title in text
