"""What can go wrong in a review."""

from datetime import datetime
from typing import Literal


class ReviewError(Exception):
    """Base of this room's errors."""


class UnknownFrameError(ReviewError):
    """No flagged inspection of that frame."""


class NotReviewableError(ReviewError):
    """What is asked for does not fit how the frame stands."""


class BlindCheckError(NotReviewableError):
    """What the machine and others said of this frame is not for this person to see before they have answered."""


class UnknownDefectClassError(ReviewError):
    """A defect class that the line does not have."""


class MaskError(ReviewError):
    """An upload that is no mask of this picture."""


class MaskTooLargeError(MaskError):
    """More bytes than a mask may have."""


class ConflictError(ReviewError):
    """Somebody else was faster. Says who and when, so that the page can say it too."""

    def __init__(self, frame_id: str, kind: Literal["claimed", "answered"], by: str, at: datetime) -> None:
        super().__init__(f"frame {frame_id}: {kind} by {by} at {at:%Y-%m-%d %H:%M:%S} UTC")
        self.frame_id, self.kind, self.by, self.at = frame_id, kind, by, at
