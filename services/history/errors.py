"""What keeps the history from being written or asked."""


class HistoryError(Exception):
    """The history cannot be written or read: its disk is full, away or not ours."""


class HistoryBusyError(HistoryError):
    """A question took longer than it may, or too many are being answered."""


class SearchError(ValueError):
    """A question that makes no sense, such as a cursor that no page gave."""
