"""Claims, so that two people do not work on one picture: of one frame and one person, renewed while the page is open, free after it expires."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.records.reviews import Changes, Reviews
from services.records.standings import Claim, Standing
from services.review.errors import ConflictError, UnknownFrameError


def now_utc() -> datetime:
    return datetime.now(UTC)


class Claims:
    """Raises RecordsError, UnknownFrameError."""

    def __init__(self, reviews: Reviews, *, lasts: timedelta, now: Callable[[], datetime] = now_utc) -> None:
        self._reviews, self._lasts, self._now = reviews, lasts, now

    def take(self, frame_id: str, user: str, *, to_correct: bool = False) -> Claim:
        """Also renews it. An answered frame is claimed only to correct the answer. Raises ConflictError."""
        now = self._now()
        with self._reviews.changing([frame_id], user) as changes:
            standing = known(changes, frame_id)
            check_free(standing, user, now)
            if not (standing.open or to_correct):
                answer = standing.answer or standing.first
                assert answer is not None  # else it would be open
                raise ConflictError(frame_id, "answered", answer.given_by, answer.given_at)
            claim = self.renewed(standing, user, now)
            changes.claim(claim)
            return claim

    def release(self, frame_id: str, user: str) -> None:
        """Nothing where it is not theirs."""
        with self._reviews.changing([frame_id], user) as changes:
            claim = known(changes, frame_id).claim
            if claim is not None and claim.user == user:
                changes.release(frame_id)

    def skip(self, frame_id: str, user: str) -> None:
        """They would rather not: not offered to them again, but to others. Raises ConflictError."""
        now = self._now()
        with self._reviews.changing([frame_id], user) as changes:
            check_free(known(changes, frame_id), user, now)
            changes.skip(frame_id, now)

    def renewed(self, standing: Standing, user: str, now: datetime) -> Claim:
        held = standing.claim is not None and standing.claim.user == user and standing.claim.holds(now)
        since = standing.claim.claimed_at if held and standing.claim is not None else now
        return Claim(standing.frame_id, user, since, now + self._lasts)


def known(changes: Changes, frame_id: str) -> Standing:
    standing = changes.standings.get(frame_id)
    if standing is None:
        raise UnknownFrameError(f"frame {frame_id}: expected a flagged one whose picture was kept")
    return standing


def check_free(standing: Standing, user: str, now: datetime) -> None:
    claim = standing.claim
    if claim is not None and claim.user != user and claim.holds(now):
        raise ConflictError(standing.frame_id, "claimed", claim.user, claim.claimed_at)
