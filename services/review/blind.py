"""Inspections -> what one person may see of them: nothing that the machine said of a blind check, on whichever page it comes up."""

from collections.abc import Sequence

from services.contract.inspection import Inspection
from services.records.review_queue import ReviewQueue
from services.records.standings import BLIND_CHECK

UNSEEN = {
    "score": None,
    "decision": None,
    "regions": (),
    "map_kind": None,
    "model_version": None,
    "calibration_id": None,
    "archived": None,  # its reason tells that the machine passed it
    "truth": None,
}


def is_drawn(inspection: Inspection) -> bool:
    """For blind checks, by the inspection alone: whether somebody has answered it is for the records to say."""
    return inspection.archived is not None and inspection.archived.reason == BLIND_CHECK


def hidden_from(user: str, inspections: Sequence[Inspection], records: ReviewQueue) -> set[str]:
    """Frames that are blind checks to this person. One that is not in the records yet has no answer either. Raises RecordsError."""
    known = records.hidden([one.frame_id for one in inspections], user) if inspections else {}
    return {one.frame_id for one in inspections if known.get(one.frame_id, is_drawn(one))}


def as_seen_by(user: str, inspections: Sequence[Inspection], records: ReviewQueue) -> list[Inspection]:
    """Raises RecordsError."""
    hidden = hidden_from(user, inspections, records)
    return [one.model_copy(update=UNSEEN) if one.frame_id in hidden else one for one in inspections]
