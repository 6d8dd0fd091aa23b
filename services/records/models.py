"""The tables. `migrations/` makes them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Float, ForeignKey, ForeignKeyConstraint, Index, Integer, MetaData, String, Text, TypeDecorator, false, text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


OPEN_JOB = "state IN ('queued', 'running')"
"""One of a line at a time; the database itself holds it."""


class Utc(TypeDecorator[datetime]):
    """A moment in UTC; SQLite would forget the time zone."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map = {datetime: Utc, str: String(200), dict[str, Any]: JSON, float: Float}  # noqa: RUF012 (SQLAlchemy's own form)


class LineRow(Base):
    """A production line; `loupe.toml` only seeds it."""

    __tablename__ = "lines"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str | None]
    product: Mapped[str | None]
    when_full: Mapped[str] = mapped_column(String(8), default="wait")
    push_token_sha256: Mapped[str | None] = mapped_column(String(64))
    paused: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    blind_check_rate: Mapped[float | None]
    """None: as the settings say."""
    promote_automatically: Mapped[bool] = mapped_column(default=False, server_default=false())


class CameraRow(Base):
    __tablename__ = "cameras"

    line_id: Mapped[str] = mapped_column(String(40), ForeignKey("lines.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class CalibrationRow(Base):
    """Two thresholds of a model version on a line, and how they were found. Never changed."""

    __tablename__ = "calibrations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    line_id: Mapped[str] = mapped_column(String(40), ForeignKey("lines.id"), primary_key=True)
    model_version: Mapped[str] = mapped_column(String(64))
    review: Mapped[float]
    fail: Mapped[float]
    map_threshold: Mapped[float]
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class ActivationRow(Base):
    """From this moment this line (and product) is judged by this model version with this calibration. Rows are only ever added."""

    __tablename__ = "activations"
    __table_args__ = (
        ForeignKeyConstraint(["calibration_id", "line_id"], ["calibrations.id", "calibrations.line_id"]),
        Index(None, "line_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    line_id: Mapped[str] = mapped_column(String(40), ForeignKey("lines.id"))
    product: Mapped[str | None]
    model_version: Mapped[str] = mapped_column(String(64))
    calibration_id: Mapped[str] = mapped_column(String(64))
    activated_by: Mapped[str]
    activated_at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(Text)
    """In the words of whoever did it."""


class InspectionRow(Base):
    """A flagged inspection. No foreign key to its line: what came over Kafka is kept whatever is in the other tables."""

    __tablename__ = "inspections"
    __table_args__ = (Index(None, "line_id", "written_at"), Index(None, "written_at"))

    frame_id: Mapped[str] = mapped_column(primary_key=True)
    line_id: Mapped[str] = mapped_column(String(40))
    camera_id: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(16))
    decision: Mapped[str | None] = mapped_column(String(8))
    score: Mapped[float | None]
    model_version: Mapped[str | None] = mapped_column(String(64))
    calibration_id: Mapped[str | None] = mapped_column(String(64))
    captured_at: Mapped[datetime]
    written_at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(String(16))
    probability: Mapped[float | None]
    frame_path: Mapped[str | None]
    map_path: Mapped[str | None]
    record: Mapped[str] = mapped_column(Text)
    """The inspection as it came, JSON."""


class WrittenRow(Base):
    """How far a topic has been recorded here: written in one transaction with what came from it."""

    __tablename__ = "written"

    topic_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offset: Mapped[int] = mapped_column(BigInteger)


class ReplicaLimitsRow(Base):
    """Between how many replicas a deployment moves, as last said by a person."""

    __tablename__ = "replica_limits"

    deployment: Mapped[str] = mapped_column(primary_key=True)
    min_replicas: Mapped[int]
    max_replicas: Mapped[int]
    changed_at: Mapped[datetime]


class UserRow(Base):
    """A person with an account. Never deleted, only disabled: verdicts and the audit name them."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str]
    """Argon2id with its parameters and salt."""
    must_change: Mapped[bool] = mapped_column(default=False, server_default=false())
    """The password is known to whoever made it, so it is good for one thing: choosing another."""
    disabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    password_at: Mapped[datetime]


class SessionRow(Base):
    """One login of one browser. The id is the SHA-256 of what its cookie holds: whoever reads this table cannot use it."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_name: Mapped[str] = mapped_column(String(40), ForeignKey("users.name"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str]


class TokenRow(Base):
    """What a machine shows instead of a login; the token itself is kept nowhere."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AuditRow(Base):
    """Who did what. Rows are only ever added: the database itself refuses anything else."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "user_name", "id"), Index(None, "action", "id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    user_name: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]
    address: Mapped[str] = mapped_column(String(64))


class ClaimRow(Base):
    """Somebody has a frame's picture open. Gone with their verdict; past `expires_at` anybody may take it."""

    __tablename__ = "claims"

    frame_id: Mapped[str] = mapped_column(ForeignKey("inspections.frame_id"), primary_key=True)
    user_name: Mapped[str] = mapped_column(index=True)
    claimed_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SkipRow(Base):
    """Somebody would rather not answer this frame; others still may."""

    __tablename__ = "skips"

    frame_id: Mapped[str] = mapped_column(ForeignKey("inspections.frame_id"), primary_key=True)
    user_name: Mapped[str] = mapped_column(primary_key=True)
    skipped_at: Mapped[datetime]


class VerdictRow(Base):
    """A person's answer. Rows are only ever added, and the database holds that a frame has one chain of first reviewers and one of second ones:
    each chain begins once, and no verdict is superseded twice."""

    __tablename__ = "verdicts"
    __table_args__ = (
        Index("ix_verdicts_frame_id_second", "frame_id", "second"),
        Index("uq_verdicts_beginning", "frame_id", "second", unique=True, sqlite_where=text("supersedes IS NULL"), postgresql_where=text("supersedes IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    verdict_id: Mapped[str] = mapped_column(String(64), unique=True)
    frame_id: Mapped[str] = mapped_column(ForeignKey("inspections.frame_id"))
    line_id: Mapped[str] = mapped_column(String(40), index=True)
    answer: Mapped[str] = mapped_column(String(16))
    defect_class: Mapped[str | None] = mapped_column(String(40))
    second: Mapped[bool]
    wants_second: Mapped[bool]
    """Drawn for a second reviewer."""
    supersedes: Mapped[str | None] = mapped_column(String(64), ForeignKey("verdicts.verdict_id"), unique=True)
    given_by: Mapped[str]
    given_at: Mapped[datetime]
    frame_path: Mapped[str]
    mask_path: Mapped[str | None]
    record: Mapped[str] = mapped_column(Text)
    """The verdict as it goes to Kafka, JSON."""


class OutboxRow(Base):
    """A verdict on its way to Kafka, added with it and gone once the broker has it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    verdict_id: Mapped[str] = mapped_column(String(64), ForeignKey("verdicts.verdict_id"), unique=True)


class GoldenRow(Base):
    """Somebody put a frame into its line's golden set, or took it out again. Rows are only ever added; the last one of a frame counts."""

    __tablename__ = "golden"
    __table_args__ = (Index(None, "frame_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    frame_id: Mapped[str] = mapped_column(ForeignKey("inspections.frame_id"))
    line_id: Mapped[str] = mapped_column(String(40), index=True)
    golden: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(500))
    said_by: Mapped[str]
    said_at: Mapped[datetime]


class DefectClassRow(Base):
    """What a line's people call one kind of defect. Never deleted, only retired: verdicts name it."""

    __tablename__ = "defect_classes"

    line_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    label: Mapped[str]
    place: Mapped[int]
    """Of the order in which they are offered."""
    retired: Mapped[bool] = mapped_column(default=False, server_default=false())


class CollectedRow(Base):
    """What somebody says of a frame that a line without a model recorded: it shows a good part, or is thrown out."""

    __tablename__ = "collected"

    line_id: Mapped[str] = mapped_column(String(40), ForeignKey("lines.id"), primary_key=True)
    frame_id: Mapped[str] = mapped_column(primary_key=True)
    kept: Mapped[bool]
    frame_path: Mapped[str]
    part_group: Mapped[str]
    """Of those that show the same part."""
    chosen_by: Mapped[str]
    chosen_at: Mapped[datetime]


class JobRow(Base):
    """Work for the trainer, asked for. Whoever works on it holds a lease; past `leased_until` another may take it up.

    No foreign key to its line: what was trained stays told when a line that was only tried is removed.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_open", "line_id", "kind", unique=True, sqlite_where=text(OPEN_JOB), postgresql_where=text(OPEN_JOB)),
        Index(None, "line_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    line_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(16), default="retrain", server_default=text("'retrain'"))
    trigger: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    owner: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancel_asked_by: Mapped[str | None]
    plan: Mapped[dict[str, Any]]
    """What was settled when it began, so that whoever takes it up again does the same."""
    progress: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)
