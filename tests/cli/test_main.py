"""`loupe` as a process: one that is told to end unwinds first."""

import subprocess
import sys

BLOCKED = """
import time
from services import cli

@cli.app.command()
def blocked():
    try:
        print("here", flush=True)
        time.sleep(600)
    finally:
        print("unwound", flush=True)

cli.main()
"""


def test_a_verb_that_is_told_to_end_ends_what_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", BLOCKED, "blocked"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"

        process.terminate()

        assert process.communicate(timeout=60)[0] == "unwound\n"
    assert process.returncode == 143
