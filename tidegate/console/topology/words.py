"""What the picture and its tables say, in the reader's language."""

from __future__ import annotations

import unicodedata

from tidegate.console.tidbcloud.states import show_connection
from tidegate.console.visit import ROOT
from tidegate.console.words import N_, _, ngettext
from tidegate.domain.endpoints import EndpointState
from tidegate.operations.topology import ClusterNode, EndpointNode, NetworkView, RefusedFlow, ServiceNode

_WIDE, _NARROW, _MIDDLE, _CAPITAL = 1.0, 0.39, 0.63, 0.76
"""em; of wide sans faces such as DejaVu, so that narrower ones leave a little room"""
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def fit(text: str, width: float, size: float = 12.5, *, mono: bool = False) -> str:
    """``text``, or as much of it as stands in ``width`` with an ellipsis: SVG does not clip its lines."""
    room = width / size
    if sum(_em(letter, mono) for letter in text) <= room:
        return text
    kept, used = "", 1.0
    for letter in text:
        used += _em(letter, mono)
        if used > room:
            break
        kept += letter
    return kept.rstrip() + "…"


def _em(letter: str, mono: bool) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    if mono:
        return 0.61
    if letter in "iljtfrI.,:;'|!()[]/- ":
        return _NARROW
    return _CAPITAL if letter.isupper() or letter in "mwMW%@" else _MIDDLE


def show_size(size_bytes: float) -> str:
    """As the clouds count: thousands, three digits at most."""
    step = 0
    while size_bytes >= 999.5 and step < len(_UNITS) - 1:
        size_bytes, step = size_bytes / 1000, step + 1
    digits = 1 if step and size_bytes < 99.95 else 0
    return f"{size_bytes:.{digits}f} {_UNITS[step]}"


def show_rate(bytes_s: float) -> str:
    return f"{show_size(bytes_s)}/s"


def show_ago(ago_s: float) -> str:
    if ago_s < 60:
        return _("{count} s ago").format(count=max(1, round(ago_s)))
    return _("{count} min ago").format(count=round(ago_s / 60))


def show_packets(count: int) -> str:
    return ngettext("{count} packet", "{count} packets", count).format(count=f"{count:,}")


def show_connections(count: int) -> str:
    return ngettext("{count} connection", "{count} connections", count).format(count=f"{count:,}")


def show_door(door: EndpointNode) -> tuple[str, str]:
    """(word, tone of ``ui.badge``); what stands in the way comes before what is well."""
    if door.failed and door.view.status is not None and door.view.status.phase == "failed":
        return _("Failed"), "bad"
    if door.view.state is EndpointState.CREATING:
        return _("Creating"), "busy"
    if door.view.state is EndpointState.DELETING:
        return _("Deleting"), "busy"
    if not door.addresses:
        return _("No zone yet"), "quiet"
    return show_connection(door.view.connection)


def show_traffic(door: EndpointNode) -> str:
    if door.passed is None:
        return ""
    if not door.passed.packets:
        return _("not used yet")
    return f"{show_connections(door.passed.connections)} · {show_size(door.passed.size_bytes)}"


def show_addresses(door: EndpointNode) -> str:
    if not door.addresses:
        return "–"
    more = len(door.addresses) - 1
    port = door.view.service.port if door.view.service and door.view.service.port else 0
    return door.addresses[0] + (f":{port}" if port else "") + (f" +{more}" if more else "")


def show_flow(refusal: RefusedFlow) -> str:
    """Whose packet, and where it went."""
    seen = refusal.seen
    return f"{show_source(refusal)} → {seen.destination}:{seen.port}"


def show_source(refusal: RefusedFlow) -> str:
    return refusal.source_name or refusal.seen.source


def show_what(refusal: RefusedFlow) -> str:
    return f"{refusal.seen.protocol.upper()} {refusal.seen.port}"


def show_cause(refusal: RefusedFlow, *, full: bool = True) -> str:
    """One sentence: who let it not through.  Not ``full``: what has to stand in a line of the picture."""
    seen, groups = refusal.seen, ", ".join(refusal.group_ids)
    facts = {
        "what": show_what(refusal),
        "groups": groups,
        "rule": seen.rule_id,
        "address": seen.destination,
        "source": seen.source,
        "priority": refusal.rule.priority if refusal.rule else "",
    }
    if refusal.rule is not None:
        return _(_BY_RULE[full]).format_map(facts)
    if refusal.by_default and refusal.hop in _BY_DEFAULT:
        return _(_BY_DEFAULT[refusal.hop][full]).format_map(facts)
    return _(_BY_HOP.get(refusal.hop, _BY_A_RULE_GONE)).format_map(facts)


_BY_RULE = {
    False: N_("{what}: dropped by rule {rule}"),
    True: N_("{what} is dropped by the rule {rule} (priority {priority}) of the security group {groups}."),
}
_BY_DEFAULT = {
    "ingress": {
        False: N_("{what}: not let in by {groups}"),
        True: N_("{what}: no rule of the security group {groups} lets it in, so it is dropped."),
    },
    "egress": {
        False: N_("{what}: not let out by {groups}"),
        True: N_("{what}: no rule of the program's security group {groups} lets it out, so it is dropped."),
    },
}
_BY_HOP = {
    "arrive": N_("{source} is no address of a program in this VPC."),
    "to_peer": N_("{address} is no address in this VPC."),
    "local": N_("{what}: no connected endpoint serves this port."),
    "known": N_("{what}: the endpoint is no longer connected."),
    "guests": N_("{what}: nobody publishes a service at {address}."),
    "forward": N_("{what}: it belongs to no connection of an endpoint."),
}
_BY_A_RULE_GONE = N_("{what}: dropped by a rule that has been removed since.")


def refusal_link(refusal: RefusedFlow) -> str:
    """Where it can be changed: the group that judged, else the VPC."""
    if refusal.group_ids:
        return f"{ROOT}/vpc/security-groups/{refusal.group_ids[0]}"
    return f"{ROOT}/vpc/vpcs/{refusal.vpc_id}"


def door_link(door: EndpointNode) -> str:
    return f"{ROOT}/vpc/endpoints/{door.endpoint.endpoint_id}"


def network_link(network: NetworkView) -> str:
    return f"{ROOT}/vpc/vpcs/{network.vpc.vpc_id}"


def cluster_link(node: ClusterNode) -> str:
    return f"{ROOT}/clusters/{node.cluster.cluster_id}"


def service_link(node: ServiceNode) -> str:
    """Only a service of one's own has a page."""
    return f"{ROOT}/vpc/endpoint-services/{node.service_id}" if node.mine and not node.shared else ""


def show_door_count(doors: list[EndpointNode] | tuple[EndpointNode, ...]) -> str:
    """What a group of endpoints hides."""
    opened = sum(door.open for door in doors)
    parts = [ngettext("{count} connected", "{count} connected", opened).format(count=opened)]
    moving, failed = sum(door.moving for door in doors), sum(door.failed for door in doors)
    if moving:
        parts.append(_("{count} on the way").format(count=moving))
    if failed:
        parts.append(_("{count} failed").format(count=failed))
    refused = sum(bool(door.refusals) for door in doors)
    if refused:
        parts.append(_("{count} refused something").format(count=refused))
    other = len(doors) - opened - moving - failed
    if other > 0:
        parts.append(_("{count} not connected").format(count=other))
    return " · ".join(parts)
