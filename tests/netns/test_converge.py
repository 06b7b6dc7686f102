"""Apply any number of times, be killed anywhere, find anything: the kernel ends up as the configuration says."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from netns_witness import Server
from netns_world import ENDPOINT, GATEWAY, HOST, NETWORK, OPEN, OTHER_HOST, REGION, World, twin

from tidegate.dataplane.config import DataPlaneError, NetworkConfig, Publication

SECOND = replace(ENDPOINT, interface_id="eni-ep2", endpoint_id="ep-2", address="10.0.2.6", fabric_address="100.64.0.2")
THIRD = replace(
    ENDPOINT,
    interface_id="eni-ep3",
    endpoint_id="ep-3",
    address="10.0.2.7",
    fabric_address="100.64.0.3",
    service_address="100.113.0.9",
    service_port=0,
    bandwidth_mbit=50,
)
PUBLICATION = Publication("epsrv-1", "100.113.0.1", HOST.address)
LARGER = replace(
    NETWORK,
    hosts=(HOST, OTHER_HOST),
    endpoints=(replace(ENDPOINT, connected=False), replace(SECOND, bandwidth_mbit=100), THIRD),
    publications=(PUBLICATION,),
    policies=(replace(OPEN, ingress_default="accept"),),
    group_members=(("sg-1", (HOST.address,)),),
)


class Killed(Exception):  # noqa: N818
    """Stands for kill -9: nothing after it runs, nothing is cleaned up."""


def killed_at(step: int) -> Callable[[str], None]:
    """An ``on_step`` that dies before its ``step``-th step."""
    count = iter(range(step, -1, -1))

    def on_step(name: str) -> None:
        if next(count, 0) == 0:
            raise Killed(name)

    return on_step


def test_twice_equals_once(world: World) -> None:
    """The second apply changes nothing and says so; the kernel agrees."""
    before = world.state()
    assert world.plane.apply_region(REGION) is False
    assert world.plane.apply_network(NETWORK) is False
    assert world.state() == before


def test_a_change_and_its_reverse_leave_no_trace(world: World) -> None:
    before = world.state()
    assert world.plane.apply_network(LARGER) is True
    assert world.state() != before
    assert world.plane.apply_network(NETWORK) is True
    assert world.state() == before


def test_a_change_by_difference_equals_a_load_from_nothing(world: World) -> None:
    """The quick road and the whole table end in the same rules."""
    world.plane.apply_network(LARGER)
    by_difference = world.state()
    world.fresh_driver().apply_network(LARGER)
    assert world.state() == by_difference


def test_apply_then_remove_leaves_no_trace(bare_world: World) -> None:
    bare_world.plane.apply_region(REGION)
    before = bare_world.state()
    bare_world.plane.apply_network(LARGER)
    bare_world.plane.remove_network(LARGER.vpc_id)
    assert bare_world.state() == before
    bare_world.plane.remove_region(REGION.region_id)
    assert bare_world.names() == set()


def test_remove_is_known_to_a_fresh_driver(world: World) -> None:
    """After kill -9 only the kernel knows which namespaces belong to which VPC."""
    world.plane.apply_network(twin(NETWORK))
    world.fresh_driver().remove_network("vpc-a")
    assert world.names() == {"region-1", "vpc-b", "twin"}
    world.fresh_driver().remove_network("vpc-a")
    world.fresh_driver().remove_network("never-was")


def _steps_of(act: Callable[[World], None], world: World) -> int:
    seen: list[str] = []
    world.fresh_driver(on_step=seen.append)
    act(world)
    return len(seen)


def _apply_all(world: World) -> None:
    world.plane.apply_region(REGION)
    world.plane.apply_network(LARGER)


def test_killed_at_each_step_of_the_first_apply(bare_world: World) -> None:
    """A predecessor that died anywhere; a fresh driver applies the same and nothing tells the difference."""
    steps = _steps_of(_apply_all, bare_world)
    wanted = bare_world.state()
    assert steps > 15
    for step in range(steps):
        bare_world.fresh_driver().cleanup()
        bare_world.fresh_driver(on_step=killed_at(step))
        with pytest.raises(Killed):
            _apply_all(bare_world)
        bare_world.fresh_driver()
        _apply_all(bare_world)
        assert bare_world.state() == wanted, f"after death before step {step}"


def test_killed_at_each_step_of_a_change(bare_world: World) -> None:
    """From a running network to a larger one and back, dying on the way."""
    _apply_all(bare_world)
    wanted = bare_world.state()
    for step in range(100):
        bare_world.fresh_driver()
        bare_world.plane.apply_network(NETWORK)
        bare_world.plane._step = killed_at(step)
        try:
            bare_world.plane.apply_network(LARGER)
        except Killed:
            bare_world.fresh_driver().apply_network(LARGER)
            assert bare_world.state() == wanted, f"after death before step {step}"
        else:
            assert step > 5
            return
    raise AssertionError("the change has no end")


def test_killed_at_each_step_of_a_removal(bare_world: World) -> None:
    _apply_all(bare_world)
    seen: list[str] = []
    bare_world.fresh_driver(on_step=seen.append).remove_network(LARGER.vpc_id)
    for step in range(len(seen)):
        bare_world.fresh_driver().apply_network(LARGER)
        with pytest.raises(Killed):
            bare_world.fresh_driver(on_step=killed_at(step)).remove_network(LARGER.vpc_id)
        bare_world.fresh_driver().sweep(frozenset(), frozenset({REGION.region_id}))
        assert bare_world.names() == {"region-1"}, f"after death before step {step}"


def test_a_step_that_fails_is_made_good_by_the_same_driver(world: World) -> None:
    """An error is no death: what was half done must not be trusted at the next pass."""
    wanted = world.state()
    for step in range(8):
        world.plane._step = killed_at(step)
        with pytest.raises(Killed):
            world.plane.apply_network(LARGER)
        world.plane._step = lambda name: None
        world.plane.apply_network(NETWORK)
        assert world.state() == wanted, f"after failure before step {step}"


def test_a_late_copy_of_an_old_apply(world: World) -> None:
    """An old configuration that arrives late is undone by the next apply of the right one."""
    world.plane.apply_network(LARGER)
    wanted = world.state()
    world.plane.apply_network(NETWORK)
    world.plane.apply_network(LARGER)
    assert world.state() == wanted
    late = world.namespaces
    type(world.plane)(late).apply_network(NETWORK)  # another process, as an agent that was frozen
    world.plane.apply_network(LARGER)
    assert world.state() == wanted


_TBF = ("root", "tbf", "rate", "1mbit", "burst", "10k", "latency", "50ms")
VANDALISM = {
    "rules flushed": lambda w: w.place("vpc-a").run("nft", "flush", "ruleset"),
    "a rule added": lambda w: w.place("vpc-a").run("nft", "insert rule inet tidegate arrive accept"),
    "provider's rules flushed": lambda w: w.place("region-1").run("nft", "flush", "ruleset"),
    "fabric link deleted": lambda w: w.place("vpc-a").run("ip", "link", "del", "fabric"),
    "fabric link down": lambda w: w.place("vpc-a").run("ip", "link", "set", "fabric", "down"),
    "host link deleted": lambda w: w.place("app").run("ip", "link", "del", "eth0"),
    "host link down": lambda w: w.place("app").run("ip", "link", "set", "eth0", "down"),
    "host readdressed": lambda w: w.place("app").run("ip", "addr", "add", "10.0.1.99/24", "dev", "eth0"),
    "addresses flushed": lambda w: w.place("vpc-a").run("ip", "addr", "flush", "dev", "lo", "scope", "global"),
    "routes flushed": lambda w: w.place("vpc-a").run("ip", "route", "flush", "table", "main"),
    "provider's routes flushed": lambda w: w.place("region-1").run("ip", "route", "flush", "table", "main"),
    "neighbours flushed": lambda w: w.place("vpc-a").run("ip", "neigh", "flush", "nud", "permanent"),
    "a stray link": lambda w: w.place("vpc-a").run("ip", "link", "add", "x1", "type", "veth", "peer", "x2"),
    "forwarding off": lambda w: w.place("vpc-a").run("sysctl", "-qw", "net.ipv4.ip_forward=0"),
    "a shaper nobody asked for": lambda w: w.place("vpc-a").run("tc", "qdisc", "add", "dev", "fabric", *_TBF),
    "host namespace deleted": lambda w: w.namespaces.delete("app"),
    "VPC namespace deleted": lambda w: w.namespaces.delete("vpc-a"),
    "provider namespace deleted": lambda w: w.namespaces.delete("region-1"),
}


@pytest.mark.parametrize("damage", VANDALISM)
@pytest.mark.parametrize("fresh", [False, True], ids=["same driver", "fresh driver"])
def test_damage_is_mended(world: World, damage: str, fresh: bool) -> None:
    """Somebody with root was here; the next resync mends it, and packets flow."""
    wanted = world.state()
    VANDALISM[damage](world)
    plane = world.fresh_driver() if fresh else world.plane
    changed = [plane.apply_region(REGION), plane.apply_network(NETWORK)]
    assert any(changed)
    assert world.state() == wanted
    world.serve("region-1", GATEWAY, 4000)
    assert world.place("app").reaches(ENDPOINT.address, 4000)


@pytest.mark.parametrize("damage", sorted(set(VANDALISM) - {"provider namespace deleted"}))
def test_a_change_upon_damage_never_opens_more(world: World, gateway: Server, damage: str) -> None:
    """A quick pass over damage may fail or mend, but a disconnected endpoint stays closed."""
    VANDALISM[damage](world)
    closed = replace(NETWORK, endpoints=(replace(ENDPOINT, connected=False),))
    world.plane.apply_network(closed)
    with contextlib.suppress(OSError):  # the host may have lost its link, its route or its namespace
        assert not world.place("app").reaches(ENDPOINT.address, 4000)
    world.plane.apply_network(closed)
    assert not world.place("app").reaches(ENDPOINT.address, 4000)


SHAPER_DAMAGE = {
    "tree deleted": "qdisc del dev {} root",
    "another root": "qdisc replace dev {} root tbf rate 1mbit burst 10k latency 50ms",
    "a class more": "class add dev {} parent fffe: classid fffe:99 htb rate 1mbit",
    "a rate changed": "class change dev {} parent fffe: classid fffe:2 htb rate 1mbit",
    "filters deleted": "filter del dev {} parent fffe:",
    "a filter gone": "filter del dev {} parent fffe: prio 1 protocol ip handle 100:2:1 u32",
    "another filter": "filter add dev {} parent fffe: prio 9 protocol all u32 match u32 0 0 flowid fffe:2",
    "another queue": "qdisc replace dev {} parent fffe:2 pfifo",
    "a longer queue": "qdisc change dev {} parent fffe:2 handle 2: bfifo limit 9999999",
}


@pytest.mark.parametrize("damage", SHAPER_DAMAGE)
@pytest.mark.parametrize("fresh", [False, True], ids=["same driver", "fresh driver"])
@pytest.mark.parametrize("end", ["vpc", "provider"])
def test_a_damaged_shaper_is_mended(world: World, damage: str, fresh: bool, end: str) -> None:
    """Both ends of the link; and afterwards nothing is there that was not asked for."""
    world.plane.apply_network(LARGER)
    wanted = world.state()
    place = world.place("vpc-a" if end == "vpc" else "region-1")
    link = next(i["ifname"] for i in place.ip("link") if i["ifname"] == "fabric" or i["ifname"].startswith("f-"))
    assert place.run("tc", *SHAPER_DAMAGE[damage].format(link).split()).returncode == 0
    assert world.state() != wanted
    plane = world.fresh_driver() if fresh else world.plane
    assert plane.apply_network(LARGER)
    assert world.state() == wanted
    assert plane.apply_network(LARGER) is False


def test_sweep_keeps_what_is_named(world: World) -> None:
    world.plane.apply_network(twin(NETWORK))
    world.namespaces.create("half-made")
    (world.settings.run).mkdir(parents=True, exist_ok=True)
    world.fresh_driver().sweep(frozenset({"vpc-a"}), frozenset({"region-1"}))
    assert world.names() == {"region-1", "vpc-a", "app"}
    world.fresh_driver().sweep(frozenset(), frozenset())
    assert world.names() == set()


def test_a_name_without_a_namespace_is_mended_or_swept(bare_world: World) -> None:
    """Death between creating the file and mounting on it."""
    for name in ("region-1", "vpc-a", "app", "nobody"):
        Path(bare_world.namespaces.path(name)).touch()
    bare_world.plane.apply_region(REGION)
    bare_world.plane.apply_network(NETWORK)
    bare_world.plane.sweep(frozenset({"vpc-a"}), frozenset({"region-1"}))
    assert bare_world.names() == {"region-1", "vpc-a", "app"}


def test_a_network_needs_its_region_first(bare_world: World) -> None:
    """One sentence that says what to do."""
    with pytest.raises(DataPlaneError, match=r"vpc-a.*region-1.*apply the region first"):
        bare_world.plane.apply_network(NETWORK)
    assert bare_world.names() == set()


def test_a_refusal_changes_nothing(world: World) -> None:
    """Two interfaces on one address cannot be; the rules in force stay in force."""
    before = world.state()
    twice = replace(SECOND, address=ENDPOINT.address, policy_id="other")
    config = replace(NETWORK, endpoints=(ENDPOINT, twice), policies=(OPEN, replace(OPEN, policy_id="other")))
    with pytest.raises(DataPlaneError, match="vpc-a"):
        world.plane.apply_network(config)
    assert world.state()["vpc-a"]["rules"] == before["vpc-a"]["rules"]
    world.plane.apply_network(NETWORK)
    assert world.state() == before


def test_random_walks_converge(world: World) -> None:
    """Any sequence of configurations ends where a fresh driver would have gone at once."""
    dice = random.Random(20261123)
    for _ in range(12):
        config = _random_network(dice)
        world.plane.apply_network(config)
    walked = world.state()
    assert world.fresh_driver().apply_network(config)
    assert world.state() == walked


def _random_network(dice: random.Random) -> NetworkConfig:
    policies = (OPEN, replace(OPEN, policy_id="p2", ingress=OPEN.ingress * dice.randint(0, 3)))
    ids = [p.policy_id for p in policies]
    hosts = tuple(
        replace(
            HOST,
            interface_id=f"eni-h{i}",
            namespace=f"h{i}",
            address=f"10.0.1.{10 + (i + dice.randint(0, 1) * 3)}",
            policy_id=dice.choice(ids),
        )
        for i in dice.sample(range(3), dice.randint(0, 3))
    )
    hosts = tuple({h.address: h for h in hosts}.values())
    endpoints = tuple(
        replace(
            ENDPOINT,
            interface_id=f"eni-e{i}",
            endpoint_id=f"ep-{i}",
            address=f"10.0.2.{5 + i}",
            fabric_address=f"100.64.0.{dice.choice((1, 11)) + i}",
            policy_id=dice.choice(ids),
            connected=dice.random() < 0.7,
            service_port=dice.choice((0, 4000)),
            bandwidth_mbit=dice.choice((0, 0, 10, 100)),
        )
        for i in dice.sample(range(8), dice.randint(0, 8))
    )
    groups = tuple((f"sg-{i}", (f"10.0.1.{i}",)) for i in dice.sample(range(4), dice.randint(0, 4)))
    publications = tuple(
        Publication(f"epsrv-{i}", f"100.113.0.{i + 1}", f"10.0.1.{10 + dice.randint(0, 5)}")
        for i in dice.sample(range(4), dice.randint(0, 4))
    )
    return replace(
        NETWORK,
        hosts=hosts,
        endpoints=endpoints,
        publications=publications,
        policies=policies,
        group_members=groups,
    )
