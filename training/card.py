"""What is added to the card of a version folder before a registry takes it: afterwards nothing in it changes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from models.registry import CARD, read_json, weights_hash
from training.calibration import LineCalibration


def add_to_card(folder: Path, facts: Mapping[str, Any]) -> None:
    _write(folder, {**read_json(folder / CARD), **facts})


def suggest_in_card(folder: Path, results: Iterable[LineCalibration]) -> None:
    """Adds the calibrations; those made for other weights are taken out."""
    card, weights = read_json(folder / CARD), weights_hash(folder)
    current = {line: one for line, one in card.get("calibrations", {}).items() if one.get("weights_sha256") == weights}
    _write(folder, {**card, "calibrations": dict(sorted({**current, **{result.line: result.suggestion() for result in results}}.items()))})


def _write(folder: Path, card: Mapping[str, Any]) -> None:
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
