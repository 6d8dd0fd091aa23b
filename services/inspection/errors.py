"""What keeps frames from being inspected. None of these harms a frame: its partition waits, or it is asked for again."""


class InspectionError(Exception):
    """Anything that keeps inspection from going on."""


class OutageError(InspectionError):
    """Something that frames need is away; the message says what the partition waits for."""


class ModelUnavailableError(OutageError):
    """A model version cannot be loaded: its files are missing or broken."""


class ReplicaDiedError(InspectionError):
    """The replica died with the frames in hand; whether they killed it is not known."""


class DeploymentError(InspectionError):
    """The Serve application was not deployed as asked."""
