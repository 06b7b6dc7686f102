"""The provider side: resources of services, bandwidth, zones that are switched off."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
