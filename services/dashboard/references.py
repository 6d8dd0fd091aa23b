"""A flagged frame -> a good part to hold it against: of the same line, camera and product; one that people called good, else one that just passed."""

import asyncio
from collections.abc import AsyncIterator

from services.contract.inspection import Decision, Inspection
from services.dashboard.errors import PictureGoneError
from services.dashboard.pictures import Image, Pictures
from services.dashboard.store import ResultsError, Store
from services.records.review_queue import ReviewQueue
from services.records.store import Records
from services.review.blind import is_drawn

CALLED_GOOD = 50
LATEST = 200
TRIES = 5


async def reference(inspection: Inspection, user: str, *, records: Records, queue: ReviewQueue, store: Store, pictures: Pictures) -> tuple[str, Image]:
    """Frame id and picture. Raises PictureGoneError where there is none."""
    tries = 0
    async for one in _good_parts(inspection, user, records, queue, store):
        if one.frame_id == inspection.frame_id or one.product != inspection.product:
            continue
        try:
            return one.frame_id, await pictures.image(one)
        except PictureGoneError:
            tries += 1
        if tries == TRIES:
            break
    raise PictureGoneError(f"frame {inspection.frame_id}: no good part of the same line, camera and product has a picture")


async def _good_parts(inspection: Inspection, user: str, records: Records, queue: ReviewQueue, store: Store) -> AsyncIterator[Inspection]:
    identity = inspection.identity
    for verdict in await asyncio.to_thread(queue.good_ones, user, identity.line, identity.camera, limit=CALLED_GOOD):
        if verdict.product == inspection.product:
            found = await asyncio.to_thread(records.flagged.of, verdict.frame_id)
            if found is not None:
                yield found
    try:
        latest = [entry.inspection for entry in await store.latest(identity.line, LATEST)]
    except (ResultsError, TimeoutError):
        return
    passed = [one for one in latest if one.decision is Decision.PASS and one.identity.camera == identity.camera and not is_drawn(one)]
    for one in sorted(passed, key=lambda found: found.score or 0):
        yield one
