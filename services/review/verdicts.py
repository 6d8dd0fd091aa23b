"""What a person says of a frame -> a verdict: given, corrected by a later one, taken back. Nothing is ever changed or deleted.

Taking back is a verdict of its own. Where it corrected an earlier answer it repeats that one, so that whoever reads the topic needs only the
last verdict of a frame; where there was none it says `withdrawn`, since a missing row would leave readers with the answer that was taken back.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.contract.settings import ReviewSettings
from services.contract.verdict import Answer, Verdict
from services.records.audit import Actor
from services.records.review_queue import ReviewQueue
from services.records.reviews import Changes, Reviews
from services.records.standings import Standing
from services.results.archive import Archive, ArchiveError
from services.review import masks
from services.review.agreement import goes_to_second
from services.review.claims import Claims, check_free, known, now_utc
from services.review.errors import BlindCheckError, ConflictError, MaskError, NotReviewableError, ReviewError, UnknownDefectClassError, UnknownFrameError

Deed = Literal["claim", "release", "skip", "good", "defect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says of a frame, and what they had seen of it."""

    answer: Answer
    defect_class: str | None = None
    upload: bytes | None = None
    """A mask that they drew, as it was sent."""
    map_threshold: float | None = None
    """The anomaly map from here on is the mask, as they saw it."""
    blind: bool = False
    """It was shown as a blind check."""
    supersedes: str | None = None
    """The verdict that they saw and correct."""
    verdict_id: str | None = None
    """Sending it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Mask:
    path: str
    source: Literal["map", "person"]


@dataclass(frozen=True, slots=True)
class Done:
    """One frame of a bulk action: what was given, or why nothing was."""

    frame_id: str
    verdict: Verdict | None = None
    problem: ReviewError | None = None


class Verdicts:
    """Raises ReviewError, RecordsError, ArchiveError."""

    def __init__(
        self, reviews: Reviews, queue: ReviewQueue, claims: Claims, archive: Archive, settings: ReviewSettings, *, now: Callable[[], datetime] = now_utc
    ) -> None:
        self._reviews, self._queue, self._claims, self._archive, self._settings, self._now = reviews, queue, claims, archive, settings, now

    def give(self, frame_id: str, said: Said, by: Actor) -> Verdict:
        """Raises ConflictError where somebody else has claimed or answered it meanwhile."""
        mask = self._mask(frame_id, said, by.name)  # outside of the transaction: decoding takes its time
        with self._reviews.changing([frame_id], by.name) as changes:
            standing = known(changes, frame_id)
            given = _given_before(changes, frame_id, said, by)
            if given is not None:
                return given
            now = self._now()
            check_free(standing, by.name, now)
            second, current = _chain(standing, said, by.name)
            _check_class(changes, standing, said)
            verdict = _verdict(
                standing,
                verdict_id=said.verdict_id or new_id(),
                answer=said.answer,
                defect_class=said.defect_class,
                mask_path=mask.path if mask else None,
                mask_source=mask.source if mask else None,
                given_by=by.name,
                given_at=now,
                supersedes=current.verdict_id if current else None,
                blind=standing.hidden and not standing.has_answered,
                second=second,
            )
            changes.give(verdict, by, "verdict.give", wants_second=self._wants_second(verdict))
            return verdict

    def undo(self, frame_id: str, by: Actor, *, verdict_id: str | None = None) -> Verdict:
        """Takes back this person's own answer where it is the current one; the frame stays with them. With the `verdict_id` of that answer,
        sending it again changes nothing. Raises ConflictError, NotReviewableError."""
        with self._reviews.changing([frame_id], by.name) as changes:
            standing, now = known(changes, frame_id), self._now()
            undone = _undone_before(changes, standing, verdict_id, by.name)
            if undone is not None:
                return undone
            current = _own(standing, by.name)
            if verdict_id not in (None, current.verdict_id):
                raise _answered(standing, current)
            check_free(standing, by.name, now)
            earlier = changes.verdict(current.supersedes) if current.supersedes else None
            answer = earlier.answer if earlier else Answer.WITHDRAWN
            restored = {name: getattr(earlier, name) for name in ("defect_class", "mask_path", "mask_source")} if earlier else {}
            verdict = _verdict(
                standing,
                verdict_id=new_id(),
                answer=answer,
                given_by=by.name,
                given_at=now,
                supersedes=current.verdict_id,
                blind=current.blind,
                second=current.second,
                **restored,
            )
            changes.give(verdict, by, "verdict.undo", wants_second=self._wants_second(verdict))
            changes.claim(self._claims.renewed(standing, by.name, now))
            return verdict

    def bulk(self, frame_ids: Collection[str], deed: Deed, by: Actor, *, defect_class: str | None = None) -> list[Done]:
        """Each frame for itself: one that somebody else has keeps none of the others. Blind checks are answered one by one."""
        return [self._one(frame_id, deed, by, defect_class) for frame_id in dict.fromkeys(frame_ids)]

    def _one(self, frame_id: str, deed: Deed, by: Actor, defect_class: str | None) -> Done:
        try:
            if deed == "good":
                return Done(frame_id, self.give(frame_id, Said(answer=Answer.GOOD), by))
            if deed == "defect":
                return Done(frame_id, self.give(frame_id, self._as_flagged(frame_id, defect_class, by.name), by))
            if deed == "claim":
                self._claims.take(frame_id, by.name)
            elif deed == "release":
                self._claims.release(frame_id, by.name)
            else:
                self._claims.skip(frame_id, by.name)
        except ReviewError as error:
            return Done(frame_id, problem=error)
        return Done(frame_id)

    def _as_flagged(self, frame_id: str, defect_class: str | None, user: str) -> Said:
        """A defect with the mask that the line's own threshold makes of the map; without one where that is empty."""
        standing = self._standing(frame_id, user)
        threshold = standing.calibration.map_threshold if standing.calibration and not standing.hidden else None
        if threshold is not None and masks.is_empty(self.seed(standing, threshold)):
            threshold = None
        return Said(answer=Answer.DEFECT, defect_class=defect_class, map_threshold=threshold)

    def seed(self, standing: Standing, threshold: float) -> bytes:
        """A mask (PNG, original pixels) from the archived anomaly map; may be empty. Raises NotReviewableError."""
        inspection, archived = standing.inspection, standing.inspection.archived
        if standing.hidden:
            raise BlindCheckError(f"frame {standing.frame_id}: is a blind check, it is answered without the anomaly map")
        if archived is None or archived.map_path is None or not inspection.width or not inspection.height:
            raise NotReviewableError(f"frame {standing.frame_id}: has no anomaly map")
        try:
            anomaly_map = self._archive.get(archived.map_path)
        except ArchiveError as error:
            raise NotReviewableError(f"frame {standing.frame_id}: its anomaly map is no longer kept ({error})") from error
        return masks.from_map(anomaly_map, threshold, width=inspection.width, height=inspection.height)

    def _mask(self, frame_id: str, said: Said, user: str) -> Mask | None:
        if said.upload is None and said.map_threshold is None:
            return None
        if said.answer is not Answer.DEFECT or (said.upload is not None and said.map_threshold is not None):
            raise MaskError("mask: expected either a drawn one or a threshold of the anomaly map, and only with a defect")
        standing = self._standing(frame_id, user)
        if said.upload is not None:
            return Mask(self._archive.put("masks", self._checked(standing, said.upload)), "person")
        assert said.map_threshold is not None
        seeded = self.seed(standing, said.map_threshold)
        if masks.is_empty(seeded):
            raise MaskError(f"mask: expected the anomaly map to reach {said.map_threshold:g} somewhere, it does not")
        return Mask(self._archive.put("masks", seeded), "map")

    def _checked(self, standing: Standing, upload: bytes) -> bytes:
        width, height = standing.inspection.width, standing.inspection.height
        if not width or not height:
            raise NotReviewableError(f"frame {standing.frame_id}: its size is not known, so no mask can fit it")
        return masks.checked_upload(upload, width=width, height=height, max_bytes=int(self._settings.mask_max_mb * 2**20))

    def _standing(self, frame_id: str, user: str) -> Standing:
        standing = self._queue.standing(frame_id, user)
        if standing is None:
            raise UnknownFrameError(f"frame {frame_id}: expected a flagged one whose picture was kept")
        return standing

    def _wants_second(self, verdict: Verdict) -> bool:
        return not verdict.second and verdict.answer is not Answer.WITHDRAWN and goes_to_second(verdict.frame_id, self._settings.second_share)


def new_id() -> str:
    return uuid.uuid4().hex


def _given_before(changes: Changes, frame_id: str, said: Said, by: Actor) -> Verdict | None:
    """The same verdict sent twice, since its answer was lost on the way."""
    given = changes.verdict(said.verdict_id) if said.verdict_id else None
    if given is not None and (given.frame_id, given.given_by) != (frame_id, by.name):
        raise NotReviewableError(f"verdict_id {said.verdict_id!r}: expected one that no other verdict has")
    return given


def _chain(standing: Standing, said: Said, user: str) -> tuple[bool, Verdict | None]:
    """Whether it is a second reviewer's, and the verdict that it supersedes."""
    if said.blind:
        if not standing.hidden:
            raise _answered(standing, standing.second or standing.first)
        return (True, standing.second) if standing.answer else (False, standing.first)
    if standing.hidden and standing.answer is None:
        raise BlindCheckError(f"frame {standing.frame_id}: is a blind check, expected the answer to say that it was given blind")
    for second, current in ((False, standing.first), (True, standing.second)):
        if not standing.hidden and current is not None and current.verdict_id == said.supersedes:
            if second and current.given_by != user:
                raise _answered(standing, current)
            return second, current
    if said.supersedes is not None or standing.answer is not None:
        raise _answered(standing, standing.first)
    return False, standing.first  # none, or one that was taken back


def _answered(standing: Standing, verdict: Verdict | None) -> ReviewError:
    if verdict is None:
        return NotReviewableError(f"frame {standing.frame_id}: nobody has answered it, expected nothing to be superseded, and not to be blind")
    return ConflictError(standing.frame_id, "answered", verdict.given_by, verdict.given_at)


def _own(standing: Standing, user: str) -> Verdict:
    """The current answer that this person may take back."""
    answers = [one for one in (standing.second, standing.first) if one is not None and one.answer is not Answer.WITHDRAWN]
    own = next((one for one in answers if one.given_by == user), None)
    if own is not None:
        return own
    if standing.answer is None or standing.hidden:
        raise NotReviewableError(f"frame {standing.frame_id}: has no answer of yours to take back")
    raise _answered(standing, standing.answer)


def _undone_before(changes: Changes, standing: Standing, verdict_id: str | None, user: str) -> Verdict | None:
    """What took that answer back already, since its own answer was lost on the way; a correction is none."""
    taken_back = changes.verdict(verdict_id) if verdict_id else None
    if taken_back is None:
        return None
    later = next((one for one in (standing.second, standing.first) if one is not None and (one.supersedes, one.given_by) == (verdict_id, user)), None)
    earlier = changes.verdict(taken_back.supersedes) if taken_back.supersedes else None
    restored = _content(earlier) if earlier else (Answer.WITHDRAWN, None, None)
    return later if later is not None and _content(later) == restored else None


def _content(verdict: Verdict) -> tuple[Answer, str | None, str | None]:
    return verdict.answer, verdict.defect_class, verdict.mask_path


def _check_class(changes: Changes, standing: Standing, said: Said) -> None:
    if said.defect_class is None:
        return
    if said.answer is not Answer.DEFECT:
        raise UnknownDefectClassError(f"defect class {said.defect_class!r}: only a defect has one")
    known_names = [one.name for one in changes.defect_classes(standing.inspection.identity.line)]
    if said.defect_class not in known_names:
        raise UnknownDefectClassError(f"defect class {said.defect_class!r}: expected one of {known_names}")


def _verdict(standing: Standing, **said: Any) -> Verdict:
    """With what it is about, so that a data set can be built from verdicts alone."""
    inspection, archived = standing.inspection, standing.inspection.archived
    assert archived is not None  # only frames whose picture was kept stand anywhere
    if archived.reason == "failed":
        raise NotReviewableError(f"frame {standing.frame_id}: could not be inspected, there is nothing to say of it")
    same = ("frame_id", "product", "part_id", "score", "decision", "model_version")
    about = {name: getattr(inspection, name) for name in same}
    kept = {name: getattr(archived, name) for name in ("frame_path", "probability", "reason")}
    return Verdict(**about, **kept, captured_at=inspection.timings.captured_at, **said)
