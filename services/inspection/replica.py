"""What an Inspector replica does with a micro-batch: decode it beside the inference of the one before, judge it, measure itself."""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from services.contract.settings import Settings
from services.inspection.errors import InspectionError, ModelUnavailableError
from services.inspection.finding import Answer, Finding, FrameFault, Question
from services.inspection.gaps import Gaps
from services.inspection.holding import say_again_and_again
from services.inspection.stand_ins import judge_decoded, judge_nothing
from services.inspection.standby import standby_of
from services.inspection.versions import Versions
from services.results.active import get_actives_async
from services.results.connection import ResultsError, connect_async
from services.results.holding import say_holding

if TYPE_CHECKING:
    from torch import Tensor

    from models.engine import Engine, Scored
    from services.inspection.inspector import Decoded, Detector

log = logging.getLogger(__name__)

MEASURED_FRAMES = 64
STUCK_AFTER_S = 120.0
NO_GAP_S = 1.0


class Replica:
    """Judges with the versions that questions name. torch is imported here and not before: frame consumers do without."""

    def __init__(self, settings: Settings, replica_id: str) -> None:
        self._settings, self._id = settings, replica_id
        self._decoders = ThreadPoolExecutor(1, "decode")
        self._inference = ThreadPoolExecutor(1, "infer", _inferring, (settings.inspector.threads,))
        self._loader = ThreadPoolExecutor(1, "load", _limit_threads, (1,))  # at ordinary priority: one that waits for the processor keeps Python's lock
        self._gaps = Gaps()
        self._versions: Versions[Any] = Versions(self._load)
        self._standby = standby_of(settings, replica_id, self._versions, self._self_test)
        self._busy_s, self._frames = 0.0, 0
        self._started_at: float | None = None
        if settings.inspection.detector != "null":
            _limit_threads(settings.inspector.threads)

    async def preload(self) -> None:
        """Loads what judges any line now, or is on standby, so that the first frames do not wait; what cannot be loaded is met again with its frames."""
        for version in await self._judging_now():
            try:
                async with self._versions.use(version):
                    log.info("preloaded model %s", version[:12])
            except ModelUnavailableError as error:
                log.warning("%s", error)
        try:
            await self._standby.settled()
        except ResultsError as error:
            log.warning("nothing on standby: %s", error)

    async def stand_by(self) -> None:
        """Holds and tests what is on standby, and says what it has loaded, for as long as the replica lives."""
        say = partial(say_holding, connect_async(self._settings), self._settings.names, self._id)
        await asyncio.gather(self._standby.run(), say_again_and_again(self._versions.loaded, say))

    async def inspect(self, question: Question) -> Answer:
        """Raises ModelUnavailableError; faults of single pictures are answers."""
        match self._settings.inspection.detector:
            case "null":
                return Answer(judge_nothing(question), 0.0)
            case "decode":
                decoded = await self._decode(question.images, None)
                return Answer(judge_decoded(decoded), 0.0)
        async with self._versions.use(question.model_version) as detector:
            with self._gaps.busy():
                return await self._inspected(detector, question)

    def frames_per_s(self) -> float:
        """What this replica manages while it is busy; 0 before it has done enough to tell."""
        return self._frames / self._busy_s if self._frames >= MEASURED_FRAMES and self._busy_s > 0 else 0.0

    def check(self) -> None:
        started_at = self._started_at
        if started_at is not None and time.monotonic() - started_at > STUCK_AFTER_S:
            raise InspectionError(f"inspector: inference of one micro-batch has taken {time.monotonic() - started_at:.0f} s")

    async def _inspected(self, detector: "Detector", question: Question) -> Answer:
        decoded = await self._decode(question.images, detector)
        decoded_at = time.monotonic()
        findings = await asyncio.get_running_loop().run_in_executor(self._inference, self._judge, detector, decoded, question)
        return Answer(findings, time.monotonic() - decoded_at)

    async def _decode(self, images: Sequence[bytes], detector: "Detector | None") -> "Decoded":
        return await asyncio.get_running_loop().run_in_executor(self._decoders, self._decoded, images, detector)

    def _decoded(self, images: Sequence[bytes], detector: "Detector | None") -> "Decoded":
        from models.preprocessing import Preprocessing
        from services.inspection.inspector import Limits, decode

        return decode(images, detector.preprocessing if detector is not None else Preprocessing(), Limits.of(self._settings.inspection))

    def _judge(self, detector: "Detector", decoded: "Decoded", question: Question) -> list[Finding | FrameFault]:
        from services.inspection.inspector import judge

        self._started_at = started_at = time.monotonic()
        try:
            return judge(detector, decoded, question, two_step=self._settings.inspection.two_step)
        finally:
            self._started_at = None
            self._measure(len(decoded), time.monotonic() - started_at)

    def _measure(self, frames: int, seconds: float) -> None:
        self._frames += frames
        self._busy_s += seconds
        if self._frames >= 4 * MEASURED_FRAMES:  # the past counts half
            self._frames //= 2
            self._busy_s /= 2

    async def _judging_now(self) -> list[str]:
        redis = connect_async(self._settings)
        try:
            prefix = self._settings.names.active("")
            lines = [key.decode().removeprefix(prefix) async for key in redis.scan_iter(match=f"{prefix}*", count=1000)]
            active = await get_actives_async(redis, self._settings.names, lines)
        except Exception as error:  # Redis is away: models are loaded when their frames come
            log.warning("nothing preloaded: %s", error)
            return []
        finally:
            await redis.aclose()
        return sorted({version for one in active.values() if not one.paused for version in one.versions})

    async def _load(self, version: str) -> Any:
        if self._settings.inspection.detector != "dsr":
            return None
        return await asyncio.get_running_loop().run_in_executor(self._loader, self._load_detector, version)

    async def _self_test(self, version: str, detector: Any) -> None:
        if detector is not None:
            await asyncio.get_running_loop().run_in_executor(self._loader, self._check, version, detector)

    def _check(self, version: str, detector: "Engine") -> None:
        from models.engine import check_golden
        from models.registry import Registry

        folder = Registry(self._settings.models_path).fetch(version).path
        check_golden(detector, folder, ask=partial(self._take_turn, detector))

    def _take_turn(self, detector: "Engine", frame: "Tensor") -> "Scored":
        """One golden frame in a gap between micro-batches. A replica that has none goes on too: there a micro-batch waits for one at most."""
        self._gaps.wait(NO_GAP_S)
        return self._inference.submit(detector.score, frame).result()

    def _load_detector(self, version: str) -> Any:
        from models.engine import Engine
        from models.registry import Registry

        self._gaps.wait(NO_GAP_S)
        started_at = time.monotonic()
        try:
            found = Registry(self._settings.models_path).fetch(version)
            engine = Engine.load(found.path)
        except Exception as error:  # missing or broken in whatever way: the line waits until it can be loaded
            raise ModelUnavailableError(f"model {version[:12]}: {error}") from error
        log.info("loaded model %s in %.1f s", version[:12], time.monotonic() - started_at)
        return engine


def _inferring(threads: int) -> None:
    """The calling thread runs the network."""
    from models.backends import native
    from models.engine import best_device

    _limit_threads(threads)
    if best_device().type == "cpu" and native.available():
        native.pin_threads()


def _limit_threads(threads: int) -> None:
    """Of the calling thread. Ray sets OMP_NUM_THREADS by the logical CPUs of the actor; the settings say what a replica may really use."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
