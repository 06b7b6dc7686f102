"""What traffic control is asked for: numbers that fit the kernel, stay apart, and are read back as written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.dataplane.shaping import (
    SOURCE_OFFSET,
    TREE,
    Fork,
    Key,
    Match,
    Queue,
    Rate,
    Shape,
    Table,
    build_attributes,
    parse_attributes,
    parse_shape,
    plan_shaper,
)

addresses = st.integers(100 << 24 | 64 << 16, 100 << 24 | 96 << 16).map(
    lambda n: ".".join(str(b) for b in n.to_bytes(4))
)
limits = st.dictionaries(addresses, st.integers(1, 100_000), max_size=20)


def test_nobody_limited_is_no_tree() -> None:
    """Then a link has no queue, and a packet pays nothing."""
    assert plan_shaper({}, SOURCE_OFFSET) == {}


def test_one_more_is_a_class_a_queue_and_a_filter() -> None:
    """Nothing of the others is touched."""
    thousand = {f"100.64.{n // 250}.{n % 250 + 1}": 100 for n in range(1000)}
    before, after = plan_shaper(thousand, 12), plan_shaper({**thousand, "100.64.9.9": 50}, 12)
    assert {key: shape for key, shape in after.items() if before.get(key) != shape} == {
        Key("class", TREE | 0x0909, TREE): Rate(6_250_000),
        Key("qdisc", 0x0909 << 16, TREE | 0x0909): Queue(312_500),
        Key("filter", 0x101 << 20 | 9 << 12 | 2, TREE): Match("100.64.9.9", 12, TREE | 0x0909),
    }
    assert before.keys() <= after.keys()


def test_a_packet_meets_few_addresses() -> None:
    """1,000 endpoints counted up one by one, as a region does: no bucket holds two."""
    shaper = plan_shaper({f"100.64.{n // 250}.{n % 250 + 1}": 100 for n in range(1000)}, 12)
    buckets = [key.handle >> 12 for key, shape in shaper.items() if isinstance(shape, Match)]
    assert len(set(buckets)) == len(buckets) == 1000


@given(limits)
def test_each_address_finds_its_own_class(wanted: dict[str, int]) -> None:
    """Played as the kernel walks the tables: root, one bucket, one bucket, a match; and no number is given twice."""
    shaper = plan_shaper(wanted, SOURCE_OFFSET)
    filters = {key.handle: shape for key, shape in shaper.items() if key.kind == "filter"}
    rates = {key.handle: shape for key, shape in shaper.items() if isinstance(shape, Rate)}
    classes = {address: _walk(filters, address) for address in wanted}
    assert len(set(classes.values())) == len(wanted) == len(rates)
    for address, mbit in wanted.items():
        assert rates[classes[address]] == Rate(mbit * 125_000)
        minor = classes[address] & 0xFFFF
        assert minor not in (0, 0xFFFE, 0xFFFF), "the root's, or the kernel's own"
        assert isinstance(shaper[Key("qdisc", minor << 16, classes[address])], Queue)
    if wanted:
        assert _walk(filters, "100.97.0.1") == 0, "an address without a limit goes straight out"


def _walk(filters: dict[int, Shape], address: str) -> int:
    word = int.from_bytes(bytes(int(b) for b in address.split(".")))
    table, bucket = 0x800 << 20, 0
    while True:
        here = [s for h, s in filters.items() if h & 0xFFFFF000 == table | bucket << 12 and h & 0xFFF]
        forks = [s for s in here if isinstance(s, Fork)]
        if not forks:
            matches = [s for s in here if isinstance(s, Match) and s.address == address]
            return matches[0].class_id if matches else 0
        low_bit = (forks[0].byte_mask & -forks[0].byte_mask).bit_length() - 1
        table = forks[0].table
        size = filters[table]
        assert isinstance(size, Table)
        bucket = (word & forks[0].byte_mask) >> low_bit & (size.buckets - 1)


@given(limits)
def test_what_is_written_is_read_back(wanted: dict[str, int]) -> None:
    """The comparison with the kernel rests on this; its own answers are compared in tests/netns."""
    for key, shape in plan_shaper(wanted, SOURCE_OFFSET).items():
        assert parse_shape(key, parse_attributes(build_attributes(key, shape))) == shape


@given(st.sampled_from(["qdisc", "class", "filter"]), st.binary(max_size=120))
def test_strange_answers_are_strangers(kind: str, data: bytes) -> None:
    """Another kernel's or another tool's objects: never an exception, and not ours."""
    key = Key(kind, 0x10001, TREE)  # type: ignore[arg-type]
    parse_shape(key, parse_attributes(data))
    for name in (b"htb", b"u32", b"bfifo", b"tbf"):
        parse_shape(key, {1: name + b"\0", 2: data})


def test_collisions_of_the_last_two_bytes_move_on() -> None:
    shaper = plan_shaper({"100.64.1.1": 1, "100.65.1.1": 2, "100.66.255.254": 3}, 12)
    classes = {shape.address: shape.class_id & 0xFFFF for shape in shaper.values() if isinstance(shape, Match)}
    assert classes == {"100.64.1.1": 0x101, "100.65.1.1": 0x102, "100.66.255.254": 1}


def test_queues_hold_50_ms_within_bounds() -> None:
    """Two uncut packets at least; 16 MiB at most, whatever the rate."""
    queues = {mbit: _queue(mbit) for mbit in (1, 100, 10_000, 100_000)}
    assert queues == {1: 131_072, 100: 625_000, 10_000: 16_777_216, 100_000: 16_777_216}


def _queue(mbit: int) -> int:
    return next(s.limit_bytes for s in plan_shaper({"100.64.0.1": mbit}, 12).values() if isinstance(s, Queue))
