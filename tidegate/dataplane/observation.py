"""What the kernel counted in a VPC, from one listing of its table.  Pure; ``ruleset.py`` says what counts what.

Everything needed stands in the listing itself: a refused flow carries its rule's mark, and the rule with that mark
stands in a chain that is named for its hop.  So a report is true of the rules that were in force, not of those wished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from tidegate.dataplane import hops
from tidegate.dataplane.ruleset import REFUSED_KEEP_S
from tidegate.domain.traffic import REFUSED_SHOWN, Hop, NetworkTraffic, Passed, Refused, RuleCount

Json = dict[str, Any]

_HOPS: tuple[Hop, ...] = get_args(Hop)
_BOTH_WAYS = ("live", "serving")
"""sets whose elements count all packets of judged connections; the first part of the key is the address"""
_FIRST = ("service", "every_port", "targets")
"""maps of translation: their elements count first packets, which is connections"""


def parse_traffic(listing: Json) -> NetworkTraffic:
    """``listing``: what ``nft -j list table`` says (libnftables-json(5))."""
    tables = {body["name"]: body for kind, body in _objects(listing) if kind in ("set", "map")}
    rules = [body for kind, body in _objects(listing) if kind == "rule"]
    return NetworkTraffic(
        passed=_passed(tables),
        refused=_refused(tables.get(hops.REFUSED.name, {}), _marks(rules)),
        rules=tuple(_rule_counts(rules)),
    )


def _objects(listing: Json) -> Iterator[tuple[str, Json]]:
    for entry in listing.get("nftables", ()):
        yield from entry.items()


def _passed(tables: Mapping[str, Json]) -> dict[str, Passed]:
    packets: dict[str, tuple[int, int]] = {}
    connections: dict[str, int] = {}
    for name in _BOTH_WAYS:
        for address, counter in _counted(tables.get(name, {})):
            before = packets.get(address, (0, 0))
            packets[address] = before[0] + counter["packets"], before[1] + counter["bytes"]
    for name in _FIRST:
        for address, counter in _counted(tables.get(name, {})):
            connections[address] = connections.get(address, 0) + counter["packets"]
    addresses = dict.fromkeys((*packets, *connections))
    return {a: Passed(*packets.get(a, (0, 0)), connections.get(a, 0)) for a in addresses}


def _counted(table: Json) -> Iterator[tuple[str, Json]]:
    """(first part of the key, counter) of each element; a map's element is a pair of it and its value."""
    for entry in table.get("elem", ()):
        elem = entry[0] if isinstance(entry, list) else entry
        elem = elem.get("elem", {}) if isinstance(elem, dict) else {}
        if "counter" in elem:
            value = elem["val"]
            yield (value["concat"][0] if isinstance(value, dict) else value), elem["counter"]


def _marks(rules: list[Json]) -> dict[int, tuple[Hop, str]]:
    found = {}
    for rule in rules:
        for word in rule["expr"]:
            if "mangle" in word:
                found[word["mangle"]["value"]] = _place(rule["chain"])[0], rule.get("comment", "")
    return found


def _place(chain: str) -> tuple[Hop, str]:
    """(hop, name of the set of groups) of a chain; ``to_peer`` is no set of groups."""
    for hop in (hops.EGRESS, hops.INGRESS):
        if chain.startswith(hop.name):
            return ("egress" if hop is hops.EGRESS else "ingress"), chain.removeprefix(hop.name)
    for known in _HOPS:
        if known == chain:
            return known, ""
    return "", ""


def _refused(table: Json, marks: Mapping[int, tuple[Hop, str]]) -> tuple[Refused, ...]:
    flows = []
    for entry in table.get("elem", ()):
        elem = entry["elem"]
        protocol, source, destination, port, mark = elem["val"]["concat"]
        hop, rule_id = marks.get(mark, ("", ""))
        packets = elem.get("counter", {}).get("packets", 0)
        ago_s = float(max(0, REFUSED_KEEP_S - elem.get("expires", 0)))
        flows.append(Refused(hop, rule_id, str(protocol), source, destination, int(port), packets, ago_s))
    flows.sort(key=lambda flow: (flow.ago_s, flow.source, flow.destination, flow.port))
    return tuple(flows[:REFUSED_SHOWN])


def _rule_counts(rules: list[Json]) -> Iterator[RuleCount]:
    for rule in rules:
        hop, groups = _place(rule["chain"])
        counter = next((word["counter"] for word in rule["expr"] if word.get("counter")), None)
        if groups and counter:
            dropped = any("mangle" in word for word in rule["expr"])
            yield RuleCount(hop, groups, rule.get("comment", ""), not dropped, counter["packets"])
