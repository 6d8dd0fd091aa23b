"""A pushed picture -> a frame: who may push, what a picture is, how much may be on its way, and a repeat that makes no second frame."""

import asyncio
import hashlib
import itertools
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from services.bus.errors import BufferFullError, BusError, RecordTooLargeError
from services.bus.record import Position
from services.contract.frame import Frame
from services.contract.names import FrameId
from services.ingest.camera import new_session
from services.ingest.errors import IngestError
from services.ingest.outlet import Outlet
from services.ingest.plant import Layout, is_pushed
from services.ingest.tally import Tally
from services.records.store import Line

ACK_S = 10.0
RETRY_AFTER_S = 1
REMEMBERED = 10_000
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class PushError(IngestError):
    """A push that was not accepted. `status` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same push may well be accepted a little later."""
        return self.status in (429, 503)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the caller says of a picture beside its bytes."""

    line: str
    camera: str
    idempotency_key: str | None = None
    captured_at: datetime | None = None
    part_id: str | None = None
    product: str | None = None
    deadline_at: datetime | None = None


class Intake:
    """Takes pushed pictures into Kafka. One per process; used from its event loop."""

    def __init__(
        self,
        outlet: Outlet,
        layout: Callable[[], Layout],
        tally: Callable[[tuple[str, str]], Tally],
        *,
        max_picture_bytes: int,
        max_uploading_bytes: int,
        ack_s: float = ACK_S,
    ) -> None:
        self._outlet, self._layout, self._tally = outlet, layout, tally
        self._max_picture, self._max_uploading, self._ack_s = max_picture_bytes, max_uploading_bytes, ack_s
        self._uploading = 0
        self._session = new_session()
        self._sequences: defaultdict[tuple[str, str], itertools.count[int]] = defaultdict(itertools.count)
        self._sent = Remembered(REMEMBERED)

    def authorize(self, line: str, camera: str, token: str | None) -> Line:
        """Raises PushError 401 or 404."""
        if not token:
            raise PushError(401, "Authorization: expected `Bearer <push token of the line>`")
        layout = self._layout()
        known = layout.lines.get(line)
        if known is None:
            raise PushError(404, f"line {line!r}: expected one of {sorted(layout.lines)}")
        if not known.accepts(token):
            raise PushError(401, f"Authorization: expected the push token of line {line!r}")
        if (line, camera) not in layout.cameras or not is_pushed(layout.cameras[line, camera].source):
            pushed = sorted(key[1] for key, one in layout.cameras.items() if key[0] == line and is_pushed(one.source))
            raise PushError(404, f"camera {camera!r}: expected one of line {line!r} with source push:, which are {pushed}")
        return known

    async def read(self, body: AsyncIterator[bytes], announced: int | None) -> bytes:
        """The picture. Raises PushError 413 (too large), 415 (neither JPEG nor PNG), 422 (nothing), 429 (too much at once)."""
        if (announced or 0) > self._max_picture:
            raise self._too_large(announced or 0)
        chunks, size = [], 0
        try:
            async for chunk in body:
                size += len(chunk)
                self._uploading += len(chunk)
                if size > self._max_picture:
                    raise self._too_large(size)
                if self._uploading > self._max_uploading:
                    raise PushError(429, f"{self._uploading} bytes are being uploaded, at most {self._max_uploading} may be")
                chunks.append(chunk)
        finally:
            self._uploading -= size
        return _checked(b"".join(chunks))

    async def take(self, pushed: Pushed, image: bytes, *, product: str | None) -> FrameId:
        """The identity of the frame, once the broker has acknowledged it. Raises PushError 413, 429 or 503."""
        frame_id = self._identity(pushed)
        sent = self._sent.get(frame_id)
        if sent is None:
            frame = Frame(frame_id, image, pushed.captured_at or datetime.now(UTC), pushed.part_id, pushed.product or product, pushed.deadline_at)
            sent = Future()
            if pushed.idempotency_key is not None:
                self._sent.put(frame_id, sent)  # before anything is awaited: a repeat may arrive meanwhile
            await self._send(frame, sent)
        await self._acknowledged(sent)
        return frame_id

    def _identity(self, pushed: Pushed) -> FrameId:
        if pushed.idempotency_key is not None:
            return FrameId(pushed.line, pushed.camera, session_of(pushed.idempotency_key), 0)
        return FrameId(pushed.line, pushed.camera, self._session, next(self._sequences[pushed.line, pushed.camera]))

    async def _send(self, frame: Frame, acknowledged: Future[Position]) -> None:
        """Settles `acknowledged` when the broker has answered, or the frame could not even be sent."""
        tally = self._tally((frame.frame_id.line, frame.frame_id.camera))
        acknowledged.add_done_callback(lambda done: tally.count_sent() if done.exception() is None else tally.count_dropped())
        try:
            sent = await asyncio.to_thread(self._outlet.send, frame)  # the client's first call looks the topic up, and may wait
        except BusError as error:
            acknowledged.set_exception(error)
        else:
            sent.add_done_callback(partial(_settle, acknowledged))

    async def _acknowledged(self, sent: Future[Position]) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(sent)), self._ack_s)
        except TimeoutError as error:
            raise PushError(503, f"kafka: no acknowledgement within {self._ack_s:g} s; send it again with the same Idempotency-Key") from error
        except BusError as error:
            raise _refused(error) from error

    def _too_large(self, size: int) -> PushError:
        return PushError(413, f"picture: expected at most {self._max_picture} bytes, got {size}")


class Remembered:
    """The latest frames that were pushed under a key of the caller's: a repeat waits for the first one's acknowledgement."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: OrderedDict[FrameId, Future[Position]] = OrderedDict()

    def get(self, frame_id: FrameId) -> Future[Position] | None:
        """None too where the first one failed: then it is worth another try."""
        sent = self._frames.get(frame_id)
        return None if sent is None or (sent.done() and sent.exception() is not None) else sent

    def put(self, frame_id: FrameId, sent: Future[Position]) -> None:
        self._frames[frame_id] = sent
        if len(self._frames) > self._most:
            self._frames.popitem(last=False)


def session_of(idempotency_key: str) -> str:
    """The same key makes the same session, and so the same frame id, in whichever process it arrives."""
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:38]


def _settle(acknowledged: Future[Position], sent: Future[Position]) -> None:
    error = sent.exception()
    if error is None:
        acknowledged.set_result(sent.result())
    else:
        acknowledged.set_exception(error)


def _checked(image: bytes) -> bytes:
    if not image:
        raise PushError(422, "picture: expected JPEG or PNG bytes, got none")
    if not image.startswith(PICTURES):
        raise PushError(415, f"picture: expected JPEG or PNG, got {len(image)} bytes starting {image[:4]!r}")
    return image


def _refused(error: BusError) -> PushError:
    if isinstance(error, BufferFullError):
        return PushError(429, str(error))
    return PushError(413 if isinstance(error, RecordTooLargeError) else 503, str(error))
