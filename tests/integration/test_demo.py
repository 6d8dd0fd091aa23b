"""`loupe demo --data`: a labelled folder through the real stack, with the shipped detector, on a line that is gone afterwards.

What is measured there is what `loupe evaluate` measures without a stack.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from infra.embedded.ray import RayNode
from services.bus.topics import ensure_topics
from services.cli import app
from services.cli.common import load_settings
from services.cli.measuring.ground import recorder
from services.cli.streaming.show import show
from services.contract.settings import Settings
from services.ingest.synthetic.line import SyntheticLine
from services.inspection.deploy import deploy, undeploy
from services.records.store import Records

KIND, GOOD, DEFECTIVE = "ceramic-tile", 12, 8
FAINT = 0.05
MEASURES = ("image_auroc", "image_ap")


@pytest.fixture
def stack(kafka_servers: str, redis_url: str, ray_cluster: RayNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """What `loupe up` runs, as far as frames pass through it, found by its addresses in the environment."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "HOME": tmp_path,
        "NAMES_PREFIX": f"t{uuid.uuid4().hex[:8]}-",
        "KAFKA__BOOTSTRAP_SERVERS": kafka_servers,
        "REDIS__URL": redis_url,
        "RAY__ADDRESS": ray_cluster.address,
        "RAY__DASHBOARD_URL": ray_cluster.dashboard_url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"LOUPE_{name}", str(value))
    settings = load_settings()
    ensure_topics(settings)
    with recorder(settings):
        deploy(settings, wait_s=300)
        yield settings
        undeploy(settings)


def make_folder(root: Path) -> Path:
    """Parts of the synthetic line in MVTec layout; every second defect too faint to be sure of."""
    line = SyntheticLine(KIND, 77)
    for number in range(GOOD + DEFECTIVE):
        part = line.good(number) if number < GOOD else line.defective(number)
        image = part.image if number % 2 else cv2.addWeighted(part.image, FAINT, line.good(number).image, 1 - FAINT, 0)
        folder = root / KIND / "test" / part.kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:03}.jpg"), image)
        if part.kind != "good":
            masks = root / KIND / "ground_truth" / part.kind
            masks.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(masks / f"{number:03}_mask.png"), part.mask)
    return root / KIND


def evaluated(folder: Path) -> dict[str, float]:
    """The same frames without a stack."""
    result = CliRunner().invoke(app, ["evaluate", "--model", "demo", "--data", str(folder), "--json"])
    report = json.loads(result.stdout)
    return {name: report[name] for name in MEASURES}


def test_a_labelled_folder_is_streamed_once_and_its_line_is_gone_afterwards(stack: Settings, tmp_path: Path) -> None:
    said: list[str] = []

    folder = make_folder(tmp_path)

    report = show(folder, "demo", seconds=120, seed=1, say=said.append)

    assert (report["sent"], report["inspected"], report["failed"], report["dropped"]) == (GOOD + DEFECTIVE, GOOD + DEFECTIVE, 0, 0)
    assert sum(report["frames_per_class"].values()) == GOOD + DEFECTIVE
    assert 0.6 < report["image_auroc"] < 1
    assert {name: report[name] for name in MEASURES} == pytest.approx(evaluated(folder), abs=0.002)
    assert report["note"] == ""
    assert "as the model's card suggests" in said[0]
    assert Records(stack.records_url).lines() == ()
