"""Workers of Ray Train -> torch's process group, over the one address by which Ray knows each machine.

The group that Ray itself would make meets on a port of the first worker that is open on every interface, to anybody, for as long as the
training runs. Here the first worker listens on its own address alone, 127.0.0.1 where Ray was given that, and its gradients travel there too.
"""

import os
import socket

import psutil
import torch
import torch.distributed as dist
from ray.train import get_context
from ray.train.backend import Backend
from ray.train.collective import broadcast_from_rank_zero
from ray.train.torch import TorchConfig
from ray.util import get_node_ip_address

from training.loop import TrainingError

INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class _NoGroup(Backend):
    share_cuda_visible_devices = True  # as Ray's own for torch: NCCL's workers reach each other's devices


class MetByThemselves(TorchConfig):
    """Workers that begin without a process group: each calls `meet`."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _NoGroup


def meet() -> None:
    """Makes this worker one of the default process group; returns when all have come. Variables of torch's that are set already count.

    Raises TrainingError where Ray's address is none of this machine's.
    """
    context = get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    address = get_node_ip_address()
    interface = interface_of(address)
    for variable in INTERFACE_VARIABLES:
        os.environ.setdefault(variable, interface)
    listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) if rank == 0 else None
    host, port = broadcast_from_rank_zero(listener.getsockname()[:2] if listener else None)
    store = dist.TCPStore(host, port, size, is_master=rank == 0, master_listen_fd=listener.detach() if listener else None)
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", store=store, rank=rank, world_size=size)


def interface_of(address: str) -> str:
    """Raises TrainingError where this machine has no such address."""
    interfaces = {one.address: name for name, addresses in psutil.net_if_addrs().items() for one in addresses}
    if address not in interfaces:
        raise TrainingError(f"ray knows this machine as {address}, which none of its interfaces has: start the node there with --node-ip-address")
    return interfaces[address]
