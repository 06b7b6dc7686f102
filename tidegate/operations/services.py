"""Endpoint services: the regions' shared TiDB services, what consumers see of all, and whose one is.

What owners do is in ``published_services.py``, ``service_resources.py``, ``service_users.py``, ``connections.py``.
"""

from __future__ import annotations

from tidegate.domain.accounts import PROVIDER_ACCOUNT_ID
from tidegate.domain.catalogue import REGIONS, Region
from tidegate.domain.fabric import GATEWAY_ADDRESS, GATEWAY_PORT
from tidegate.domain.names import make_id
from tidegate.domain.refusals import NotFound
from tidegate.domain.services import (
    ANYONE,
    EndpointService,
    decide_visible,
    require_same_region,
    require_visible,
    service_domain,
    service_name,
)
from tidegate.operations.context import Caller, Context, change
from tidegate.store.store import Transaction

_PROVIDER = Caller(PROVIDER_ACCOUNT_ID)


def ensure_region_services(context: Context) -> None:
    """One shared service per region that has private endpoints; done at each start, changes nothing the second time."""
    with change(context, _PROVIDER) as work:
        known = {service.region_id for service in work.tx.services.find(account_id=PROVIDER_ACCOUNT_ID)}
        for region in REGIONS:
            if region.private_endpoints and region.region_id not in known:
                work.tx.services.add(_shared_service(context, region))


def region_service(context: Context, region_id: str) -> EndpointService | None:
    """The region's shared TiDB service; None where there are no private endpoints."""
    with context.store.read() as tx:
        found = tx.services.find(account_id=PROVIDER_ACCOUNT_ID, region_id=region_id)
    return found[0] if found else None


def find_visible_services(
    context: Context, caller: Caller, *, region_id: str, name: str | None = None, service_id: str | None = None
) -> list[EndpointService]:
    """What *Verify* asks: empty for an unknown name, one of another region, and one that is not for the caller."""
    wanted = {"region_id": region_id, "name": name, "service_id": service_id}
    with context.store.read() as tx:
        found = tx.services.find(**{key: value for key, value in wanted.items() if value})
    return [service for service in found if decide_visible(service, caller.account_id)]


def verify_service(context: Context, caller: Caller, *, region_id: str, name: str) -> EndpointService:
    """Could an endpoint in this region connect to it?  Raises ServiceUnknown, CrossRegion: as its creation would."""
    with context.store.read() as tx:
        return require_connectable(tx, caller, name, region_id)


def find_service_id(context: Context, name: str) -> str | None:
    """For filters on the caller's own endpoints, which may have outlived their place on the service's whitelist."""
    with context.store.read() as tx:
        found = tx.services.values("service_id", name=name)
    return found[0] if found else None


def require_service(tx: Transaction, caller: Caller, service_id: str) -> EndpointService:
    """One of the caller's own."""
    service = tx.services.get(service_id)
    if service is None or service.account_id != caller.account_id or service.deleting:
        raise NotFound("service", service_id)
    return service


def require_connectable(tx: Transaction, caller: Caller, asked: str, region_id: str) -> EndpointService:
    """The service with this name or id, if the caller may make an endpoint of it in this region."""
    by_name = tx.services.find(name=asked)
    service = require_visible(by_name[0] if by_name else tx.services.get(asked), asked, caller.account_id)
    require_same_region(service, region_id)
    return service


def _shared_service(context: Context, region: Region) -> EndpointService:
    service_id = make_id(context.draw, "epsrv", region.id_infix)
    if region.cloud == "aws":
        service_id = "vpce-svc-0" + context.draw("0123456789abcdef", 16)
    return EndpointService(
        service_id=service_id,
        account_id=PROVIDER_ACCOUNT_ID,
        region_id=region.region_id,
        cloud=region.cloud,
        name=service_name(region, service_id),
        domain=service_domain(region, service_id),
        zone_ids=tuple(zone.zone_id for zone in region.zones),
        auto_accept=True,
        address=GATEWAY_ADDRESS,
        port=GATEWAY_PORT,
        allowed_accounts=(ANYONE,),
        created_at=context.now(),
    )
