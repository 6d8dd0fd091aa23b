"""Whether a line puts a candidate to work without a click, once the gate has passed it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("lines", sa.Column("promote_automatically", sa.Boolean, server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("lines", "promote_automatically")
