"""What nft lists, as what the user knows: the shapes are libnftables' own (nftables 1.0.6, listed 2026-11-25)."""

from __future__ import annotations

from typing import Any

from tidegate.dataplane.observation import parse_traffic
from tidegate.dataplane.ruleset import refusal_mark
from tidegate.domain.traffic import DEFAULT_RULE, REFUSED_SHOWN, NetworkTraffic, Passed, Refused, RuleCount


def element(*key: Any, packets: int = 0, size_bytes: int = 0, **more: Any) -> dict[str, Any]:
    val: Any = {"concat": list(key)} if len(key) > 1 else key[0]
    return {"elem": {"val": val, "counter": {"packets": packets, "bytes": size_bytes}, **more}}


def table_set(name: str, *elements: Any, kind: str = "set") -> dict[str, Any]:
    return {kind: {"family": "inet", "name": name, "table": "tidegate", "elem": list(elements)}}


def rule(chain: str, comment: str, packets: int, *, drops: bool) -> dict[str, Any]:
    words: list[Any] = [{"counter": {"packets": packets, "bytes": packets * 60}}]
    if drops:
        words.append({"mangle": {"key": {"meta": {"key": "mark"}}, "value": refusal_mark(chain, comment)}})
        words.append({"goto": {"target": "refused"}})
    else:
        words.append({"accept": None})
    return {"rule": {"family": "inet", "table": "tidegate", "chain": chain, "comment": comment, "expr": words}}


def refused(chain: str, comment: str, port: int, expires: int = 590, packets: int = 1) -> dict[str, Any]:
    key = ("tcp", "10.0.1.2", "10.0.2.5", port, refusal_mark(chain, comment))
    return element(*key, packets=packets, expires=expires)


def listing(*objects: Any) -> dict[str, Any]:
    return {"nftables": [{"metainfo": {"version": "1.0.6"}}, *objects]}


def test_bytes_of_one_set_and_connections_of_another_meet_at_the_address() -> None:
    seen = parse_traffic(
        listing(
            table_set("live", element("10.0.2.5", "100.64.0.1", packets=9, size_bytes=900)),
            table_set("service", [element("10.0.2.5", 4000, packets=2, size_bytes=120), "100.127.255.1"], kind="map"),
            table_set("every_port", [element("10.0.2.6", packets=1), "100.113.0.1"], kind="map"),
        )
    )
    assert seen.passed == {"10.0.2.5": Passed(9, 900, 2), "10.0.2.6": Passed(0, 0, 1)}


def test_a_flow_is_told_by_the_rule_that_has_its_mark() -> None:
    """Not by the rules that are wished: a listing explains itself."""
    seen = parse_traffic(
        listing(
            table_set(
                "refused",
                refused("ingress_pabc", "sgr-1", 3306, expires=595, packets=4),
                refused("egress_pabc", DEFAULT_RULE, 22, expires=598),
                refused("local", "not a connected endpoint's port", 4001, expires=500),
            ),
            rule("ingress_pabc", "sgr-1", 4, drops=True),
            rule("egress_pabc", DEFAULT_RULE, 1, drops=True),
            rule("local", "not a connected endpoint's port", 1, drops=True),
        )
    )
    assert seen.refused == (
        Refused("egress", DEFAULT_RULE, "tcp", "10.0.1.2", "10.0.2.5", 22, 1, 2.0),
        Refused("ingress", "sgr-1", "tcp", "10.0.1.2", "10.0.2.5", 3306, 4, 5.0),
        Refused("local", "not a connected endpoint's port", "tcp", "10.0.1.2", "10.0.2.5", 4001, 1, 100.0),
    )


def test_a_rule_that_is_gone_leaves_its_flows_without_a_name() -> None:
    seen = parse_traffic(listing(table_set("refused", refused("ingress_p", "sgr-gone", 1))))
    assert (seen.refused[0].hop, seen.refused[0].rule_id) == ("", "")


def test_rules_of_groups_count_and_others_are_left_out() -> None:
    seen = parse_traffic(
        listing(
            rule("ingress_pabc", "sgr-1", 4, drops=True),
            rule("egress_pabc", DEFAULT_RULE, 7, drops=False),
            rule("to_peer", "no such address in this VPC", 3, drops=True),
        )
    )
    assert seen.rules == (
        RuleCount("ingress", "pabc", "sgr-1", False, 4),
        RuleCount("egress", "pabc", DEFAULT_RULE, True, 7),
    )


def test_a_report_is_bounded_and_keeps_the_newest() -> None:
    flows = [refused("ingress_p", "r", port, expires=600 - port) for port in range(1, REFUSED_SHOWN + 50)]
    seen = parse_traffic(listing(table_set("refused", *flows)))
    assert [flow.port for flow in seen.refused] == list(range(1, REFUSED_SHOWN + 1))


def test_an_empty_table_is_quiet() -> None:
    assert parse_traffic(listing()) == NetworkTraffic()


def test_marks_of_one_table_differ() -> None:
    """Two rules of one name in two chains are two rules: in and out, and one group in two sets of groups."""
    marks = {refusal_mark(chain, comment) for chain in ("ingress_a", "egress_a", "ingress_b") for comment in "xy"}
    assert len(marks) == 6 and 0 not in marks
