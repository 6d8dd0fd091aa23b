"""A Ray that was told to stay on loopback -> replicas that do so too."""

from typing import Any

from ray._private import ray_constants
from ray.serve._private import replica


def stay_on_loopback() -> None:
    """Call it in a replica's constructor: Serve opens the port on which replicas ask each other right after, on every interface, and has no option for it."""
    if ray_constants.ENABLE_RAY_CLUSTER:
        return  # nodes on other machines must reach it
    listen = replica.add_port_to_grpc_server

    def listen_on_loopback(server: Any, address: str) -> Any:
        return listen(server, address.replace("[::]", "127.0.0.1"))

    replica.add_port_to_grpc_server = listen_on_loopback
