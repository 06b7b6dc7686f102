"""The table of refusals: total, in the cloud's shape, and without loose ends."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from tidegate.api.alibaba.errors import PRODUCTS, TABLE, build_error, explain
from tidegate.domain import refusals
from tidegate.domain.refusals import Refusal

ALL = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Refusal)]
CONCRETE = [kind for kind in ALL if kind is not Refusal]


def _refusal(kind: type[Refusal]) -> Refusal:
    return kind(**{f.name: 7 if f.type == "int" else "some" for f in fields(kind)})


@pytest.mark.parametrize("product", sorted(PRODUCTS))
@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_code(kind: type[Refusal], product: str) -> None:
    """A refusal without a row would be answered as our own fault (500) although the caller was at fault."""
    error = explain(_refusal(kind), product, "AnyAction")
    assert re.fullmatch(r"[A-Za-z]+(\.[A-Za-z]+)*", error.code)
    assert error.status in (400, 403, 404) and error.message.endswith(".")
    assert "{" not in error.code + error.message


def test_every_row_can_be_reached() -> None:
    """A row behind a wider one of its class would never be met; nobody would notice a wrong code in it."""
    for number, row in enumerate(TABLE):
        facts = {f.name: row.facts.get(f.name, 7 if f.type == "int" else "unlike") for f in fields(row.refusal)}
        refusal = row.refusal(**facts)
        product, action = row.product or "any", row.action or "any"
        first = next(i for i, other in enumerate(TABLE) if other.fits(refusal, product, action))
        assert first == number, f"row {row.code} of {row.refusal.__name__} is hidden by {TABLE[first].code}"


def test_long_values_are_not_echoed() -> None:
    """A megabyte of nonsense must not come back as a megabyte of error."""
    error = explain(refusals.Malformed("X" * 1_000_000, "Y" * 1_000_000), "2020-04-15", "CreateVpcEndpoint")
    assert len(error.code) + len(error.message) < 300


def test_the_envelope() -> None:
    error = explain(refusals.NotFound("endpoint", "ep-1"), "2020-04-15", "GetVpcEndpointAttribute")
    assert build_error(error, "Privatelink", "R", "h:1") == {
        "RequestId": "R",
        "HostId": "h:1",
        "Code": "EndpointNotFound",
        "Message": "The specified Endpoint does not exist.",
        "Recommend": "https://api.aliyun.com/troubleshoot?q=EndpointNotFound&product=Privatelink",
    }
