"""A labelled folder as a camera: which frames leave, in which order, how many at once, and what is said of them afterwards."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from services.cli.streaming import stream
from services.cli.streaming.pictures import Labelled, read_test_split
from services.cli.streaming.stream import IN_FLIGHT, Streamer, StreamStalledError
from services.cli.streaming.summary import summarize
from services.contract.frame import Frame
from services.contract.inspection import Decision, Outcome
from services.ingest.errors import SourceError
from tests.builders import make_inspection


def make_folder(root: Path, **classes: int) -> Path:
    for name, pictures in classes.items():
        folder = root / "test" / name
        folder.mkdir(parents=True)
        for number in range(pictures):
            (folder / f"{number:03}.jpg").write_bytes(b"\xff\xd8 picture")
    return root


class Line:
    """Acknowledges what is sent, except the frames that `refused` names; a slow one finishes a frame every second time it is asked."""

    def __init__(self, *, refused: frozenset[int] = frozenset(), slow: bool = False) -> None:
        self.frames: list[Frame] = []
        self.refused, self.slow = refused, slow
        self.most_at_once = self.finished = self.asked = 0

    def send(self, frame: Frame) -> Future[None]:
        sent: Future[None] = Future()
        if frame.frame_id.sequence in self.refused:
            sent.set_exception(ConnectionError("away"))
        else:
            self.frames.append(frame)
            sent.set_result(None)
        self.most_at_once = max(self.most_at_once, len(self.frames) - self.finished)
        return sent

    def done(self) -> int:
        self.asked += 1
        self.finished = min(len(self.frames), self.finished + self.asked % 2) if self.slow else len(self.frames)
        return self.finished


def make_streamer(line: Line, **options: object) -> Streamer:
    return Streamer("tiles", "s1", line.send, line.done, **options)  # type: ignore[arg-type]


def test_the_test_split_is_shuffled_by_its_seed_and_knows_its_truth(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, good=20, crack=5)

    pictures = read_test_split(folder, seed=1)

    assert pictures == read_test_split(folder, seed=1) != read_test_split(folder, seed=2)
    assert sorted(one.truth for one in pictures) == ["crack"] * 5 + ["good"] * 20
    assert len({one.part_id for one in pictures}) == 25


def test_a_folder_without_a_test_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="test/good"):
        read_test_split(tmp_path, seed=1)


def test_each_picture_leaves_once_with_its_truth(tmp_path: Path) -> None:
    line, pictures = Line(), read_test_split(make_folder(tmp_path, good=3, crack=2), seed=0)

    sent = make_streamer(line).stream(pictures, seconds=60)

    assert [frame.truth for frame in line.frames] == [one.truth for one in pictures]
    assert [frame.frame_id.sequence for frame in line.frames] == [0, 1, 2, 3, 4]
    assert (len(sent.acknowledged), sent.dropped, sent.left) == (5, 0, 0)


def test_no_more_frames_are_on_their_way_than_the_line_can_swallow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "POLL_S", 0)
    line, pictures = Line(slow=True), read_test_split(make_folder(tmp_path, good=3 * IN_FLIGHT), seed=0)

    sent = make_streamer(line).stream(pictures, seconds=60)

    assert line.most_at_once == IN_FLIGHT
    assert len(sent.acknowledged) == 3 * IN_FLIGHT


def test_when_time_is_up_nothing_more_is_sent_and_what_left_is_waited_for(tmp_path: Path) -> None:
    line, pictures = Line(slow=True), read_test_split(make_folder(tmp_path, good=10), seed=0)
    ticks = iter(range(1000))

    sent = make_streamer(line, clock=lambda: float(next(ticks))).stream(pictures, seconds=6)

    assert 0 < len(sent.acknowledged) < 10
    assert (len(sent.acknowledged) + sent.left, line.finished) == (10, len(line.frames))


def test_a_frame_that_the_broker_never_took_is_dropped_and_not_waited_for(tmp_path: Path) -> None:
    line, pictures = Line(refused=frozenset({1})), read_test_split(make_folder(tmp_path, good=4), seed=0)

    sent = make_streamer(line).stream(pictures, seconds=60)

    assert (len(sent.acknowledged), sent.dropped) == (3, 1)


def test_frames_that_never_come_back_end_in_an_error_that_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "POLL_S", 0)
    monkeypatch.setattr(stream, "STALLED_AFTER_S", 0)
    pictures = [Labelled(next((make_folder(tmp_path, good=1) / "test" / "good").iterdir()), "good")]

    with pytest.raises(StreamStalledError, match="tiles: 1 frames"):
        Streamer("tiles", "s1", Line().send, lambda: 0).stream(pictures, seconds=60)


def test_a_summary_counts_the_first_record_of_each_frame_that_was_sent() -> None:
    good, bad = make_inspection(0, decision=Decision.PASS), make_inspection(1, decision=Decision.FAIL)
    again, stranger = make_inspection(1, decision=Decision.PASS, offset=9), make_inspection(7)
    broken = make_inspection(2, outcome=Outcome.FAILED)

    summary = summarize([good, bad, again, stranger, broken], {good.frame_id: "good", bad.frame_id: "crack", broken.frame_id: "good"})

    assert (summary.inspected, summary.failed, summary.recorded_or_late) == (2, 1, 0)
    assert summary.frames_per_class == {"crack": 1, "good": 2}
    assert summary.decisions == {"good": {"pass": 1}, "defect": {"fail": 1}}
    assert (summary.image_auroc, summary.image_ap) == (1.0, 1.0)


def test_without_both_classes_there_is_no_auroc() -> None:
    good = make_inspection(0)

    summary = summarize([good], {good.frame_id: "good"})

    assert (summary.image_auroc, summary.image_ap) == (None, None)
