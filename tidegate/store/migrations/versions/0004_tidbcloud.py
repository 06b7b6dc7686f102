"""What TiDB Cloud's calls keep: public endpoints, and branches."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# What clusters made before there were public endpoints get: a closed one, with the cloud's first rule.
_ALLOW_ALL = '[["0.0.0.0", "255.255.255.255", "Allow_all_public_connections"]]'


def upgrade() -> None:
    op.create_table(
        "public_listeners",
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("region_id", name=op.f("pk_public_listeners")),
    )
    with op.batch_alter_table("clusters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("public_open", sa.Boolean(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("public_networks", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("branch_of", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("parent_id", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("copy_seq", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("ready_copy_seq", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index(batch_op.f("ix_clusters_branch_of"), ["branch_of"], unique=False)
    # Not by a default: MySQL's and TiDB's TEXT can have none.
    clusters = sa.table("clusters", sa.column("public_networks", sa.Text()))
    op.execute(clusters.update().values(public_networks=_ALLOW_ALL))
    with op.batch_alter_table("clusters", schema=None) as batch_op:
        batch_op.alter_column("public_networks", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("clusters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clusters_branch_of"))
        for name in ("ready_copy_seq", "copy_seq", "parent_id", "branch_of", "public_networks", "public_open"):
            batch_op.drop_column(name)
    op.drop_table("public_listeners")
