"""Jobs of several kinds: one of a line and kind is open at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

OPEN = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("kind", sa.String(16), server_default=sa.text("'retrain'"), nullable=False))
    _open_once("line_id", "kind")


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind != 'retrain'")
    _open_once("line_id")
    op.drop_column("jobs", "kind")


def _open_once(*columns: str) -> None:
    op.drop_index("uq_jobs_open", "jobs")
    op.create_index("uq_jobs_open", "jobs", list(columns), unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
