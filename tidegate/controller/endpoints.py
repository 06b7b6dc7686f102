"""Endpoints and their zones: what became of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tidegate.controller.vpcs import write_status
from tidegate.controller.world import Network
from tidegate.domain.endpoints import Endpoint
from tidegate.domain.events import Event, plan_events
from tidegate.domain.status import Outcome, Status
from tidegate.store.store import Transaction


def reconcile_endpoints(tx: Transaction, network: Network, error: str | None, now: datetime) -> None:
    """Write what the apply of ``network`` came to for each of its endpoints that had not been answered yet.

    ``now`` is when: outcomes are kept as events, too.
    """
    if not error:
        _remove_zones(tx, network)
    known = {
        status.resource_id: status
        for status in tx.statuses.find_in(
            "resource_id", [endpoint.endpoint_id for endpoint in network.endpoints], kind="endpoint"
        )
    }
    for endpoint in network.endpoints:
        if endpoint.deleting and not error:
            tx.endpoints.remove(endpoint.endpoint_id)
            tx.statuses.remove("endpoint", endpoint.endpoint_id)
            for event in tx.events.find(kind="endpoint", resource_id=endpoint.endpoint_id):
                _forget(tx, event)
            _remove_service(tx, endpoint.service_id)
            continue
        outcome = decide_outcome(endpoint, network, error)
        status = Status("endpoint", endpoint.endpoint_id, endpoint.generation, outcome.phase, outcome.reason)
        if known.get(endpoint.endpoint_id) != status:
            write_status(tx, status)
            _note(tx, status, now)
        if outcome.phase == "ready" and endpoint.ready_generation < endpoint.generation:
            _mark_ready(tx, endpoint)


def decide_outcome(endpoint: Endpoint, network: Network, error: str | None) -> Outcome:
    """One sentence on one endpoint, after its VPC was applied."""
    if error:
        return Outcome("failed", f"The network of {endpoint.vpc_id} could not be made: {error}", retry_s=5.0)
    if endpoint.service_id not in network.services or network.services[endpoint.service_id].deleting:
        return Outcome("ready", "Its service was deleted by the service's owner; no packet passes. Delete it too.")
    mine = [z for z in network.zones if z.endpoint_id == endpoint.endpoint_id and not z.deleting]
    zones = [z.zone_id for z in mine if z.enabled]
    if not endpoint.accepted:
        return Outcome("ready", "The service's owner has not accepted the connection; no packet passes.")
    if mine and not zones:
        return Outcome("ready", "Connected, but the service's owner has switched its zones off; no packet passes.")
    if not zones:
        return Outcome("ready", "Connected, but it has no zone yet: add one, or no program can reach it.")
    return Outcome("ready", f"Connected to {endpoint.service_id} through {', '.join(zones)}.")


def _note(tx: Transaction, status: Status, now: datetime) -> None:
    known = tx.events.find(kind=status.kind, resource_id=status.resource_id)
    event, forgotten = plan_events(known, status, now)
    tx.events.add(event)
    for old in forgotten:
        _forget(tx, old)


def _forget(tx: Transaction, event: Event) -> None:
    tx.events.remove(event.kind, event.resource_id, event.number)


def _remove_zones(tx: Transaction, network: Network) -> None:
    """The kernel has let go of these addresses: now they may be given to others."""
    for zone in network.zones:
        if zone.deleting:
            tx.endpoint_zones.remove(zone.endpoint_id, zone.zone_id)
            tx.interfaces.remove(zone.interface_id)


def _remove_service(tx: Transaction, service_id: str) -> None:
    """A deleted service was kept for the endpoints that still named it."""
    service = tx.services.get(service_id)
    if service is not None and service.deleting and not tx.endpoints.count(service_id=service_id):
        tx.services.remove(service_id)


def _mark_ready(tx: Transaction, endpoint: Endpoint) -> None:
    now = tx.endpoints.get(endpoint.endpoint_id)
    if now is not None:
        tx.endpoints.put(replace(now, ready_generation=endpoint.generation))
