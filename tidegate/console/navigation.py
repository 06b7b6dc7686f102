"""The way through the consoles: products in the header, each with the links of its side."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.console.words import N_


@dataclass(frozen=True, slots=True)
class Link:
    path: str
    label: str
    """marked for translation; shown in the reader's language"""


@dataclass(frozen=True, slots=True)
class Product:
    """``prefix``: all its paths begin with it; the side's links are shown on its pages."""

    prefix: str
    label: str
    home: str
    links: tuple[Link, ...] = ()


PRODUCTS: tuple[Product, ...] = (
    Product("/console/clusters", N_("TiDB Cloud"), "/console/clusters", (Link("/console/clusters", N_("Clusters")),)),
    Product(
        "/console/vpc",
        N_("VPC"),
        "/console/vpc/endpoints",
        (
            Link("/console/vpc/vpcs", N_("VPCs")),
            Link("/console/vpc/vswitches", N_("vSwitches")),
            Link("/console/vpc/security-groups", N_("Security Groups")),
            Link("/console/vpc/endpoints", N_("Endpoints")),
            Link("/console/vpc/endpoint-services", N_("Endpoint Services")),
        ),
    ),
    Product("/console/topology", N_("Topology"), "/console/topology"),
    Product("/console/guide", N_("Guide"), "/console/guide"),
)
"""in the order of the header"""
