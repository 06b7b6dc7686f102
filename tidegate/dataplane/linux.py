"""The driver: one kernel, made to look like the configurations.

Each ``apply`` is a list of steps.  A *thorough* pass looks at the kernel before every step; it is what a fresh
driver does, and what applying an unchanged configuration again means (the controller's resync).  A *quick* pass
trusts that the last configuration is in place and touches only the difference; should the kernel disagree, the
pass is done again thoroughly.  Rules come before links, so nothing is ever up without its rules.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from tidegate.dataplane import hops, wiring
from tidegate.dataplane.config import (
    DataPlaneError,
    HostInterface,
    Namespaces,
    NetworkConfig,
    RegionConfig,
)
from tidegate.dataplane.links import LOOPBACK, Links, Route, read_addresses, read_pinned, read_routes, set_kernel
from tidegate.dataplane.netfilter import apply_commands, list_table, read_generation
from tidegate.dataplane.observation import parse_traffic
from tidegate.dataplane.ruleset import (
    Fixed,
    build_change,
    build_load,
    network_fixed,
    network_pieces,
    region_fixed,
    region_pieces,
)
from tidegate.dataplane.shaping import DESTINATION_OFFSET, SOURCE_OFFSET, plan_shaper
from tidegate.dataplane.traffic import Traffic
from tidegate.dataplane.wiring import Owner
from tidegate.domain.traffic import NetworkTraffic

_NETWORK_FIXED = network_fixed()
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Table:
    """What we loaded into a namespace, and the generation the kernel had afterwards."""

    generation: int
    fixed: Fixed
    pieces: Mapping[tuple[str, str], Any]


class LinuxDataPlane:
    """``dataplane.config.DataPlane``.  One lock: calls from several threads take turns.

    Call it from threads without a running event loop.  ``on_step`` is told the name of each step before it is
    taken; the tests of interrupted passes raise from it.
    """

    def __init__(self, namespaces: Namespaces, on_step: Step = lambda name: None) -> None:
        self._namespaces = namespaces
        self._step = on_step
        self._lock = threading.RLock()
        self._networks: dict[str, NetworkConfig] = {}
        self._regions: dict[str, RegionConfig] = {}
        self._tables: dict[str, _Table] = {}
        self._owners: dict[str, Owner | None] | None = None

    # -- regions ---------------------------------------------------------------------------------------------

    def apply_region(self, config: RegionConfig) -> bool:
        with self._lock, _one_sentence(f"region {config.region_id}"):
            self._regions.pop(config.region_id, None)
            name = config.namespace
            changed = self._make_namespace(name, Owner("region", config.region_id))
            changed |= self._load_rules(name, region_fixed(config), region_pieces(config))
            with self._links(name) as links:
                self._step("region settings")
                changed |= _set_all(wiring.PROVIDER_SETTINGS)
                changed |= _lo_up(links)
                self._step("region addresses")
                want = {(address, 32) for address in wiring.plan_region_addresses(config)}
                changed |= _converge_addresses(links, LOOPBACK, read_addresses(LOOPBACK), want)
            self._regions[config.region_id] = config
            return changed

    def remove_region(self, region_id: str) -> None:
        with self._lock, _one_sentence(f"region {region_id}"):
            self._regions.pop(region_id, None)
            for name in self._owned(Owner("region", region_id)):
                self._forget_networks_of(name)
                self._delete_namespace(name)

    def _forget_networks_of(self, provider: str) -> None:
        # Their fabric links go with the provider: the next pass must look.
        for vpc_id in [v for v, c in self._networks.items() if c.provider_namespace == provider]:
            del self._networks[vpc_id]

    # -- networks --------------------------------------------------------------------------------------------

    def apply_network(self, config: NetworkConfig) -> bool:
        with self._lock, _one_sentence(f"network {config.vpc_id}"):
            known = self._networks.pop(config.vpc_id, None)
            if known is not None and known != config and _same_place(known, config):
                try:
                    changed = self._converge(config, known)
                except (NetlinkError, OSError, DataPlaneError):
                    changed = self._converge(config, None)
            else:
                changed = self._converge(config, None)
            self._networks[config.vpc_id] = config
            return changed

    def _converge(self, config: NetworkConfig, known: NetworkConfig | None) -> bool:
        """One pass; ``known`` is the configuration to trust as being in place, None for a thorough pass."""
        changed = False
        if known is None:
            self._require_provider(config)
            owner = Owner("network", config.vpc_id, config.provider_namespace)
            changed |= self._make_namespace(config.namespace, owner)
        changed |= self._load_rules(config.namespace, _NETWORK_FIXED, network_pieces(config))
        gone, come = (None, config) if known is None else wiring.narrow(known, config)
        changed |= self._converge_router(come, gone)
        if known is None:
            changed |= self._make_fabric(config)
        changed |= self._converge_services(config, known)
        changed |= self._converge_claims(come, gone)
        for host in config.hosts:
            if known is None or host not in known.hosts:
                changed |= self._make_host(config, host)
        if known is None or known.hosts != config.hosts:
            changed |= self._sweep_hosts(config)
        return self._converge_limits(config, known) or changed  # last: without tc all else still works

    def _require_provider(self, config: NetworkConfig) -> None:
        if config.provider_namespace not in self._namespaces.names():
            raise DataPlaneError(
                f"its provider namespace {config.provider_namespace} does not exist yet; apply the region first"
            )

    def _converge_router(self, config: NetworkConfig, known: NetworkConfig | None) -> bool:
        want = _hosts32(wiring.plan_router_addresses(config))
        if known is not None and _hosts32(wiring.plan_router_addresses(known)) == want:
            return False
        with self._links(config.namespace) as links:
            self._step("router settings")
            changed = False
            if known is None:
                changed = _set_all(wiring.ROUTER_SETTINGS)
                changed |= _lo_up(links)
            self._step("router addresses")
            have = read_addresses(LOOPBACK) if known is None else _hosts32(wiring.plan_router_addresses(known))
            return _converge_addresses(links, LOOPBACK, have, want) or changed

    # -- the link between a VPC and its provider ---------------------------------------------------------------

    def _make_fabric(self, config: NetworkConfig) -> bool:
        far, vpc = wiring.fabric_link(config.vpc_id), config.vpc_id
        self._step("fabric link")
        changed = self._make_pair(
            (config.provider_namespace, far, wiring.provider_fabric_mac(vpc)),
            (config.namespace, wiring.FABRIC_LINK, wiring.vpc_fabric_mac(vpc)),
        )
        for name, link, hop, mac in (
            (config.provider_namespace, far, wiring.VPC_HOP, wiring.vpc_fabric_mac(vpc)),
            (config.namespace, wiring.FABRIC_LINK, wiring.PROVIDER_HOP, wiring.provider_fabric_mac(vpc)),
        ):
            self._step(f"fabric end {link}")
            with self._links(name) as links:
                changed |= _ready(links, link, f"{vpc} {config.namespace}", {hop: mac})
        with self._links(config.provider_namespace) as links:
            links.await_sending(far)
        return changed

    def _converge_services(self, config: NetworkConfig, known: NetworkConfig | None) -> bool:
        # All endpoints, not only those that changed: they share the gateway's route.
        want = wiring.plan_services(config)
        have = None if known is None else wiring.plan_services(known)
        return self._converge_hops(config.namespace, wiring.FABRIC_LINK, wiring.PROVIDER_HOP, have, want)

    def _converge_claims(self, config: NetworkConfig, known: NetworkConfig | None) -> bool:
        want = wiring.plan_claims(config)
        have = None if known is None else wiring.plan_claims(known)
        link = wiring.fabric_link(config.vpc_id)
        return self._converge_hops(config.provider_namespace, link, wiring.VPC_HOP, have, want)

    def _converge_hops(
        self, namespace: str, link: str, hop: str, have: frozenset[str] | None, want: frozenset[str]
    ) -> bool:
        """Routes over one end of a fabric link; ``have`` None asks the kernel what is there."""
        if have == want:
            return False
        self._step(f"fabric routes {link}")
        with self._links(namespace) as links:
            index = _index(links, link)
            there = read_routes(index) if have is None else {Route(network, hop, index) for network in have}
            return _converge_routes(links, there, {Route(network, hop, index) for network in want})

    def _converge_limits(self, config: NetworkConfig, known: NetworkConfig | None) -> bool:
        """Each end of the fabric link shapes what it sends."""
        want = wiring.plan_limits(config)
        have = None if known is None else wiring.plan_limits(known)
        if have == want:
            return False
        changed = False
        for namespace, link, offset in (
            (config.namespace, wiring.FABRIC_LINK, SOURCE_OFFSET),
            (config.provider_namespace, wiring.fabric_link(config.vpc_id), DESTINATION_OFFSET),
        ):
            self._step(f"limits {link}")
            there = None if have is None else plan_shaper(have, offset)
            with self._namespaces.inside(namespace), Traffic() as traffic:
                changed |= traffic.converge(link, there, plan_shaper(want, offset))
        return changed

    # -- hosts -----------------------------------------------------------------------------------------------

    def _make_host(self, config: NetworkConfig, host: HostInterface) -> bool:
        gateway = wiring.find_gateway(config, host)
        if gateway is None:
            raise DataPlaneError(f"host {host.interface_id} is in {host.subnet_cidr}, which is no subnet of it")
        link, interface = wiring.host_link(host.interface_id), host.interface_id
        changed = self._make_namespace(host.namespace, Owner("host", config.vpc_id, interface))
        self._step("host link")
        changed |= self._make_pair(
            (config.namespace, link, wiring.router_mac(interface)),
            (host.namespace, hops.HOST_LINK, wiring.host_mac(interface)),
            {**wiring.HOST_SETTINGS},
        )
        self._step("host's router end")
        with self._links(config.namespace) as links:
            changed |= _set_all(wiring.host_link_settings(link))
            changed |= _ready(links, link, interface, {host.address: wiring.host_mac(interface)})
            index = _index(links, link)
            changed |= _converge_routes(links, read_routes(index), {Route(f"{host.address}/32", "", index)})
        self._step("host's own end")
        with self._links(host.namespace) as links:
            changed |= _lo_up(links)
            changed |= _ready(links, hops.HOST_LINK, interface, None)
            index = _index(links, hops.HOST_LINK)
            length = int(host.subnet_cidr.partition("/")[2])
            changed |= _converge_addresses(links, index, read_addresses(index), {(host.address, length)})
            have = {r for r in read_routes(index) if r.via}  # the connected route is the kernel's own
            changed |= _converge_routes(links, have, {Route("0.0.0.0/0", gateway, index)})
        with self._links(config.namespace) as links:
            links.await_sending(link)
        return changed

    def _sweep_hosts(self, config: NetworkConfig) -> bool:
        """Take away the links and namespaces of hosts that are no longer wanted."""
        self._step("stray hosts")
        changed = False
        want = wiring.plan_host_links(config)
        with self._links(config.namespace) as links:
            for name in links.links():
                if name not in want and name not in ("lo", wiring.FABRIC_LINK):
                    changed |= links.delete_link(name)
        keep = {host.namespace for host in config.hosts}
        for name in self._owned(Owner("host", config.vpc_id)):
            if name not in keep:
                self._delete_namespace(name)
                changed = True
        return changed

    def remove_network(self, vpc_id: str) -> None:
        with self._lock, _one_sentence(f"network {vpc_id}"):
            self._networks.pop(vpc_id, None)
            networks = self._owned(Owner("network", vpc_id))
            # The kernel takes namespaces down later and aside; links go now, so that a process which keeps a
            # namespace alive has no way out, and a new network of this name finds no old link.
            for name in networks:
                self._drop_fabric(vpc_id, self._known_owners()[name])
            for name in (*self._owned(Owner("host", vpc_id)), *networks):
                self._delete_namespace(name)

    def _drop_fabric(self, vpc_id: str, owner: Owner | None) -> None:
        if owner is not None and owner.detail in self._namespaces.names():
            self._step("drop fabric link")
            with suppress(FileNotFoundError), self._links(owner.detail) as links:
                links.delete_link(wiring.fabric_link(vpc_id))

    def observe_network(self, config: NetworkConfig) -> NetworkTraffic:
        """Without the lock: a look changes nothing, and must not wait for a long pass."""
        with _one_sentence(f"network {config.vpc_id}"), self._namespaces.inside(config.namespace):
            return parse_traffic(list_table())

    # -- all of it -------------------------------------------------------------------------------------------

    def sweep(self, keep_networks: frozenset[str], keep_regions: frozenset[str]) -> None:
        with self._lock, _one_sentence("sweep"):
            for name, owner in list(self._known_owners().items()):
                if owner is None:
                    self._delete_namespace(name)  # half-made by a predecessor that died
                elif owner.kind == "network" and owner.belongs not in keep_networks:
                    self.remove_network(owner.belongs)
                elif owner.kind == "region" and owner.belongs not in keep_regions:
                    self.remove_region(owner.belongs)
            for name, owner in list(self._known_owners().items()):
                if owner is not None and owner.kind == "host" and owner.belongs not in keep_networks:
                    self._delete_namespace(name)

    def cleanup(self) -> None:
        self.sweep(frozenset(), frozenset())

    # -- namespaces ------------------------------------------------------------------------------------------

    def _make_namespace(self, name: str, owner: Owner) -> bool:
        """Create and label it.  A namespace without a label is a predecessor's half work, and swept as such."""
        self._step(f"namespace {owner.kind}")
        new = name not in self._namespaces.names()
        self._known_owners()[name] = owner  # before it is there: should we fail, we still know whose it is
        self._namespaces.create(name)
        self._step(f"label {owner.kind}")
        with self._links(name) as links:
            lo = links.link("lo")
            assert lo is not None
            labelled = links.set_alias(lo, wiring.build_alias(owner))
        if new:
            self._tables.pop(name, None)
        return new or labelled

    def _delete_namespace(self, name: str) -> None:
        self._step("delete namespace")
        self._tables.pop(name, None)
        try:
            with self._links(name) as links:
                for link in links.links():
                    if link != "lo":
                        links.delete_link(link)
        except (FileNotFoundError, DataPlaneError):
            pass  # a plain file, left by a death between creating it and mounting on it
        self._namespaces.delete(name)
        self._known_owners().pop(name, None)

    def _known_owners(self) -> dict[str, Owner | None]:
        """Whose each namespace is; read from the kernel once, kept from then on."""
        if self._owners is None:
            self._owners = {name: self._read_owner(name) for name in self._namespaces.names()}
        return self._owners

    def _read_owner(self, name: str) -> Owner | None:
        try:
            with self._links(name) as links:
                lo = links.link("lo")
        except FileNotFoundError:
            return None
        return wiring.parse_alias(lo.alias) if lo is not None else None

    def _owned(self, owner: Owner) -> list[str]:
        found = self._known_owners().items()
        return [n for n, o in found if o and o.kind == owner.kind and o.belongs == owner.belongs]

    @contextmanager
    def _links(self, namespace: str) -> Iterator[Links]:
        with self._namespaces.inside(namespace), Links() as links:
            yield links

    # -- rules and pairs -------------------------------------------------------------------------------------

    def _load_rules(self, namespace: str, fixed: Fixed, pieces: Mapping[tuple[str, str], Any]) -> bool:
        """Bring the table up to date: by difference if it is as we left it, else anew; atomic either way."""
        self._step("rules")
        known = self._tables.pop(namespace, None)
        with self._namespaces.inside(namespace):
            if known is not None and known.fixed == fixed and known.generation == read_generation():
                commands = build_change(known.pieces, pieces)
            else:
                commands = build_load(fixed, pieces)
            if commands:
                apply_commands(commands)
            self._tables[namespace] = _Table(read_generation(), fixed, pieces)
        return bool(commands)

    def _make_pair(
        self,
        near: tuple[str, str, str],
        far: tuple[str, str, str],
        far_settings: Mapping[str, str] | None = None,
    ) -> bool:
        """A veth pair between two (namespace, link, MAC); what is there but is not this pair is replaced."""
        with self._links(far[0]) as links:
            changed = _set_all(far_settings or {})  # before the link is: new links inherit
            there = links.link(far[1])
        with self._links(near[0]) as links:
            here = links.link(near[1])
            if here and there and (here.peer_index, there.peer_index) == (there.index, here.index):
                return changed
            if here:
                links.delete_link(near[1])
        with self._links(far[0]) as links:
            links.delete_link(far[1])
        with self._links(near[0]) as links, _opened(self._namespaces.path(far[0])) as there_fd:
            links.add_veth(near[1], near[2], far[1], far[2], there_fd)
        return True


# -- what is done inside one namespace -----------------------------------------------------------------------


def _same_place(known: NetworkConfig, config: NetworkConfig) -> bool:
    return (known.namespace, known.provider_namespace) == (config.namespace, config.provider_namespace) and (
        known.subnet_gateways == config.subnet_gateways
    )


def _hosts32(addresses: Iterable[str]) -> set[tuple[str, int]]:
    return {(address, 32) for address in addresses}


def _set_all(settings: Mapping[str, str]) -> bool:
    written = [name for name, value in settings.items() if set_kernel(name, value)]
    return bool(written)


def _lo_up(links: Links) -> bool:
    lo = links.link("lo")
    assert lo is not None
    return links.set_up(lo)


def _index(links: Links, name: str) -> int:
    link = links.link(name)
    if link is None:
        raise OSError(errno.ENODEV, f"link {name} is gone")
    return link.index


def _ready(links: Links, name: str, alias: str, neighbours: Mapping[str, str] | None) -> bool:
    """Name, neighbours, then up; ``neighbours`` None leaves them to ARP."""
    link = links.link(name)
    if link is None:
        raise OSError(errno.ENODEV, f"link {name} is gone")
    changed = links.set_alias(link, alias)
    changed |= links.set_up(link)  # a link that goes down loses its neighbours, so they come after
    if neighbours is not None:
        have = read_pinned(link.index)
        for address, mac in neighbours.items():
            if have.get(address) != mac:
                links.pin_neighbour(link.index, address, mac)
                changed = True
    return changed


def _converge_addresses(links: Links, index: int, have: set[tuple[str, int]], want: set[tuple[str, int]]) -> bool:
    for address, length in have - want:
        links.delete_address(index, address, length)
    for address, length in want - have:
        links.add_address(index, address, length)
    return have != want


def _converge_routes(links: Links, have: set[Route], want: set[Route]) -> bool:
    for route in have - want:
        links.delete_route(route)
    for route in want - have:
        links.add_route(route)
    return have != want


@contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    """Every failure leaves as :class:`DataPlaneError` that names the part."""
    try:
        yield
    except DataPlaneError as error:
        said = str(error)
        raise (error if said.startswith(what) else DataPlaneError(f"{what}: {said}")) from error
    except (NetlinkError, OSError) as error:
        reason = os.strerror(error.code) if isinstance(error, NetlinkError) else str(error)
        raise DataPlaneError(f"{what}: the kernel refused: {reason}. It will be tried again.") from error
