"""Network interfaces: an address in a subnet, guarded by security groups.

A ``host`` interface is a program's place in the VPC; an ``endpoint`` interface is one zone of an endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

InterfaceKind = Literal["host", "endpoint"]


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """``group_ids`` of an endpoint's interface are its endpoint's, kept there and not here."""

    interface_id: str
    account_id: str
    region_id: str
    vpc_id: str
    subnet_id: str
    zone_id: str
    kind: InterfaceKind
    address: str
    name: str
    description: str
    created_at: datetime
    group_ids: tuple[str, ...] = ()
    endpoint_id: str | None = None
    generation: int = 1
    deleting: bool = False
    resource_group_id: str = ""

    @property
    def mac_address(self) -> str:
        """Shown by Describe; Alibaba's begin with 00:16:3e (the Xen prefix, seen in ENI samples)."""
        digits = sha256(self.interface_id.encode()).hexdigest()[:6]
        return "00:16:3e:" + ":".join(digits[i : i + 2] for i in (0, 2, 4))
