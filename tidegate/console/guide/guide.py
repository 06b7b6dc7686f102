"""The page of the tour: what is done, what comes next, where it is done, and the same as one command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from tidegate.console.topology import words
from tidegate.console.visit import ROOT, Page, Visit
from tidegate.console.words import N_, _
from tidegate.operations.guide import STEPS, Guide, Item, get_guide
from tidegate.store.changes import Change

TITLES = (
    N_("Choose a TiDB cluster"),
    N_("Create a private endpoint on Alibaba Cloud"),
    N_("Connect to your TiDB cluster using the private endpoint"),
)
"""the how-to's own (``reference/how-to.zh.md``)"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One item.  ``state``: done, now (the first that is not), or later.  ``command``: the same in a terminal."""

    item: Item
    state: str
    title: str
    hint: str
    label: str
    path: str
    command: str


def show_guide(visit: Visit) -> Response:
    guide = get_guide(visit.context, visit.alicloud, visit.tidbcloud, visit.query.get("cluster", ""))
    steps = [(_(title), [_show(guide, item) for item in items]) for title, items in zip(TITLES, STEPS, strict=True)]
    return visit.render(
        "guide/guide.html",
        guide=guide,
        steps=steps,
        total=sum(map(len, STEPS)),
        options=[(node.cluster.cluster_id, node.cluster.display_name) for node in guide.clusters],
        refusals=guide.door.refusals if guide.door else (),
        words=words,
        watch=[("traffic", ""), *_watched(guide)],
    )


def _watched(guide: Guide) -> list[Change]:
    """What the page is about; whatever is new is seen at the next look at traffic."""
    found: list[Change] = []
    if guide.cluster:
        found.append(("cluster", guide.cluster.cluster.cluster_id))
    if guide.network:
        found.append(("vpc", guide.network.vpc.vpc_id))
    if guide.door:
        found.append(("endpoint", guide.door.endpoint.endpoint_id))
    if guide.group_id:
        found.append(("security_group", guide.group_id))
    return found


def _show(guide: Guide, item: Item) -> Shown:
    state = "done" if item in guide.done else "now" if item == guide.next else "later"
    title, hint = _WORDS[item]
    label, path = _place(guide, item)
    return Shown(item, state, _(title), _(hint), _(label), ROOT + path, _command(guide, item))


_WORDS: Mapping[Item, tuple[str, str]] = {
    "cluster": (
        N_("A cluster is ACTIVE"),
        N_("On the Clusters page, click the name of the target cluster to go to its overview page."),
    ),
    "password": (
        N_("Its root user has a password"),
        N_("Click Connect, choose Private Endpoint, and generate a password; it is shown once."),
    ),
    "vpc": (N_("A VPC in the cluster's region"), N_("The program that connects will live in it.")),
    "subnet": (
        N_("A vSwitch in a zone of the service"),
        N_("The endpoint takes its address from it. Availability Zone ID in the Connect dialog says which zones."),
    ),
    "group": (
        N_("A security group that lets TCP 4000 in"),
        N_("It guards the endpoint: an inbound rule must accept port 4000 from your programs."),
    ),
    "endpoint": (
        N_("An interface endpoint of the cluster's endpoint service"),
        N_("Create Endpoint, paste the service name, click Verify, choose VPC, security group and zone, then OK."),
    ),
    "active": (N_("The endpoint is Active"), N_("It takes a moment; this page sees it by itself.")),
    "connected": (N_("Its connection is Connected"), N_("The service has accepted the endpoint.")),
    "program": (
        N_("A program has a place in the VPC"),
        N_("An interface of its own, with an address there."),
    ),
    "used": (
        N_("A program has connected"),
        N_("Use the connection string of the Connect dialog; its host is the Domain Name of Endpoint Service."),
    ),
}

_LISTS: Mapping[Item, tuple[str, str]] = {
    "vpc": (N_("VPCs"), "/vpc/vpcs"),
    "subnet": (N_("vSwitches"), "/vpc/vswitches"),
    "group": (N_("Security groups"), "/vpc/security-groups"),
    "endpoint": (N_("Create Endpoint"), "/vpc/endpoints/new"),
    "active": (N_("Endpoints"), "/vpc/endpoints"),
    "connected": (N_("Endpoints"), "/vpc/endpoints"),
    "program": (N_("VPCs"), "/vpc/vpcs"),
}


def _place(guide: Guide, item: Item) -> tuple[str, str]:
    """(label, path) of the page where this is done, or was."""
    if item in ("cluster", "password", "used"):
        if guide.cluster is None:
            return N_("Clusters"), "/clusters"
        path = f"/clusters/{guide.cluster.cluster.cluster_id}"
        return (N_("Cluster overview"), path) if item == "cluster" else (N_("Connect"), f"{path}/connect")
    if item in ("endpoint", "active", "connected") and guide.door:
        return N_("Endpoint Details"), f"/vpc/endpoints/{guide.door.endpoint.endpoint_id}"
    if item == "group" and guide.group_id:
        return N_("Security group"), f"/vpc/security-groups/{guide.group_id}"
    if item in ("vpc", "program") and guide.network:
        return N_("VPC"), f"/vpc/vpcs/{guide.network.vpc.vpc_id}"
    label, path = _LISTS[item]
    return label, path + (f"?region={guide.region.code}" if guide.region else "")


def _command(guide: Guide, item: Item) -> str:
    """Empty: it comes by itself, or another item's command makes it too (``endpoint create`` brings a group)."""
    name = guide.cluster.cluster.display_name if guide.cluster else "orders"
    vpc = (guide.network.vpc.name or guide.network.vpc.vpc_id) if guide.network else "web"
    host = guide.door.endpoint.domain if guide.door else "<endpoint domain>"
    user = guide.cluster.cluster.root_user if guide.cluster else "<prefix>.root"
    commands: dict[Item, str] = {
        "cluster": f"tidegate cluster create {name}",
        "password": f"tidegate cluster password {name}",
        "vpc": f"tidegate vpc create {vpc}",
        "endpoint": f"tidegate endpoint create {name}-ep --vpc {vpc} --cluster {name}",
        "program": f"tidegate vpc attach {vpc} app",
        "used": f"tidegate vpc exec {vpc} -- mysql -h {host} -P 4000 -u {user} -p",
    }
    return commands.get(item, "")


PAGES = (Page("/guide", get=show_guide),)
