"""The tables.  A column is named as the field of the domain value it keeps; tests compare this with the migrations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """Seconds since the epoch: the same in every database, and never without a zone."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> float | None:
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


class Tuples(TypeDecorator[tuple[Any, ...]]):
    """JSON text in, nested tuples out, so that domain values stay hashable."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:
        result = None if value is None else _tuples(msgspec.json.decode(value))
        return result if result is None or isinstance(result, tuple) else (result,)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _id(name: str, **more: Any) -> Column[str]:
    return Column(name, String(64), nullable=False, **more)


def _wish() -> list[Column[Any]]:
    return [Column("generation", Integer, nullable=False), Column("deleting", Boolean, nullable=False)]


def _text(name: str) -> Column[str]:
    return Column(name, String(512), nullable=False)


def _created() -> Column[datetime]:
    return Column("created_at", UtcTime, nullable=False)


accounts = Table(
    "accounts",
    metadata,
    _id("account_id", primary_key=True),
    _id("realm"),
    _text("name"),
    _created(),
    _id("project_id"),
)

access_keys = Table(
    "access_keys",
    metadata,
    _id("key_id", primary_key=True),
    _id("account_id", index=True),
    _id("realm"),
    _text("secret"),
    Column("active", Boolean, nullable=False),
)

users = Table(
    "users",
    metadata,
    _id("user_id", primary_key=True),
    _id("name", unique=True),
    _id("alicloud_account_id"),
    _id("tidbcloud_account_id"),
    _created(),
    Column("password_hash", String(255), nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    _id("digest", primary_key=True),
    _id("user_id", index=True),
    _created(),
    Column("seen_at", UtcTime, nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    _id("digest", primary_key=True),
    _id("user_id", index=True),
    Column("expires_at", UtcTime, nullable=False),
)

vpcs = Table(
    "vpcs",
    metadata,
    _id("vpc_id", primary_key=True),
    _id("account_id", index=True),
    _id("region_id"),
    _id("cidr"),
    _text("name"),
    _text("description"),
    _id("router_id"),
    _id("route_table_id"),
    _created(),
    _id("resource_group_id"),
    *_wish(),
    Column("route_table_name", String(512), nullable=False, server_default=""),
    Column("route_table_description", String(512), nullable=False, server_default=""),
    # A page and the count of an account's VPCs, without reading the rest of its rows.
    Index(None, "account_id", "region_id", "deleting", "vpc_id"),
)

subnets = Table(
    "subnets",
    metadata,
    _id("subnet_id", primary_key=True),
    _id("vpc_id", index=True),
    _id("account_id", index=True),
    _id("region_id"),
    _id("zone_id"),
    _id("cidr"),
    _text("name"),
    _text("description"),
    _created(),
    _id("resource_group_id"),
    *_wish(),
)

security_groups = Table(
    "security_groups",
    metadata,
    _id("group_id", primary_key=True),
    _id("account_id", index=True),
    _id("region_id"),
    _id("vpc_id", index=True),
    _text("name"),
    _text("description"),
    _id("kind"),
    _id("inner_access"),
    _created(),
    _id("resource_group_id"),
    *_wish(),
)

security_group_rules = Table(
    "security_group_rules",
    metadata,
    _id("rule_id", primary_key=True),
    _id("group_id", index=True),
    _id("direction"),
    _id("protocol"),
    Column("ports", Tuples),
    _id("verdict"),
    Column("priority", Integer, nullable=False),
    Column("peer_cidr", String(64)),
    Column("peer_group", String(64), index=True),
    _text("description"),
    _created(),
)

interfaces = Table(
    "interfaces",
    metadata,
    _id("interface_id", primary_key=True),
    _id("account_id", index=True),
    _id("region_id"),
    _id("vpc_id", index=True),
    _id("subnet_id"),
    _id("zone_id"),
    _id("kind"),
    _id("address"),
    _text("name"),
    _text("description"),
    _created(),
    Column("group_ids", Tuples, nullable=False),
    Column("endpoint_id", String(64)),
    *_wish(),
    Column("resource_group_id", String(64), nullable=False, server_default=""),
    # Two writers cannot give one address twice, whatever they read before.
    UniqueConstraint("subnet_id", "address"),
)

services = Table(
    "services",
    metadata,
    _id("service_id", primary_key=True),
    _id("account_id", index=True),
    _id("region_id", index=True),
    _id("cloud"),
    Column("name", String(255), nullable=False, unique=True),
    _text("domain"),
    Column("zone_ids", Tuples, nullable=False),
    Column("auto_accept", Boolean, nullable=False),
    _id("address"),
    Column("port", Integer, nullable=False),
    Column("allowed_accounts", Tuples, nullable=False),
    _created(),
    *_wish(),
    Column("description", String(512), nullable=False, server_default=""),
    _id("resource_type", server_default="slb"),
    Column("bandwidth_mbit", Integer, nullable=False, server_default="3072"),
    Column("zone_affinity", Boolean, nullable=False, server_default="0"),
    _id("payer", server_default="Endpoint"),
    _id("resource_group_id", server_default=""),
    Column("allowed_arns", Tuples, nullable=False, server_default="[]"),
)

service_resources = Table(
    "service_resources",
    metadata,
    _id("service_id", primary_key=True),
    _id("resource_id", primary_key=True),
    _id("resource_type"),
    _id("account_id"),
    _id("region_id"),
    _id("zone_id"),
    _id("vpc_id", index=True),
    _id("subnet_id"),
    _id("address"),
    _id("target_address"),
    _created(),
    *_wish(),
    UniqueConstraint("region_id", "address"),
    # Deleting an interface asks whether a service still needs it.
    Index(None, "resource_id"),
)

endpoints = Table(
    "endpoints",
    metadata,
    _id("endpoint_id", primary_key=True),
    _id("account_id"),
    _id("region_id"),
    _id("vpc_id", index=True),
    _id("service_id", index=True),
    _text("name"),
    _text("description"),
    _text("domain"),
    Column("group_ids", Tuples, nullable=False),
    Column("accepted", Boolean, nullable=False),
    _created(),
    Column("zone_affinity", Boolean, nullable=False),
    Column("protected", Boolean, nullable=False),
    _id("resource_group_id"),
    Column("bandwidth_mbit", Integer, nullable=False),
    *_wish(),
    Column("ready_generation", Integer, nullable=False),
    Column("limited", Boolean, nullable=False, server_default="1"),
    Column("toggled_generation", Integer, nullable=False, server_default="1"),
    Column("modified_at", UtcTime),
    # Lists page by (account, id) without reading what comes before; the region too, for the count.
    Index(None, "account_id", "region_id", "endpoint_id"),
)

endpoint_zones = Table(
    "endpoint_zones",
    metadata,
    _id("endpoint_id", primary_key=True),
    _id("zone_id", primary_key=True),
    _id("vpc_id", index=True),
    _id("region_id"),
    _id("subnet_id"),
    _id("interface_id"),
    _id("address"),
    _id("fabric_address"),
    _text("domain"),
    Column("since_generation", Integer, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default="1"),
    Column("toggled_generation", Integer, nullable=False, server_default="0"),
    _id("resource_id", index=True, server_default=""),
    _id("service_address", server_default=""),
    UniqueConstraint("region_id", "fabric_address"),
)

clusters = Table(
    "clusters",
    metadata,
    _id("cluster_id", primary_key=True),
    _id("account_id", index=True),
    _id("project_id"),
    _id("region_id"),
    _text("display_name"),
    Column("prefix", String(64), nullable=False, unique=True),
    _id("plan"),
    _id("address"),
    _text("created_by"),
    _created(),
    Column("updated_at", UtcTime, nullable=False),
    Column("root_password_hash", String(64)),
    Column("spending_limit_cents", Integer, nullable=False),
    Column("min_rcu", Integer, nullable=False),
    Column("max_rcu", Integer, nullable=False),
    Column("encrypted", Boolean, nullable=False),
    _id("backup_start"),
    Column("backup_retention_days", Integer, nullable=False),
    Column("labels", Tuples, nullable=False),
    _id("version"),
    Column("awake", Boolean, nullable=False),
    Column("start_seq", Integer, nullable=False),
    *_wish(),
    Column("ready_generation", Integer, nullable=False),
    Column("public_open", Boolean, nullable=False, server_default="0"),
    Column("public_networks", Tuples, nullable=False),
    _id("branch_of", index=True, server_default=""),
    _id("parent_id", server_default=""),
    Column("copy_seq", Integer, nullable=False, server_default="0"),
    Column("ready_copy_seq", Integer, nullable=False, server_default="0"),
    UniqueConstraint("region_id", "address"),
)

usages = Table(
    "usages",
    metadata,
    _id("cluster_id", primary_key=True),
    Column("month", String(7), primary_key=True, nullable=False),
    Column("request_units", Float(53), nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("counted", Float(53), nullable=False),
)

public_listeners = Table(
    "public_listeners",
    metadata,
    _id("region_id", primary_key=True),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
)

statuses = Table(
    "statuses",
    metadata,
    _id("kind", primary_key=True),
    _id("resource_id", primary_key=True),
    Column("observed_generation", Integer, nullable=False),
    _id("phase"),
    Column("reason", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    _id("kind", primary_key=True),
    _id("resource_id", primary_key=True),
    Column("number", Integer, primary_key=True, nullable=False),
    Column("at", UtcTime, nullable=False),
    _id("phase"),
    Column("reason", Text, nullable=False),
)

address_counters = Table(
    "address_counters",
    metadata,
    _id("pool", primary_key=True),
    Column("next", Integer, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    _id("kind", primary_key=True),
    _id("resource_id", primary_key=True),
    Column("key", String(128), primary_key=True, nullable=False),
    Column("value", String(128), nullable=False),
    _id("account_id"),
    # Filters ask for one account's resources with a key.
    Index(None, "account_id", "kind", "key"),
)

client_tokens = Table(
    "client_tokens",
    metadata,
    _id("account_id", primary_key=True),
    _id("action", primary_key=True),
    _id("token", primary_key=True),
    _id("parameters_digest"),
    _text("resource_id"),
    _created(),
    # The oldest are looked for each minute.
    Index(None, "created_at"),
)
