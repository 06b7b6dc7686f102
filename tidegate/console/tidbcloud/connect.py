"""The Connect dialog (``reference/tidbcloud.md`` 5): what to paste where, and the string to connect with.

Each choice sends the whole form and gets the dialog's body anew.  It is sent by POST although nothing changes, because
a password that was just made travels along: it is shown until the dialog closes and is in no URL and no log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.responses import Response

from tidegate.console.errors import Problem, describe_refusal
from tidegate.console.forms import Form
from tidegate.console.tidbcloud.clusters import list_doors, render_cluster
from tidegate.console.visit import Page, Visit
from tidegate.domain.clusters import require_private_endpoint
from tidegate.domain.connection_strings import (
    DATABASE,
    DOWNLOADED_CA,
    ENTRIES,
    HOST,
    OPERATING_SYSTEMS,
    PASSWORD,
    Target,
    find_entry,
)
from tidegate.domain.endpoints import ConnectionState
from tidegate.domain.names import make_password
from tidegate.domain.refusals import Refusal
from tidegate.operations import branches, clusters
from tidegate.operations.clusters import ClusterView
from tidegate.operations.endpoints import EndpointView

PUBLIC, PRIVATE = "public", "private"
MAIN = "main"
"""the branch that is the cluster itself"""
_DATABASE_LETTERS = 64
_DEBIAN = f"sudo cp {DOWNLOADED_CA} /usr/local/share/ca-certificates/tidegate.crt && sudo update-ca-certificates"
INSTALL_CA = {
    "macOS": f"sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain {DOWNLOADED_CA}",
    "Debian/Ubuntu/Arch": _DEBIAN,
    "CentOS/RedHat/Fedora": f"sudo cp {DOWNLOADED_CA} /etc/pki/ca-trust/source/anchors/ && sudo update-ca-trust",
    "Alpine": _DEBIAN,
    "OpenSUSE": f"sudo cp {DOWNLOADED_CA} /etc/pki/trust/anchors/ && sudo update-ca-certificates",
}
"""how each system comes to trust the downloaded CA; on the others its file is named in the string"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The dialog's controls as they stand.  ``password``: the one that was just made, else empty."""

    type: str
    branch: str = MAIN
    database: str = DATABASE
    entry: str = ENTRIES[0].label
    system: str = "Debian/Ubuntu/Arch"
    host: str = HOST
    password: str = ""


def show_connect(visit: Visit) -> Response:
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    return _render(visit, view, Form([("system", _guess_system(visit.request.headers.get("user-agent", "")))]))


def choose(visit: Visit) -> Response:
    """Another choice, or with ``do=password`` a new password for root, which is valid at once."""
    view = clusters.get_cluster(visit.context, visit.tidbcloud, visit.params["cluster_id"])
    if visit.form.get("do") != "password":
        return _render(visit, view, visit.form, password=visit.form.get("password"))
    password = make_password(visit.context.draw)
    try:
        _set_password(visit, view, visit.form.get("branch"), password)
    except Refusal as refusal:
        return _render(visit, view, visit.form, describe_refusal(refusal))
    view = clusters.get_cluster(visit.context, visit.tidbcloud, view.cluster.cluster_id)
    return _render(visit, view, visit.form, password=password)


def _set_password(visit: Visit, view: ClusterView, branch: str, password: str) -> None:
    cluster_id = view.cluster.cluster_id
    if branch in ("", MAIN):
        clusters.set_root_password(visit.context, visit.tidbcloud, cluster_id, password)
    else:
        branches.set_root_password(visit.context, visit.tidbcloud, cluster_id, branch, password)


def _render(
    visit: Visit, view: ClusterView, form: Form, problem: Problem | None = None, password: str = ""
) -> Response:
    doors = [door for door in list_doors(visit, view) if door.connection is ConnectionState.CONNECTED]
    known = branches.list_branches(visit.context, visit.tidbcloud, view.cluster.cluster_id)
    found = {branch.branch.cluster_id: branch.cluster_view for branch in known if not branch.branch.deleting}
    branch = form.get("branch") if form.get("branch") in found else MAIN
    shown = found.get(branch, view)
    choice = replace(_choice(shown, doors, form, password), branch=branch)
    target, refused = _target(shown, choice)
    entry = find_entry(choice.entry) or ENTRIES[0]
    return render_cluster(
        visit,
        "tidbcloud/connect.html",
        view,
        choice=choice,
        chosen=shown.cluster,
        branches=[(MAIN, MAIN), *((branch_id, each.cluster.display_name) for branch_id, each in found.items())],
        entries=[e.label for e in ENTRIES],
        systems=list(OPERATING_SYSTEMS),
        hosts=[(door.endpoint.domain, _door_name(door)) for door in doors],
        string=entry.build(target) if target else "",
        entry=entry,
        problem=problem or refused,
        install_ca=INSTALL_CA.get(choice.system, ""),
        ca_name=DOWNLOADED_CA,
        placeholder=HOST,
    )


def _choice(view: ClusterView, doors: list[EndpointView], form: Form, password: str) -> Choice:
    """What was chosen, as far as it can be; the only connected endpoint is taken for the one that is meant."""
    kind = form.get("type", PUBLIC)
    kind = kind if kind in (PUBLIC, PRIVATE) and (kind == PRIVATE or view.cluster.public_open) else PRIVATE
    domains = [door.endpoint.domain for door in doors]
    host = form.get("host", domains[0] if len(domains) == 1 else HOST)
    entry = form.get("with")
    system = form.get("system")
    return Choice(
        type=kind,
        database=form.get("database", DATABASE)[:_DATABASE_LETTERS] or DATABASE,
        entry=entry if find_entry(entry) else ENTRIES[0].label,
        system=system if system in OPERATING_SYSTEMS else "Debian/Ubuntu/Arch",
        host=host if host in domains else HOST,
        password=password,
    )


def _target(view: ClusterView, choice: Choice) -> tuple[Target | None, Problem | None]:
    """What the string leads to, or why there is none: gcp and azure have no private endpoints."""
    cluster = view.cluster
    password = choice.password or PASSWORD
    if choice.type == PUBLIC:
        host, port = view.public_address
        ca_path = OPERATING_SYSTEMS[choice.system]
        return Target(cluster.root_user, host, port, password, choice.database, ca_path), None
    try:
        require_private_endpoint(cluster)
    except Refusal as refusal:
        return None, describe_refusal(refusal)
    port = view.service.port if view.service else 4000
    return Target(cluster.root_user, choice.host, port, password, choice.database), None


def _door_name(door: EndpointView) -> str:
    name = door.endpoint.name or door.endpoint.endpoint_id
    return f"{name} · {door.endpoint.vpc_id}"


def _guess_system(agent: str) -> str:
    for mark, system in (("Windows", "Windows"), ("Mac OS", "macOS"), ("Fedora", "CentOS/RedHat/Fedora")):
        if mark in agent:
            return system
    return "Debian/Ubuntu/Arch"


def download_ca(visit: Visit) -> Response:
    """Public as certificates are; without it no client can know that it speaks with this installation."""
    headers = {"Content-Disposition": f"attachment; filename={DOWNLOADED_CA}"}
    return Response(visit.parts.ca_pem, media_type="application/x-pem-file", headers=headers)


PAGES = (
    Page("/clusters/{cluster_id}/connect", get=show_connect, post=choose),
    Page(f"/{DOWNLOADED_CA}", get=download_ca, public=True),
)
