"""Champion and candidate on the same frames that neither learnt from -> may the candidate judge the line: yes, no, or nobody can tell yet.

Both are measured by the same code and drawn by the same groups, so that a difference has an interval of its own. What a line feels of a
model is counted at its operating point: the champion's review threshold in force, and the one that a new calibration gives the candidate.

Beside the held-out frames stands the line's golden set: parts that people chose, so they say nothing of shares, but each of them must be decided right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from training.bootstrap import Deviations, draw, interval, share_deviations
from training.curves import log_odds
from training.evaluation import Judged, LineMeasurement
from training.gate_rule import MEASURES, Answer, Rule

POINTS = 60
"""Of a curve."""
CHANGES = 24
"""Frames that a report names, the largest changes first."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A model version with the threshold that it would flag by, and what it said of each frame."""

    version: str
    review: float
    measured: LineMeasurement
    frames: tuple[str, ...]
    """Their ids."""
    weights: tuple[float, ...]

    @classmethod
    def of(cls, version: str, review: float, judged: Iterable[tuple[Judged, float]]) -> Self:
        """Frames with their weights: one that was drawn for a blind check stands for 1 / probability."""
        measured, frames, weights = LineMeasurement("held-out"), [], []
        for frame, weight in judged:
            measured.add(frame)
            frames.append(frame.name)
            weights.append(weight)
        return cls(version, review, measured, tuple(frames), tuple(weights))

    @property
    def scores(self) -> NDArray[np.float64]:
        return np.array(self.measured.scores)

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return self.scores >= self.review

    @property
    def wrong(self) -> NDArray[np.bool_]:
        return self.flagged != self.defective

    @property
    def defective(self) -> NDArray[np.bool_]:
        return np.array(self.measured.kinds) != "good"


Pair = tuple[Contender, Contender]
"""Champion and candidate."""


def compare(champion: Contender, candidate: Contender, rule: Rule, *, golden: Pair | None = None) -> dict[str, Any]:
    """The report that is kept with the candidate: `answer`, the `reasons` for it in words, and every number behind them.

    `golden` are the same two on the line's golden set; what they break refuses even where there is too little evidence of anything else.
    ValueError where the two did not judge the same frames in the same order.
    """
    _check_same_frames(champion, candidate)
    evidence = _evidence(champion)
    measures = _measures(champion, candidate)
    false_rejects, recall = (_share(champion, candidate, of) for of in (~champion.defective, champion.defective))
    lost, won = _lost(champion, candidate), _lost(candidate, champion)
    missing, broken = _missing(evidence, rule), _broken(measures, false_rejects, lost, won, rule)
    golden_set, unkept = _golden(golden, rule)
    return {
        "answer": Answer.REFUSED if unkept else Answer.INSUFFICIENT if missing else Answer.REFUSED if broken else Answer.PASSED,
        "reasons": [*unkept, *missing, *broken] or ["nothing fell by more than the rule allows, and no confirmed defect is lost that is not made up for"],
        "rule": asdict(rule),
        "evidence": evidence,
        "champion": {"model_version": champion.version, "review": champion.review},
        "candidate": {"model_version": candidate.version, "review": candidate.review},
        "measures": measures,
        "false_rejects": false_rejects,
        "recall": {**recall, "lost": lost, "won": won},
        "golden": golden_set,
        "curves": {"champion": _roc(champion), "candidate": _roc(candidate)},
        "changes": _changes((champion, candidate), golden),
    }


def _check_same_frames(champion: Contender, candidate: Contender) -> None:
    if champion.frames != candidate.frames or champion.measured.kinds != candidate.measured.kinds:
        raise ValueError(f"gate: expected both on the same frames, got {len(champion.frames)} and {len(candidate.frames)}, or in another order")


def _golden(golden: Pair | None, rule: Rule) -> tuple[dict[str, int], list[str]]:
    """How many golden frames each decides otherwise than people did, and what of it breaks the rule."""
    if golden is None or not golden[0].frames:
        return {"frames": 0, "champion_wrong": 0, "candidate_wrong": 0, "lost": 0}, []
    champion, candidate = golden
    _check_same_frames(champion, candidate)
    frames, wrong, lost = len(champion.frames), int(candidate.wrong.sum()), int((candidate.wrong & ~champion.wrong).sum())
    reasons = []
    if rule.golden == "every" and wrong:
        reasons.append(f"golden set: {wrong} of {frames} would be decided otherwise than people did, expected none")
    elif lost:
        reasons.append(f"golden set: {lost} of {frames} that the champion decides right would be decided wrongly")
    return {"frames": frames, "champion_wrong": int(champion.wrong.sum()), "candidate_wrong": wrong, "lost": lost}, reasons


def _evidence(contender: Contender) -> dict[str, int]:
    groups = np.array(contender.measured.bundles)
    defective = set(groups[contender.defective].tolist())
    return {
        "frames": len(groups),
        "good": int((~contender.defective).sum()),
        "defective": int(contender.defective.sum()),
        "good_groups": len(set(groups.tolist()) - defective),
        "defective_groups": len(defective),
    }


def _measures(champion: Contender, candidate: Contender) -> dict[str, dict[str, Any]]:
    kinds = champion.measured.defects
    drawn, against = candidate.measured.deviations(kinds), champion.measured.deviations(kinds)
    of_candidate, of_champion = candidate.measured.metrics(kinds, drawn), champion.measured.metrics(kinds, against)
    return {name: _compared(of_champion[name], of_candidate[name], _less(drawn, against, name)) for name in MEASURES}


def _share(champion: Contender, candidate: Contender, of: NDArray[np.bool_]) -> dict[str, Any]:
    """Of the good frames, or the defective ones, how many are flagged; each frame by its weight."""
    if not of.any():
        return _compared(None, None, None)
    weights = np.array(champion.weights) * of
    before, after = (float(weights @ one.flagged / weights.sum()) for one in (champion, candidate))
    _, groups = np.unique(champion.measured.bundles, return_inverse=True)
    drawn = draw(np.isin(np.arange(groups.max() + 1), groups[champion.defective]), seed=crc32(b"shares"))
    if drawn is None:
        return _compared(before, after, None)
    moved = [share_deviations(drawn, groups, one.flagged, weights) for one in (candidate, champion)]
    return _compared(before, after, moved[0] - moved[1])


def _compared(champion: float | None, candidate: float | None, deviations: NDArray[np.float64] | None) -> dict[str, Any]:
    difference = None if champion is None or candidate is None else candidate - champion
    return {"champion": champion, "candidate": candidate, "difference": difference, "interval": interval(difference, deviations)}


def _less(drawn: Deviations, against: Deviations, name: str) -> NDArray[np.float64] | None:
    return drawn[name] - against[name] if name in drawn and name in against else None


def _lost(before: Contender, after: Contender) -> list[str]:
    """Confirmed defects that one flags and the other passes, by frame."""
    gone = before.defective & before.flagged & ~after.flagged
    return [before.frames[place] for place in np.flatnonzero(gone)]


def _missing(evidence: Mapping[str, int], rule: Rule) -> list[str]:
    needed = {"good groups": (rule.good_groups, evidence["good_groups"]), "defective groups": (rule.defective_groups, evidence["defective_groups"])}
    return [f"held-out {name}: the rule asks for {least}, there are {number}" for name, (least, number) in needed.items() if number < least]


def _broken(measures: Mapping[str, Mapping[str, Any]], false_rejects: Mapping[str, Any], lost: Sequence[str], won: Sequence[str], rule: Rule) -> list[str]:
    reasons = [
        f"{name}: fell from {found['champion']:.3f} to {found['candidate']:.3f}, more than {rule.fall:g}"
        for name, found in measures.items()
        if found["difference"] is not None and found["difference"] < -rule.fall
    ]
    if len(lost) > len(won):
        reasons.append(f"confirmed defects: {len(lost)} that the champion flags would pass, and {len(won)} others be flagged instead")
    if false_rejects["difference"] is not None and false_rejects["difference"] > rule.more_false_rejects:
        reasons.append(
            f"good frames flagged: rose from {false_rejects['champion']:.1%} to {false_rejects['candidate']:.1%}, more than {rule.more_false_rejects:.1%}"
        )
    return reasons


def _roc(contender: Contender) -> list[tuple[float, float]]:
    """Share of good frames flagged and share of defects flagged, over all thresholds; a bounded number of points."""
    if contender.defective.all() or not contender.defective.any():
        return []
    wrong, right, _ = roc_curve(contender.defective, contender.scores)
    places = np.unique(np.linspace(0, len(wrong) - 1, min(len(wrong), POINTS)).round().astype(int))
    return [(float(wrong[place]), float(right[place])) for place in places]


def _changes(held_out: Pair, golden: Pair | None) -> list[dict[str, Any]]:
    """Frames that the two decide differently, and golden ones that both get wrong: those that got worse first, each by how far its score moved in log-odds."""
    found = [*(_differing(golden, golden=True) if golden else ()), *_differing(held_out, golden=False)]
    first = {change["frame_id"]: change for change in reversed(found)}  # a golden frame may be held out too
    order = sorted(first.values(), key=lambda change: (not change["worse"], not change["golden"], -abs(_moved(change))))
    return order[:CHANGES]


def _differing(pair: Pair, *, golden: bool) -> list[dict[str, Any]]:
    champion, candidate = pair
    told = (champion.flagged != candidate.flagged) | (candidate.wrong & golden)
    return [
        {
            "frame_id": champion.frames[place],
            "kind": champion.measured.kinds[place],
            "champion": champion.measured.scores[place],
            "candidate": candidate.measured.scores[place],
            "worse": bool(candidate.wrong[place] and not champion.wrong[place]),
            "golden": golden,
        }
        for place in np.flatnonzero(told)
    ]


def _moved(change: Mapping[str, Any]) -> float:
    before, after = log_odds(np.array([change["champion"], change["candidate"]]))
    return float(after - before)
