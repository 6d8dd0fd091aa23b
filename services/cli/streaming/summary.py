"""Inspections of streamed frames -> how many became what, and how well the scores part good from defective."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.contract.inspection import Inspection, Outcome

GOOD = "good"


@dataclass(frozen=True, slots=True)
class Summary:
    """`decisions` counts frames by truth and decision; `image_auroc` and `image_ap` are None where only good or only defective ones were scored.

    They are what `loupe evaluate --data` says of the same frames.
    """

    inspected: int
    failed: int
    recorded_or_late: int
    image_auroc: float | None
    image_ap: float | None
    frames_per_class: dict[str, int]
    decisions: dict[str, dict[str, int]]


def summarize(inspections: Iterable[Inspection], sent: Mapping[str, str]) -> Summary:
    """The first record of a frame counts; frames that were not sent here are passed over."""
    first: dict[str, Inspection] = {}
    for inspection in inspections:
        if inspection.frame_id in sent:
            first.setdefault(inspection.frame_id, inspection)
    outcomes = Counter(one.outcome for one in first.values())
    judged = [(sent[frame_id], one) for frame_id, one in first.items() if one.outcome is Outcome.INSPECTED]
    auroc, precision = image_metrics([(truth != GOOD, one.score or 0.0) for truth, one in judged])
    return Summary(
        inspected=outcomes[Outcome.INSPECTED],
        failed=outcomes[Outcome.FAILED],
        recorded_or_late=len(first) - outcomes[Outcome.INSPECTED] - outcomes[Outcome.FAILED],
        image_auroc=auroc,
        image_ap=precision,
        frames_per_class=dict(sorted(Counter(sent.values()).items())),
        decisions=_decisions(judged),
    )


def image_metrics(scores: list[tuple[bool, float]]) -> tuple[float | None, float | None]:
    """Of (defective, score) pairs: the chance that a defective frame scores higher than a good one, and the average precision."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, values = [defective for defective, _ in scores], [score for _, score in scores]
    if len(set(truth)) < 2:
        return None, None
    return round(float(roc_auc_score(truth, values)), 4), round(float(average_precision_score(truth, values)), 4)


def _decisions(judged: list[tuple[str, Inspection]]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {GOOD: Counter(), "defect": Counter()}
    for truth, inspection in judged:
        if inspection.decision is not None:
            counted[GOOD if truth == GOOD else "defect"][inspection.decision.value] += 1
    return {truth: dict(sorted(found.items())) for truth, found in counted.items()}
