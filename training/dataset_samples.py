"""A dataset version -> samples for what calibrates and what measures, read and checked one at a time; what teaches is exported (mvtec_export.py)."""

from collections.abc import Iterator
from dataclasses import dataclass

from training.dataset_version import DatasetVersion, PictureStore, Row, read_mask, read_picture
from training.evaluation import GOOD
from training.labelled import Sample
from training.splits import Split


@dataclass(frozen=True, slots=True)
class Samples:
    """The splits of a version, each as what it may be used for. BrokenDatasetError where a picture is gone or changed."""

    version: DatasetVersion
    store: PictureStore

    def calibration(self) -> Iterator[Sample]:
        """Good pictures that neither teach nor measure."""
        return (sample_of_row(row, self.store) for row in self.version.of(Split.CALIBRATION) if row.answer == "good")

    def held_out(self) -> Iterator[Sample]:
        """Good and defective pictures that models are measured by. A defect may lack its mask: then nobody knows where it is."""
        return (sample_of_row(row, self.store) for row in self.version.of(Split.HELD_OUT))

    def golden(self) -> Iterator[Sample]:
        """The line's golden set: parts that a model must decide as people did."""
        return (sample_of_row(row, self.store) for row in self.version.golden)


def sample_of_row(row: Row, store: PictureStore) -> Sample:
    return Sample(row.line, kind_of(row), read_picture(store, row), read_mask(store, row), row.group, row.frame_id, row.weight)


def kind_of(row: Row) -> str:
    """`good`, or the class of the defect as it may stand in a path: never `good`, whatever people call it."""
    if row.answer != "defect":
        return GOOD
    kind = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in row.defect_class or "defect")
    return f"defect-{kind}" if kind == GOOD else kind
