"""What runs beside inspection steps back for good, and whatever it starts does too."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.contract import priority

TOLD = """
import json, os, threading
from pathlib import Path
from services.contract.priority import step_back_as_session
step_back_as_session()
said = []
later = threading.Thread(target=lambda: said.append(os.sched_getscheduler(0)))
later.start()
later.join()
group = Path("/proc/self/autogroup")
leads = os.getsid(0) == os.getpid()
print(json.dumps([os.sched_getscheduler(0), *said, leads, group.read_text().split()[-1] if group.exists() else None]))
"""
AUTOGROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(sys.platform != "linux", reason="policies of the processor are Linux's")
@pytest.mark.parametrize(
    "started", [{"start_new_session": True}, {"process_group": 0}, {}], ids=["leads a session", "leads a group as Ray's workers do", "leads nothing"]
)
def test_a_process_that_stepped_back_runs_when_nothing_else_does_and_nothing_else_steps_back(started: dict[str, Any]) -> None:
    around = AUTOGROUP.read_text() if AUTOGROUP.exists() else None

    done = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True, **started)

    policy, of_a_thread, leads, group = json.loads(done.stdout)
    assert (policy, of_a_thread) == (os.SCHED_IDLE, os.SCHED_IDLE)
    assert leads
    assert group in {str(priority.LEAST), None}
    assert around is None or AUTOGROUP.read_text() == around


def test_where_it_is_forbidden_it_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)

    priority.step_back()

    assert "competes with it" in caplog.text
