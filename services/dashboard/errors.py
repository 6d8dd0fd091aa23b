"""What can go wrong in the dashboard."""


class DashboardError(Exception):
    """Base of this room's errors."""


class PictureGoneError(DashboardError):
    """Neither the archive nor Kafka holds the picture any more, or nobody has it yet."""
