"""Lines, cameras, calibrations, activations, flagged inspections, positions, replica limits."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _lines()
    _what_judges_them()
    _inspections()
    op.create_table(
        "written",
        sa.Column("topic_id", sa.String(64), nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic_id", "partition", name=op.f("pk_written")),
    )
    op.create_table(
        "replica_limits",
        sa.Column("deployment", sa.String(200), nullable=False),
        sa.Column("min_replicas", sa.Integer, nullable=False),
        sa.Column("max_replicas", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("deployment", name=op.f("pk_replica_limits")),
    )


def downgrade() -> None:
    for table in ("replica_limits", "written", "inspections", "activations", "calibrations", "cameras", "lines"):
        op.drop_table(table)


def _lines() -> None:
    op.create_table(
        "lines",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200)),
        sa.Column("product", sa.String(200)),
        sa.Column("when_full", sa.String(8), nullable=False),
        sa.Column("push_token_sha256", sa.String(64)),
        sa.Column("paused", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
    )
    op.create_table(
        "cameras",
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_cameras_line_id")),
        sa.PrimaryKeyConstraint("line_id", "id", name=op.f("pk_cameras")),
    )


def _what_judges_them() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("review", sa.Float, nullable=False),
        sa.Column("fail", sa.Float, nullable=False),
        sa.Column("map_threshold", sa.Float, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_calibrations_line_id")),
        sa.PrimaryKeyConstraint("id", "line_id", name=op.f("pk_calibrations")),
    )
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("product", sa.String(200)),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("calibration_id", sa.String(64), nullable=False),
        sa.Column("activated_by", sa.String(200), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["lines.id"], name=op.f("fk_activations_line_id")),
        sa.ForeignKeyConstraint(["calibration_id", "line_id"], ["calibrations.id", "calibrations.line_id"], name=op.f("fk_activations_calibration_id_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
    op.create_index(op.f("ix_activations_line_id_id"), "activations", ["line_id", "id"])


def _inspections() -> None:
    op.create_table(
        "inspections",
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("camera_id", sa.String(40), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(8)),
        sa.Column("score", sa.Float),
        sa.Column("model_version", sa.String(64)),
        sa.Column("calibration_id", sa.String(64)),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(16)),
        sa.Column("probability", sa.Float),
        sa.Column("frame_path", sa.String(200)),
        sa.Column("map_path", sa.String(200)),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("frame_id", name=op.f("pk_inspections")),
    )
    op.create_index(op.f("ix_inspections_line_id_written_at"), "inspections", ["line_id", "written_at"])
    op.create_index(op.f("ix_inspections_written_at"), "inspections", ["written_at"])
