"""``tidegate cluster``: TiDB clusters, through TiDB Cloud's API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tidegate.cli.access import Access, open_access
from tidegate.cli.calls import clusters, endpoints
from tidegate.cli.clients import CliError, Json
from tidegate.cli.reports import (
    Format,
    Output,
    PasswordStdin,
    choose_password,
    err,
    out,
    print_facts,
    print_json,
    print_rows,
    progress,
    show_password_once,
    wait_until,
)
from tidegate.domain.connection_strings import CA_PATH, HOST, Target, build_strings

app = typer.Typer(
    help="TiDB clusters: create, list, show, password, connect, delete.",
    epilog="Example: tidegate cluster create orders",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="the cluster's name or id")]
CREATE_TIMEOUT_S = 180.0
SHOWN_CHOICES = 8  # of the endpoints that a host could be; a line that can be read


@app.command(epilog="Example: tidegate cluster create orders --region alicloud-ap-southeast-1")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="4 to 64 letters, digits and dashes")],
    region: Annotated[str, typer.Option(help="<cloud>-<region>")] = clusters.DEFAULT_REGION,
    min_rcu: Annotated[int | None, typer.Option(help="with --max-rcu: an Essential cluster, from 2000")] = None,
    max_rcu: Annotated[int | None, typer.Option(help="with --min-rcu: up to 100000")] = None,
    password_stdin: PasswordStdin = False,
    output: Output = Format.TABLE,
) -> None:
    """Create a cluster and wait until it is ACTIVE.

    The root password comes from stdin, from TIDEGATE_CLUSTER_PASSWORD, or is made and shown once.
    """
    if (min_rcu is None) != (max_rcu is None):
        raise CliError("--min-rcu and --max-rcu belong together: give both (Essential) or none (Starter).")
    rcu = (min_rcu, max_rcu) if min_rcu is not None and max_rcu is not None else None
    api = open_access().tidbcloud
    password, made = choose_password(password_stdin)
    with progress(f"creating cluster {name}") as tell:
        cluster_id = clusters.create_cluster(api, name, region, password, rcu)["clusterId"]
        tell(f"starting TiDB of {name} ({cluster_id})")
        cluster = wait_until(
            lambda: clusters.look_active(api, cluster_id),
            f"ACTIVE of cluster {name}",
            CREATE_TIMEOUT_S,
            api.server,
        )
    facts = describe(cluster)
    if made and output is Format.JSON:
        facts["root_password"] = password
    print_facts(facts, output)
    if made and output is Format.TABLE:
        show_password_once(password)


@app.command("list", epilog="Example: tidegate cluster list -o json")
def list_(output: Output = Format.TABLE) -> None:
    """All clusters of this account."""
    rows = [describe(cluster) for cluster in clusters.list_clusters(open_access().tidbcloud)]
    print_rows(rows, ("name", "cluster_id", "state", "plan", "region", "user_prefix"), output)


@app.command(epilog="Example: tidegate cluster show orders")
def show(cluster: Cluster, output: Output = Format.TABLE) -> None:
    """One cluster; -o json gives TiDB Cloud's own object."""
    found = clusters.find_cluster(open_access().tidbcloud, cluster)
    if output is Format.JSON:
        print_json(found)
    else:
        print_facts(describe(found), output)


@app.command(epilog="Example: tidegate cluster password orders   (or: ... --password-stdin < file)")
def password(cluster: Cluster, password_stdin: PasswordStdin = False) -> None:
    """Set the root password: typed, from stdin, from TIDEGATE_CLUSTER_PASSWORD, or made and shown once."""
    api = open_access().tidbcloud
    found = clusters.find_cluster(api, cluster)
    chosen, made = choose_password(password_stdin, prompt="New root password")
    clusters.set_password(api, found["clusterId"], chosen)
    out.print(f"The password of {found['userPrefix']}.root is set.", markup=False)
    if made:
        show_password_once(chosen)


@app.command(epilog="Example: tidegate cluster connect orders --with 'MySQL CLI'")
def connect(
    cluster: Cluster,
    endpoint: Annotated[str | None, typer.Option(help="whose domain is the host; none: the only one there is")] = None,
    connect_with: Annotated[str | None, typer.Option("--with", help="only this entry, for example 'MySQL CLI'")] = None,
    public: Annotated[bool, typer.Option("--public", help="through the public endpoint, with TLS")] = False,
    output: Output = Format.TABLE,
) -> None:
    """What the Connect dialog shows: what to paste where, and the connection strings, of a private endpoint."""
    access = open_access()
    found = clusters.find_cluster(access.tidbcloud, cluster)
    if public:
        (facts, target), hint = describe_public(access, found), None
    else:
        facts, target, hint = describe_private(access, found, endpoint)
    strings = build_strings(target)
    if connect_with is not None and connect_with not in strings:
        raise CliError(f"There is no entry {connect_with!r}. There are: {', '.join(strings)}.")
    if connect_with is not None:
        strings = {connect_with: strings[connect_with]}
    if output is Format.JSON:
        print_json(facts | {"connect_with": strings})
    elif connect_with is not None:
        out.print(strings[connect_with], markup=False)
        if hint is not None:
            err.print(hint, markup=False)
    else:
        print_dialog(facts, strings, hint)


@app.command(epilog="Example: tidegate cluster delete orders --yes")
def delete(
    cluster: Cluster,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
) -> None:
    """Delete a cluster with all its data."""
    api = open_access().tidbcloud
    found = clusters.find_cluster(api, cluster)
    if not yes:
        typer.confirm(f"Delete {found['displayName']} ({found['clusterId']}) and all its data?", abort=True)
    with progress(f"deleting cluster {found['displayName']}"):
        clusters.delete_cluster(api, found["clusterId"])
        wait_until(
            lambda: clusters.look_gone(api, found["clusterId"]), f"the end of {cluster}", CREATE_TIMEOUT_S, api.server
        )
    out.print(f"{found['displayName']} is deleted.", markup=False)


def describe(cluster: Json) -> dict[str, Any]:
    """The facts people ask for, in our words.  A cluster without private endpoints says so."""
    facts = {
        "name": cluster["displayName"],
        "cluster_id": cluster["clusterId"],
        "state": cluster["state"],
        "plan": cluster.get("servicePlan", ""),
        "region": cluster["region"]["name"].removeprefix("regions/"),
        "user_prefix": cluster.get("userPrefix", ""),
        "root_user": f"{cluster.get('userPrefix', '')}.root",
    }
    try:
        service, zones, region = clusters.private_service(cluster)
    except CliError:
        return facts | {"private_endpoint": f"not available on {cluster['region']['cloudProvider']}"}
    return facts | {"service_name": service, "availability_zone_ids": zones, "region_id": region}


def describe_private(access: Access, cluster: Json, endpoint: str | None) -> tuple[dict[str, Any], Target, str | None]:
    """The facts, what the strings are built of, and what to do where the host is none yet.

    Raises CliError on a cloud that has no private endpoints.
    """
    service, zones, region = clusters.private_service(cluster)
    host, hint = choose_host(list_choices(access, service, endpoint), cluster["displayName"])
    facts = {"service_name": service, "availability_zone_ids": zones, "region_id": region, "host": host}
    return facts, Target(f"{cluster['userPrefix']}.root", host, cluster["endpoints"]["private"]["port"]), hint


def describe_public(access: Access, cluster: Json) -> tuple[dict[str, Any], Target]:
    """The CA is this installation's own file: nobody need put it among a system's.  Raises CliError while disabled."""
    public = cluster["endpoints"]["public"]
    if public["disabled"]:
        raise CliError(
            f"The public endpoint of {cluster['displayName']} is disabled (your side): enable it with "
            "PATCH endpoints.public.disabled, or on the console's Networking page."
        )
    facts = {"host": public["host"], "port": public["port"], "ca": str(access.ca_path or CA_PATH)}
    return facts, Target(f"{cluster['userPrefix']}.root", public["host"], public["port"], ca_path=facts["ca"])


def list_choices(access: Access, service: str, endpoint: str | None) -> list[Json]:
    """The endpoint that was asked for, or all that reach the service, which the clusters of a region share."""
    region = endpoints.region_of_service(service)
    if region is None:
        return []
    if endpoint is not None:
        return [endpoints.find_endpoint(access.alibaba, [region], endpoint)]
    return endpoints.list_endpoints(access.alibaba, [region], ServiceName=service)


def choose_host(choices: list[Json], cluster: str) -> tuple[str, str | None]:
    """The one endpoint's *Domain Name of Endpoint Service*; for none or several, a placeholder and what to do."""
    if len(choices) == 1:
        return str(choices[0]["EndpointDomain"]), None
    meaning = f"{HOST} is the Domain Name of Endpoint Service."
    shown = choices[:SHOWN_CHOICES]
    if not choices:
        return HOST, f"{meaning} There is no endpoint yet: tidegate endpoint create NAME --vpc VPC --cluster {cluster}"
    named = ", ".join(" ".join(filter(None, (each["EndpointId"], each.get("EndpointName")))) for each in shown)
    more = f", and {len(choices) - len(shown)} more" if len(choices) > len(shown) else ""
    return HOST, f"{meaning} {len(choices)} endpoints reach it; choose yours by --endpoint: {named}{more}."


def print_dialog(facts: dict[str, Any], strings: dict[str, str], hint: str | None) -> None:
    print_facts(facts, Format.TABLE)
    if hint is not None:
        out.print(f"\n{hint}", markup=False)
    for label, text in strings.items():
        out.print(f"\n{label}", style="bold")
        out.print(text, markup=False)
