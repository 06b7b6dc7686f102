"""All pages of all rooms, in the order in which paths are tried."""

from __future__ import annotations

from tidegate.console import account
from tidegate.console.guide import guide
from tidegate.console.tidbcloud import branches, clusters, connect, networking, sql_users
from tidegate.console.topology import topology
from tidegate.console.visit import Page
from tidegate.console.vpc import (
    endpoint_form,
    endpoints,
    interfaces,
    published_services,
    security_group_rules,
    security_groups,
    service_connections,
    subnets,
    vpcs,
)

PAGES: tuple[Page, ...] = (
    *account.PAGES,
    *clusters.PAGES,
    *branches.PAGES,
    *connect.PAGES,
    *networking.PAGES,
    *sql_users.PAGES,
    *endpoint_form.PAGES,
    *endpoints.PAGES,
    *published_services.PAGES,
    *service_connections.PAGES,
    *interfaces.PAGES,
    *vpcs.PAGES,
    *subnets.PAGES,
    *security_group_rules.PAGES,
    *security_groups.PAGES,
    *topology.PAGES,
    *guide.PAGES,
)
