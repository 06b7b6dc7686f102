"""Looking at packets costs what is looked at, however many look and however much there is."""

from __future__ import annotations

from tidegate.app.traffic import KEEP_S, NETWORKS_KEPT, READS_PER_LOOK, TrafficBoard
from tidegate.domain.traffic import NetworkTraffic, Passed


class Host:
    """In the agent's place: what was read, and a clock that the test moves."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, ...]] = []
        self.now, self.size_bytes = 1000.0, 0
        self.away = False
        self.board = TrafficBoard(self.look, lambda: self.now)

    def look(self, vpc_ids: tuple[str, ...]) -> dict[str, NetworkTraffic]:
        self.reads.append(vpc_ids)
        return {} if self.away else {v: NetworkTraffic({"10.0.0.1": Passed(1, self.size_bytes, 1)}) for v in vpc_ids}


def test_many_lookers_are_one_read() -> None:
    host = Host()
    for _ in range(50):
        host.board.observe(["vpc-1"])
    assert host.reads == [("vpc-1",)]
    host.now += 1.5
    assert host.board.observe(["vpc-1"])["vpc-1"].age_s == 0
    assert len(host.reads) == 2


def test_a_look_is_bounded_and_comes_round_to_all() -> None:
    """The first named are always fresh; the others take turns."""
    host = Host()
    everything = [f"vpc-{n}" for n in range(100)]
    for _ in range(12):
        seen = host.board.observe(everything)
        host.now += 2
    assert max(len(read) for read in host.reads) == READS_PER_LOOK
    assert set(seen) == set(everything)
    assert all("vpc-0" in read for read in host.reads)


def test_rates_come_from_two_looks_and_survive_a_new_beginning() -> None:
    """A reloaded table counts from 0 again: that is no negative rate."""
    host = Host()
    assert host.board.observe(["v"])["v"].bytes_s == {}
    host.now, host.size_bytes = host.now + 2, 5000
    assert host.board.observe(["v"])["v"].bytes_s == {"10.0.0.1": 2500}
    host.now, host.size_bytes = host.now + 2, 100
    assert host.board.observe(["v"])["v"].bytes_s == {"10.0.0.1": 50}


def test_a_host_that_stands_still_is_waited_for_once() -> None:
    """Each page waited five seconds behind the others, until no thread was left for any page."""
    host = Host()
    host.away = True
    for _ in range(20):
        host.board.observe(["v"])
    assert len(host.reads) == 1
    host.now, host.away = host.now + 1.5, False
    assert "v" in host.board.observe(["v"])


def test_without_a_host_the_last_look_grows_old_and_is_forgotten() -> None:
    host = Host()
    host.board.observe(["v"])
    host.away = True
    host.now += 60
    assert host.board.observe(["v"])["v"].age_s == 60
    host.away = False
    host.now += KEEP_S
    host.board.observe(["w"])
    assert host.board.observe(["w"]).keys() == {"w"}
    assert "v" not in host.board._known


def test_memory_is_bounded() -> None:
    host = Host()
    for n in range(NETWORKS_KEPT + 40):
        host.board.observe([f"vpc-{n}"])
    assert len(host.board._known) == NETWORKS_KEPT
