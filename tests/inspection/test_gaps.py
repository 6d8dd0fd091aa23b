"""Other work waits for a gap between micro-batches, and no longer than it has to."""

import pytest

from services.inspection.gaps import Gaps


def test_there_is_a_gap_when_the_last_of_all_micro_batches_has_left() -> None:
    gaps = Gaps()
    assert gaps.wait(0)

    with gaps.busy():
        with gaps.busy():
            assert not gaps.wait(0)
        assert not gaps.wait(0)

    assert gaps.wait(0)


def test_a_micro_batch_that_fails_leaves_too() -> None:
    gaps = Gaps()

    with pytest.raises(ValueError, match="no picture"), gaps.busy():
        raise ValueError("no picture")

    assert gaps.wait(0)
