"""Verdicts and unreviewed frames -> candidates for a data set: one a picture, with the answer that counts now.

The latest verdict of a frame counts: one that was superseded counts no more, a withdrawn one leaves no answer, a second reviewer's never
changes the first one's. Frames whose pictures are the same to the last byte are one candidate.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.contract.inspection import Archived, Inspection
from services.contract.verdict import Answer, Verdict
from training.splits import part_group, session_group

AnswerWord = Literal["good", "defect", "unreviewed"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that may come into a data set."""

    picture: str
    """SHA-256 of its bytes."""
    path: str
    frame_id: str
    line: str
    group: str
    answer: AnswerWord
    captured_at: datetime
    decided_at: datetime
    """When the verdict was given; of an unreviewed frame, when it was captured."""
    weight: float = 1.0
    """1 / probability with which a frame like it is shown to a person."""
    defect_class: str | None = None
    mask_path: str | None = None
    mask_source: str | None = None
    verdict_id: str | None = None
    product: str | None = None
    golden: bool = False
    """Of the line's golden set."""

    @property
    def reviewed(self) -> bool:
        return self.answer != "unreviewed"


def candidates(verdicts: Iterable[Verdict], unreviewed: Iterable[Inspection] = (), golden: Collection[str] = ()) -> tuple[Candidate, ...]:
    """One a picture, sorted by its hash. Frames that somebody answered, or withdrew an answer of, are never unreviewed.

    `golden` frames by their ids; a picture is golden if one of its frames is.
    """
    counting = {frame_id: standing(given) for frame_id, given in _by_frame(verdicts).items()}
    found = [_answered(verdict) for verdict in counting.values() if verdict is not None and verdict.answer is not Answer.WITHDRAWN]
    found += [_unreviewed(one, one.archived) for one in unreviewed if one.archived is not None and one.frame_id not in counting]
    latest: dict[str, Candidate] = {}
    for candidate in sorted(found, key=lambda one: (one.reviewed, one.decided_at, one.verdict_id or one.frame_id)):
        latest[candidate.picture] = candidate
    marked = {one.picture for one in found if one.reviewed and one.frame_id in golden}
    return tuple(replace(latest[picture], golden=picture in marked) for picture in sorted(latest))


def sampled(inspections: Iterable[Inspection], most: int) -> list[Inspection]:
    """At most so many, by a hash of the frame's id: nobody can choose, and the same ones as long as no others come."""
    return heapq.nsmallest(most, inspections, key=lambda one: hashlib.sha256(one.frame_id.encode()).digest())


def standing(verdicts: Sequence[Verdict]) -> Verdict | None:
    """What counts of the verdicts on one frame; None where only second reviewers gave any."""
    superseded = {verdict.supersedes for verdict in verdicts}
    standing = [verdict for verdict in verdicts if not verdict.second and verdict.verdict_id not in superseded]
    return max(standing, key=lambda verdict: (verdict.given_at, verdict.verdict_id), default=None)


def content_hash(path: str) -> str:
    """`frames/ab/<sha256>` -> the SHA-256: the archive names by content."""
    return path.rpartition("/")[2]


def _by_frame(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    frames: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        frames[verdict.frame_id].append(verdict)
    return frames


def _answered(verdict: Verdict) -> Candidate:
    return Candidate(
        picture=content_hash(verdict.frame_path),
        path=verdict.frame_path,
        frame_id=verdict.frame_id,
        line=verdict.identity.line,
        group=_group(verdict),
        answer="defect" if verdict.answer is Answer.DEFECT else "good",
        captured_at=verdict.captured_at,
        decided_at=verdict.given_at,
        weight=1 / verdict.probability,
        defect_class=verdict.defect_class,
        mask_path=verdict.mask_path,
        mask_source=verdict.mask_source,
        verdict_id=verdict.verdict_id,
        product=verdict.product,
    )


def _unreviewed(inspection: Inspection, archived: Archived) -> Candidate:
    captured_at = inspection.timings.captured_at
    return Candidate(
        picture=content_hash(archived.frame_path),
        path=archived.frame_path,
        frame_id=inspection.frame_id,
        line=inspection.identity.line,
        group=_group(inspection),
        answer="unreviewed",
        captured_at=captured_at,
        decided_at=captured_at,
        weight=1 / archived.probability,
        product=inspection.product,
    )


def _group(frame: Verdict | Inspection) -> str:
    """The part wins over the session: one session may hold thousands of parts."""
    identity = frame.identity
    return part_group(identity.line, frame.part_id) if frame.part_id else session_group(identity.line, identity.camera, identity.session)
