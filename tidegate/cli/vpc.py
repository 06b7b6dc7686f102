"""``tidegate vpc``: isolated networks, and programs inside them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from tidegate.agent.world import enter_command
from tidegate.cli.access import open_access
from tidegate.cli.calls import endpoints, networks
from tidegate.cli.clients import AlibabaClient, CliError, Json, Server
from tidegate.cli.reports import Format, Output, out, print_facts, print_rows, progress, wait_until
from tidegate.settings import Settings, load_settings

app = typer.Typer(
    help="VPCs: create, list, delete; attach and detach a program's interface; exec a command inside.",
    epilog="Example: tidegate vpc exec web -- mysql -h <endpoint domain> -P 4000 -u <prefix>.root -p",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Vpc = Annotated[str, typer.Argument(metavar="VPC", help="the VPC's name or id")]
VSwitch = Annotated[str | None, typer.Option(help="where its address is taken from; none: the VPC's first")]
SecurityGroup = Annotated[str | None, typer.Option(help="what guards it; none: `tidegate-exec`, made when absent")]
TIMEOUT_S = 30.0


@app.command(epilog="Example: tidegate vpc create web --cidr 10.0.0.0/16")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="2 to 128 letters, the first a letter")],
    region: Annotated[str, typer.Option(help="Alibaba's region id")] = networks.DEFAULT_REGION,
    cidr: Annotated[str, typer.Option(help="may be the same as another VPC's")] = networks.DEFAULT_CIDR,
    zone: Annotated[list[str] | None, typer.Option(help="one vSwitch in each; none: the region's first")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Create a VPC with one vSwitch per zone."""
    api = open_access().alibaba
    zones = zone or networks.list_zones(api, region)[:1]
    print_facts(summarize(networks.create_vpc(api, region, name, cidr, zones)), output)


@app.command("list", epilog="Example: tidegate vpc list -o json")
def list_(
    region: Annotated[str | None, typer.Option(help="Alibaba's region id; none: all regions")] = None,
    output: Output = Format.TABLE,
) -> None:
    """All VPCs of this account."""
    rows = []
    for vpc in networks.list_vpcs(open_access().alibaba, region):
        rows.append(summarize(vpc | {"VSwitchIds": vpc["VSwitchIds"]["VSwitchId"]}) | {"status": vpc["Status"]})
    print_rows(rows, ("name", "vpc_id", "status", "region", "cidr", "vswitches"), output)


@app.command(epilog="Example: tidegate vpc delete web --force --yes")
def delete(
    vpc: Vpc,
    force: Annotated[bool, typer.Option("--force", help="also its endpoints")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
) -> None:
    """Delete a VPC with its vSwitches, security groups and host interfaces."""
    api = open_access().alibaba
    found = networks.find_vpc(api, vpc)
    if not yes:
        typer.confirm(f"Delete {found['VpcName'] or vpc} ({found['VpcId']}) and all that is in it?", abort=True)
    with progress(f"deleting {found['VpcId']}"):
        delete_endpoints(api, found, force)
        networks.delete_vpc(api, found, partial(wait, api.server))
    out.print(f"{vpc} is deleted.", markup=False)


@app.command(epilog="Example: tidegate vpc attach web worker-1 && tidegate vpc exec web --host worker-1 -- ip address")
def attach(
    vpc: Vpc,
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the interface")],
    vswitch: VSwitch = None,
    security_group: SecurityGroup = None,
    output: Output = Format.TABLE,
) -> None:
    """Give a program a place of its own in a VPC: an interface with its own address and security group."""
    api = open_access().alibaba
    interface = provide_host(api, networks.find_vpc(api, vpc), name, vswitch, security_group)
    facts = {
        "name": name,
        "interface_id": interface["NetworkInterfaceId"],
        "address": interface["PrivateIpAddress"],
        "vswitch": interface["VSwitchId"],
        "namespace": namespace_of(interface["NetworkInterfaceId"]),
    }
    print_facts(facts, output)


@app.command(epilog="Example: tidegate vpc detach web worker-1")
def detach(vpc: Vpc, name: Annotated[str, typer.Argument(metavar="NAME", help="the interface's name or id")]) -> None:
    """Take a program's interface away again; what still runs there loses its network."""
    api = open_access().alibaba
    found = networks.find_vpc(api, vpc)
    interface = networks.find_interface(api, found, name)
    if interface is None:
        raise CliError(f"{vpc} has no interface {name}. It may be gone already.")
    networks.delete_interface(api, found["RegionId"], interface["NetworkInterfaceId"])
    out.print(f"{name} is detached.", markup=False)


@app.command("exec", epilog="Example: tidegate vpc exec web -- ip address")
def exec_(
    vpc: Vpc,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="what to run there")],
    host: Annotated[str, typer.Option(help="the interface to run on: see `vpc attach`")] = networks.EXEC_NAME,
    vswitch: VSwitch = None,
    security_group: SecurityGroup = None,
) -> None:
    """Run a command inside a VPC, with that VPC's addresses, routes, security group and resolver.

    The exit status is the command's own; 127: there is no such command, 126: it cannot be executed. No root is needed
    where Tidegate runs without root; the files it sees are this host's.
    """
    api = open_access().alibaba
    interface = provide_host(api, networks.find_vpc(api, vpc), host, vswitch, security_group)
    run_inside(load_settings(), interface["NetworkInterfaceId"], command)


def provide_host(
    api: AlibabaClient, vpc: Json, name: str, vswitch: str | None = None, security_group: str | None = None
) -> Json:
    """The interface of this name, made when absent, once the kernel has it."""
    subnet_id = networks.find_subnet(api, vpc, vswitch)["VSwitchId"] if vswitch else None
    interface_id = networks.ensure_interface(api, vpc, name, subnet_id, security_group)

    def look() -> Json | None:
        return networks.look_interface(api, vpc["RegionId"], interface_id)

    return wait_until(look, f"Available of interface {interface_id}", TIMEOUT_S, api.server)


def run_inside(settings: Settings, interface_id: str, command: list[str]) -> NoReturn:
    """Become the command, inside.  No thread may have been started before (user namespaces, setns(2))."""
    enter_command(settings, namespace_of(interface_id), command, resolver_text())


def namespace_of(interface_id: str) -> str:
    return f"host-{interface_id}"


def resolver_text() -> str:
    """resolv.conf of a program in a VPC.  Two quick tries: our resolver is one veth away."""
    lines = [f"nameserver {address}" for address in networks.RESOLVERS]
    return "\n".join([*lines, "options timeout:1 attempts:2", ""])


def delete_endpoints(api: AlibabaClient, vpc: Json, force: bool) -> None:
    found = endpoints.list_endpoints(api, [vpc["RegionId"]], VpcId=vpc["VpcId"])
    if found and not force:
        names = ", ".join(endpoint["EndpointName"] or endpoint["EndpointId"] for endpoint in found)
        raise CliError(f"{vpc['VpcId']} still has endpoints: {names}. Delete them first, or add --force.")
    for endpoint in found:
        endpoints.delete_endpoint(api, vpc["RegionId"], endpoint["EndpointId"], partial(wait, api.server))


def wait(server: Server, look: Any, what: str) -> Any:
    return wait_until(look, what, TIMEOUT_S, server)


def summarize(vpc: Json) -> dict[str, Any]:
    return {
        "name": vpc["VpcName"],
        "vpc_id": vpc["VpcId"],
        "region": vpc["RegionId"],
        "cidr": vpc["CidrBlock"],
        "vswitches": vpc["VSwitchIds"],
    }
