"""What can go wrong with records."""


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


class AlreadyThereError(RecordsError):
    """A line or camera of that id exists."""
