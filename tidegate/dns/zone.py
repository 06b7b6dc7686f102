"""Which answer a VPC gets to a question.  Pure: the table of names, a resolver's view, a question.

======================================  ====================  ============================================
the name is                             ``isolated``          ``cloud``
======================================  ====================  ============================================
a record of this VPC                    its addresses         its addresses
a record of another VPC                 NXDOMAIN              its addresses (Alibaba's names are public)
above a record it may see               no data               no data
anything else at or under an apex       NXDOMAIN              NXDOMAIN
any other name                          forwarded when the VPC has upstreams, else NXDOMAIN
======================================  ====================  ============================================
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import dns.rcode
import dns.rdataclass
import dns.rdatatype

from tidegate.dns.config import NameRecord, ResolverConfig
from tidegate.dns.message import REFUSED, Answer, Question

_PRIVATE_REVERSE = (
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    *(f"{n}.172.in-addr.arpa" for n in range(16, 32)),
    *(f"{n}.100.in-addr.arpa" for n in range(64, 128)),
)
"""Reverse zones of private and fabric addresses: asking others about them tells our addresses (RFC 6303)."""

APEXES: Final = frozenset(("privatelink.aliyuncs.com", "vpce.amazonaws.com", *_PRIVATE_REVERSE))
"""Endpoint domains of Alibaba Cloud (``<ep>.<epsrv>.<region>.privatelink.aliyuncs.com``) and AWS."""

_TIDBCLOUD = "tidbcloud.com"
_PRIVATE_LABEL_END = "-privatelink"
_UNSERVED_TYPES = frozenset((dns.rdatatype.AXFR, dns.rdatatype.IXFR, dns.rdatatype.MAILA, dns.rdatatype.MAILB))


class Forward:
    """The verdict "ask an upstream"."""


FORWARD: Final = Forward()


class NameTable:
    """All names of the host, once, found by name in one step whatever their number.

    A record is replaced by its *key*.  The key is the name itself, except where one name lives in several VPCs (the
    private DNS name of an AWS endpoint): there any key that tells them apart, such as ``vpc-1/name``, will do.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, NameRecord] = {}
        self._by_name: dict[str, dict[str, dict[str, NameRecord]]] = {}  # name -> VPC -> key -> record
        self._above: Counter[tuple[str | None, str]] = Counter()

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: str, record: NameRecord | None) -> None:
        """Set, replace or (None) remove the record under ``key``."""
        old = self._by_key.pop(key, None)
        if old is not None:
            self._forget(key, old)
        if record is not None:
            self._by_key[key] = record
            self._by_name.setdefault(fold(record.name), {}).setdefault(record.vpc_id, {})[key] = record
            self._above.update(_parents(record))

    def find(self, name: str, vpc_id: str, *, others: bool) -> NameRecord | None:
        """This VPC's record of ``name``; failing that, with ``others``, the one with the lowest key."""
        holders = self._by_name.get(name)
        if holders is None:
            return None
        if (own := holders.get(vpc_id)) is not None:
            return own[min(own)]
        return min((key, held[key]) for held in holders.values() for key in held)[1] if others else None

    def knows(self, name: str) -> bool:
        return name in self._by_name

    def is_above(self, name: str, vpc_id: str, *, others: bool) -> bool:
        """Whether a visible record lies below ``name``: then it exists, with no data (RFC 8020)."""
        return self._above[(None if others else vpc_id), name] > 0

    def _forget(self, key: str, old: NameRecord) -> None:
        name = fold(old.name)
        holders = self._by_name[name]
        del holders[old.vpc_id][key]
        if not holders[old.vpc_id]:
            del holders[old.vpc_id]
        if not holders:
            del self._by_name[name]
        for parent in _parents(old):
            self._above[parent] -= 1
            if not self._above[parent]:
                del self._above[parent]


def decide_answer(table: NameTable, view: ResolverConfig, question: Question, turn: int) -> Answer | Forward:
    """The answer of ``view``'s resolver.  ``turn`` rotates the addresses, so that zones share the load."""
    if question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
        return REFUSED
    if question.rdtype in _UNSERVED_TYPES:
        return REFUSED
    others = view.resolution == "cloud"
    apex = find_apex(question.name)
    record = table.find(question.name, view.vpc_id, others=others)
    if record is not None:
        return _of_record(record, question, apex, turn)
    if apex is not None:
        exists = question.name == apex or table.is_above(question.name, view.vpc_id, others=others)
        soa_asked = question.name == apex and question.rdtype == dns.rdatatype.SOA
        return Answer(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN, apex=apex, soa_asked=soa_asked)
    if table.knows(question.name) or not view.upstreams:
        return Answer(dns.rcode.NXDOMAIN, apex=_parent(question.name))
    return FORWARD


def find_apex(name: str) -> str | None:
    """The domain we speak for that holds ``name``, or None.

    TiDB Cloud's private names (``gateway01-privatelink.<region>.prod.alicloud.tidbcloud.com``) are ours, its public
    ones are not, so the apex there is what follows the ``...-privatelink`` label.
    """
    labels = name.split(".")
    if name.endswith("." + _TIDBCLOUD):
        for i, label in enumerate(labels):
            if label.endswith(_PRIVATE_LABEL_END):
                return ".".join(labels[i + 1 :])
        return None
    for i in range(max(0, len(labels) - 4), len(labels)):
        if (domain := ".".join(labels[i:])) in APEXES:
            return domain
    return None


def fold(name: str) -> str:
    return name.lower().rstrip(".")


def _of_record(record: NameRecord, question: Question, apex: str | None, turn: int) -> Answer:
    if question.rdtype in (dns.rdatatype.A, dns.rdatatype.ANY) and record.addresses:
        start = turn % len(record.addresses)
        return Answer(addresses=record.addresses[start:] + record.addresses[:start], ttl_s=record.ttl_s)
    return Answer(apex=apex if apex is not None else _parent(question.name))


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _parents(record: NameRecord) -> list[tuple[str | None, str]]:
    """Every domain between a record and its apex, once for the owner's view and once for everybody's."""
    name = fold(record.name)
    apex = find_apex(name)
    parents: list[tuple[str | None, str]] = []
    while apex is not None and (name := _parent(name)) and name != apex:
        parents += [(record.vpc_id, name), (None, name)]
    return parents
