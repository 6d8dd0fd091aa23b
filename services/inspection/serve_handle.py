"""A Ray Serve handle as the `Inspector` that the judge asks: Ray's errors become ours."""

import asyncio
import contextlib
from typing import Any

from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, RayError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import RayServeException

from services.inspection.errors import OutageError, ReplicaDiedError
from services.inspection.finding import Answer, Question

LONGEST_ANSWER_S = 300.0
"""A call that got lost between router and replica is asked again; slow replicas are far below this."""


class ServeInspector:
    """Asks whichever replica has room."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def ask(self, question: Question) -> Answer:
        call = self._handle.inspect.remote(question)
        try:
            answer: Answer = await asyncio.wait_for(_answered(call), LONGEST_ANSWER_S)
        except (ActorDiedError, WorkerCrashedError, NodeDiedError) as error:
            raise ReplicaDiedError(_first_line(error)) from error
        except ActorUnavailableError as error:
            raise OutageError(f"an Inspector replica that does not answer ({_first_line(error)})") from error
        except RayTaskError as error:
            raise _raised(error) from error
        except (RayServeException, RayError, TimeoutError) as error:
            raise OutageError(f"an Inspector replica ({type(error).__name__}: {_first_line(error)})") from error
        return answer


async def _answered(call: Any) -> Answer:
    try:
        answer: Answer = await call
        return answer
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            call.cancel()
        raise


def _raised(error: RayTaskError) -> OutageError:
    """What the replica's own code raised: never the frames' fault, since those are answered one by one. Ray's own text is a whole traceback."""
    cause = error.cause if isinstance(getattr(error, "cause", None), BaseException) else error
    if isinstance(cause, OutageError):
        return cause
    return OutageError(f"an Inspector replica that can infer ({type(cause).__name__}: {_first_line(cause)})")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
