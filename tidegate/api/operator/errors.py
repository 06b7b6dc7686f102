"""Refusals of the operator's API: ``{"code": name, "message": text}``.  The code is the refusal's own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tidegate.domain import refusals as r
from tidegate.domain.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    http_status: int
    message: str

    def build(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message}


TABLE: Mapping[type[Refusal], tuple[int, str]] = {
    r.NotFound: (404, "There is no {kind} {id}."),
    r.Malformed: (400, "{field}={value} cannot be used."),
    r.Missing: (400, "The {field} is missing."),
    r.Conflict: (409, "The {kind} {id} exists already."),
    r.InUse: (409, "The {kind} {id} is still needed by its {by}; make another one first."),
    r.QuotaReached: (409, "There are {limit} {quota} already: remove one first."),
    r.NotOffered: (501, "{what} is not offered by this version of Tidegate."),
    r.NoPrivateEndpoint: (
        409,
        "Private endpoints are available only when the cluster is hosted on Alibaba Cloud or AWS; "
        "cluster {cluster_id} is hosted on {cloud}.",
    ),
}
"""what the calls here can raise; ``describe_refusal`` is total all the same"""

_SHOWN_LETTERS = 96


def describe_refusal(refusal: Refusal) -> Failure:
    name = type(refusal).__name__
    if type(refusal) not in TABLE:
        return Failure(name, 400, str(refusal))
    status, text = TABLE[type(refusal)]
    facts = {f.name: str(getattr(refusal, f.name))[:_SHOWN_LETTERS] for f in fields(refusal)}
    return Failure(name, status, text.format_map(facts))


UNAUTHENTICATED = Failure(
    "Unauthenticated", 401, "Send Authorization: Bearer with the token in keys/operator-token of Tidegate's home."
)
UNKNOWN_PATH = Failure("NotFound", 404, "The operator's API has no such path.")
OTHER_METHOD = Failure("MethodNotAllowed", 405, "The operator's API does not do that here; see docs/howto/accounts.md.")
