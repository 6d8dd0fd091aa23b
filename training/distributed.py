"""The same training on several workers: Ray Train starts them, joins them in a process group, and starts them again when one dies.

The stages know nothing of Ray: a worker runs `train_codec` or `train_detector` as one process would, with a team that averages gradients.
Checkpoints lie beside the output, which all workers must reach (a shared file system where there are several machines), so a run that
lost a worker goes on at its last one. Never run on a GPU so far: there the process group is NCCL's, and each worker has a device.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from services.contract.priority import step_back_as_session
from training.loop import TrainingError
from training.stages import Means
from training.team import ProcessGroup
from training.tracking import SILENT, Tracker

Work = Callable[[Means], object]
"""A whole training, for instance `partial(train_detector, folders, recipe, out, start=..., name=...)` called with `means=`."""
Track = Callable[[str, Path, Mapping[str, Any]], Tracker]


@dataclass(frozen=True, slots=True)
class Workers:
    """How many, and what each of them holds while it works."""

    number: int = 2
    use_gpu: bool = False
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})
    max_failures: int = 3
    """So often may workers die before the training gives up."""


def train_on(workers: Workers, work: Work, *, name: str, storage: Path, track: Track = lambda name, folder, facts: SILENT) -> None:
    """Runs `work` on all workers at once, on the Ray cluster that this process is connected to. `storage` is Ray Train's own folder.

    Raises TrainingError for what ends the training for good: the workers' own error, or too many deaths.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    from training.rendezvous import MetByThemselves

    trainer = TorchTrainer(
        _work,
        train_loop_config={"work": work, "track": track},
        torch_config=MetByThemselves(),
        scaling_config=ScalingConfig(num_workers=workers.number, use_gpu=workers.use_gpu, resources_per_worker=dict(workers.resources)),
        run_config=RunConfig(name=name, storage_path=str(storage.absolute()), failure_config=FailureConfig(max_failures=workers.max_failures)),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise TrainingError(f"{name}: the training failed on {workers.number} workers: {error}") from error


def _work(config: Mapping[str, Any]) -> None:
    """One worker. Whatever inspects on its machine goes first."""
    from training.rendezvous import meet

    step_back_as_session()
    if torch.cuda.is_available():
        from ray.train.torch import get_device

        torch.cuda.set_device(get_device())
    meet()
    config["work"](means=Means(team=ProcessGroup(), track=config["track"]))
