"""What lies in a job's folder, between whoever works on it, whoever keeps its lease, and whoever shows it."""

import json
from pathlib import Path
from typing import Any

from training.durable import write_durably

OUTCOME, ERROR, PROGRESS, LOSSES, LOG = "outcome.json", "error.txt", "progress.json", "losses.json", "training.log"


def read_json(path: Path) -> dict[str, Any]:
    """Empty where there is nothing yet."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: Any) -> None:
    """Read by others as it was or as it will be."""
    write_durably(path, json.dumps(content).encode())
