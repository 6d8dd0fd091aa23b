"""Samples -> judged frames, the way they are judged when served: decoded by the version's preprocessing, scored and mapped by its engine."""

from collections.abc import Iterable, Iterator

from models.engine import Engine
from models.preprocessing import Picture, to_tensor
from training.calibration import GoodFrame
from training.evaluation import Judged
from training.labelled import Sample


def judge(engine: Engine, samples: Iterable[Sample]) -> Iterator[tuple[Judged, Picture]]:
    """One frame at a time, with both maps; the picture is what the network saw."""
    for sample in samples:
        picture = engine.preprocessing.decode(sample.image)
        scored = engine.score(to_tensor([picture]))
        full, coarse = engine.mask(scored, [0])[0].numpy(), scored.coarse_maps[0].numpy()
        yield sample.judged(picture, float(scored.scores[0]), full, coarse_map=coarse), picture


def good_frames(engine: Engine, samples: Iterable[Sample]) -> Iterator[GoodFrame]:
    """What a calibration needs of good samples."""
    for sample in samples:
        scored = engine.score(to_tensor([engine.preprocessing.decode(sample.image)]))
        yield GoodFrame(float(scored.scores[0]), float(engine.mask(scored, [0]).amax()), sample.group)
