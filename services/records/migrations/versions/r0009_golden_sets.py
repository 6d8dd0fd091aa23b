"""Frames that people put into their line's golden set, or took out of it again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "golden",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("golden", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("said_by", sa.String(200), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["frame_id"], ["inspections.frame_id"], name=op.f("fk_golden_frame_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden")),
    )
    op.create_index(op.f("ix_golden_frame_id_id"), "golden", ["frame_id", "id"])
    op.create_index(op.f("ix_golden_line_id"), "golden", ["line_id"])


def downgrade() -> None:
    op.drop_table("golden")
