"""What one person sees of the queue: frames in an order, page by page, and the next one for them. Of a blind check, the picture alone."""

import base64
import binascii
import json
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from services.contract.inspection import Calibration, Decision, Region
from services.contract.verdict import Verdict
from services.records.review_queue import After, Filter, LineCount, Order, ReviewQueue
from services.records.standings import Claim, Standing
from services.review.claims import Claims, now_utc
from services.review.errors import ConflictError, ReviewError, UnknownFrameError

CANDIDATES = 5


class CursorError(ReviewError):
    """A place in the queue that no page named, or of another order."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What nobody may see of a blind check: what the machine and others said."""

    score: float | None
    decision: Decision | None
    regions: tuple[Region, ...]
    map_kind: str | None
    has_map: bool
    model_version: str | None
    calibration: Calibration | None
    reason: str
    probability: float
    verdict: Verdict | None
    """What counts now."""
    second: Verdict | None


@dataclass(frozen=True, slots=True)
class Item:
    frame_id: str
    line: str
    camera: str
    captured_at: datetime
    written_at: datetime
    product: str | None
    part_id: str | None
    width: int | None
    height: int | None
    open: bool
    claim: Claim | None
    """That holds now."""
    seen: Seen | None
    """None for a blind check."""


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Item]
    next: str | None
    """Where the page after this one begins; None at the end."""


class Queue:
    """Raises RecordsError."""

    def __init__(
        self,
        records: ReviewQueue,
        claims: Claims,
        *,
        blind_turns: float,
        now: Callable[[], datetime] = now_utc,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._records, self._claims, self._blind_turns, self._now, self._draw = records, claims, blind_turns, now, draw

    def page(self, user: str, wanted: Filter, order: Order, *, cursor: str | None = None, limit: int = 50) -> Page:
        """Raises CursorError."""
        after = _after(cursor, order) if cursor else None
        found = self._records.page(user, wanted, order, after=after, limit=limit + 1)
        items = [item_of(one.standing, self._now()) for one in found[:limit]]
        return Page(items, _cursor(order, found[limit - 1].place) if len(found) > limit else None)

    def item(self, frame_id: str, user: str) -> Item:
        """Raises UnknownFrameError."""
        return item_of(self.standing(frame_id, user), self._now())

    def standing(self, frame_id: str, user: str) -> Standing:
        """Raises UnknownFrameError."""
        found = self._records.standing(frame_id, user)
        if found is None:
            raise UnknownFrameError(f"frame {frame_id}: expected a flagged one whose picture was kept")
        return found

    def next(self, user: str, wanted: Filter, order: Order, *, besides: Collection[str] = ()) -> Item | None:
        """The next one for this person, now theirs; `besides` are those that their page has already. A share of turns goes to blind checks."""
        blind_first = self._draw() < self._blind_turns
        for blind in (blind_first, not blind_first):
            passed_over = list(besides)
            while found := self._records.candidates(user, wanted, order, now=self._now(), blind=blind, besides=passed_over, limit=CANDIDATES):
                for frame_id in found:
                    try:
                        self._claims.take(frame_id, user)
                    except ConflictError:  # somebody was faster
                        passed_over.append(frame_id)
                        continue
                    return self.item(frame_id, user)
        return None

    def counts(self, user: str) -> list[LineCount]:
        return self._records.counts(user, now=self._now())


def item_of(standing: Standing, now: datetime) -> Item:
    inspection = standing.inspection
    claim = standing.claim if standing.claim is not None and standing.claim.holds(now) else None
    return Item(
        frame_id=inspection.frame_id,
        line=inspection.identity.line,
        camera=inspection.identity.camera,
        captured_at=inspection.timings.captured_at,
        written_at=inspection.timings.written_at,
        product=inspection.product,
        part_id=inspection.part_id,
        width=inspection.width,
        height=inspection.height,
        open=standing.open,
        claim=claim,
        seen=None if standing.hidden else _seen(standing),
    )


def _seen(standing: Standing) -> Seen:
    inspection, archived = standing.inspection, standing.inspection.archived
    return Seen(
        score=inspection.score,
        decision=inspection.decision,
        regions=inspection.regions,
        map_kind=inspection.map_kind,
        has_map=archived is not None and archived.map_path is not None,
        model_version=inspection.model_version,
        calibration=standing.calibration,
        reason=archived.reason if archived else "flagged",
        probability=archived.probability if archived else 1.0,
        verdict=standing.answer,
        second=standing.second,
    )


def _cursor(order: Order, after: After) -> str:
    place = after.place.isoformat() if isinstance(after.place, datetime) else after.place
    return base64.urlsafe_b64encode(json.dumps([order.value, place, after.frame_id]).encode()).decode()


def _after(cursor: str, order: Order) -> After:
    try:
        said, place, frame_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        by_time = order in (Order.OLDEST, Order.NEWEST)
        if said != order.value or not isinstance(frame_id, str):
            raise ValueError(said)
        return After(datetime.fromisoformat(place) if by_time else float(place), frame_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise CursorError(f"after: expected what a page of order {order.value} named as next, got {cursor[:80]!r}") from error
