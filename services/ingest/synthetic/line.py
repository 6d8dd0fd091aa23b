"""A synthetic line: good parts, and defective ones beside them with their true masks. Deterministic by kind, seed and index."""

import cv2
import numpy as np

from services.ingest.synthetic.defects import PAINTERS, Canvas, changed
from services.ingest.synthetic.parts import GoodParts, Part, Shot
from services.ingest.synthetic.textures import SIDE, Field


class SyntheticLine(GoodParts):
    """What a demo camera looks at. Part `index` lies and is lit the same way whether it is good or defective."""

    @property
    def defects(self) -> tuple[str, ...]:
        return tuple(PAINTERS[self.kind])

    def defective(self, index: int, kind: str | None = None) -> Part:
        """A part with one defect: of this kind, or of one drawn by the index. ValueError for a kind that this line does not have."""
        rng = self.rng(index)
        shot = self.shot(rng)
        chosen = kind or self.defects[rng.integers(len(self.defects))]
        if chosen not in PAINTERS[self.kind]:
            raise ValueError(f"defect of {self.kind}: expected one of {', '.join(self.defects)}, got {chosen!r}")
        good = shot.photograph()
        while True:  # a crack that grows out of the picture at once, say, is drawn again
            image = self._painted(shot, chosen, rng)
            mask = changed(good, image)
            if np.count_nonzero(mask) >= 500:
                return Part(image, mask, chosen)

    def part(self, index: int, defects: float) -> Part:
        """Part `index` of a line on which this share of the parts is defective."""
        drawn = np.random.default_rng([self.seed, index, 7]).random()
        return self.defective(index) if drawn < defects else self.good(index)

    def _painted(self, shot: Shot, kind: str, rng: np.random.Generator) -> np.ndarray:
        canvas = Canvas(shot.cut.astype(np.float32), self._underneath(shot), shot.placement, self.surface.pitch)
        PAINTERS[self.kind][kind](canvas, rng)
        return shot.photograph(np.clip(np.rint(canvas.pixels), 0, 255).astype(np.uint8))

    def _underneath(self, shot: Shot) -> Field | None:
        if self.surface.underneath is None:
            return None
        return np.asarray(cv2.warpAffine(self.surface.underneath, shot.placement, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32)
