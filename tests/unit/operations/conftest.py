"""``world``: a store in a temporary folder and operations on it, with no controller and no host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.operations import security_groups, services, subnets, vpcs
from tidegate.operations.context import Caller, Context
from tidegate.store.store import Store

REGION = "alicloud-ap-southeast-1"


@dataclass
class World:
    context: Context
    caller: Caller
    woken: list[tuple[str, str]] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 23, tzinfo=UTC)

    def pass_time(self, step: timedelta) -> None:
        self.now += step

    def vpc(self, cidr: str = "10.0.0.0/16", region_id: str = REGION) -> str:
        return vpcs.create_vpc(self.context, self.caller, region_id=region_id, cidr=cidr).vpc_id

    def subnet(self, vpc_id: str, cidr: str = "10.0.1.0/24", zone_id: str = "ap-southeast-1a") -> str:
        return subnets.create_subnet(self.context, self.caller, vpc_id=vpc_id, zone_id=zone_id, cidr=cidr).subnet_id

    def group(self, vpc_id: str) -> str:
        return security_groups.create_security_group(
            self.context, self.caller, region_id=REGION, vpc_id=vpc_id
        ).group_id

    def service_name(self, region_id: str = REGION) -> str:
        found = services.region_service(self.context, region_id)
        assert found is not None
        return found.name


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{tmp_path / 'tidegate.db'}")
    store.migrate()
    made = World(Context(store), Caller("1000000000000042"))
    made.context = Context(store, wake=lambda kind, name: made.woken.append((kind, name)), now=lambda: made.now)
    services.ensure_region_services(made.context)
    yield made
    store.close()
