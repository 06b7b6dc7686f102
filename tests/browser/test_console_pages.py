"""Every page of the consoles in four faces: each word in the reader's language, nobody shut out, a picture kept."""

from __future__ import annotations

import re

import pytest
from console_crawl import crawl, find_barriers, find_chinese, find_untranslated, read_texts, wanted_patterns
from console_person import Enter, Person

from tidegate.cli.calls import networks
from tidegate.domain.connection_strings import ENTRIES, OPERATING_SYSTEMS
from tidegate.testing import Cluster, Vpc, World, wait_until

FACES = (("zh", "wide", "light"), ("en", "wide", "dark"), ("en", "narrow", "light"), ("zh", "narrow", "dark"))
NAMES = (
    *("Tidegate", "TiDB Cloud", "VPC", "VPC ID", "English"),
    *("Starter", "Essential", "AWS", "Azure", "Google Cloud", "Prometheus"),
    *("Mbit/s", "kB", "MB", "MiB", "GiB", "UTC", "RCU", "USD", "CIDR"),
    *("TCP", "UDP", "ICMP", "GRE", "SQL", "SLB", "NLB", "ALB", "CLB (SLB)"),
    "Allow_all_public_connections",
    *(entry.label for entry in ENTRIES),
    *OPERATING_SYSTEMS,
)
"""of products, units, protocols; and the Connect dialog's own labels, which are the same in every language"""
DATA = re.compile(
    "|".join(
        [
            *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(NAMES, key=len, reverse=True)),
            r"(ep|vpc|vsw|sg|epsrv|eni|acs)-[\w-]+",
            r"\b[\w.-]+\.aliyuncs\.com\b|com\.aliyuncs\.[\w.-]+",
            r"\b[2-9]\w{10,14}\b",
            r"\b[a-z]{2}-[a-z]+(-\d[a-z]?)?\b",
            r"\b(orders|furnished|admin|main|test|tidb|apikey|client|tidegate-exec|shop|tour|fleeting|by|without|keys|noscript)[\w-]*",
        ]
    )
)
"""what is no word to translate: names, ids, addresses, and what these tests made"""


@pytest.fixture(scope="module")
def furnished(world: World, orders: Cluster) -> list[str]:
    """Something of everything, so that no page is empty: the pages of what has most in it."""
    vpc = world.vpc("furnished")
    endpoint = vpc.endpoint(orders)
    service_id = publish(vpc, vpc.client().interface_id, endpoint.group_id)
    join(world.vpc("furnished-too"), service_id, accepted=True)
    join(vpc, service_id, accepted=False)
    group, cluster = f"/vpc/security-groups/{endpoint.group_id}", f"/clusters/{orders.cluster_id}"
    rooms = [f"/vpc/vpcs/{vpc.vpc_id}", f"/vpc/endpoints/{endpoint.endpoint_id}", "/topology", "/guide"]
    return [cluster, group, f"/vpc/endpoint-services/{service_id}", *rooms]


def publish(vpc: Vpc, interface_id: str, group_id: str) -> str:
    """A service of our own, Active."""
    of = {"ServiceId": vpc.call("privatelink", "CreateVpcEndpointService")["ServiceId"]}
    resource = {"ResourceId": interface_id, "ResourceType": "slb"}
    vpc.call("privatelink", "AttachResourceToVpcEndpointService", **of, **resource)
    look = lambda: vpc.call("privatelink", "GetVpcEndpointServiceAttribute", **of)  # noqa: E731
    wait_until(lambda: look()["ServiceStatus"] == "Active", "the service to be Active")
    return str(of["ServiceId"])


def join(vpc: Vpc, service_id: str, accepted: bool) -> None:
    """An endpoint of that service, which waits for its acceptance or has it."""
    place = {"VpcId": vpc.vpc_id, "RegionId": vpc.region}
    group_id, subnet = networks.create_group(vpc.api, place, "furnished"), networks.find_subnet(vpc.api, place)
    asked = {"ServiceId": service_id, "VpcId": vpc.vpc_id, "SecurityGroupId": [group_id], "EndpointName": "furnished"}
    zone = {"ZoneId": subnet["ZoneId"], "VSwitchId": subnet["VSwitchId"]}
    made = {"EndpointId": vpc.call("privatelink", "CreateVpcEndpoint", **asked, Zone=[zone])["EndpointId"]}
    look = lambda: vpc.call("privatelink", "GetVpcEndpointAttribute", **made)  # noqa: E731
    wait_until(lambda: look()["EndpointStatus"] == "Active", "the endpoint to be Active")
    if accepted:
        vpc.call("privatelink", "EnableVpcEndpointConnection", ServiceId=service_id, **made)
        wait_until(lambda: look()["ConnectionStatus"] == "Connected", "its connection")


@pytest.mark.parametrize("face", FACES, ids="-".join)
def test_every_page(enter: Enter, furnished: list[str], face: tuple[str, str, str]) -> None:
    language, window, light = face
    person = enter("admin", language, window=window, light=light)
    found: list[str] = []
    seen: set[str] = set()
    for pattern in crawl(person, *furnished):
        seen.add(pattern)
        troubles = [*find_foreign(person), *find_barriers(person), *find_overflow(person)]
        found += [f"{pattern}: {trouble}" for trouble in troubles]
        tab = person.page.url.partition("tab=")[2]
        person.picture(f"{'-'.join(face)}{pattern.replace('/', '_')}{tab and '-' + tab}")
    assert not found, "\n".join(found)
    assert seen == wanted_patterns(), f"no link leads to {wanted_patterns() - seen}"


def find_foreign(person: Person) -> list[str]:
    texts = read_texts(person)
    found = find_untranslated(texts, DATA) if person.language == "zh" else find_chinese(texts, DATA)
    return [f"not in {person.language}: {text!r}" for text in sorted(found)]


def find_overflow(person: Person) -> list[str]:
    """A page that scrolls sideways on a telephone hides its right half; tables scroll by themselves."""
    wide = person.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} pixels wider than the window"] if wide > 0 else []
