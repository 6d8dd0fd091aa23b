"""The detector learns from good parts and confirmed defects: nothing that trains can reach the code that draws the synthetic lines' defects."""

import pytest

from tests.import_graph import modules, reachable


def test_training_reaches_nothing_that_draws_defects_for_cameras() -> None:
    reached = set().union(*(reachable(module) for module in modules() if module.startswith("training.")))

    assert "training.synthesis" in reached
    assert sorted(name for name in reached if name.startswith("services.ingest")) == []


@pytest.mark.parametrize("module", ["training.stages", "training.retrain", "training.evaluation", "training.calibration"])
def test_what_teaches_and_measures_knows_no_service(module: str) -> None:
    """Pictures and answers are handed to it; `training.line_datasets` alone asks the stores for them."""
    assert sorted(name for name in reachable(module) if name.startswith("services.") and not name.startswith("services.contract")) == []


def test_the_walk_sees_an_import_where_there_is_one() -> None:
    """Otherwise the tests above would pass for the wrong reason."""
    assert "models.dsr.unet" in reachable("training.stages")
    assert "services.records.answers" in reachable("training.line_datasets")
