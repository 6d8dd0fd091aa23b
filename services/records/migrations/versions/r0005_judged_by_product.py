"""Why a line is judged as it is, how often its passed frames are checked, and calibrations that nobody can change afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KEPT = "rows of this table are only ever added: another calibration is another row"
TABLES = ("calibrations", "activations")


def upgrade() -> None:
    op.add_column("lines", sa.Column("blind_check_rate", sa.Float))
    op.add_column("activations", sa.Column("reason", sa.Text))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE FUNCTION judging_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{KEPT}'; END $$")
    for table in TABLES:
        op.execute(_refusal(table))


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_never_changed{f' ON {table}' if postgresql else ''}")
    if postgresql:
        op.execute("DROP FUNCTION judging_refuse()")
    op.drop_column("activations", "reason")
    op.drop_column("lines", "blind_check_rate")


def _refusal(table: str) -> str:
    """Of changes alone: what a line was tried with goes when the line does."""
    if op.get_bind().dialect.name == "postgresql":
        return f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION judging_refuse()"
    return f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
