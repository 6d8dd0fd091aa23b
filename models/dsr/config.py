"""The sizes that shape a DSR, stored in every checkpoint: `paper()` for GPUs, `small()` for two CPU cores."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True)
class DSRConfig:
    """What to build. Two networks of equal configuration can exchange weights."""

    code_size: int = 128
    codes: int = 4096
    codec_width: int = 128
    """Channels of encoder and general decoder between image and code space."""
    residual_width: int = 64
    residual_blocks: int = 2
    restriction_width: int = 128
    restriction_poolings: int = 2
    object_decoder: Literal["paper", "general"] = "paper"
    """`paper`: the paper's own network, learnt from nothing. `general`: the general decoder's form, which starts from its weights."""
    unet_width: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "object_decoder" and (not isinstance(value, int) or value < 1):
                raise ValueError(f"config.{field.name}: expected a whole number >= 1, got {value!r}")
        if self.object_decoder not in ("paper", "general"):
            raise ValueError(f"config.object_decoder: expected 'paper' or 'general', got {self.object_decoder!r}")
        if self.codec_width % 2:
            raise ValueError(f"config.codec_width: expected an even number, got {self.codec_width}")

    @classmethod
    def paper(cls) -> Self:
        """The sizes of the paper and its code: 266 GFLOP for one 256 x 256 picture."""
        return cls()

    @classmethod
    def small(cls) -> Self:
        """For CPUs, at side 128.

        Departs from the paper in two places, because the paper's form learns only the average colour of a part in a short
        training (measured): the object-specific decoder starts from the general one, and the restriction pools once.
        """
        return cls(
            code_size=32,
            codes=1024,
            codec_width=64,
            residual_width=32,
            restriction_width=32,
            restriction_poolings=1,
            object_decoder="general",
            unet_width=16,
        )

    @classmethod
    def from_dict(cls, sizes: dict[str, Any]) -> Self:
        """ValueError for a key that is missing or unknown: a guessed size would only fail later, and less clearly."""
        expected, got = {field.name for field in fields(cls)}, set(sizes)
        if expected != got:
            raise ValueError(f"config: missing {sorted(expected - got)}, unknown {sorted(got - expected)}")
        return cls(**sizes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
