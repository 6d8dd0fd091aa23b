"""What a network's quantizers choose: seen, or given to them, so that two forms of one network can be compared over the same codes.

Rounding may tip a feature that lies half way between two codes, and the map around it changes at once. So there are two questions:
do two forms answer alike over the same codes, and how often do they choose otherwise?
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from models.dsr.codec import Codec
from models.dsr.quantizer import Quantized


@contextmanager
def choices(codec: Codec, given: Sequence[Tensor] | None = None) -> Iterator[list[Tensor]]:
    """Yields a list that fills with the indices chosen (B, h, w) while a batch is detected: of its codes lo and hi, of the restricted ones lo and hi.

    With `given`, in that order, those are taken instead; the list still says what would have been chosen.
    """
    own: list[Tensor] = []
    imposed = iter(given) if given is not None else None

    def choose(quantizer: nn.Module, features: object, found: Quantized) -> Quantized | None:
        own.append(found.indices)
        if imposed is None:
            return None
        indices = next(imposed).view_as(found.indices)
        codebook = quantizer.codebook
        assert isinstance(codebook, Tensor)
        return Quantized(F.embedding(indices, codebook).permute(0, 3, 1, 2), indices)

    hooks = [quantizer.register_forward_hook(choose) for quantizer in (codec.quantizer_lo, codec.quantizer_hi)]
    try:
        yield own
    finally:
        for hook in hooks:
            hook.remove()
