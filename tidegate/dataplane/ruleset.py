"""Configurations to nftables commands (libnftables JSON, libnftables-json(5)).  Pure: nothing here does I/O.

A configuration falls into *pieces*: each endpoint, host, policy, group.  A piece brings whole chains, sets and
set elements.  A full load is all pieces after the fixed chains; a change is the difference of the pieces that
differ, so adding one endpoint is four elements whatever else exists.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.dataplane import hops
from tidegate.dataplane.config import (
    EndpointInterface,
    HostInterface,
    NetworkConfig,
    Policy,
    PolicyRow,
    Publication,
    RegionConfig,
    Verdict,
)
from tidegate.dataplane.hops import Hop
from tidegate.domain import fabric

Json = dict[str, Any]
Command = dict[str, Any]

COMMENT_BYTES = 127
"""NFTNL_UDATA_COMMENT_MAXLEN is 128 with the closing zero (libnftnl udata.h)."""

DNS_PORT, DHCP_PORT = 53, 67


@dataclass(frozen=True, slots=True)
class Element:
    """One member of a set, or one entry of a map: its key, and ``value`` as an address or a ``goto`` chain."""

    table_set: str
    key: tuple[str | int, ...]
    value: str = ""
    goto: bool = False


@dataclass(frozen=True, slots=True)
class TableSet:
    """A named set or map: ``key`` are nft data types, ``value`` empty for a set.

    ``counted``: each element counts the packets and bytes that were found in it, at the cost of the look-up that is
    made anyway.  ``keep_s``: the packets themselves put elements in (at most ``size``), and forget them after so long.
    """

    name: str
    key: tuple[str, ...]
    value: str = ""
    counted: bool = False
    keep_s: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What one part of a configuration adds to the table."""

    chains: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    sets: tuple[TableSet, ...] = ()
    elements: tuple[Element, ...] = ()


EMPTY = Piece()

REFUSED_KEEP_S = 600
REFUSED_FLOWS = 1024
"""per VPC; what comes when it is full is dropped and counted by its rule all the same"""

NETWORK_SETS = (
    TableSet("live", ("ipv4_addr", "ipv4_addr"), counted=True),
    TableSet("serving", ("ipv4_addr", "ipv4_addr"), counted=True),
    TableSet("service", ("ipv4_addr", "inet_service"), "ipv4_addr", counted=True),
    TableSet("every_port", ("ipv4_addr",), "ipv4_addr", counted=True),
    TableSet("targets", ("ipv4_addr",), "ipv4_addr", counted=True),
    TableSet(
        hops.REFUSED.name,
        ("inet_proto", "ipv4_addr", "ipv4_addr", "inet_service", "mark"),
        keep_s=REFUSED_KEEP_S,
        size=REFUSED_FLOWS,
    ),
    TableSet("published", ("ipv4_addr",), "verdict"),
    TableSet("fabric", ("ipv4_addr",), "ipv4_addr"),
    TableSet("egress", ("ipv4_addr",), "verdict"),
    TableSet("ingress", ("ipv4_addr",), "verdict"),
    TableSet("gateways", ("ipv4_addr",)),
    TableSet("resolvers", ("ipv4_addr",)),
)
REGION_SETS = (
    TableSet("services", ("ipv4_addr", "inet_service")),
    TableSet("selves", ("ipv4_addr", "ipv4_addr")),
)


# -- words of the rule language ------------------------------------------------------------------------------

COUNT: Json = {"counter": None}
ACCEPT: Json = {"accept": None}
DROP: Json = {"drop": None}


def _goto(chain: str) -> Json:
    return {"goto": {"target": chain}}


def _match(left: Json, right: Any, op: str = "==") -> Json:
    return {"match": {"op": op, "left": left, "right": right}}


def _field(protocol: str, name: str) -> Json:
    return {"payload": {"protocol": protocol, "field": name}}


def _meta(key: str) -> Json:
    return {"meta": {"key": key}}


def _ct(key: str, direction: str = "") -> Json:
    return {"ct": {"key": key, "dir": direction} if direction else {"key": key}}


def _both(*parts: Json) -> Json:
    return {"concat": list(parts)}


def _rule(*words: Json, comment: str = "") -> Json:
    rule: Json = {"expr": list(words)}
    return {**rule, "comment": comment.encode()[:COMMENT_BYTES].decode(errors="ignore")} if comment else rule


def refusal_mark(chain: str, comment: str) -> int:
    """What a dropping rule is known by in the set of refused flows: 32 bits, never 0, the same in every load."""
    return int.from_bytes(hashlib.sha256(f"{chain}/{comment}".encode()).digest()[:4], "big") | 1


def _refuse(chain: str, *words: Json, comment: str) -> Json:
    """A rule that drops, through the hop that remembers whom and why.

    The mark lives on the dropped packet only.  Remembering and dropping are two rules there: a full set ends the rule
    it is full in, and must not end in acceptance.
    """
    mark = {"mangle": {"key": _meta("mark"), "value": refusal_mark(chain, comment)}}
    return _rule(*words, COUNT, mark, _goto(hops.REFUSED.name), comment=comment)


def _refused() -> tuple[Json, ...]:
    flow = _both(_meta("l4proto"), _SOURCE, _DESTINATION, _field("th", "dport"), _meta("mark"))
    remember = {"set": {"op": "update", "elem": flow, "set": f"@{hops.REFUSED.name}", "stmt": [COUNT]}}
    return (_rule(_match(_meta("l4proto"), {"set": ["tcp", "udp"]}), remember), _rule(DROP))


_SOURCE, _DESTINATION = _field("ip", "saddr"), _field("ip", "daddr")
_TCP_PORT, _UDP_PORT = _field("tcp", "dport"), _field("udp", "dport")
_IS_TCP = _match(_meta("l4proto"), "tcp")
_RUNNING = ["established", "related"]
_FIRST_PACKET = _match({"&": [_field("tcp", "flags"), ["syn", "ack"]]}, "syn")
_NO_ROUTE = {"set": [0, 1]}
"""Codes for "no such network" and "no such host" (RFC 792): a service that is not published is silent."""
_NOT_FIRST_PACKET = _match({"&": [_field("tcp", "flags"), ["syn", "ack"]]}, "syn", "!=")
_ERRORS = _match(_field("icmp", "type"), {"set": ["destination-unreachable", "time-exceeded"]})


# -- the fixed chains of a VPC's router ------------------------------------------------------------------------


def network_chains() -> dict[str, tuple[Json, ...]]:
    """Chains that are the same in every VPC; all that differs is in maps and sets."""
    return {
        hops.KNOWN.name: (
            _rule(_match(_both(_ct("ip daddr", "original"), _ct("ip daddr", "reply")), "@live"), ACCEPT),
            _rule(_match({"&": [_ct("status"), "dnat"]}, 0), ACCEPT),
            _rule(_match(_both(_ct("ip daddr", "original"), _ct("ip saddr", "reply")), "@serving"), ACCEPT),
            _refuse(hops.KNOWN.name, comment="endpoint no longer connected, or service no longer published"),
        ),
        hops.GUESTS.name: (
            _rule(
                _IS_TCP,
                _match(_SOURCE, _prefix(fabric.CONSUMER_CIDR)),
                {"vmap": {"key": _DESTINATION, "data": "@published"}},
            ),
            _refuse(hops.GUESTS.name, comment="the provider opens no connections but to published services"),
        ),
        hops.TO_PEER.name: (
            _rule({"vmap": {"key": _DESTINATION, "data": "@ingress"}}),
            _refuse(hops.TO_PEER.name, comment="no such address in this VPC"),
        ),
        hops.ARRIVE.name: _arrive(),
        hops.TRANSLATE.name: (
            _rule(_to(_lookup(_both(_DESTINATION, _TCP_PORT), "service"))),
            _rule(_IS_TCP, _to(_lookup(_DESTINATION, "every_port"))),
            _rule(_match(_meta("iifname"), hops.FABRIC), _IS_TCP, _to(_lookup(_DESTINATION, "targets"))),
        ),
        hops.LOCAL.name: _local(),
        hops.FORWARD.name: _forward(),
        hops.REFUSED.name: _refused(),
        hops.SEND.name: (
            _rule(_match(_meta("oif"), "lo"), ACCEPT),
            _rule(_match(_ct("state"), _RUNNING, "in"), ACCEPT),
            _rule(COUNT, DROP, comment="the router opens no connections"),
        ),
        hops.SOURCE.name: (
            _rule(
                _match(_ct("status"), "dnat", "in"),
                {"snat": {"family": "ip", "addr": _lookup(_ct("ip daddr", "original"), "fabric")}},
            ),
        ),
    }


def _lookup(key: Json, name: str) -> Json:
    return {"map": {"key": key, "data": f"@{name}"}}


def _to(address: Json) -> Json:
    return {"dnat": {"family": "ip", "addr": address}}


def _arrive() -> tuple[Json, ...]:
    return (
        _rule(_match(_ct("state"), _RUNNING, "in"), _goto(hops.KNOWN.name)),  # first: what nearly every packet meets
        _rule(_match(_meta("iif"), "lo"), ACCEPT),
        _rule(_match(_meta("nfproto"), "ipv6"), DROP),
        _rule(_match(_ct("state"), "invalid", "in"), DROP),
        _rule(_match(_meta("iifname"), hops.FABRIC), _goto(hops.GUESTS.name)),
        _rule(_match(_DESTINATION, "@resolvers"), ACCEPT),
        _rule(_match(_DESTINATION, "@gateways"), ACCEPT),
        _rule({"vmap": {"key": _SOURCE, "data": "@egress"}}),
        _refuse(hops.ARRIVE.name, comment="source is no host of this VPC"),
    )


def _local() -> tuple[Json, ...]:
    to_resolver = _match(_DESTINATION, "@resolvers")
    return (
        _rule(_match(_meta("iif"), "lo"), ACCEPT),
        _rule(_match(_ct("state"), _RUNNING, "in"), ACCEPT),
        _rule(to_resolver, _match(_UDP_PORT, {"set": [DNS_PORT, DHCP_PORT]}), ACCEPT),
        _rule(to_resolver, _match(_TCP_PORT, DNS_PORT), ACCEPT),
        _rule(_match(_DESTINATION, "@gateways"), _match(_field("icmp", "type"), "echo-request"), ACCEPT),
        _refuse(hops.LOCAL.name, comment="not a connected endpoint's port, or not for the router"),
    )


def _forward() -> tuple[Json, ...]:
    """A translated packet needs no look at its links: strict rp_filter has tied its source to the one it came by, and
    the route of what it was translated to is over the fabric, or to the publishing host.
    """
    out, into = _match(_meta("oifname"), hops.FABRIC), _match(_meta("iifname"), hops.FABRIC)
    return (
        _rule(_match(_ct("status"), "dnat", "in"), ACCEPT),
        _refuse(hops.FORWARD.name, out, comment="not an endpoint's packet, nor a service's answer"),
        _refuse(hops.FORWARD.name, into, comment="not an answer, nor to a published service"),
        _rule(_match(_meta("nfproto"), "ipv4"), ACCEPT),
    )


# -- the fixed chains of a provider namespace: no connection tracking, so none is paid for -----------------------
# Rules compare the index of lo (1 in every namespace), not its name: a name is 16 bytes fetched for each packet.


def region_chains(config: RegionConfig) -> dict[str, tuple[Json, ...]]:
    consumers, clusters = _prefix(config.fabric_cidr), _prefix(config.cluster_cidr)
    published = _prefix(config.published_cidr)
    from_service = _match(_both(_SOURCE, _field("tcp", "sport")), "@services")
    return {
        hops.INWARD.name: (
            _rule(_match(_DESTINATION, clusters, "!="), ACCEPT),
            _rule(_match(_SOURCE, config.gateway_address), ACCEPT),
            _rule(_match(_both(_SOURCE, _DESTINATION), "@selves"), ACCEPT),
            _rule(COUNT, DROP, comment="databases are dialled by the gateway only"),
        ),
        hops.ACCEPT.name: (
            _rule(_match(_meta("iif"), "lo"), ACCEPT),
            _rule(_match(_both(_DESTINATION, _TCP_PORT), "@services"), ACCEPT),
            _rule(_match(_meta("nfproto"), "ipv4"), _ERRORS, ACCEPT),
            _rule(COUNT, DROP, comment="not a service"),
        ),
        hops.PASS.name: (
            _rule(_match(_SOURCE, consumers), _match(_DESTINATION, published), _IS_TCP, ACCEPT),
            _rule(_match(_SOURCE, published), _match(_DESTINATION, consumers), _NOT_FIRST_PACKET, ACCEPT),
            _rule(COUNT, DROP, comment="nothing else crosses the provider"),
        ),
        hops.ANSWER.name: (
            _rule(_match(_DESTINATION, consumers), from_service, _NOT_FIRST_PACKET, ACCEPT),
            _rule(_match(_meta("oif"), "lo"), _match(_meta("nfproto"), "ipv4"), _goto(hops.INWARD.name)),
            _rule(_match(_meta("oif"), "lo"), ACCEPT),
            _rule(_match(_DESTINATION, consumers), _FIRST_PACKET, COUNT, DROP, comment="consumers are not dialled"),
            _rule(_match(_DESTINATION, consumers), _ERRORS, _match(_field("icmp", "code"), _NO_ROUTE, "!="), ACCEPT),
            _rule(COUNT, DROP, comment="not an answer of a service"),
        ),
    }


def _prefix(cidr: str) -> Any:
    address, _, length = cidr.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}} if length and length != "32" else address


# -- pieces ------------------------------------------------------------------------------------------------------


def network_pieces(config: NetworkConfig) -> dict[tuple[str, str], Any]:
    """The parts of a VPC by kind and id; parts are compared by value, and :func:`build_piece` reads them."""
    parts: dict[tuple[str, str], Any] = {
        ("router", ""): (tuple(a for _, a in config.subnet_gateways), config.resolver_addresses)
    }
    parts.update((("policy", p.policy_id), p) for p in config.policies)
    parts.update((("group", name), members) for name, members in config.group_members)
    parts.update((("group", name), ()) for name in _mentioned_groups(config) if ("group", name) not in parts)
    parts.update((("host", h.interface_id), h) for h in config.hosts)
    parts.update((("endpoint", e.interface_id), e) for e in config.endpoints)
    policies = {h.address: h.policy_id for h in config.hosts}
    parts.update((("publication", p.address), (p, policies.get(p.target_address, ""))) for p in config.publications)
    return parts


def _mentioned_groups(config: NetworkConfig) -> set[str]:
    rows = (row for p in config.policies for row in (*p.ingress, *p.egress))
    return {row.peer_group for row in rows if row.peer_group is not None}


def region_pieces(config: RegionConfig) -> dict[tuple[str, str], Any]:
    return {("region", ""): config}


def build_piece(kind: str, name: str, part: Any) -> Piece:
    if kind == "endpoint":
        return _endpoint_piece(part)
    if kind == "host":
        return _host_piece(part)
    if kind == "publication":
        return _publication_piece(*part)
    if kind == "policy":
        return _policy_piece(part)
    if kind == "group":
        group = set_name(name)
        return Piece(sets=(TableSet(group, ("ipv4_addr",)),), elements=tuple(Element(group, (a,)) for a in part))
    if kind == "router":
        gateways, resolvers = part
        return Piece(
            elements=(
                *(Element("gateways", (a,)) for a in gateways),
                *(Element("resolvers", (a,)) for a in resolvers),
            )
        )
    return _region_piece(part)


def _endpoint_piece(e: EndpointInterface) -> Piece:
    judged = Element("ingress", (e.address,), chain_name(hops.INGRESS, e.policy_id), goto=True)
    if not e.connected:
        return Piece(elements=(judged,))
    return Piece(
        elements=(
            judged,
            Element("live", (e.address, e.fabric_address)),
            _service_element(e),
            Element("fabric", (e.address,), e.fabric_address),
        )
    )


def _service_element(e: EndpointInterface) -> Element:
    if e.service_port == 0:
        return Element("every_port", (e.address,), e.service_address)
    return Element("service", (e.address, e.service_port), e.service_address)


def _publication_piece(p: Publication, policy_id: str) -> Piece:
    if not policy_id:
        return EMPTY  # its host is not there: nobody's groups could judge
    return Piece(
        elements=(
            Element("published", (p.address,), chain_name(hops.INGRESS, policy_id), goto=True),
            Element("targets", (p.address,), p.target_address),
            Element("serving", (p.address, p.target_address)),
        )
    )


def _host_piece(h: HostInterface) -> Piece:
    return Piece(
        elements=(
            Element("ingress", (h.address,), chain_name(hops.INGRESS, h.policy_id), goto=True),
            Element("egress", (h.address,), chain_name(hops.EGRESS, h.policy_id), goto=True),
        )
    )


def _policy_piece(p: Policy) -> Piece:
    into, out = chain_name(hops.INGRESS, p.policy_id), chain_name(hops.EGRESS, p.policy_id)
    onward = _goto(hops.TO_PEER.name)
    return Piece(
        chains={
            out: (
                *(_policy_rule(out, row, _DESTINATION, onward) for row in p.egress),
                _verdict_rule(out, p.egress_default, onward, "default"),
            ),
            into: (
                *(_policy_rule(into, row, _SOURCE, ACCEPT) for row in p.ingress),
                _verdict_rule(into, p.ingress_default, ACCEPT, "default"),
            ),
        }
    )


def _region_piece(config: RegionConfig) -> Piece:
    services = ((config.gateway_address, config.gateway_port), *config.direct_services)
    return Piece(
        elements=(
            *(Element("services", pair) for pair in dict.fromkeys(services)),
            *(Element("selves", (a, a)) for a in config.cluster_addresses),
        )
    )


def _policy_rule(chain: str, row: PolicyRow, peer: Json, accepted: Json) -> Json:
    return _verdict_rule(chain, row.verdict, accepted, row.rule_id, *_protocol_match(row), *_peer_match(row, peer))


def _verdict_rule(chain: str, verdict: Verdict, accepted: Json, rule_id: str, *words: Json) -> Json:
    if verdict == "accept":
        return _rule(*words, COUNT, accepted, comment=rule_id)
    return _refuse(chain, *words, comment=rule_id)


def _protocol_match(row: PolicyRow) -> tuple[Json, ...]:
    if row.protocol == "all":
        return ()
    if row.protocol in ("icmp", "gre") or row.ports is None or row.ports == (0, 65535):
        return (_match(_meta("l4proto"), row.protocol),)
    low, high = row.ports
    return (_match(_field(row.protocol, "dport"), low if low == high else {"range": [low, high]}),)


def _peer_match(row: PolicyRow, peer: Json) -> tuple[Json, ...]:
    if row.peer_group is not None:
        return (_match(peer, f"@{set_name(row.peer_group)}"),)
    if row.peer_cidr is None or row.peer_cidr.endswith("/0"):
        return ()
    return (_match(peer, _prefix(row.peer_cidr)),)


_WORD = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def chain_name(hop: Hop, policy_id: str) -> str:
    return hop.name + _word(policy_id)


def set_name(group_id: str) -> str:
    return "group_" + _word(group_id)


def _word(text: str) -> str:
    # nft's own grammar has no commas or spaces in names; ids of sets of groups may.
    return text if _WORD.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:16]


# -- commands ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change while a table lives: its base chains, the other fixed chains, its named sets."""

    base: tuple[Hop, ...]
    chains: Mapping[str, tuple[Json, ...]]
    sets: tuple[TableSet, ...]


def network_fixed() -> Fixed:
    return Fixed(tuple(h for h in hops.HOPS if h.where == "vpc" and h.hook), network_chains(), NETWORK_SETS)


def region_fixed(config: RegionConfig) -> Fixed:
    base = tuple(h for h in hops.HOPS if h.where == "provider" and h.hook)
    return Fixed(base, region_chains(config), REGION_SETS)


def build_load(fixed: Fixed, pieces: Mapping[tuple[str, str], Any]) -> list[Command]:
    """The whole table anew: whatever was there is replaced in the same transaction, and counters start at 0."""
    built = [build_piece(kind, name, part) for (kind, name), part in pieces.items()]
    chains = {**fixed.chains, **{n: rules for piece in built for n, rules in piece.chains.items()}}
    hooked = {hop.name for hop in fixed.base}
    table = {"table": {"family": "inet", "name": hops.TABLE}}
    return [
        {"add": table},
        {"delete": table},
        {"add": table},
        *(_add_set(s) for s in (*fixed.sets, *(s for piece in built for s in piece.sets))),
        *(_add_chain(name) for name in chains if name not in hooked),
        *(_add_base(hop) for hop in fixed.base),
        *(_add_rule(name, rule) for name, rules in chains.items() for rule in rules),
        *_element_commands("add", [e for piece in built for e in piece.elements]),
    ]


def build_change(old: Mapping[tuple[str, str], Any], new: Mapping[tuple[str, str], Any]) -> list[Command]:
    """From one set of pieces to another, touching only what differs; an empty list when nothing does.

    Order matters to the kernel: a chain or set must exist before it is named, and be unnamed before it goes.
    """
    gone = [build_piece(*key, part) for key, part in old.items() if new.get(key) != part]
    come = [build_piece(*key, part) for key, part in new.items() if old.get(key) != part]
    elements_gone = _elements(gone)
    elements_come = _elements(come)
    chains_gone = {n: rules for piece in gone for n, rules in piece.chains.items()}
    chains_come = {n: rules for piece in come for n, rules in piece.chains.items()}
    sets_gone = {s: None for piece in gone for s in piece.sets}
    sets_come = {s: None for piece in come for s in piece.sets}
    changed = {n: r for n, r in chains_come.items() if chains_gone.get(n) != r}
    return [
        *(_add_set(s) for s in sets_come if s not in sets_gone),
        *(_add_chain(n) for n in chains_come if n not in chains_gone),
        *_element_commands("delete", [e for e in elements_gone if e not in elements_come]),
        *(_flush_chain(n) for n in (*changed, *(set(chains_gone) - set(chains_come))) if n in chains_gone),
        *(_add_rule(n, rule) for n, rules in changed.items() for rule in rules),
        *_element_commands("add", [e for e in elements_come if e not in elements_gone]),
        *(_drop("chain", n) for n in chains_gone if n not in chains_come),
        *(_drop("set", s.name) for s in sets_gone if s not in sets_come),
    ]


def _elements(pieces: Iterable[Piece]) -> dict[Element, None]:
    return {e: None for piece in pieces for e in piece.elements}


def _named(name: str) -> Json:
    return {"family": "inet", "table": hops.TABLE, "name": name}


def _add_set(s: TableSet) -> Command:
    body = {**_named(s.name), "type": list(s.key) if len(s.key) > 1 else s.key[0]}
    if s.counted:
        body["stmt"] = [COUNT]
    if s.keep_s:
        # No flag "dynamic": JSON knows none before nftables 1.1, and a timeout is enough for a set that packets fill.
        body |= {"flags": ["timeout"], "timeout": s.keep_s, "size": s.size}
    return {"add": {"map": {**body, "map": s.value}}} if s.value else {"add": {"set": body}}


def _add_chain(name: str) -> Command:
    return {"add": {"chain": _named(name)}}


def _add_base(hop: Hop) -> Command:
    hooked = {"type": hop.kind, "hook": hop.hook, "prio": hop.priority, "policy": hop.policy}
    return {"add": {"chain": {**_named(hop.name), **hooked}}}


def _add_rule(chain: str, rule: Json) -> Command:
    return {"add": {"rule": {"family": "inet", "table": hops.TABLE, "chain": chain, **rule}}}


def _flush_chain(name: str) -> Command:
    return {"flush": {"chain": _named(name)}}


def _drop(kind: str, name: str) -> Command:
    return {"delete": {kind: _named(name)}}


def _element_commands(verb: str, elements: list[Element]) -> list[Command]:
    by_set: dict[str, list[Any]] = {}
    for element in elements:
        by_set.setdefault(element.table_set, []).append(_element_body(element))
    return [{verb: {"element": {**_named(name), "elem": members}}} for name, members in by_set.items()]


def _element_body(element: Element) -> Any:
    key = element.key[0] if len(element.key) == 1 else {"concat": list(element.key)}
    if not element.value:
        return key
    return [key, _goto(element.value) if element.goto else element.value]
