"""What can go wrong between a camera and Kafka."""


class IngestError(Exception):
    """Anything that keeps a camera's pictures from becoming frames."""


class SourceAddressError(IngestError, ValueError):
    """A source that does not say where pictures come from; the message names the key, the value and the expectation."""


class SourceError(IngestError):
    """A source that died; it may well come back."""
