"""What must fail in the demo, how it must fail, and whether it did: nothing is asked or printed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal

Resolution = Literal["isolated", "cloud"]
NO_ANSWER = "no answer"
NO_SUCH_NAME = "no such name"

EXPECTED: Mapping[str, str] = {
    "same_cidr_vpc_by_name": NO_SUCH_NAME,
    "same_cidr_vpc_by_address": NO_ANSWER,
    "closed_security_group": NO_ANSWER,
    "from_the_host": NO_ANSWER,
    "wrong_prefix": "MySQL error 1045",
    "cross_region_endpoint": "EndpointServiceNotFound",
    "gcp_cluster": "NoPrivateEndpoint",
}
"""case -> how it is refused.  A dropped packet is not answered at all: a refusal that answers would be a leak."""

_WORDS = {"nxdomain": NO_SUCH_NAME, "timeout": NO_ANSWER, "unreachable": NO_ANSWER}


@dataclass(frozen=True, slots=True)
class Refused:
    """One attempt: ``held`` exactly if it failed in the expected way."""

    case: str
    expected: str
    got: str
    detail: str = ""

    @property
    def held(self) -> bool:
        return self.expected == self.got


def decide_refused(case: str, outcome: str, detail: str = "", resolution: Resolution = "isolated") -> Refused:
    """``outcome`` is the probe's word, or the code of an API.

    With ``resolution`` cloud the endpoint's name is public, as Alibaba's are: it resolves, and the address is silent.
    """
    expected = NO_ANSWER if resolution == "cloud" and EXPECTED[case] == NO_SUCH_NAME else EXPECTED[case]
    if outcome.startswith("mysql "):
        outcome = f"MySQL error {outcome.removeprefix('mysql ')}"
    return Refused(case, expected, _WORDS.get(outcome, outcome), detail)


@dataclass(slots=True)
class Findings:
    """What the demo saw; filled step by step, so that a demo that broke off shows how far it came."""

    service_name: str = ""
    availability_zone_ids: list[str] = field(default_factory=list)
    region_id: str = ""
    endpoint: dict[str, str] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    elapsed_s: dict[str, float] = field(default_factory=dict)

    def build_json(self) -> dict[str, Any]:
        return {
            "service_name": self.service_name,
            "availability_zone_ids": self.availability_zone_ids,
            "region_id": self.region_id,
            "endpoint": {key: self.endpoint.get(key) for key in ("id", "status", "connection_status", "domain")},
            "rows": self.rows,
            "refused": [{"case": r.case, "expected": r.expected, "got": r.got} for r in self.refused],
            "elapsed_s": {
                key: round(self.elapsed_s[key], 3) if key in self.elapsed_s else None
                for key in ("cluster", "endpoint", "first_row", "total")
            },
        }


def decide_held(findings: Findings, rows: Sequence[Sequence[Any]]) -> list[str]:
    """What did not hold, one word each; empty: the demo showed what it promises.  ``rows``: what was written."""
    checks = {
        "service name": bool(findings.service_name),
        "endpoint Active": findings.endpoint.get("status") == "Active",
        "endpoint Connected": findings.endpoint.get("connection_status") == "Connected",
        "rows": findings.rows == [list(row) for row in rows],
    }
    tried = {refused.case: refused.held for refused in findings.refused}
    return [name for name, held in checks.items() if not held] + [
        case for case in EXPECTED if not tried.get(case, False)
    ]


def choose_cidr(routes: Iterable[IPv4Network]) -> str:
    """A /16 that none of this host's links is in, so that an attempt from the host can hit nobody's machine."""
    taken = [route for route in routes if route.prefixlen > 0]
    candidates = [IPv4Network(f"10.{second}.0.0/16") for second in range(77, 256)]
    candidates += [IPv4Network(f"172.{second}.0.0/16") for second in range(16, 32)]
    for network in candidates:
        if not any(network.overlaps(route) for route in taken):
            return str(network)
    return "192.168.0.0/16"


def parse_routes(table: str) -> list[IPv4Network]:
    """/proc/net/route: addresses are hexadecimal in the machine's byte order; columns 1 and 7 (proc(5))."""
    routes = []
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7:
            routes.append(IPv4Network((_address(columns[1]), str(_address(columns[7]))), strict=False))
    return routes


def _address(text: str) -> IPv4Address:
    return IPv4Address(bytes.fromhex(text)[::-1])
