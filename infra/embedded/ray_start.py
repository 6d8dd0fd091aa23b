"""`ray start` for machines that are busy: `python -m infra.embedded.ray_start start --head ...`.

Two things have no option. The server of the Ray client gives up when no raylet has registered within 30 s, and takes the node with it,
though raylets start only after the dashboard; nobody here speaks through a Ray client, so it's left out. And `ray start` itself
waits 30 s for its raylet, which a machine that trains beside it needs longer for.
"""

import sys
import time
from typing import Any

from ray._private import services
from ray.scripts import scripts

REGISTERED_WITHIN_S = 240.0


def be_patient() -> None:
    """Changes what `ray start` waits for, in this process alone."""
    ask = services.get_node

    def ask_again(gcs_address: str, node_id: str) -> Any:
        deadline = time.monotonic() + REGISTERED_WITHIN_S
        while True:
            try:
                return ask(gcs_address, node_id)
            except RuntimeError:  # not registered yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    services.get_node = ask_again
    scripts.get_ray_client_dependency_error = lambda: "left out"


if __name__ == "__main__":
    be_patient()
    sys.exit(scripts.main())
