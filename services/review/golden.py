"""What a line's golden set is made of: frames that people answered, chosen by a person. Putting one there twice changes nothing."""

from collections.abc import Callable
from datetime import datetime

from services.records.audit import Actor
from services.records.golden import Golden, GoldenSets
from services.records.reviews import Reviews
from services.records.standings import Standing
from services.review.claims import known, now_utc
from services.review.errors import BlindCheckError, NotReviewableError
from services.review.queue import Queue


class GoldenFrames:
    """Raises RecordsError, UnknownFrameError."""

    def __init__(self, reviews: Reviews, queue: Queue, sets: GoldenSets, *, now: Callable[[], datetime] = now_utc) -> None:
        self._reviews, self._queue, self._sets, self._now = reviews, queue, sets, now

    def of(self, frame_id: str, user: str) -> Golden | None:
        """None: it is in no golden set. Raises BlindCheckError where this person has yet to answer it blind."""
        _unhidden(self._queue.standing(frame_id, user))
        return self._sets.find(frame_id)

    def add(self, frame_id: str, reason: str, by: Actor) -> Golden:
        """Raises NotReviewableError for a frame whose answer does not count yet, or that this person has yet to answer blind."""
        with self._reviews.changing([frame_id], by.name) as changes:
            standing = _unhidden(known(changes, frame_id))
            if standing.answer is None:
                raise NotReviewableError(f"frame {frame_id}: nobody has answered it; say first whether it is a defect")
            there = changes.golden(frame_id)
            if there is not None:
                return there
            golden = Golden(frame_id, reason, by.name, self._now())
            changes.say_golden(golden, by, kept=True)
            return golden

    def remove(self, frame_id: str, reason: str, by: Actor) -> None:
        with self._reviews.changing([frame_id], by.name) as changes:
            known(changes, frame_id)
            if changes.golden(frame_id) is not None:
                changes.say_golden(Golden(frame_id, reason, by.name, self._now()), by, kept=False)


def _unhidden(standing: Standing) -> Standing:
    if standing.hidden:
        raise BlindCheckError(f"frame {standing.frame_id}: is a blind check, expected to be answered before it is made golden")
    return standing
