"""A frame: one encoded picture with its identity, as a Kafka record (CloudEvents, binary mode) and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.contract.names import FrameId

FRAME_TYPE = "loupe.frame.v1"
Headers = Sequence[tuple[str, bytes]]


class InvalidFrameError(ValueError):
    """A record that does not say which frame it is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded picture (JPEG or PNG bytes) and what its producer says of it.

    `truth` is what the source knows of the part ("good" or a kind of defect; synthetic lines and labelled folders):
    it travels to the inspection for measuring and never reaches the inspector.
    """

    frame_id: FrameId
    image: bytes
    captured_at: datetime
    part_id: str | None = None
    product: str | None = None
    deadline_at: datetime | None = None
    truth: str | None = None

    @property
    def key(self) -> bytes:
        return self.frame_id.camera_key.encode()

    def headers(self) -> list[tuple[str, bytes]]:
        optional = {
            "ce_partid": self.part_id,
            "ce_product": self.product,
            "ce_deadline": self.deadline_at.isoformat() if self.deadline_at else None,
            "ce_truth": self.truth,
        }
        fixed = {
            "ce_specversion": "1.0",
            "ce_type": FRAME_TYPE,
            "ce_id": str(self.frame_id),
            "ce_source": f"/lines/{self.frame_id.line}/cameras/{self.frame_id.camera}",
            "ce_time": self.captured_at.isoformat(),
            "content-type": "image/png" if self.image.startswith(b"\x89PNG") else "image/jpeg",
        }
        return [(name, value.encode()) for name, value in {**fixed, **optional}.items() if value is not None]

    @classmethod
    def from_record(cls, headers: Headers, image: bytes | None) -> "Frame":
        """Unknown headers are ignored; a missing or broken one raises InvalidFrameError."""
        fields = {name: value for name, value in headers if value is not None}
        try:
            kind = fields["ce_type"].decode()
            if kind != FRAME_TYPE:
                raise InvalidFrameError(f"record: expected ce_type {FRAME_TYPE!r}, got {kind!r}")
            deadline = fields.get("ce_deadline")
            return cls(
                frame_id=FrameId.parse(fields["ce_id"].decode()),
                image=image or b"",
                captured_at=_utc(fields["ce_time"]),
                part_id=_text(fields.get("ce_partid")),
                product=_text(fields.get("ce_product")),
                deadline_at=_utc(deadline) if deadline else None,
                truth=_text(fields.get("ce_truth")),
            )
        except KeyError as missing:
            raise InvalidFrameError(f"record: expected header {missing}, got {sorted(fields)}") from missing
        except ValueError as broken:
            raise InvalidFrameError(f"record: {broken}") from broken


def _text(value: bytes | None) -> str | None:
    return value.decode() if value is not None else None


def _utc(value: bytes) -> datetime:
    moment = datetime.fromisoformat(value.decode())
    if moment.tzinfo is None:
        raise InvalidFrameError(f"time: expected a UTC offset, got {value!r}")
    return moment.astimezone(UTC)
