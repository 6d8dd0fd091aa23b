"""What was imported into a dataset, as verdicts: one JSON a line, in the order in which it came; a later one of a frame supersedes."""

from collections.abc import Sequence
from pathlib import Path

from services.contract.verdict import Verdict
from training.dataset_version import BrokenDatasetError
from training.durable import write_durably


def read_history(path: Path) -> list[Verdict]:
    """Empty where nothing was imported. Raises BrokenDatasetError."""
    try:
        return [Verdict.from_json(line) for line in path.read_bytes().splitlines()] if path.is_file() else []
    except ValueError as error:
        raise BrokenDatasetError(f"{path}: expected a verdict in each line, {error}; restore it from a backup") from error


def add_to_history(path: Path, verdicts: Sequence[Verdict]) -> int:
    """Adds those that say anything new of their frames, and returns how many; all or nothing. One writer at a time."""
    before = read_history(path)
    counting = {verdict.frame_id: verdict for verdict in before}
    new = [verdict for verdict in verdicts if verdict.frame_id not in counting or said(counting[verdict.frame_id]) != said(verdict)]
    added = [_superseding(verdict, counting.get(verdict.frame_id)) for verdict in new]
    if added:
        write_durably(path, b"".join(verdict.to_json() + b"\n" for verdict in [*before, *added]))
    return len(added)


def said(verdict: Verdict) -> tuple[str, str | None, str | None, str | None]:
    """All that an import says of a picture."""
    return verdict.answer.value, verdict.defect_class, verdict.mask_path, verdict.part_id


def _superseding(verdict: Verdict, before: Verdict | None) -> Verdict:
    return verdict if before is None else verdict.model_copy(update={"supersedes": before.verdict_id})
