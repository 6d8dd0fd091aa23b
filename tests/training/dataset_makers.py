"""Verdicts with their pictures, only the relevant field spelled out, and a store of pictures in memory."""

import hashlib
from datetime import timedelta
from typing import Any

import cv2
import numpy as np

from services.contract.inspection import Archived, Inspection
from services.contract.verdict import Answer, Verdict
from tests.builders import CAPTURED_AT, make_inspection

SIDE = 96


class MemoryPictures:
    """Named by content, as the archive names them."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def get(self, path: str) -> bytes:
        try:
            return self.contents[path]
        except KeyError:
            raise FileNotFoundError(f"no {path}") from None

    def put(self, kind: str, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = f"{kind}/{digest[:2]}/{digest}"
        self.contents[path] = content
        return path


def surface(seed: int, *, darker: float = 0, side: int = SIDE) -> np.ndarray:
    """A part with a texture of its own; another light makes another picture of the same part."""
    dice = np.random.default_rng(seed)
    texture = sum(cv2.resize(dice.normal(0, 16, (n, n)), (side, side), interpolation=cv2.INTER_CUBIC) for n in (9, 21))
    return np.clip(130 - darker + texture, 0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def outline(box: tuple[int, int, int, int] = (10, 20, 30, 12), *, side: int = SIDE) -> np.ndarray:
    """A mask with one box (x, y, width, height)."""
    x, y, width, height = box
    mask = np.zeros((side, side), np.uint8)
    mask[y : y + height, x : x + width] = 255
    return mask


def verdict(store: MemoryPictures, number: int, answer: str = "good", *, image: bytes | None = None, mask: bytes | None = None, **fields: Any) -> Verdict:
    """On frame `number`, whose picture is surface `number`, of part `part-<number>`; given a minute after the one before."""
    path = store.put("frames", png(surface(number)) if image is None else image)
    made: dict[str, Any] = {
        "verdict_id": f"v{number}-{answer}",
        "frame_id": f"metal/top/s1/{number}",
        "answer": Answer(answer),
        "given_by": "anna",
        "given_at": CAPTURED_AT + timedelta(minutes=number),
        "frame_path": path,
        "part_id": f"part-{number}",
        "captured_at": CAPTURED_AT + timedelta(seconds=number),
    }
    if mask is not None:
        made |= {"mask_path": store.put("masks", mask), "mask_source": "person"}
    return Verdict(**{**made, **fields})


def drawn(store: MemoryPictures, number: int, *, probability: float = 0.02, **fields: Any) -> Inspection:
    """A passed frame that was drawn for a blind check and that nobody has answered."""
    kept = Archived(reason="blind-check", probability=probability, frame_path=store.put("frames", png(surface(number))))
    return make_inspection(number, archived=kept, **{"part_id": f"part-{number}", **fields})
