"""What people change about how a line is judged: thresholds, product, share of blind checks. Each is one transaction with its audit row.

Whoever changes what judges a line names the activation that they saw. Where another one judges by then, they are told, and nothing is changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from services.contract.inspection import Calibration
from services.records.audit import Actor, audited
from services.records.database import Database
from services.records.errors import ChangedMeanwhileError, NoEarlierModelError, UnknownCalibrationError, UnknownLineError
from services.records.models import ActivationRow, CalibrationRow, LineRow

Judge = tuple[ActivationRow, CalibrationRow]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One activation with its calibration: what judged a line's product from that moment on."""

    id: int
    line: str
    product: str | None
    """None: whatever the line makes."""
    model_version: str
    calibration: Calibration
    details: dict[str, Any]
    """How the thresholds were found."""
    by: str
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class WayBack:
    """From the version that judges a line to one that judged it before."""

    to: str
    over: str


class Judging:
    """Raises RecordsError; UnknownLineError where there is no such line."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Reading

    def current(self, line: str) -> tuple[Judgement, ...]:
        """What judges each product of a line; that of whatever it makes comes first."""
        newest = select(func.max(ActivationRow.id)).where(ActivationRow.line_id == line).group_by(ActivationRow.product)
        with self._database.reading() as session:
            _existing(session, line)
            found = [_judgement(*row) for row in session.execute(_judges(line).where(ActivationRow.id.in_(newest)))]
        return tuple(sorted(found, key=lambda one: one.product or ""))

    def history(self, line: str, product: str | None, limit: int = 50) -> tuple[Judgement, ...]:
        """Of one product, newest first."""
        query = _judges(line).where(_of(product)).order_by(ActivationRow.id.desc()).limit(limit)
        with self._database.reading() as session:
            return tuple(_judgement(*row) for row in session.execute(query))

    def activations(self, line: str, limit: int = 50) -> tuple[Judgement, ...]:
        """Of every product, newest first."""
        with self._database.reading() as session:
            _existing(session, line)
            return tuple(_judgement(*row) for row in session.execute(_judges(line).order_by(ActivationRow.id.desc()).limit(limit)))

    # Changing

    def set_calibration(
        self, line: str, calibration: Calibration, details: Mapping[str, Any], *, product: str | None, seen: int, by: Actor, reason: str
    ) -> Judgement:
        """Other thresholds for the model that judges now. Raises ChangedMeanwhileError where that is not activation `seen`."""
        with self._database.writing() as session:
            judge = _seen(session, line, product, seen)
            row = session.get(CalibrationRow, (calibration.calibration_id, line)) or _add(session, line, judge[0].model_version, calibration, details)
            return _activate(session, judge, row, by, "calibration.set", reason)

    def go_back(self, line: str, calibration_id: str, *, product: str | None, seen: int, by: Actor, reason: str) -> Judgement:
        """Thresholds that judged this product with the same model before; UnknownCalibrationError for any others."""
        with self._database.writing() as session:
            judge = _seen(session, line, product, seen)
            earlier = _judges(line).where(_of(product), ActivationRow.calibration_id == calibration_id, ActivationRow.model_version == judge[0].model_version)
            found = session.execute(earlier.limit(1)).first()
            if found is None:
                raise UnknownCalibrationError(f"calibration {calibration_id!r}: expected one that judged {_words(line, product)} with the model of now")
            return _activate(session, judge, found[1], by, "calibration.back", reason)

    def promote(self, line: str, model_version: str, calibration: Calibration, details: Mapping[str, Any], *, over: str, by: Actor, reason: str) -> Judgement:
        """Another model with its own thresholds, for whatever the line makes. Raises ChangedMeanwhileError where `over` no longer judges it."""
        with self._database.writing() as session:
            judge = _now(session, line, None)
            if judge[0].model_version != over:
                raise ChangedMeanwhileError(_words(line, None), judge[0].activated_by, judge[0].activated_at)
            row = session.get(CalibrationRow, (calibration.calibration_id, line)) or _add(session, line, model_version, calibration, details)
            return _activate(session, judge, row, by, "model.promote", reason)

    def begin(self, line: str, model_version: str, calibration: Calibration, details: Mapping[str, Any], *, by: Actor, reason: str) -> Judgement:
        """The first model that judges a line, whatever it makes. Raises ChangedMeanwhileError where one does already."""
        with self._database.writing() as session:
            _existing(session, line, lock=True)
            judge = session.execute(_judges(line).order_by(ActivationRow.id.desc()).limit(1)).first()
            if judge is not None:
                raise ChangedMeanwhileError(_words(line, judge[0].product), judge[0].activated_by, judge[0].activated_at)
            row = session.get(CalibrationRow, (calibration.calibration_id, line)) or _add(session, line, model_version, calibration, details)
            activation = _activation(line, None, row, by, reason)
            session.add(activation)
            session.flush()
            audited(session, by, "model.start", line, {"model_version": model_version, **_told(row), "reason": reason})
            return _judgement(activation, row)

    def way_back(self, line: str, to: str | None = None) -> WayBack:
        """To a version that judged the line before (its id, or how that begins); None: to the last one. Raises NoEarlierModelError."""
        with self._database.writing() as session:
            judge = _now(session, line, None)
            return WayBack(_earlier(session, line, judge, to).model_version, judge[0].model_version)

    def roll_back(self, line: str, back: WayBack, *, by: Actor, reason: str) -> Judgement:
        """That version judges again, with its last thresholds. Raises NoEarlierModelError; ChangedMeanwhileError where another judges than was asked over."""
        with self._database.writing() as session:
            judge = _now(session, line, None)
            if judge[0].model_version != back.over:
                raise ChangedMeanwhileError(_words(line, None), judge[0].activated_by, judge[0].activated_at)
            return _activate(session, judge, _earlier(session, line, judge, back.to), by, "model.rollback", reason)

    def judge_product(
        self, line: str, product: str, model_version: str, calibration: Calibration, details: Mapping[str, Any], *, by: Actor, reason: str
    ) -> Judgement:
        """From now on frames of this product are judged by this version. A line that is judged by product records frames of all others."""
        with self._database.writing() as session:
            _existing(session, line, lock=True)
            row = session.get(CalibrationRow, (calibration.calibration_id, line)) or _add(session, line, model_version, calibration, details)
            activation = _activation(line, product, row, by, reason)
            session.add(activation)
            session.flush()
            audited(session, by, "product.judge", line, {"product": product, "model_version": model_version, **_told(row), "reason": reason})
            return _judgement(activation, row)

    def set_product(self, line: str, product: str | None, *, by: Actor) -> None:
        """A changeover: model and calibration change with it."""
        with self._database.writing() as session:
            row = _existing(session, line, lock=True)
            audited(session, by, "line.product", line, {"from": row.product, "to": product})
            row.product = product

    def set_blind_check_rate(self, line: str, rate: float | None, *, by: Actor) -> None:
        """None: as the settings say."""
        with self._database.writing() as session:
            row = _existing(session, line, lock=True)
            audited(session, by, "line.blind-check-rate", line, {"from": row.blind_check_rate, "to": rate})
            row.blind_check_rate = rate

    def set_promote_automatically(self, line: str, automatic: bool, *, by: Actor) -> None:
        """Whether candidates that the gate passed judge the line without a click."""
        with self._database.writing() as session:
            row = _existing(session, line, lock=True)
            audited(session, by, "line.promote-automatically", line, {"from": row.promote_automatically, "to": automatic})
            row.promote_automatically = automatic


def _seen(session: Session, line: str, product: str | None, seen: int) -> Judge:
    """What judges now, if it is what the caller saw. Nobody changes it before the transaction ends."""
    activation, calibration = _now(session, line, product)
    if activation.id != seen:
        raise ChangedMeanwhileError(_words(line, product), activation.activated_by, activation.activated_at)
    return activation, calibration


def _now(session: Session, line: str, product: str | None) -> Judge:
    """Locks the line."""
    _existing(session, line, lock=True)
    now = session.execute(_judges(line).where(_of(product)).order_by(ActivationRow.id.desc()).limit(1)).first()
    if now is None:
        raise UnknownCalibrationError(f"{_words(line, product)}: expected a model that judges it, got none yet")
    return now[0], now[1]


def _earlier(session: Session, line: str, judge: Judge, to: str | None) -> CalibrationRow:
    """With the thresholds that it had last."""
    others = _judges(line).where(_of(None), ActivationRow.id < judge[0].id, ActivationRow.model_version != judge[0].model_version)
    found = session.execute(others.where(ActivationRow.model_version.startswith(to or "", autoescape=True)).order_by(ActivationRow.id.desc()).limit(1)).first()
    if found is None:
        sought = "another model" if to is None else f"another model that begins with {to!r} and"
        raise NoEarlierModelError(f"{_words(line, None)}: expected {sought} that judged before, got none; the Models page shows those that did")
    return found[1]


def _activate(session: Session, judge: Judge, calibration: CalibrationRow, by: Actor, action: str, reason: str) -> Judgement:
    before, old = judge
    activation = _activation(before.line_id, before.product, calibration, by, reason)
    session.add(activation)
    session.flush()
    models = {} if old.model_version == calibration.model_version else {"model_from": old.model_version, "model_to": calibration.model_version}
    details = {"product": before.product, **models, "from": _told(old), "to": _told(calibration), "reason": reason}
    audited(session, by, action, before.line_id, details)
    return _judgement(activation, calibration)


def _activation(line: str, product: str | None, calibration: CalibrationRow, by: Actor, reason: str) -> ActivationRow:
    return ActivationRow(
        line_id=line,
        product=product,
        model_version=calibration.model_version,
        calibration_id=calibration.id,
        activated_by=by.name,
        activated_at=datetime.now(UTC),
        reason=reason,
    )


def _add(session: Session, line: str, model_version: str, calibration: Calibration, details: Mapping[str, Any]) -> CalibrationRow:
    values = calibration.model_dump(include={"review", "fail", "map_threshold"})
    row = CalibrationRow(
        id=calibration.calibration_id, line_id=line, model_version=model_version, details=dict(details), created_at=datetime.now(UTC), **values
    )
    session.add(row)
    session.flush()
    return row


def _judges(line: str) -> Select[ActivationRow, CalibrationRow]:
    together = (CalibrationRow.id == ActivationRow.calibration_id) & (CalibrationRow.line_id == ActivationRow.line_id)
    return select(ActivationRow, CalibrationRow).join(CalibrationRow, together).where(ActivationRow.line_id == line)


def _of(product: str | None) -> Any:
    return ActivationRow.product.is_(None) if product is None else ActivationRow.product == product


def _existing(session: Session, line: str, *, lock: bool = False) -> LineRow:
    row = session.get(LineRow, line, with_for_update=lock)
    if row is None:
        raise UnknownLineError(f"line {line!r}: expected one of {list(session.scalars(select(LineRow.id).order_by(LineRow.id)))}")
    return row


def _judgement(activation: ActivationRow, calibration: CalibrationRow) -> Judgement:
    return Judgement(
        id=activation.id,
        line=activation.line_id,
        product=activation.product,
        model_version=activation.model_version,
        calibration=Calibration(calibration_id=calibration.id, review=calibration.review, fail=calibration.fail, map_threshold=calibration.map_threshold),
        details=calibration.details,
        by=activation.activated_by,
        at=activation.activated_at,
        reason=activation.reason,
    )


def _told(calibration: CalibrationRow) -> dict[str, Any]:
    return {"calibration": calibration.id, "review": calibration.review, "fail": calibration.fail}


def _words(line: str, product: str | None) -> str:
    return f"line {line}" if product is None else f"line {line}, product {product}"
