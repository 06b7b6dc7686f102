"""The picture of the path: what is grouped, where it stands, what it says, and whose it is."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from console_browser import World
from path_world import REGION, PathWorld, Way

from tidegate.console.topology import words
from tidegate.console.topology.grouping import FEW, SLICE, Slice, build_scene, parse_opened, take
from tidegate.console.topology.layout import WIDTH, Picture, Shape, build_picture
from tidegate.console.words import speaking
from tidegate.domain.traffic import Passed
from tidegate.operations import security_group_rules
from tidegate.operations.context import Caller
from tidegate.operations.security_group_rules import RuleSpec
from tidegate.operations.topology import Topology


@pytest.fixture
def path(world: World) -> PathWorld:
    return PathWorld(world)


def whole(path: PathWorld, count: int) -> list[Way]:
    ways = []
    path.cluster()
    for number in range(count):
        way = path.vpc(f"vpc-{number}", f"10.{number % 250}.0.0/16")
        path.attach(way)
        path.connect(way, f"ep-{number}")
        ways.append(way)
    return ways


def draw(topology: Topology, **opened: int) -> Picture:
    return build_picture(build_scene(topology, {key.replace("__", "."): at for key, at in opened.items()}))


def overlaps(one: Shape, other: Shape) -> bool:
    return (
        one.x < other.right and other.x < one.right and one.y < other.y + other.height and other.y < one.y + one.height
    )


STANDING = ("program", "door", "doors", "networks", "note", "more_notes", "service", "services", "cluster", "clusters")


# -- grouping ---------------------------------------------------


def test_few_are_shown_and_a_group_is_never_of_one() -> None:
    for count in range(FEW + 2):
        assert take(range(count), "k", {}, bool) == Slice(tuple(range(count)))
    assert len(take(range(FEW + 2), "k", {}, bool).shown) == FEW


def test_trouble_is_never_hidden_among_the_quiet() -> None:
    found = take(range(100), "k", {}, lambda n: n in (97, 98))
    assert {97, 98} <= set(found.shown)
    assert set(found.shown) | set(found.groups[0].items) == set(range(100))


@pytest.mark.parametrize("offset", [0, SLICE, 2 * SLICE, 99, 10_000])
def test_an_opened_group_shows_a_slice_and_leads_to_the_rest(offset: int) -> None:
    found = take(range(100), "k", {"k": offset}, bool)
    everything = [*found.shown, *(item for group in found.groups for item in group.items)]
    assert 0 < len(found.shown) <= SLICE
    assert sorted(everything) == list(range(100))
    for group in found.groups:
        assert take(range(100), "k", {"k": group.offset}, bool).shown != found.shown


def test_what_the_url_opens_is_checked() -> None:
    assert parse_opened(["a", "b@40", "c@x", "d@-1", "e@99999999"]) == {"a": 0, "b": 40, "c": 0, "d": 0, "e": 0}
    assert len(parse_opened([str(n) for n in range(100)])) == 20


# -- layout -----------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_nothing_stands_on_anything_else(path: PathWorld, count: int) -> None:
    """Each shape within the picture, and none over another, with and without notes of refusals."""
    ways = whole(path, count)
    for way in ways[::2]:
        path.see(way, Passed(9, 900, 1), *(path.refuse(way, port) for port in (1, 2, 3, 4, 5)))
    picture = draw(path.topology())
    standing = [shape for shape in picture.shapes if shape.kind in STANDING]
    for number, shape in enumerate(standing):
        assert shape.x >= 0 and shape.right <= WIDTH and shape.y + shape.height <= picture.height
        for other in standing[number + 1 :]:
            assert not overlaps(shape, other), (shape.kind, other.kind)


def test_a_picture_does_not_grow_with_what_there_is(path: PathWorld) -> None:
    whole(path, 40)
    picture = draw(path.topology())
    assert len(picture.shapes) < 40
    opened = draw(path.topology(), **{f"vpcs__{REGION}": 0})
    assert len([s for s in opened.shapes if s.kind == "door"]) == SLICE


def test_every_endpoint_has_its_wire(path: PathWorld) -> None:
    """Shown or grouped: the wires to the service stand for all endpoints, and begin and end at shapes."""
    whole(path, 20)
    picture = draw(path.topology())
    fabric = [wire for wire in picture.wires if wire.kind == "fabric"]
    assert sum(wire.count for wire in fabric) == 20
    service = next(shape for shape in picture.shapes if shape.kind == "service")
    assert {(wire.x2, wire.y2) for wire in fabric} == {(service.x, service.middle)}


def test_the_cross_is_on_the_wire_where_it_was_refused(path: PathWorld) -> None:
    """On the way out by the program's groups, on the way in by the endpoint's, or at the endpoint's own port."""
    (way,) = whole(path, 1)
    hops = {"egress": 1, "ingress": 2, "local": 3}
    path.see(way, None, *(path.refuse(way, port, hop) for hop, port in hops.items()))
    picture = draw(path.topology())
    crosses = sorted((mark.x, mark.refusals[0].hop) for mark in picture.marks if mark.refusals)
    assert [hop for _, hop in crosses] == ["egress", "ingress", "local"]
    program = next(s for s in picture.shapes if s.kind == "program")
    door = next(s for s in picture.shapes if s.kind == "door")
    assert all(program.right < x < door.x for x, _ in crosses)


def test_refusals_come_first_and_a_group_tells_of_those_it_hides(path: PathWorld) -> None:
    """With more in trouble than are shown, what is refused is shown before what is only on its way."""
    ways = whole(path, 20)
    for way in ways[10:18]:
        path.see(way, None, path.refuse(way, 3306))
    page = path.enter().get("/console/topology")
    assert page.html.count('class="cross"') == 1 + FEW, "in the legend, and at each shown"
    assert "2 refused something" in page.text


def test_an_endpoint_without_refusals_shows_its_guard(path: PathWorld) -> None:
    whole(path, 2)
    marks = draw(path.topology()).marks
    assert len(marks) == 2 and not any(mark.refusals for mark in marks)


# -- the view ---------------------------------------------------


def test_a_refusal_is_told_in_the_users_words(path: PathWorld) -> None:
    """The rule with its group; without a rule the groups that judged; what a hop refused needs neither."""
    (way,) = whole(path, 1)
    rule = RuleSpec("tcp", "3306/3306", "drop", peer_cidr="10.0.0.0/8")
    security_group_rules.authorize_rules(path.context, path.networks, way.group_id, "ingress", [rule])
    with path.world.store.read() as tx:
        rule_id = tx.security_group_rules.find(group_id=way.group_id)[0].rule_id
    path.see(
        way,
        None,
        path.refuse(way, 3306, "ingress", rule_id),
        path.refuse(way, 22),
        path.refuse(way, 4001, "local", "x"),
    )
    refusals = {r.seen.port: r for r in path.topology().refusals}
    assert all(r.endpoint_id == way.endpoint_id and r.source_name == "app" for r in refusals.values())
    with speaking("en"):
        said = {port: words.show_cause(refusal) for port, refusal in refusals.items()}
    assert said[3306] == f"TCP 3306 is dropped by the rule {rule_id} (priority 1) of the security group {way.group_id}."
    assert way.group_id in said[22] and "no rule" in said[22]
    assert said[4001] == "TCP 4001: no connected endpoint serves this port."


def test_only_ones_own_is_drawn_and_looked_at(path: PathWorld) -> None:
    """Two accounts never see each other's things, nor have the host look at the other's packets."""
    whole(path, 1)
    stranger = Caller("1000000000000099")
    other = path.vpc("secret", caller=stranger)
    path.connect(other, "secret-ep", caller=stranger)
    page = path.enter().get("/console/topology")
    assert "secret" not in page.html and other.vpc_id not in page.html
    assert all(other.vpc_id not in looked for looked in path.looks)


# -- the page ---------------------------------------------------


def test_the_page_draws_links_and_tells(path: PathWorld) -> None:
    (way,) = whole(path, 1)
    path.see(way, Passed(100, 1_234_000, 7), path.refuse(way, 3306), bytes_s=42_000)
    page = path.enter().get("/console/topology")
    assert page.status == 200
    for shown in ("ep-0", f"{way.address}:4000", "42.0 kB/s", "1.2 MB", "TCP 3306", "Singapore", "orders"):
        assert shown in page.text
    for link in (f"endpoints/{way.endpoint_id}", f"vpcs/{way.vpc_id}", f"security-groups/{way.group_id}"):
        assert f"/console/vpc/{link}" in page.html
    svg = re.search(r"<svg class=\"map\".*?</svg>", page.html, re.DOTALL)
    assert svg is not None
    ElementTree.fromstring(svg[0])  # well-formed


def test_the_table_says_what_the_picture_shows(path: PathWorld) -> None:
    """For who cannot see the picture: the same endpoints, states, numbers and refusals as text."""
    ways = whole(path, 12)
    path.see(ways[0], Passed(100, 5000, 7), path.refuse(ways[0], 3306, packets=12))
    facts = path.enter().fragment("/console/topology", "part_facts")
    assert "app → 10.0.1.2:3306" in facts.text and "12" in facts.text
    assert "6 more VPCs" in facts.text and "6 connected" in facts.text
    assert '<svg class="map"' not in facts.html


def test_nothing_yet_is_said_kindly(path: PathWorld) -> None:
    assert "Nothing to draw yet." in path.enter().get("/console/topology").text


def test_chinese(path: PathWorld) -> None:
    (way,) = whole(path, 1)
    path.see(way, Passed(1, 60, 1), path.refuse(way, 3306))
    text = path.enter("zh").get("/console/topology").text
    assert "拓扑" in text and "被拒绝的连接" in text and "3 个数据包" in text and "4 秒前" in text


def test_a_group_opens_by_its_link(path: PathWorld) -> None:
    whole(path, 12)
    browser = path.enter()
    closed = browser.get("/console/topology")
    link = re.search(r'href="(/console/topology\?open=vpcs[^"]*)"', closed.html)
    assert link is not None and "ep-11" not in closed.html
    opened = browser.get(link[1].replace("&amp;", "&"))
    assert "ep-11" in opened.html and "Close the groups" in opened.text


def test_what_the_url_opens_comes_back_as_nothing_but_that(path: PathWorld) -> None:
    """Links to more carry on what is open; a crafted name must stay a name."""
    whole(path, 12)
    html = path.enter().get("/console/topology?open=%22%3E%3Cb%3E%26next%3Dx").html
    assert "<b>" not in html and "next=x" not in html


def test_the_page_watches_traffic_and_only_what_is_shown(path: PathWorld) -> None:
    (way,) = whole(path, 1)
    html = path.enter().get("/console/topology").html
    assert "watch=traffic" in html and f"watch=endpoint:{way.endpoint_id}" in html
    assert "watch=endpoint&" not in html and 'watch=endpoint"' not in html


def test_what_cannot_be_read_is_said(path: PathWorld) -> None:
    (way,) = whole(path, 1)
    path.see(way)
    seen = path.seen[way.vpc_id]
    path.seen[way.vpc_id] = replace(seen, traffic=replace(seen.traffic, problem="network vpc: it broke."))
    assert "it broke." in path.enter().get("/console/topology").text


# -- words ------------------------------------------------------


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (123_456, "123 kB"),
        (999_700, "1.0 MB"),
        (5e18, "5000 PB"),
    ],
)
def test_sizes(size_bytes: float, shown: str) -> None:
    assert words.show_size(size_bytes) == shown


def test_text_is_cut_to_its_place() -> None:
    """Chinese letters are twice as wide; what fits is left alone."""
    assert words.fit("short", 100) == "short"
    assert words.fit("支付系统终端节点", 60, 12) == "支付系统…"
    assert words.fit("x" * 200, 100, 12).endswith("…") and len(words.fit("x" * 200, 100, 12)) < 20
