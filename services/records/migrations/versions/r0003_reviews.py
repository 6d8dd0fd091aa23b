"""Verdicts, the way they take to Kafka, claims, skips, and the defect classes of a line."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEPT = "verdicts are never changed"
BEGINNING = sa.text("supersedes IS NULL")


def upgrade() -> None:
    _verdicts()
    _work()
    op.create_table(
        "defect_classes",
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("retired", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("line_id", "name", name=op.f("pk_defect_classes")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        for deed in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER verdicts_no_{deed.lower()} BEFORE {deed} ON verdicts BEGIN SELECT RAISE(ABORT, '{KEPT}'); END")


def downgrade() -> None:
    for table in ("defect_classes", "outbox", "skips", "claims", "verdicts"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION verdicts_refuse()")


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("verdict_id", sa.String(64), nullable=False),
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("line_id", sa.String(40), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("defect_class", sa.String(40)),
        sa.Column("second", sa.Boolean, nullable=False),
        sa.Column("wants_second", sa.Boolean, nullable=False),
        sa.Column("supersedes", sa.String(64)),
        sa.Column("given_by", sa.String(200), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frame_path", sa.String(200), nullable=False),
        sa.Column("mask_path", sa.String(200)),
        sa.Column("record", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["frame_id"], ["inspections.frame_id"], name=op.f("fk_verdicts_frame_id")),
        sa.ForeignKeyConstraint(["supersedes"], ["verdicts.verdict_id"], name=op.f("fk_verdicts_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sa.UniqueConstraint("supersedes", name=op.f("uq_verdicts_supersedes")),
        sa.UniqueConstraint("verdict_id", name=op.f("uq_verdicts_verdict_id")),
    )
    op.create_index(op.f("ix_verdicts_frame_id_second"), "verdicts", ["frame_id", "second"])
    op.create_index(op.f("ix_verdicts_line_id"), "verdicts", ["line_id"])
    op.create_index(op.f("uq_verdicts_beginning"), "verdicts", ["frame_id", "second"], unique=True, sqlite_where=BEGINNING, postgresql_where=BEGINNING)


def _work() -> None:
    op.create_table(
        "claims",
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("user_name", sa.String(200), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["frame_id"], ["inspections.frame_id"], name=op.f("fk_claims_frame_id")),
        sa.PrimaryKeyConstraint("frame_id", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_user_name"), "claims", ["user_name"])
    op.create_table(
        "skips",
        sa.Column("frame_id", sa.String(200), nullable=False),
        sa.Column("user_name", sa.String(200), nullable=False),
        sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["frame_id"], ["inspections.frame_id"], name=op.f("fk_skips_frame_id")),
        sa.PrimaryKeyConstraint("frame_id", "user_name", name=op.f("pk_skips")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("verdict_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["verdict_id"], ["verdicts.verdict_id"], name=op.f("fk_outbox_verdict_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("verdict_id", name=op.f("uq_outbox_verdict_id")),
    )


def _refuse_on_postgresql() -> None:
    op.execute(f"CREATE FUNCTION verdicts_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{KEPT}'; END $$")
    op.execute("CREATE TRIGGER verdicts_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON verdicts FOR EACH STATEMENT EXECUTE FUNCTION verdicts_refuse()")
