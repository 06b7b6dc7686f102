"""Names and ids: what is accepted ends where it should."""

from __future__ import annotations

import pytest

from tidegate.domain.names import make_cluster_id, make_id, make_prefix, require_cluster_name, require_resource_name
from tidegate.domain.refusals import Malformed
from tidegate.operations.context import draw


@pytest.mark.parametrize("name", ["abcd\n", "abc", "a" * 65, "-abc", "abc-", "a_cd", "", "中文名字"])
def test_cluster_names_that_are_refused(name: str) -> None:
    """A name with a line break at its end passed once: ``$`` stands before it."""
    with pytest.raises(Malformed):
        require_cluster_name(name)


@pytest.mark.parametrize("name", ["a", "1a", "http://x", "a" * 129, "ab\n", "a b"])
def test_resource_names_that_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        require_resource_name("EndpointName", name)


def test_names_that_are_accepted() -> None:
    assert require_resource_name("EndpointName", "中文-a_1") == "中文-a_1"
    assert require_cluster_name("orders-1") == "orders-1"


def test_ids_have_the_clouds_shapes() -> None:
    assert len(make_id(draw, "ep", "t4n")) == 23
    assert len(make_prefix(draw)) == 15 and make_prefix(draw).isalnum()
    assert 10**19 <= int(make_cluster_id(draw)) < 2**64
