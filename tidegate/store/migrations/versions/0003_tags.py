"""Tags of any resource; names of route tables; resource groups of interfaces."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "tags",
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("kind", "resource_id", "key", name=op.f("pk_tags")),
    )
    with op.batch_alter_table("tags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tags_account_id_kind_key"), ["account_id", "kind", "key"], unique=False)
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        for name in ("route_table_name", "route_table_description"):
            batch_op.add_column(sa.Column(name, sa.String(length=512), nullable=False, server_default=""))
    with op.batch_alter_table("interfaces", schema=None) as batch_op:
        batch_op.add_column(sa.Column("resource_group_id", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("interfaces", schema=None) as batch_op:
        batch_op.drop_column("resource_group_id")
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.drop_column("route_table_description")
        batch_op.drop_column("route_table_name")
    op.drop_table("tags")
