"""Lists: pages that lose nothing, and filters (``reference/tidbcloud.md`` 1.6)."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidbcloud_cloud import Cloud

from tidegate.api.tidbcloud.filters import parse_filter
from tidegate.api.tidbcloud.paging import take_page
from tidegate.domain.refusals import Malformed


def names(cloud: Cloud, **query: str | int) -> tuple[list[str], str, int]:
    reply = cloud.call("GET", "/clusters", params=query)
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    return [c["displayName"] for c in answer["clusters"]], answer["nextPageToken"], answer["totalSize"]


def make(cloud: Cloud, count: int) -> list[str]:
    made = [f"db{n:02d}x" for n in range(count)]
    for name in made:
        cloud.create(name)
    return made


def test_pages_are_ten_by_default_and_total_counts_all(cloud: Cloud) -> None:
    made = make(cloud, 12)
    first, token, total = names(cloud)
    assert (first, total) == (made[:10], 12)
    second, end, total = names(cloud, pageToken=token)
    assert (second, end, total) == (made[10:], "", 12)
    assert names(cloud, pageSize=1000)[0] == made


def test_a_page_ends_where_the_list_ends_without_a_token(cloud: Cloud) -> None:
    made = make(cloud, 2)
    assert names(cloud, pageSize=2) == (made, "", 2)


def test_deleting_between_pages_hides_nothing(cloud: Cloud) -> None:
    """With offsets, a cluster deleted on the first page would have pushed one out of the second."""
    made = make(cloud, 4)
    first, token, _ = names(cloud, pageSize=2)
    gone = cloud.call("GET", "/clusters", params={"filter": f"displayName={first[1]}"}).json()["clusters"][0]
    cloud.remove(gone["clusterId"])
    assert names(cloud, pageSize=2, pageToken=token)[0] == made[2:]


def test_skip_counts_once_and_beyond_the_end_is_empty(cloud: Cloud) -> None:
    made = make(cloud, 4)
    page, token, total = names(cloud, skip=1, pageSize=2)
    assert (page, total) == (made[1:3], 4)
    assert names(cloud, skip=1, pageSize=2, pageToken=token)[0] == made[3:]
    assert names(cloud, skip=9) == ([], "", 4)


def test_lists_show_only_ones_own(cloud: Cloud) -> None:
    cloud.create("orders")
    reply = cloud.call("GET", "/clusters", key=cloud.stranger())
    assert reply.json() == {"clusters": [], "nextPageToken": "", "totalSize": 0}


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": "-1"},
        {"pageSize": "ten"},
        {"pageSize": "1" * 30},
        {"skip": "-1"},
        {"skip": "٣"},
        {"pageToken": "nonsense"},
        {"pageToken": "ä"},
        {"pageToken": urlsafe_b64encode(b"[1,2,3]").decode()},
        {"pageToken": urlsafe_b64encode(b"[" * 4000).decode()},
        {"filter": "nonsense"},
        {"filter": "colour=red"},
        {"filter": "state=SLEEPING"},
        {"filter": "state=ACTIVE OR state=CREATING"},
        {"filter": 'displayName="open'},
        {"filter": "state=ACTIVE AND"},
        {"filter": "a" * 5000},
    ],
)
def test_parameters_that_cannot_be(cloud: Cloud, query: dict[str, str]) -> None:
    reply = cloud.call("GET", "/clusters", params=query)
    assert (reply.status_code, reply.json()["code"]) == (400, 3)
    assert next(iter(query)) in reply.json()["message"]


def test_a_token_is_for_the_same_question(cloud: Cloud) -> None:
    """Other parameters must stay equal while paging, or a client would walk through two lists at once."""
    make(cloud, 3)
    token = names(cloud, pageSize=1)[1]
    reply = cloud.call("GET", "/clusters", params={"pageToken": token, "filter": "state=ACTIVE"})
    assert (reply.status_code, reply.json()["code"]) == (400, 3)


def test_order_by_is_refused_because_nobody_knows_what_it_does(cloud: Cloud) -> None:
    assert cloud.call("GET", "/clusters?orderBy=createTime").json()["code"] == 12


BODY = {
    "clusterId": "10",
    "displayName": "orders",
    "state": "ACTIVE",
    "region": {"name": "regions/aws-us-east-1", "cloudProvider": "aws"},
    "labels": {"tidb.cloud/project": "160001", "team": 'r"d'},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("projectId=160001", True),
        ("projectId=1", False),
        ("projectId=1,160001", True),
        ('clusterId="9, 10"', True),
        ("clusterId=9", False),
        ("region.provider=aws", True),
        ("region.provider=AWS AND state=ACTIVE", True),
        ("region.provider=aws AND state=CREATING", False),
        ('region.name = "regions/aws-us-east-1"', True),
        ("region.name=aws-us-east-1", True),
        ("displayName=orders", True),
        ("displayName=order", False),
        (r'labels.team="r\"d"', True),
        ("labels.tidb.cloud/project=160001", True),
        ("labels.other=x", False),
    ],
)
def test_filters(text: str, matches: bool) -> None:
    assert parse_filter(text)(BODY) is matches


@given(st.text(alphabet='abcdefgstatelabels.=," \\AND\n\t\x00é', max_size=60) | st.text(max_size=60))
def test_any_filter_is_understood_or_refused(text: str) -> None:
    try:
        parse_filter(text)(BODY)
    except Malformed as refusal:
        assert refusal.field == "filter"


@given(st.sets(st.integers(0, 1000), max_size=50), st.integers(1, 7), st.data())
def test_walking_the_pages_gives_each_entry_once_whatever_vanishes(
    numbers: set[int], size: int, data: st.DataObject
) -> None:
    items, seen, token = sorted(numbers), [], ""
    while True:
        page = take_page(items, lambda n: (float(n // 3), f"{n:04d}"), token=token, size=size, skip=0, mark="m")
        seen += page.items
        if not page.next_token:
            break
        token = page.next_token
        if items and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(items))
            items.remove(gone)
            numbers = numbers - {gone} if gone not in seen else numbers
    assert set(numbers) <= set(seen) and len(seen) == len(set(seen))
