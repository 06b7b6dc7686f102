"""The provider side: resources of services, bandwidth, zones that are switched off."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("services", schema=None) as batch_op:
        batch_op.add_column(sa.Column("description", sa.String(length=512), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("resource_type", sa.String(length=64), nullable=False, server_default="slb"))
        batch_op.add_column(sa.Column("bandwidth_mbit", sa.Integer(), nullable=False, server_default="3072"))
        batch_op.add_column(sa.Column("zone_affinity", sa.Boolean(), nullable=False, server_default=sa.text("0")))
        batch_op.add_column(sa.Column("payer", sa.String(length=64), nullable=False, server_default="Endpoint"))
        batch_op.add_column(sa.Column("resource_group_id", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("allowed_arns", sa.Text(), nullable=False, server_default="[]"))

    op.create_table(
        "service_resources",
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("zone_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("target_address", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", "resource_id", name=op.f("pk_service_resources")),
        sa.UniqueConstraint("region_id", "address", name=op.f("uq_service_resources_region_id_address")),
    )
    with op.batch_alter_table("service_resources", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_resources_resource_id"), ["resource_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_resources_vpc_id"), ["vpc_id"], unique=False)

    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.add_column(sa.Column("limited", sa.Boolean(), nullable=False, server_default=sa.text("1")))
        batch_op.add_column(sa.Column("toggled_generation", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("modified_at", sa.Float(precision=53), nullable=True))

    with op.batch_alter_table("endpoint_zones", schema=None) as batch_op:
        batch_op.add_column(sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.text("1")))
        batch_op.add_column(sa.Column("toggled_generation", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("resource_id", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("service_address", sa.String(length=64), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_endpoint_zones_resource_id"), ["resource_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("endpoint_zones", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoint_zones_resource_id"))
        for column in ("enabled", "toggled_generation", "resource_id", "service_address"):
            batch_op.drop_column(column)
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        for column in ("limited", "toggled_generation", "modified_at"):
            batch_op.drop_column(column)
    op.drop_table("service_resources")
    with op.batch_alter_table("services", schema=None) as batch_op:
        for column in (
            "description",
            "resource_type",
            "bandwidth_mbit",
            "zone_affinity",
            "payer",
            "resource_group_id",
            "allowed_arns",
        ):
            batch_op.drop_column(column)
