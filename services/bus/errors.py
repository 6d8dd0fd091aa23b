"""What can go wrong on the bus."""


class BusError(Exception):
    """Anything that keeps records from being written or read."""


class BrokerUnreachableError(BusError):
    """No broker answered in time; it may well answer later."""


class BufferFullError(BusError):
    """More bytes are on their way to the broker than the publisher may hold."""


class RecordTooLargeError(BusError):
    """The topic would refuse this record."""


class FencedError(BusError):
    """Another process took this consumer's place in its group; this one must stop."""


class NoSuchRecordError(BusError):
    """The topic does not hold that offset: expired, not yet written, or of a topic since made anew."""
