"""`loupe --help` answers at once: it knows every verb and loads none of what the verbs need."""

import subprocess
import sys

HEAVY = ("torch", "ray", "kafka", "pydantic", "sqlalchemy", "nicegui", "cv2", "numpy", "httpx")


def test_help_loads_nothing_heavy() -> None:
    program = f"import sys, services.cli; print([name for name in {HEAVY!r} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_a_broken_setting_is_one_line_on_standard_error() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "services.cli", "status", "--json"], env={"LOUPE_KAFKA__PARTITIONS": "0"}, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("loupe: kafka.partitions: got '0'")
    assert len(answer.stderr.splitlines()) == 1
