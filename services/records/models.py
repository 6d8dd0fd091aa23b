"""The tables. `migrations/` makes them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Float, ForeignKey, ForeignKeyConstraint, Index, MetaData, String, Text, TypeDecorator, false
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


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
