"""A model version that shall judge a line -> held and tested on every replica that runs, and only then put to work.

Nobody judges with a version that no replica could load: what changes which model judges a line does so inside `standing_by`.
Without a replica there is none to test it, so a plant at rest gets one: a version on standby is a reason for the scaling policy to bring it up.
A changeover is not asked about: what the line makes has changed already, and replicas hold the versions of all its products. Nor is a line that
is added with its model: it may be set up before inspection ever runs.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from services.contract.settings import SettingsError
from services.dashboard.errors import DashboardError
from services.dashboard.parts import Parts
from services.dashboard.store import ResultsError
from services.inspection.deploy import DeploymentState
from services.inspection.errors import DeploymentError

LOOK_EVERY_S = 0.2
ASK_SERVE_EVERY_S = 2.0
"""While answers of known replicas are out: Serve's controller works for each question, on the machine where frames may be waiting."""
WANTED_S = 15.0
"""Asked for anew at every look: where whoever asks dies, replicas let go of it by themselves."""
KEPT_S = 30.0
"""Until every frame consumer has seen the change and its frames use the version, nobody drops it."""


class RejectedVersionError(DashboardError):
    """A replica cannot load this version, or its golden frames get other scores there."""


class NotReadyError(DashboardError):
    """No replica has it, or not all that run, in the time that there is."""


@asynccontextmanager
async def standing_by(parts: Parts, version: str) -> AsyncIterator[None]:
    """Every replica that runs holds the version when the block begins. Raises RejectedVersionError, NotReadyError; then nothing has changed."""
    await parts.store.want(version, for_s=WANTED_S, anew=True)
    try:
        await _until_ready(parts, version)
        yield
    except BaseException:
        with suppress(ResultsError, TimeoutError):
            await parts.store.unwant(version)
        raise
    with suppress(ResultsError, TimeoutError):  # it judges by now, whatever becomes of this
        await parts.store.want(version, for_s=KEPT_S)


async def _until_ready(parts: Parts, version: str) -> None:
    """The replicas are looked at after their answers, so that one that came up meanwhile is waited for too."""
    deadline = time.monotonic() + parts.settings.inspector.standby_s
    inspector, looked_at = await asyncio.to_thread(_inspector, parts), time.monotonic()
    while True:
        answers = await parts.store.reports(version)
        refusals = sorted({said.error for said in answers.values() if said.error is not None})
        if refusals:
            raise RejectedVersionError(f"model {version[:12]} is refused by replicas: {'; '.join(refusals)}; what judges now goes on")
        if answers.keys() >= set(inspector.ids) or time.monotonic() - looked_at > ASK_SERVE_EVERY_S:
            inspector, looked_at = await asyncio.to_thread(_inspector, parts), time.monotonic()
            if inspector.ids and answers.keys() >= set(inspector.ids):
                return
        if time.monotonic() > deadline:
            raise NotReadyError(_late(version, inspector, answers.keys(), parts.settings.inspector.standby_s))
        await asyncio.sleep(LOOK_EVERY_S)
        await parts.store.want(version, for_s=WANTED_S)


def _inspector(parts: Parts) -> DeploymentState:
    try:
        state = parts.replicas()
    except (DeploymentError, SettingsError) as error:
        raise NotReadyError(f"no replica can be asked to test the model: {error}") from error
    if state.inspector is None:
        raise NotReadyError("inspection is not deployed, so that no replica can test the model: start it with `loupe up`")
    return state.inspector


def _late(version: str, inspector: DeploymentState, answered: Collection[str], waited_s: float) -> str:
    within = f"model {version[:12]}: within {waited_s:g} s"
    if not inspector.ids:
        why = inspector.message or f"{inspector.starting} are starting"
        return f"{within} no Inspector replica came up that could test it ({why}); see `loupe status`, then try again; what judges now goes on"
    waiting = len(set(inspector.ids) - set(answered))
    return (
        f"{within} {waiting} of {len(inspector.ids)} Inspector replicas did not get it ready; try again, or raise inspector.standby_s; what judges now goes on"
    )
