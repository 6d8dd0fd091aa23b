"""What can go wrong with records."""

from datetime import datetime


class RecordsError(Exception):
    """Anything that keeps records from being written or read."""


class RecordsUnreachableError(RecordsError):
    """The database does not answer, is locked, or has no tables yet; it may well answer later."""


class UnknownLineError(RecordsError):
    """No such line."""


class UnknownCameraError(RecordsError):
    """The line has no such camera."""


class UnknownCalibrationError(RecordsError):
    """No such calibration of that line."""


class ChangedMeanwhileError(RecordsError):
    """Somebody else was faster; says who and when. Nothing was changed."""

    def __init__(self, what: str, by: str, at: datetime) -> None:
        super().__init__(f"{what}: changed meanwhile by {by} at {at:%Y-%m-%d %H:%M:%S} UTC")
        self.by, self.at = by, at


class AlreadyThereError(RecordsError):
    """A line, camera, user or token of that id exists."""


class UnknownUserError(RecordsError):
    """No such user, or one who may not log in."""


class UnknownSessionError(RecordsError):
    """No such session, or it has ended."""


class UnknownTokenError(RecordsError):
    """No such token."""


class WeakPasswordError(RecordsError):
    """A password that is too short, too long, or too easily guessed."""


class LastAdminError(RecordsError):
    """Afterwards nobody could give anybody a role."""


class NoEarlierModelError(RecordsError):
    """No other model judged the line before."""


class UnknownJobError(RecordsError):
    """No such job."""


class LostLeaseError(RecordsError):
    """Somebody else works on the job, or it has ended."""
