"""Indexes for a page and the count of one account's VPCs and endpoints in a region (docs/benchmarks/api.md)."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_vpcs_account_id_region_id_deleting_vpc_id"),
            ["account_id", "region_id", "deleting", "vpc_id"],
            unique=False,
        )
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoints_account_id_endpoint_id"))
        batch_op.create_index(
            batch_op.f("ix_endpoints_account_id_region_id_endpoint_id"),
            ["account_id", "region_id", "endpoint_id"],
            unique=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("endpoints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoints_account_id_region_id_endpoint_id"))
        batch_op.create_index(
            batch_op.f("ix_endpoints_account_id_endpoint_id"), ["account_id", "endpoint_id"], unique=False
        )
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpcs_account_id_region_id_deleting_vpc_id"))
