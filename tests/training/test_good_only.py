"""The detector learns from good parts alone: nothing that trains can reach the code that draws the synthetic lines' defects."""

from tests.import_graph import modules, reachable


def test_training_reaches_no_service() -> None:
    reached = set().union(*(reachable(module) for module in modules() if module.startswith("training.")))

    assert "training.synthesis" in reached
    assert sorted(name for name in reached if name.startswith("services.") and not name.startswith("services.contract")) == []


def test_the_walk_sees_an_import_where_there_is_one() -> None:
    """Otherwise the test above would pass for the wrong reason."""
    assert "models.dsr.unet" in reachable("training.stages")
