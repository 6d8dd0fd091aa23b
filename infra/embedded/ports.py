"""Free ports on loopback: the usual one if nobody has it, else any."""

import socket
from collections.abc import Container

LOOPBACK = "127.0.0.1"


def pick_port(usual: int = 0, *, taken: Container[int] = ()) -> int:
    if usual and usual not in taken and _is_free(usual):
        return usual
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free to them
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return not answers(port)
