"""Lines, cameras, activations, calibrations and replica limits, and by `flagged` the flagged inspections: values in, values out, SQL inside.

Safe to use from several threads and processes. Nothing connects before the first call.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.contract.inspection import Active, Calibration, Judges
from services.contract.names import INSPECTOR, checked_id
from services.records.audit import Actor, audited
from services.records.database import Database, insert_missing
from services.records.errors import AlreadyThereError, UnknownCalibrationError, UnknownCameraError, UnknownLineError
from services.records.flagged import Flagged
from services.records.models import ActivationRow, CalibrationRow, CameraRow, CollectedRow, LineRow, ReplicaLimitsRow

WhenFull = Literal["wait", "drop"]


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    name: str
    product: str | None
    when_full: WhenFull
    push_token_sha256: str | None
    paused: bool
    created_at: datetime
    blind_check_rate: float | None = None
    """None: as the settings say."""
    promote_automatically: bool = False
    """Candidates that the gate passed, without a click."""

    def accepts(self, push_token: str) -> bool:
        """Compares in constant time; a line without a token accepts none."""
        return self.push_token_sha256 is not None and hmac.compare_digest(self.push_token_sha256, token_hash(push_token))


@dataclass(frozen=True, slots=True)
class Camera:
    line: str
    id: str
    source: str


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration with what it is for and how it was found."""

    line: str
    model_version: str
    calibration: Calibration
    details: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Activation:
    id: int
    line: str
    product: str | None
    model_version: str
    calibration_id: str
    activated_by: str
    activated_at: datetime


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """What a new line is to be judged by, and how its thresholds were found."""

    model_version: str
    calibration: Calibration
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplicaLimits:
    min_replicas: int
    max_replicas: int


class Records:
    """What is decided. Raises RecordsError; RecordsUnreachableError where trying again later may help."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.flagged = Flagged(self._database)

    def close(self) -> None:
        self._database.close()

    # Lines and cameras

    def add_line(
        self,
        line: str,
        *,
        name: str | None = None,
        product: str | None = None,
        when_full: WhenFull = "wait",
        push_token: str | None = None,
        cameras: Mapping[str, str] | None = None,
        judged_by: JudgedBy | None = None,
        by: Actor | None = None,
    ) -> Line:
        """With its cameras (id -> source) and what judges it, all or nothing. `by` whom, for the audit. Raises AlreadyThereError, InvalidIdError."""
        checked_id(line, "line")
        rows = [CameraRow(line_id=line, id=checked_id(camera, "camera"), source=source, created_at=_now()) for camera, source in (cameras or {}).items()]
        row = LineRow(
            id=line,
            name=name,
            product=product,
            when_full=when_full,
            push_token_sha256=token_hash(push_token) if push_token else None,
            paused=False,
            created_at=_now(),
        )
        with self._database.writing() as session:
            if session.get(LineRow, line) is not None:
                raise AlreadyThereError(f"line {line!r}: exists already")
            session.add(row)
            session.flush()
            session.add_all(rows)
            if judged_by is not None:
                _judge(session, line, judged_by, by.name if by is not None else "")
            if by is not None:
                audited(session, by, "line.add", line, _told(row, cameras or {}, judged_by))
            return _line(row)

    def lines(self) -> tuple[Line, ...]:
        """In the order in which they were added."""
        with self._database.reading() as session:
            return tuple(_line(row) for row in session.scalars(select(LineRow).order_by(LineRow.created_at, LineRow.id)))

    def line(self, line: str) -> Line:
        with self._database.reading() as session:
            return _line(_existing(session, line))

    def remove_line(self, line: str) -> None:
        """A line that was only tried: what belongs to it goes with it, but for its flagged inspections. Raises UnknownLineError."""
        with self._database.writing() as session:
            row = _existing(session, line)
            for table in (CameraRow, ActivationRow, CalibrationRow, CollectedRow):
                session.execute(delete(table).where(table.line_id == line))
            session.delete(row)

    def set_push_token(self, line: str, push_token: str | None) -> None:
        with self._database.writing() as session:
            _existing(session, line).push_token_sha256 = token_hash(push_token) if push_token else None

    def add_camera(self, line: str, camera: str, source: str) -> Camera:
        """Raises UnknownLineError, AlreadyThereError, InvalidIdError."""
        checked_id(camera, "camera")
        with self._database.writing() as session:
            _existing(session, line)
            if session.get(CameraRow, (line, camera)) is not None:
                raise AlreadyThereError(f"camera {line}/{camera}: exists already")
            session.add(CameraRow(line_id=line, id=camera, source=source, created_at=_now()))
        return Camera(line, camera, source)

    def remove_camera(self, line: str, camera: str) -> None:
        with self._database.writing() as session:
            row = session.get(CameraRow, (line, camera))
            if row is None:
                raise UnknownCameraError(f"camera {line}/{camera}: expected one of {[one.id for one in self.cameras(line)]}")
            session.delete(row)

    def cameras(self, line: str | None = None) -> tuple[Camera, ...]:
        """Of one line, or of all."""
        query = select(CameraRow).order_by(CameraRow.created_at, CameraRow.line_id, CameraRow.id)
        with self._database.reading() as session:
            rows = session.scalars(query if line is None else query.where(CameraRow.line_id == line))
            return tuple(Camera(row.line_id, row.id, row.source) for row in rows)

    def pause(self, line: str, *, by: Actor | None = None) -> None:
        """Frames of the line are recorded, not judged; its cameras go on."""
        self._set_paused(line, True, by)

    def resume(self, line: str, *, by: Actor | None = None) -> None:
        self._set_paused(line, False, by)

    def _set_paused(self, line: str, paused: bool, by: Actor | None) -> None:
        with self._database.writing() as session:
            _existing(session, line).paused = paused
            if by is not None:
                audited(session, by, "line.pause" if paused else "line.resume", line)

    # What judges a line

    def add_calibration(self, line: str, model_version: str, calibration: Calibration, details: dict[str, Any] | None = None) -> None:
        """Adding the same one again changes nothing: a calibration is never changed."""
        row = {
            "id": calibration.calibration_id,
            "line_id": line,
            "model_version": model_version,
            **calibration.model_dump(include={"review", "fail", "map_threshold"}),
            "details": details or {},
            "created_at": _now(),
        }
        with self._database.writing() as session:
            _existing(session, line)
            insert_missing(session, CalibrationRow, [row])

    def calibrations(self, line: str) -> tuple[StoredCalibration, ...]:
        """Newest first."""
        query = select(CalibrationRow).where(CalibrationRow.line_id == line).order_by(CalibrationRow.created_at.desc())
        with self._database.reading() as session:
            return tuple(StoredCalibration(row.line_id, row.model_version, _calibration(row), row.details, row.created_at) for row in session.scalars(query))

    def activate(self, line: str, model_version: str, calibration_id: str, *, by: str, product: str | None = None) -> Activation:
        """From now on this line is judged by this version and calibration. Raises UnknownCalibrationError."""
        with self._database.writing() as session:
            _existing(session, line)
            calibration = session.get(CalibrationRow, (calibration_id, line))
            if calibration is None or calibration.model_version != model_version:
                raise UnknownCalibrationError(f"calibration {calibration_id!r} of line {line!r} and model {model_version[:12]}: expected it to be added first")
            row = ActivationRow(line_id=line, product=product, model_version=model_version, calibration_id=calibration_id, activated_by=by, activated_at=_now())
            session.add(row)
            session.flush()
            return _activation(row)

    def activations(self, line: str, limit: int = 50) -> tuple[Activation, ...]:
        """Newest first."""
        query = select(ActivationRow).where(ActivationRow.line_id == line).order_by(ActivationRow.id.desc()).limit(limit)
        with self._database.reading() as session:
            return tuple(_activation(row) for row in session.scalars(query))

    def current_activation(self, line: str) -> Activation | None:
        return next(iter(self.activations(line, limit=1)), None)

    def active(self, line: str) -> Active:
        """What `active:{line}` should hold. Raises UnknownLineError."""
        found = {active.line: active for active in self.actives()}
        if line not in found:
            raise UnknownLineError(_unknown(line, sorted(found)))
        return found[line]

    def actives(self) -> tuple[Active, ...]:
        """Of every line, those without a model too."""
        newest = select(func.max(ActivationRow.id)).group_by(ActivationRow.line_id, ActivationRow.product)
        query = (
            select(LineRow, ActivationRow, CalibrationRow)
            .outerjoin(ActivationRow, (ActivationRow.line_id == LineRow.id) & ActivationRow.id.in_(newest))
            .outerjoin(CalibrationRow, (CalibrationRow.id == ActivationRow.calibration_id) & (CalibrationRow.line_id == LineRow.id))
            .order_by(LineRow.created_at, LineRow.id)
        )
        with self._database.reading() as session:
            lines: dict[str, tuple[LineRow, dict[str | None, Judges]]] = {}
            for line, activation, calibration in session.execute(query):
                judges = lines.setdefault(line.id, (line, {}))[1]
                if activation is not None and calibration is not None:
                    judges[activation.product] = _judges(activation, calibration)
            return tuple(_active(line, judges) for line, judges in lines.values())

    # Replicas

    def replica_limits(self, deployment: str = INSPECTOR) -> ReplicaLimits | None:
        """None: nobody said; the settings hold."""
        with self._database.reading() as session:
            row = session.get(ReplicaLimitsRow, deployment)
            return None if row is None else ReplicaLimits(row.min_replicas, row.max_replicas)

    def set_replica_limits(self, limits: ReplicaLimits, deployment: str = INSPECTOR, *, by: Actor | None = None) -> None:
        if not 0 <= limits.min_replicas <= limits.max_replicas or limits.max_replicas < 1:
            raise ValueError(f"replica limits: expected 0 <= min <= max and max >= 1, got {limits.min_replicas} and {limits.max_replicas}")
        with self._database.writing() as session:
            session.merge(ReplicaLimitsRow(deployment=deployment, min_replicas=limits.min_replicas, max_replicas=limits.max_replicas, changed_at=_now()))
            if by is not None:
                audited(session, by, "replicas.set", deployment, {"min": limits.min_replicas, "max": limits.max_replicas})


def token_hash(token: str) -> str:
    """A push token is random and long, so a plain hash is enough to keep it from whoever reads the table."""
    return hashlib.sha256(token.encode()).hexdigest()


def _existing(session: Session, line: str) -> LineRow:
    row = session.get(LineRow, line)
    if row is None:
        raise UnknownLineError(_unknown(line, list(session.scalars(select(LineRow.id).order_by(LineRow.id)))))
    return row


def _unknown(line: str, known: list[str]) -> str:
    return f"line {line!r}: expected one of {known}"


def _line(row: LineRow) -> Line:
    when_full: WhenFull = "drop" if row.when_full == "drop" else "wait"
    said = (row.blind_check_rate, row.promote_automatically)
    return Line(row.id, row.name or row.id, row.product, when_full, row.push_token_sha256, row.paused, row.created_at, *said)


def _calibration(row: CalibrationRow) -> Calibration:
    return Calibration(calibration_id=row.id, review=row.review, fail=row.fail, map_threshold=row.map_threshold)


def _activation(row: ActivationRow) -> Activation:
    return Activation(row.id, row.line_id, row.product, row.model_version, row.calibration_id, row.activated_by, row.activated_at)


def _judges(activation: ActivationRow, calibration: CalibrationRow) -> Judges:
    return Judges(model_version=activation.model_version, calibration=_calibration(calibration), activated_at=activation.activated_at)


def _active(line: LineRow, judges: Mapping[str | None, Judges]) -> Active:
    """Where activations name products, what the line makes now is judged by its own; where it does not say what it makes, by the one that names none."""
    named = {product: one for product, one in judges.items() if product is not None}
    now = judges.get(line.product if named else None)
    active = Active(line=line.id, paused=line.paused, product=line.product, products=named, blind_check_rate=line.blind_check_rate)
    return active if now is None else active.model_copy(update={name: getattr(now, name) for name in Judges.model_fields})


def _judge(session: Session, line: str, judged_by: JudgedBy, by: str) -> None:
    calibration = judged_by.calibration
    thresholds = calibration.model_dump(include={"review", "fail", "map_threshold"})
    same = {"line_id": line, "model_version": judged_by.model_version}
    session.add(CalibrationRow(id=calibration.calibration_id, details=dict(judged_by.details), created_at=_now(), **same, **thresholds))
    session.flush()
    session.add(ActivationRow(product=None, calibration_id=calibration.calibration_id, activated_by=by, activated_at=_now(), **same))


def _told(line: LineRow, cameras: Mapping[str, str], judged_by: JudgedBy | None) -> dict[str, Any]:
    """What the audit says of a new line beyond what is usual; never its token."""
    told: dict[str, Any] = {name: getattr(line, name) for name in ("id", "name", "product")}
    told["when_full"] = None if line.when_full == "wait" else line.when_full
    told["cameras"] = [{"id": camera, "source": source} for camera, source in cameras.items()]
    told["model_version"] = judged_by.model_version if judged_by is not None else None
    return {name: value for name, value in told.items() if value}


def _now() -> datetime:
    return datetime.now(UTC)
