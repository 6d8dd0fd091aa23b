"""What people say of the frames that a line without a model recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "collected",
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("frame_path", sa.String(200), nullable=False),
        sa.Column("part_group", sa.String(200), nullable=False),
        sa.Column("chosen_by", sa.String(200), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_collected_line_id_lines")),
        sa.PrimaryKeyConstraint("line_id", "frame_id", name=op.f("pk_collected")),
    )


def downgrade() -> None:
    op.drop_table("collected")
