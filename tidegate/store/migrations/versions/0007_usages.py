"""What each cluster used, month by month."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "usages",
        sa.Column("cluster_id", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("request_units", sa.Float(precision=53), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "month", name=op.f("pk_usages")),
    )


def downgrade() -> None:
    op.drop_table("usages")
